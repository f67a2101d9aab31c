from eks_helpers import audit_context, done, request_path, source_ip, user

# What a cluster tells everybody by design: its health, its version, the keys of its tokens.
PUBLIC = ("/healthz", "/livez", "/readyz", "/version", "/.well-known/openid-configuration", "/openid/v1/jwks")


def rule(event):
    if user(event) != "system:anonymous" or not done(event):
        return False
    return not request_path(event).startswith(PUBLIC)


def title(event):
    call = f"{event.get('verb')} {request_path(event)}"
    return f"{source_ip(event) or 'A client'} used a cluster without credentials: {call}"


def severity(event):
    return "HIGH" if event.get("verb") in ("get", "list", "watch") else "DEFAULT"


def dedup(event):
    return source_ip(event) or "unknown"


def alert_context(event):
    return audit_context(event)
