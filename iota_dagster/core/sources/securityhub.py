"""Findings in the AWS Security Finding Format, as Security Hub hands on its own, other services' and partners'.

They are a log of states without a number: what customers change (workflow, note, severity) leaves `UpdatedAt` as it
was. Product, finding and its time are therefore no identity of a state; with a hash of what the finding says they are.
"""

from __future__ import annotations

from iota_dagster.core.sources.content_identity import ContentIdentified
from iota_dagster.core.sources.fields import Layout, found_in, integer, moment, structure, text, words
from iota_dagster.core.sources.finders import (
    ACCOUNT,
    ARN,
    DOMAIN,
    EMAIL,
    INSTANCE,
    IP,
    PLACE,
    SHA256,
    URL,
    USER,
    all_of,
)
from iota_dagster.core.sources.marks import TEXT_VALUE, Marks

_THREAT = all_of(PLACE, URL, EMAIL, SHA256)
_DETAILS = "Resources[].Details"

_LAYOUT = Layout(
    (
        text("SchemaVersion", "Version of the format"),
        text("Id", "The product's id of the finding, the same in all its states", ARN),
        text("ProductArn", "ARN of the product that found it"),
        text("ProductName", "The product that found it"),
        text("CompanyName", "Who makes that product"),
        text("GeneratorId", "The control, rule or detector within the product"),
        text("AwsAccountId", "The account in which it was found", ACCOUNT),
        text("AwsAccountName", "The name of that account"),
        text("Region", "The region in which it was found"),
        words("Types", "What was found, as namespace/category/classifier"),
        text("Title", "What was found, in a line"),
        text("Description", "What was found, in words"),
        moment("FirstObservedAt", "When the problem was seen first (UTC)"),
        moment("LastObservedAt", "When the problem was seen last (UTC)"),
        moment("CreatedAt", "When the finding was made (UTC)"),
        moment("UpdatedAt", "When its product updated the finding last (UTC)"),
        moment("ProcessedAt", "When Security Hub got the finding (UTC)"),
        text("Severity.Label", "INFORMATIONAL, LOW, MEDIUM, HIGH or CRITICAL"),
        integer("Severity.Normalized", "The same from 0 to 100"),
        text("Severity.Original", "The product's own rating"),
        integer("Confidence", "How sure the product is, from 0 to 100"),
        integer("Criticality", "How important the resource is, from 0 to 100"),
        text("Compliance.Status", "Of a control: PASSED, WARNING, FAILED or NOT_AVAILABLE"),
        text("Compliance.SecurityControlId", "The control, e.g. IAM.4"),
        text("Workflow.Status", "How far people are: NEW, NOTIFIED, SUPPRESSED or RESOLVED"),
        text("RecordState", "ACTIVE or ARCHIVED"),
        text("Resources[].Type", "The kinds of resources concerned"),
        text("Resources[].Id", "ARNs or ids of the resources concerned", all_of(ARN, INSTANCE)),
        text("Vulnerabilities[].Id", "Ids of vulnerabilities, as a rule CVE numbers"),
        text("SourceUrl", "A page about the finding"),
        structure("Resources", "The resources concerned, with details (JSON)"),
        structure("ProductFields", "What else the product says (JSON)"),
        structure("FindingProviderFields", "The product's own types and severity (JSON)"),
        structure("Action", "What was seen: a call, a connection, a DNS request (JSON)"),
        structure("Network", "The connection concerned (JSON)"),
        structure("Process", "The process concerned (JSON)"),
        structure("Note", "What people noted (JSON)"),
        found_in("Network.SourceIpV4", IP),
        found_in("Network.SourceIpV6", IP),
        found_in("Network.SourceDomain", DOMAIN),
        found_in("Network.DestinationIpV4", IP),
        found_in("Network.DestinationIpV6", IP),
        found_in("Network.DestinationDomain", DOMAIN),
        found_in("Action.NetworkConnectionAction.RemoteIpDetails.IpAddressV4", IP),
        found_in("Action.AwsApiCallAction.RemoteIpDetails.IpAddressV4", IP),
        found_in("Action.AwsApiCallAction.DomainDetails.Domain", DOMAIN),
        found_in("Action.DnsRequestAction.Domain", DOMAIN),
        found_in("Action.PortProbeAction.PortProbeDetails[].RemoteIpDetails.IpAddressV4", IP),
        found_in("ThreatIntelIndicators[].Value", _THREAT),
        found_in(f"{_DETAILS}.AwsEc2Instance.IpV4Addresses[]", IP),
        found_in(f"{_DETAILS}.AwsEc2Instance.IpV6Addresses[]", IP),
        found_in(f"{_DETAILS}.AwsIamAccessKey.PrincipalName", USER),
        found_in(f"{_DETAILS}.AwsIamAccessKey.UserName", USER),
        found_in(f"{_DETAILS}.AwsIamUser.UserName", USER),
    ),
    time=("UpdatedAt", "LastObservedAt", "CreatedAt"),
    identity=("Id", "UpdatedAt"),
    account=("AwsAccountId",),
    region=("Region",),
)


SOURCE = ContentIdentified(
    "AWS.SecurityFindingFormat",
    "securityhub_events",
    _LAYOUT,
    Marks({"SchemaVersion": b'"2018-10-08"', "Id": TEXT_VALUE, "AwsAccountId": TEXT_VALUE}),
    description="Findings of Security Hub and of all products that report to it, and every change of them",
)
