from cloudtrail_helpers import account, actor, attempt, by_service, call_context, failed, machine, same_actor, text
from cloudtrail_sharing import person, texts

SCRIPTS = ("AWS-RunShellScript", "AWS-RunPowerShellScript", "AWS-RunRemoteScript")


def rule(event):
    if event.get("eventName") != "SendCommand" or event.get("eventSource") != "ssm.amazonaws.com":
        return False
    if document(event) not in SCRIPTS or by_service(event):
        return False
    # Roles of deployment tools run scripts all day; people and instances should not.
    return person(event) or bool(machine(event))


def document(event):
    return text(event, "documentName").rpartition("/")[2]


def targets(event):
    return texts(event, "instanceIds") or texts(event, "targets", "values")


def title(event):
    verb = attempt(event, "ran", "run")
    return f"{actor(event)} {verb} commands on instances of account {account(event)} through SSM"


def dedup(event):
    return same_actor(event)


def severity(event):
    if failed(event):
        return "LOW"
    return "HIGH" if machine(event) else "DEFAULT"


def alert_context(event):
    return call_context(event) | {
        "document": document(event),
        "targets": targets(event),
        "command_id": event.deep_get("responseElements", "command", "commandId"),
    }
