"""GuardDuty findings, as its export to S3 and EventBridge deliver them.

They are a log of updates: a finding that goes on comes again under its id with a new `updatedAt`. Each update is an
event of its own, at the time when GuardDuty made it: `service.eventLastSeen` says when the activity was last seen, and
stays the same when only the finding changes.
"""

from __future__ import annotations

from collections.abc import Iterable

from iota_dagster.core.sources.fields import Field, Layout, flag, found_in, integer, moment, number, structure, text
from iota_dagster.core.sources.finders import ACCOUNT, ARN, DOMAIN, INSTANCE, IP, PLACE, SHA256, USER, Finder
from iota_dagster.core.sources.json_source import JsonSource
from iota_dagster.core.sources.marks import ANYTHING, OBJECT_VALUE, TEXT_VALUE, Marks

_CALL = "service.action.awsApiCallAction"
_CONNECTION = "service.action.networkConnectionAction"
_CLUSTER_CALL = "service.action.kubernetesApiCallAction"
_LOGIN = "service.action.rdsLoginAttemptAction"
_PROBE = "service.action.portProbeAction.portProbeDetails[]"
_INTERFACE = "resource.instanceDetails.networkInterfaces[]"
_CLUSTER_USER = "resource.kubernetesDetails.kubernetesUserDetails"
_PROCESS = "service.runtimeDetails.process"
_SEQUENCE = "service.detection.sequence"
_SCAN = "service.ebsVolumeScanDetails.scanDetections.threatDetectedByName.threatNames[]"

_COLUMNS = (
    text("schemaVersion", "Version of the record's format"),
    text("id", "GuardDuty's id of the finding, the same in all its updates"),
    text("arn", "ARN of the finding", ARN),
    text("type", "What was found, e.g. Recon:EC2/PortProbeUnprotectedPort"),
    text("title", "What was found, in a line"),
    text("description", "What was found, in words"),
    number("severity", "From 1 (low) to 10 (critical)"),
    text("accountId", "The account in which it was found", ACCOUNT),
    text("region", "The region in which it was found"),
    text("partition", "The partition of AWS: aws, aws-cn, aws-us-gov"),
    moment("createdAt", "When the finding was made (UTC)"),
    moment("updatedAt", "When the finding was updated last (UTC)"),
    moment("service.eventFirstSeen", "When the activity was seen first (UTC)"),
    moment("service.eventLastSeen", "When the activity was seen last (UTC)"),
    integer("service.count", "How often the activity was seen"),
    flag("service.archived", "Whether the finding was put away, by hand or by a suppression rule"),
    text("service.detectorId", "The detector that found it"),
    text("service.resourceRole", "Whether the resource is ACTOR or TARGET"),
    text("service.action.actionType", "AWS_API_CALL, NETWORK_CONNECTION, DNS_REQUEST, PORT_PROBE, …"),
    text(f"{_CALL}.api", "The API call that was made"),
    text(f"{_CALL}.serviceName", "The service that was called"),
    text(f"{_CALL}.errorCode", "The call's error, where it failed"),
    text(f"{_CALL}.remoteIpDetails.ipAddressV4", "Where the API call came from", IP),
    text(f"{_CONNECTION}.connectionDirection", "INBOUND, OUTBOUND or UNKNOWN"),
    text(f"{_CONNECTION}.remoteIpDetails.ipAddressV4", "The other end of the connection", IP),
    text("service.action.dnsRequestAction.domain", "The name that was looked up", DOMAIN),
    text("resource.resourceType", "Instance, AccessKey, S3Bucket, EKSCluster, …"),
    text("resource.instanceDetails.instanceId", "The EC2 instance concerned", INSTANCE),
    text("resource.accessKeyDetails.accessKeyId", "The access key concerned"),
    text("resource.accessKeyDetails.userName", "The user or role of that key", USER),
    text("resource.accessKeyDetails.userType", "What that user is: IAMUser, AssumedRole, Root, …"),
    text("resource.s3BucketDetails[].name", "The buckets concerned"),
    text("resource.eksClusterDetails.name", "The EKS cluster concerned"),
    text("resource.lambdaDetails.functionName", "The function concerned"),
    text("resource.rdsDbInstanceDetails.dbInstanceIdentifier", "The database concerned"),
    text(f"{_PROCESS}.executablePath", "The program concerned"),
    text("associatedAttackSequenceArn", "The attack sequence to which the finding belongs", ARN),
    structure("resource", "What the finding is about (JSON)"),
    structure("service", "What was seen, how often and by which evidence (JSON)"),
)

