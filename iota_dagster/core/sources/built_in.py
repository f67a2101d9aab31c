"""The log types that iota brings along: one module each, one line in this list."""

from __future__ import annotations

from iota_dagster.core.sources.alb import SOURCE as ALB
from iota_dagster.core.sources.aurora_mysql import SOURCE as AURORA_MYSQL
from iota_dagster.core.sources.azure_activity import SOURCE as AZURE_ACTIVITY
from iota_dagster.core.sources.base import Source
from iota_dagster.core.sources.bedrock import SOURCE as BEDROCK
from iota_dagster.core.sources.cloudflare_audit import SOURCE as CLOUDFLARE_AUDIT
from iota_dagster.core.sources.cloudflare_dns import SOURCE as CLOUDFLARE_DNS
from iota_dagster.core.sources.cloudflare_firewall import SOURCE as CLOUDFLARE_FIREWALL
from iota_dagster.core.sources.cloudflare_http import SOURCE as CLOUDFLARE_HTTP
from iota_dagster.core.sources.cloudtrail import CloudTrail
from iota_dagster.core.sources.eks_audit import SOURCE as EKS_AUDIT
from iota_dagster.core.sources.gcp_audit import SOURCE as GCP_AUDIT
from iota_dagster.core.sources.gcp_gke import SOURCE as GCP_GKE
from iota_dagster.core.sources.gcp_httplb import SOURCE as GCP_HTTPLB
from iota_dagster.core.sources.gcp_vpcflow import SOURCE as GCP_VPCFLOW
from iota_dagster.core.sources.github_audit import SOURCE as GITHUB_AUDIT
from iota_dagster.core.sources.github_webhook import SOURCE as GITHUB_WEBHOOK
from iota_dagster.core.sources.gsuite import SOURCE as GSUITE
from iota_dagster.core.sources.guardduty import SOURCE as GUARDDUTY
from iota_dagster.core.sources.okta import SOURCE as OKTA
from iota_dagster.core.sources.onepassword_audit import SOURCE as ONEPASSWORD_AUDIT
from iota_dagster.core.sources.onepassword_item_usage import SOURCE as ONEPASSWORD_ITEM_USAGE
from iota_dagster.core.sources.onepassword_signin import SOURCE as ONEPASSWORD_SIGNIN
from iota_dagster.core.sources.s3_access import SOURCE as S3_ACCESS
from iota_dagster.core.sources.securityhub import SOURCE as SECURITYHUB
from iota_dagster.core.sources.slack_audit import SOURCE as SLACK_AUDIT
from iota_dagster.core.sources.vpcdns import SOURCE as VPCDNS
from iota_dagster.core.sources.vpcflow import SOURCE as VPCFLOW
from iota_dagster.core.sources.waf import SOURCE as WAF

BUILT_IN: tuple[Source, ...] = (
    CloudTrail(),
    S3_ACCESS,
    VPCFLOW,
    ALB,
    AURORA_MYSQL,
    WAF,
    GUARDDUTY,
    VPCDNS,
    SECURITYHUB,
    BEDROCK,
    EKS_AUDIT,
    OKTA,
    GSUITE,
    ONEPASSWORD_SIGNIN,
    ONEPASSWORD_ITEM_USAGE,
    ONEPASSWORD_AUDIT,
    GITHUB_AUDIT,
    GITHUB_WEBHOOK,
    SLACK_AUDIT,
    GCP_AUDIT,
    GCP_HTTPLB,
    GCP_GKE,
    GCP_VPCFLOW,
    CLOUDFLARE_HTTP,
    CLOUDFLARE_FIREWALL,
    CLOUDFLARE_AUDIT,
    CLOUDFLARE_DNS,
    AZURE_ACTIVITY,
)
