"""What rules remember between events, under the name that public rules import it by."""

from iota_dagster.core.detection.rule_memory import (
    add_to_string_set,
    check_account_age,
    evaluate_threshold,
    get_counter,
    get_dictionary,
    get_string_set,
    increment_counter,
    put_dictionary,
    put_string_set,
    remove_from_string_set,
    reset_counter,
    reset_string_set,
    set_key_expiration,
)

__all__ = [
    "add_to_string_set",
    "check_account_age",
    "evaluate_threshold",
    "get_counter",
    "get_dictionary",
    "get_string_set",
    "increment_counter",
    "put_dictionary",
    "put_string_set",
    "remove_from_string_set",
    "reset_counter",
    "reset_string_set",
    "set_key_expiration",
]
