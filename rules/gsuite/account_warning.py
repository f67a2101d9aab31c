from gsuite_helpers import actor, gsuite_context, named, parameters, words

GRAVE = ("gov_attack_warning", "account_disabled_hijacked", "account_disabled_password_leak")
SUSPICIOUS = (
    "suspicious_login",
    "suspicious_login_less_secure_app",
    "suspicious_programmatic_login",
    "user_signed_out_due_to_suspicious_session_cookie",
)


def rule(event):
    return bool(named(event, GRAVE) or named(event, SUSPICIOUS))


def warning(event):
    return (named(event, GRAVE) or named(event, SUSPICIOUS))[0]


def user(event):
    return words(parameters(warning(event)).get("affected_email_address")) or actor(event)


def title(event):
    return f"Google warns about the account of {user(event)}: {warning(event)['name'].replace('_', ' ')}"


def severity(event):
    return (
        "CRITICAL" if warning(event)["name"] == "gov_attack_warning" else "HIGH" if named(event, GRAVE) else "DEFAULT"
    )


def dedup(event):
    return f"{user(event)}/{warning(event)['name']}"


def alert_context(event):
    return gsuite_context(event) | {"user": user(event)}
