from cloudtrail_helpers import account, actor, attempt, call_context

ATTACK = ("kali", "parrot", "pentoo", "pacu", "cloudfox", "trufflehog")
AUDIT = ("prowler", "scoutsuite")


def rule(event):
    agent = str(event.get("userAgent", "")).lower()
    return any(name in agent for name in ATTACK + AUDIT)


def tool(event):
    agent = str(event.get("userAgent", "")).lower()
    return next(name for name in ATTACK + AUDIT if name in agent)


def title(event):
    verb = attempt(event, "used", "use")
    return f"{actor(event)} {verb} {tool(event)} on account {account(event)}"


def severity(event):
    return "LOW" if tool(event) in AUDIT else "DEFAULT"


def dedup(event):
    return f"{account(event)}/{actor(event)}/{tool(event)}"


def alert_context(event):
    return call_context(event) | {"tool": tool(event)}
