from field_helpers import text
from s3_log_helpers import anonymous, done, request_context

SECRETS = (
    ".env",
    ".pem",
    ".ppk",
    ".p12",
    ".kdbx",
    ".tfstate",
    ".sql",
    ".sql.gz",
    "id_rsa",
    ".git/config",
    ".aws/credentials",
    ".kube/config",
    ".htpasswd",
)


def rule(event):
    if event.get("operation") not in ("REST.GET.OBJECT", "WEBSITE.GET.OBJECT"):
        return False
    return anonymous(event) and done(event) and text(event, "key").lower().endswith(SECRETS)


def title(event):
    return f"{event.get('key')} of bucket {event.get('bucket')} was read without credentials"


def dedup(event):
    return f"{event.get('bucket')}/{event.get('key')}"


def alert_context(event):
    return request_context(event)
