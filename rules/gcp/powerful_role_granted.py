from gcp_helpers import actor, failed, gcp_context, grants, project

POWERFUL = (
    "roles/owner",
    "roles/editor",
    "roles/iam.securityAdmin",
    "roles/iam.serviceAccountTokenCreator",
    "roles/resourcemanager.organizationAdmin",
    "roles/resourcemanager.projectIamAdmin",
)
# Google grants these accounts the editor role by itself when an API is switched on.
DEFAULT_ACCOUNTS = ("@cloudservices.gserviceaccount.com", "-compute@developer.gserviceaccount.com")


def rule(event):
    return bool(powerful(event)) and not failed(event)


def powerful(event):
    return [
        (role, member) for role, member in grants(event) if role in POWERFUL and not member.endswith(DEFAULT_ACCOUNTS)
    ]


def title(event):
    role, member = powerful(event)[0]
    return f"{actor(event)} granted {role} to {member} in {project(event)}"


def severity(event):
    # A private account can belong to no employee.
    return "CRITICAL" if any(member.endswith("@gmail.com") for _, member in powerful(event)) else "DEFAULT"


def dedup(event):
    return f"{project(event)}/{actor(event)}"


def alert_context(event):
    return gcp_context(event) | {"grants": [f"{role} to {member}" for role, member in powerful(event)]}
