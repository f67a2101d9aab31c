from field_helpers import text
from onepassword_helpers import onepassword_context, user

WEAKENING = {
    "disblmfa": "switched off two-factor authentication",
    "disblduo": "switched off Duo",
    "disblsso": "switched off sign-in by the identity provider",
    "delgsso": "took a group out of sign-in by the identity provider",
    "updatfw": "changed the firewall rules",
}
ACTIONS = tuple(WEAKENING)


def rule(event):
    return event.get("action") in ACTIONS


def title(event):
    return f"{user(event)} {WEAKENING[text(event, 'action')]} in 1Password"


def severity(event):
    return "MEDIUM" if event.get("action") == "updatfw" else "DEFAULT"


def alert_context(event):
    return onepassword_context(event) | {
        "changed": event.deep_get("object_details", "email") or event.get("object_uuid"),
        "info": event.get("aux_info"),
        "object_type": event.get("object_type"),
    }
