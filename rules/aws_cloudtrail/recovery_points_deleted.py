from cloudtrail_helpers import account, actor, attempt, by_service, by_tool, call_context, failed, same_actor, text

REMOVALS = (
    "DeleteRecoveryPoint",
    "DeleteBackupVault",
    "DeleteBackupVaultLockConfiguration",
    "DeleteBackupPlan",
    "UpdateRecoveryPointLifecycle",
)


def rule(event):
    if event.get("eventName") not in REMOVALS or event.get("eventSource") != "backup.amazonaws.com":
        return False
    return not by_service(event)


def title(event):
    return f"{actor(event)} {attempt(event, 'removed', 'remove')} backups of account {account(event)}"


def dedup(event):
    return same_actor(event)


def severity(event):
    return "MEDIUM" if failed(event) or by_tool(event) else "DEFAULT"


def alert_context(event):
    return call_context(event) | {
        "vault": text(event, "backupVaultName"),
        "recovery_point": text(event, "recoveryPointArn") or None,
    }
