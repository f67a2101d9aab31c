from eks_helpers import audit_context, by_person, done, resource, target, user

VERBS = ("update", "patch")


def rule(event):
    if event.get("verb") not in VERBS or resource(event) != "certificatesigningrequests/approval":
        return False
    return done(event) and by_person(event)


def title(event):
    return f"{user(event)} approved the certificate {target(event)} by hand"


def alert_context(event):
    spec = event.deep_get("responseObject", "spec", default={})
    wanted = {"for_user": "username", "signer": "signerName"}
    return audit_context(event) | {
        name: spec.get(key) if hasattr(spec, "get") else None for name, key in wanted.items()
    }
