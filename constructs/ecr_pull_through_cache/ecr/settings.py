"""Account settings of Amazon ECR, which CloudFormation has no resource for.

https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutAccountSetting.html
https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry-permissions-account-settings.html
"""

POLICY_SCOPE = "REGISTRY_POLICY_SCOPE"
"""Scope of the registry policy. ``V1``: ECR enforces it for replication, import and the creation of repositories alone.
``V2``, the default of new registries: for every action of ECR."""

SCAN_VERSION = "BASIC_SCAN_TYPE_VERSION"
"""Version of basic scanning: ``AWS_NATIVE``, or ``CLAIR``, which AWS ended on 2026-02-02."""
