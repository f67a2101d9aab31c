"""What several rules ask of an entry of the Azure activity log, as it is exported to storage or an event hub.

One operation is several entries: Start, perhaps Accept, then Success or Failure. The body of the request is in the
first, that of the answer in the others, and the case of names differs between them.
"""

import json
from collections.abc import Mapping

from field_helpers import text

_CLAIMS = ("name", "upn", "appid")
_SOAP = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"


def operation(event):
    """The operation's name in lower case: Azure writes it in capitals or as the documentation does."""
    return (text(event, "operationName") or text(event, "operationName", "value")).lower()


def failed(event):
    """Whether this entry says that the operation failed."""
    return text(event, "resultType").lower() in ("failure", "failed")


def actor(event):
    """Who asked for it: a person by address, an application by its id."""
    claims = ("identity", "claims")
    for name in _CLAIMS:
        if found := text(event, *claims, _SOAP + name) or text(event, *claims, name):
            return found
    return text(event, "caller") or "an unknown caller"


def resource(event):
    """The last part of the resource's path: its name."""
    return text(event, "resourceId").rstrip("/").rpartition("/")[2] or "unknown"


def subscription(event):
    """The subscription of the resource."""
    parts = text(event, "resourceId").lower().split("/")
    return parts[2] if parts[:2] == ["", "subscriptions"] and len(parts) > 2 else "unknown"


def settings(event):
    """The properties that the operation asked for or got, with names in lower case at every depth."""
    properties = _parsed(event.get("properties"))
    bodies = [_parsed(properties.get(name)) for name in ("requestbody", "responsebody")]
    found = {}
    for body in bodies:
        inner = body.get("properties")
        found |= inner if isinstance(inner, dict) else {}
    return found


def azure_context(event):
    """What an analyst looks at first, the same in every alert."""
    return {
        "actor": actor(event),
        "correlation": event.get("correlationId"),
        "operation": operation(event),
        "resource": event.get("resourceId"),
        "result": event.get("resultType"),
        "role": event.deep_get("identity", "authorization", "evidence", "role"),
        "source_ip": event.get("callerIpAddress"),
        "subscription": subscription(event),
    }


def _parsed(value):
    """A mapping, or one in a JSON text, as plain data with names in lower case; {} for anything else."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return {}
    folded = _folded(value)
    return folded if isinstance(folded, dict) else {}


def _folded(value):
    if isinstance(value, Mapping):
        return {str(key).lower(): _folded(item) for key, item in value.items()}
    if hasattr(value, "__iter__") and not isinstance(value, str):
        return [_folded(item) for item in value]
    return value
