"""How a registry scans its images for vulnerabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from aws_cdk import aws_ecr as ecr

from constructs import Construct

from .._checks import claim_singleton, error_at
from ..errors import UserError
from ..images import ROOT


class ScanType(Enum):
    """Which scanner looks at images."""

    BASIC = "BASIC"
    """The scanner that comes with ECR."""
    ENHANCED = "ENHANCED"
    """Amazon Inspector, which is charged for."""


class ScanFrequency(Enum):
    """When images are scanned."""

    SCAN_ON_PUSH = "SCAN_ON_PUSH"
    CONTINUOUS_SCAN = "CONTINUOUS_SCAN"
    """Again and again; for ``ENHANCED`` only."""
    MANUAL = "MANUAL"
    """When somebody asks; for ``BASIC`` only."""


@dataclass(frozen=True, kw_only=True)
class ScanningRule:
    """Which repositories are scanned when.

    :param frequency: when.
    :param repository_prefixes: prefixes of the repositories, ``ROOT`` for all.
    :raises UserError: when no prefix is given.
    """

    frequency: ScanFrequency
    repository_prefixes: tuple[str, ...] = (ROOT,)

    def __post_init__(self) -> None:
        if not self.repository_prefixes:
            raise UserError(f"a scanning rule has no repository prefixes; give at least one, or {ROOT} for all")


class RegistryScanningConfiguration(Construct):
    """The scanning configuration of the registry that the stack is deployed to; there is one per account and Region.

    A cached image is scanned when ECR imports it, as if it had been pushed.

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-scanning.html

    :param scope: parent.
    :param id: id below the parent.
    :param scan_type: which scanner.
    :param rules: which repositories are scanned when; at most one rule of each frequency.
    :raises UserError: when there is one already in this environment, or a frequency does not go with the scanner.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        scan_type: ScanType = ScanType.BASIC,
        rules: Sequence[ScanningRule] = (ScanningRule(frequency=ScanFrequency.SCAN_ON_PUSH),),
    ) -> None:
        wrong = ScanFrequency.CONTINUOUS_SCAN if scan_type is ScanType.BASIC else ScanFrequency.MANUAL
        frequencies = [rule.frequency for rule in rules]
        if wrong in frequencies:
            allowed = ", ".join(f.value for f in ScanFrequency if f is not wrong)
            raise error_at(scope, id, f"{wrong.value} does not go with {scan_type.value}; allowed are {allowed}")
        if len(set(frequencies)) < len(frequencies):
            raise error_at(scope, id, "a scan frequency is given twice; put its repository prefixes into one rule")
        claim_singleton(scope, id, "registry scanning configuration")

        super().__init__(scope, id)
        l1 = ecr.CfnRegistryScanningConfiguration
        self.resource = l1(
            self,
            "Resource",
            scan_type=scan_type.value,
            rules=[
                l1.ScanningRuleProperty(
                    scan_frequency=rule.frequency.value,
                    repository_filters=[
                        l1.RepositoryFilterProperty(
                            filter="*" if prefix == ROOT else f"{prefix}/*", filter_type="WILDCARD"
                        )
                        for prefix in rule.repository_prefixes
                    ],
                )
                for rule in rules
            ],
        )
        """The L1."""
