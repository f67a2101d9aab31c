"""Fields of any log type in the type the caller needs: a record that holds something else raises nothing."""

from collections.abc import Mapping, Sequence


def text(event, *keys, default=""):
    """The text at a path of keys; the default where there is none."""
    value = event.deep_get(*keys)
    return value if isinstance(value, str) else default


def number(event, *keys, default=0):
    """The number at a path of keys; the default where there is none."""
    value = event.deep_get(*keys)
    return value if isinstance(value, int | float) else default


def items(event, *keys):
    """What the list at a path of keys holds; nothing where there is no list."""
    value = event.deep_get(*keys)
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else []


def mappings(event, *keys):
    """The mappings in the list at a path of keys."""
    return [item for item in items(event, *keys) if isinstance(item, Mapping)]


def texts(event, *keys):
    """The texts in the list at a path of keys."""
    return [item for item in items(event, *keys) if isinstance(item, str)]
