from cloudtrail_helpers import account, actor, attempt, by_service, call_context, text

SETTING = "/ssm/managed-instance/default-ec2-instance-management-role"
ROLE_OF_AWS = "AWSSystemsManagerDefaultEC2InstanceManagementRole"


def rule(event):
    if event.get("eventName") != "UpdateServiceSetting" or by_service(event):
        return False
    return text(event, "settingId").endswith(SETTING)


def role(event):
    return text(event, "settingValue")


def title(event):
    gave = attempt(event, "gave", "give")
    return f"{actor(event)} {gave} role {role(event)} to all instances in {event.get('awsRegion')} of {account(event)}"


def severity(event):
    return "DEFAULT" if role(event).endswith(ROLE_OF_AWS) else "HIGH"


def alert_context(event):
    return call_context(event) | {"role": role(event)}
