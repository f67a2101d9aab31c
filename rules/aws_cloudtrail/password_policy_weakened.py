from cloudtrail_helpers import account, actor, attempt, by_service, call_context, request

CALLS = ("DeleteAccountPasswordPolicy", "UpdateAccountPasswordPolicy")
SHORTEST = 8


def rule(event):
    if event.get("eventName") not in CALLS or by_service(event):
        return False
    if event.get("eventName") == "DeleteAccountPasswordPolicy":
        return True
    length = request(event, "minimumPasswordLength")
    return isinstance(length, int) and length < SHORTEST


def title(event):
    weakened = attempt(event, "weakened", "weaken")
    return f"{actor(event)} {weakened} the password policy of account {account(event)}"


def alert_context(event):
    return call_context(event) | {"minimum_length": request(event, "minimumPasswordLength")}
