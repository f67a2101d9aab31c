from cloudtrail_helpers import account, actor, attempt, call_context, failed, text

CALLS = ("DeleteImportedKeyMaterial", "ImportKeyMaterial")
LASTING = "KEY_MATERIAL_DOES_NOT_EXPIRE"


def rule(event):
    if event.get("eventName") not in CALLS:
        return False
    # Who imports without a word about it gets material that expires.
    return text(event, "expirationModel") != LASTING


def title(event):
    if event.get("eventName") == "ImportKeyMaterial":
        verb = attempt(event, "imported expiring material into", "import expiring material into")
    else:
        verb = attempt(event, "deleted the material of", "delete the material of")
    return f"{actor(event)} {verb} KMS key {text(event, 'keyId')} of account {account(event)}"


def severity(event):
    return "HIGH" if failed(event) or event.get("eventName") == "ImportKeyMaterial" else "DEFAULT"


def alert_context(event):
    return call_context(event) | {"key": text(event, "keyId"), "expires": text(event, "validTo") or None}
