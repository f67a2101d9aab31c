from eks_helpers import WRITES, audit_context, by_control_plane, done, resource, target, user
from field_helpers import mappings, texts

ROLES = ("clusterroles", "roles")
ESCALATING = ("escalate", "bind", "impersonate")
DOORS = ("nodes/proxy", "serviceaccounts/token")


def rule(event):
    if event.get("verb") not in WRITES or resource(event) not in ROLES:
        return False
    return done(event) and not by_control_plane(event) and bool(powers(event))


def powers(event):
    return [power for entry in mappings(event, "requestObject", "rules") if (power := power_of(entry))]


def power_of(entry):
    verbs, resources = texts(entry, "verbs"), texts(entry, "resources")
    if "*" in verbs and "*" in resources:
        return "everything"
    found = [verb for verb in verbs if verb in ESCALATING] + [door for door in resources if door in DOORS]
    return ", ".join(found)


def title(event):
    return f"{user(event)} made role {target(event)} with the power of {'; '.join(powers(event))}"


def dedup(event):
    return f"{user(event)}/{target(event)}"


def alert_context(event):
    return audit_context(event) | {"powers": powers(event)}
