from urllib.parse import unquote

from cloudtrail_helpers import account, actor, attempt, by_service, by_tool, call_context, own_role, text

ADMINISTRATORS = ("AmazonEKSClusterAdminPolicy", "AmazonEKSAdminPolicy")


def rule(event):
    if event.get("eventName") != "AssociateAccessPolicy" or by_service(event):
        return False
    return unquote(text(event, "policyArn")).rpartition("/")[2] in ADMINISTRATORS


def principal(event):
    # EKS takes the ARN from the path of the request, where it stands encoded.
    return unquote(text(event, "principalArn"))


def title(event):
    made = attempt(event, "made", "make")
    who = principal(event).rpartition(":")[2]
    return f"{actor(event)} {made} {who} administrator of EKS cluster {text(event, 'name')} in account {account(event)}"


def severity(event):
    if ":user/" in principal(event) or principal(event).rpartition("/")[2] == own_role(event):
        return "HIGH"
    return "LOW" if by_tool(event) else "DEFAULT"


def alert_context(event):
    return call_context(event) | {"cluster": text(event, "name"), "principal": principal(event)}
