from gcp_helpers import actor, failed, gcp_context, method, project, resource

METHODS = ("google.iam.admin.v1.CreateServiceAccountKey", "google.iam.admin.v1.UploadServiceAccountKey")


def rule(event):
    return method(event) in METHODS and not failed(event)


def service_account(event):
    return resource(event).rpartition("/serviceAccounts/")[2]


def title(event):
    return f"{actor(event)} made a key of service account {service_account(event)} in {project(event)}"


def severity(event):
    # A machine that makes itself a key which outlives it is hardly ever wanted.
    return "HIGH" if actor(event).endswith(".gserviceaccount.com") else "DEFAULT"


def dedup(event):
    return f"{project(event)}/{actor(event)}"


def alert_context(event):
    return gcp_context(event) | {"service_account": service_account(event)}
