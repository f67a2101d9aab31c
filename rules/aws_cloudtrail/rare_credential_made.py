from cloudtrail_helpers import account, actor, attempt, by_service, call_context, text

CALLS = ("UploadSigningCertificate", "CreateServiceSpecificCredential", "UploadSSHPublicKey")
WHAT = {
    "UploadSigningCertificate": "a signing certificate",
    "CreateServiceSpecificCredential": "a service password",
    "UploadSSHPublicKey": "an SSH key",
}


def rule(event):
    if event.get("eventName") not in CALLS or by_service(event):
        return False
    if text(event, "serviceName") == "bedrock.amazonaws.com":
        return False
    # People who use CodeCommit make SSH keys and passwords for themselves; signing certificates nobody uses any more.
    return event.get("eventName") == "UploadSigningCertificate" or target(event) != actor(event)


def target(event):
    return text(event, "userName") or actor(event)


def title(event):
    made = attempt(event, "made", "make")
    what = WHAT[event.get("eventName")]
    return f"{actor(event)} {made} {what} for user {target(event)} in account {account(event)}"


def alert_context(event):
    return call_context(event) | {"target_user": target(event), "service": text(event, "serviceName")}
