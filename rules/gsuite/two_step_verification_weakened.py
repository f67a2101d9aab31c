from gsuite_helpers import actor, gsuite_context, named, parameters, words

BY_ADMIN = ("TURN_OFF_2_STEP_VERIFICATION", "UNENROLL_USER_FROM_STRONG_AUTH", "UNENROLL_USER_FROM_TITANIUM")
BY_USER = ("2sv_disable", "titanium_unenroll")
SETTINGS = ("ENFORCE_STRONG_AUTHENTICATION", "ALLOW_STRONG_AUTHENTICATION")


def rule(event):
    return bool(named(event, BY_ADMIN) or named(event, BY_USER) or switched_off(event))


def switched_off(event):
    return [item for item in named(event, SETTINGS) if words(parameters(item).get("NEW_VALUE")).lower() == "false"]


def whom(event):
    if switched_off(event):
        return "everybody"
    for item in named(event, BY_ADMIN):
        return words(parameters(item).get("USER_EMAIL")) or "unknown"
    return "themselves"


def title(event):
    return f"{actor(event)} switched off 2-step verification in Google Workspace for {whom(event)}"


def severity(event):
    if switched_off(event):
        return "HIGH"
    return "DEFAULT" if named(event, BY_ADMIN) else "LOW"


def alert_context(event):
    return gsuite_context(event) | {"user": whom(event)}