_FOUND: tuple[tuple[Finder, Iterable[str]], ...] = (
    (
        IP,
        (
            f"{_CALL}.remoteIpDetails.ipAddressV6",
            f"{_CONNECTION}.remoteIpDetails.ipAddressV6",
            *(f"{_CONNECTION}.localIpDetails.ipAddressV{version}" for version in (4, 6)),
            *(f"{_CLUSTER_CALL}.remoteIpDetails.ipAddressV{version}" for version in (4, 6)),
            f"{_CLUSTER_CALL}.sourceIPs[]",
            f"{_CLUSTER_CALL}.sourceIps[]",
            *(f"{_LOGIN}.remoteIpDetails.ipAddressV{version}" for version in (4, 6)),
            *(f"{_PROBE}.{end}IpDetails.ipAddressV{version}" for end in ("local", "remote") for version in (4, 6)),
            f"{_INTERFACE}.publicIp",
            f"{_INTERFACE}.ipv6Addresses[]",
            f"{_INTERFACE}.privateIpAddresses[].privateIpAddress",
        ),
    ),
    (PLACE, (f"{_SEQUENCE}.endpoints[].ip", f"{_SEQUENCE}.endpoints[].domain")),
    (DOMAIN, (f"{_CALL}.domainDetails.domain", f"{_INTERFACE}.publicDnsName", f"{_INTERFACE}.privateDnsName")),
    (
        USER,
        (
            f"{_CLUSTER_USER}.username",
            f"{_CLUSTER_USER}.sessionName[]",
            f"{_CLUSTER_USER}.impersonatedUser.username",
            f"{_LOGIN}.LoginAttributes[].user",
            f"{_LOGIN}.loginAttributes[].user",
            "resource.rdsDbUserDetails.user",
            f"{_SEQUENCE}.actors[].user.name",
        ),
    ),
    (
        ARN,
        (
            "resource.instanceDetails.iamInstanceProfile.arn",
            "resource.s3BucketDetails[].arn",
            "resource.s3BucketDetails[].s3ObjectDetails[].objectArn",
            "resource.eksClusterDetails.arn",
            "resource.ecsClusterDetails.arn",
            "resource.ecsClusterDetails.taskDetails.arn",
            "resource.lambdaDetails.functionArn",
            "resource.rdsDbInstanceDetails.dbInstanceArn",
            f"{_SEQUENCE}.resources[].uid",
        ),
    ),
    (
        ACCOUNT,
        (
            f"{_CALL}.remoteAccountDetails.accountId",
            f"{_SEQUENCE}.actors[].user.account.uid",
            f"{_SEQUENCE}.resources[].accountId",
        ),
    ),
    (
        SHA256,
        (
            f"{_PROCESS}.executableSha256",
            "service.runtimeDetails.context.modifyingProcess.executableSha256",
            "service.runtimeDetails.context.moduleSha256",
            "service.evidence.threatIntelligenceDetails[].threatFileSha256",
            "resource.s3BucketDetails[].s3ObjectDetails[].hash",
            f"{_SCAN}.filePaths[].hash",
            "service.malwareScanDetails.threats[].itemPaths[].hash",
            f"{_SEQUENCE}.actors[].process.sha256",
        ),
    ),
)
"""Where indicators stand that are no columns."""


def _fields() -> tuple[Field, ...]:
    return (*_COLUMNS, *(found_in(path, finder) for finder, paths in _FOUND for path in paths))


SOURCE = JsonSource(
    "AWS.GuardDuty",
    "guardduty_events",
    Layout(
        _fields(),
        time=("updatedAt", "service.eventLastSeen", "createdAt"),
        identity=("id", "updatedAt"),
        account=("accountId",),
        region=("region",),
    ),
    Marks({"schemaVersion": TEXT_VALUE, "type": ANYTHING, "service": OBJECT_VALUE, "resource": OBJECT_VALUE}),
    description="Threats that GuardDuty found, and every update of such a finding",
    key=r"/GuardDuty/",
)
