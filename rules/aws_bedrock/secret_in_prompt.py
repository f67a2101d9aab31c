import re

from bedrock_helpers import caller, invocation_context, model

LIMIT = 200_000
# Every alternative begins with a fixed text: the search is linear.
SECRETS = re.compile(
    r"(?P<aws_key>\bA(?:KIA|SIA)[A-Z2-7]{16}\b(?<!EXAMPLE))"
    r"|(?P<github_token>\bgh[pousr]_[A-Za-z0-9]{36}\b)"
    r"|(?P<slack_token>\bxox[abprs]-[0-9]{10,13}-[A-Za-z0-9-]{10,80})"
    r"|(?P<private_key>-----BEGIN (?:[A-Z]{2,9} )?PRIVATE KEY-----)"
)


def rule(event):
    return found(event) is not None


def found(event):
    return SECRETS.search(repr(event.deep_get("input", "inputBodyJson"))[:LIMIT])


def kind(event):
    match = found(event)
    return match.lastgroup.replace("_", " ") if match else "secret"


def title(event):
    return f"{caller(event)} sent a secret ({kind(event)}) to model {model(event)}"


def dedup(event):
    return f"{event.get('accountId')}/{caller(event)}/{kind(event)}"


def alert_context(event):
    # Not the secret itself: alerts are read by more people than the log.
    return invocation_context(event) | {"kind": kind(event)}
