"""The page docs/settings.md, made from the settings themselves."""

from __future__ import annotations

from collections.abc import Iterator
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ByteSize, SecretStr
from pydantic.fields import FieldInfo

from iota_dagster.settings import Settings
from iota_dagster.settings_file import PREFIX, kind_of, models_in
from iota_dagster.settings_types import MIB

_INTRODUCTION = """\
# Settings

<!-- Made by `python -m iota_dagster.settings > docs/settings.md`; do not edit by hand. -->

iota reads one YAML file: the one that `--config` or `IOTA_CONFIG` names, else `iota.yaml` in the working folder if
there is one. Every setting has a default, so that the file may be missing or hold only what differs:

```yaml
home: /var/lib/iota
store_url: postgresql://iota@db.example.com/iota
integrations:
  - name: production
    bucket: example-cloudtrail
    prefix: AWSLogs/
    account: "111122223333"
    region: eu-central-1
    role_arn: arn:aws:iam::111122223333:role/iota-reader
destinations:
  - {type: json_lines, name: alerts_file, path: alerts.jsonl}
routing:
  HIGH: [alerts_file]
```

An environment variable goes before the file: `IOTA_` and the setting's name, `__` for one level down, a number for
an entry of a list (`IOTA_BLOOM__ERROR_RATE=0.01`, `IOTA_INTEGRATIONS__0__EXTERNAL_ID=…`,
`IOTA_RULES='[iota:rules, mine]'`).
Secrets belong there, not in the file. A relative path starts at the file's folder; in a variable, or without a file, at
the working folder. Sizes are bytes, or written like `256 MiB`. A setting without a value keeps its default. A wrong
or unknown one is an error that names file, line, column and what was expected.
"""


def settings_page() -> str:
    """The page, in Markdown: one table for the settings and one for each group of them."""
    return _INTRODUCTION + "".join(_section(model, title, prefix) for model, title, prefix in _sections())


def _sections() -> Iterator[tuple[type[BaseModel], str, str]]:
    yield Settings, "All settings", ""
    for name, field in Settings.model_fields.items():
        for model in models_in(field.annotation):
            many = get_origin(field.annotation) is tuple
            yield model, f"`{name}`: {model.__name__}", f"{name}__<number>__" if many else f"{name}__"


def _section(model: type[BaseModel], title: str, prefix: str) -> str:
    text = f"\n{(model.__doc__ or '').strip()}\n" if prefix else ""
    rows = "".join(_row(name, field, prefix) for name, field in model.model_fields.items())
    return f"\n## {title}\n{text}\n| setting | variable | type | default | |\n|---|---|---|---|---|\n{rows}"


def _row(name: str, field: FieldInfo, prefix: str) -> str:
    variable = f"{PREFIX}{(prefix + name).upper()}".replace("<NUMBER>", "<number>")
    cells = (f"`{name}`", f"`{variable}`", type_text(field.annotation), default_text(field), field.description or "")
    return f"| {' | '.join(cells)} |\n"


def type_text(annotation: Any) -> str:
    """A type in a reader's words."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if origin is tuple:
        return f"list of {type_text(arguments[0])}"
    if origin is dict:
        return f"{type_text(arguments[0])}: {type_text(arguments[1])}"
    if len(models := models_in(annotation)) > 1:
        return " or ".join(f"`{kind_of(model)}`" for model in models)
    if arguments:
        return type_text(next(argument for argument in arguments if argument is not NoneType))
    if issubclass(annotation, BaseModel):
        return f"{annotation.__name__}"
    names = {str: "text", int: "whole number", float: "number", ByteSize: "size", SecretStr: "secret text"}
    return names.get(annotation, str(annotation.__name__).lower())


def default_text(field: FieldInfo) -> str:
    """A default as a user would write it; for one that follows from other settings, how."""
    if isinstance(field.json_schema_extra, dict):
        return str(field.json_schema_extra["shown"])
    if field.is_required():
        return "required"
    if isinstance(field.default, BaseModel):
        return "see below"
    if isinstance(field.default, ByteSize):
        return f"{field.default // MIB} MiB"
    return "none" if field.default in (None, (), "") else f"`{field.default}`"
