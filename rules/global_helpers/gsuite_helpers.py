"""What several Google Workspace rules ask of an activity of the Reports API."""

from field_helpers import mappings, text

_VALUES = ("value", "boolValue", "intValue", "multiValue")


def named(event, names):
    """The events of an activity that have one of these names: one activity can carry several."""
    return [item for item in mappings(event, "events") if item.get("name") in names]


def parameters(item):
    """The parameters of one event as name -> value; of what kind a value is depends on the parameter."""
    found = {}
    for parameter in mappings(item, "parameters"):
        kind = next((kind for kind in _VALUES if kind in parameter), None)
        if kind:
            found[text(parameter, "name")] = parameter.get(kind)
    return found


def words(value):
    """A parameter's value for people to read: lists joined, everything else as text."""
    if value is None or isinstance(value, str | bool | int | float):
        return "" if value is None else str(value)
    return ", ".join(map(str, value))


def actor(event):
    """Who did it: a person by address, Google's own jobs by their key."""
    return text(event, "actor", "email") or text(event, "actor", "key") or "unknown"


def gsuite_context(event):
    """What an analyst looks at first, the same in every alert."""
    return {
        "actor": actor(event),
        "application": event.deep_get("id", "applicationName"),
        "event_id": event.deep_get("id", "uniqueQualifier"),
        "events": [text(item, "name") for item in mappings(event, "events")],
        "source_ip": event.get("ipAddress"),
        "time": event.deep_get("id", "time"),
    }
