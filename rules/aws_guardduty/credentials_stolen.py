from guardduty_helpers import about_credentials, archived, finding_context, resource


def rule(event):
    return about_credentials(event) and not archived(event)


def title(event):
    return f"GuardDuty sees stolen credentials or data: {event.get('type')} on {resource(event)}"


def dedup(event):
    return f"{event.get('accountId')}/{event.get('id')}"


def alert_context(event):
    return finding_context(event) | {
        "access_key": event.deep_get("resource", "accessKeyDetails", "accessKeyId"),
        "principal": event.deep_get("resource", "accessKeyDetails", "principalId"),
        "remote_ip": event.deep_get("service", "action", "awsApiCallAction", "remoteIpDetails", "ipAddressV4"),
    }
