"""What to do about an error of AWS."""

from __future__ import annotations

from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError, NoCredentialsError

_PERMISSIONS = {
    "AssumeRole": "sts:AssumeRole",
    "GetDatabase": "glue:GetDatabase",
    "GetObject": "s3:GetObject",
    "GetQueueAttributes": "sqs:GetQueueAttributes",
    "GetQueueUrl": "sqs:GetQueueUrl",
    "HeadObject": "s3:GetObject",
    "ListObjectsV2": "s3:ListBucket",
    "PutObject": "s3:PutObject",
    "DeleteObject": "s3:DeleteObject",
}
_CODES = {
    "NoSuchBucket": "correct the bucket's name",
    "PermanentRedirect": "set the region that the bucket is in",
    "AuthorizationHeaderMalformed": "set the region that the bucket is in",
    "ExpiredToken": "renew our own credentials",
    "ExpiredTokenException": "renew our own credentials",
    "InvalidAccessKeyId": "correct our own credentials",
    "InvalidClientTokenId": "correct our own credentials",
    "SignatureDoesNotMatch": "correct our own credentials",
    "RequestTimeTooSkewed": "set this machine's clock (NTP)",
    "AWS.SimpleQueueService.NonExistentQueue": "correct queue_url",
    "QueueDoesNotExist": "correct queue_url",
}
_OF_A_QUEUE = ("Message", "MessageBatch", "QueueAttributes", "QueueUrl")
_DENIED = {"403", "AccessDenied", "AccessDeniedException", "AuthorizationError", "Forbidden"}


def what_to_do(error: BaseException | None) -> str:
    """Advice for an error of AWS, or for one of ours that was caused by it; "" for any other."""
    while error is not None:
        if isinstance(error, ClientError):
            return _about_answer(error)
        if isinstance(error, NoCredentialsError):
            return "give this machine an AWS role, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        if isinstance(error, EndpointConnectionError):
            return "look at the network, the proxy, region and endpoint_url"
        if isinstance(error, BotoCoreError):
            return "look at the AWS configuration of this machine"
        error = error.__cause__
    return ""


def _about_answer(error: ClientError) -> str:
    answer, operation = error.response.get("Error", {}), error.operation_name
    code, text = answer.get("Code", ""), answer.get("Message", "")
    if operation == "AssumeRole":
        return (
            "the role must exist, trust our own role and ask for this external_id, and our own role needs "
            "sts:AssumeRole on it (deploy/aws/log-account-trust.json, iota-role.json)"
        )
    if operation == "GetSecretValue":
        return "correct external_id_secret, or allow secretsmanager:GetSecretValue on it to our own role"
    if "kms" in text.lower() or code.upper().startswith("KMS"):
        return _about_key(operation)
    if code in _CODES:
        return _CODES[code]
    if code in _DENIED:
        permission = _PERMISSIONS.get(operation, operation)
        return f"allow {permission} to the role that asks, and look for a policy that denies it"
    return ""


def _about_key(operation: str) -> str:
    whose = "queue" if operation.endswith(_OF_A_QUEUE) else "bucket"
    use = "kms:GenerateDataKey and kms:Decrypt" if operation.startswith(("Put", "Send")) else "kms:Decrypt"
    return f"the role needs {use} on the {whose}'s key, in its own policy and in the key's"
