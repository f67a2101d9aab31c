"""What a run says on standard error."""

from __future__ import annotations

import logging

import dagster as dg
from dagster import colored_console_logger

from iota_dagster.logging_setup import is_no_interruption


def _console(context: dg.InitLoggerContext) -> logging.Logger:
    made: logging.Logger = colored_console_logger.logger_fn(context)
    for handler in made.handlers:
        handler.addFilter(is_no_interruption)
    return made


console = dg.LoggerDefinition(
    _console,
    config_schema=colored_console_logger.config_schema,
    description="Dagster's own. That somebody has ended a run is no error with a hundred lines of traceback.",
)
