"""Scanning configuration: how a registry scans its images for vulnerabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from aws_cdk import aws_ecr as ecr

from constructs import Construct

from .._checks import claim_singleton, error_at
from .._props import checked
from ..ecr import filters
from ..errors import UserError
from ..images import ROOT


class ScanType(Enum):
    """The scanner."""

    BASIC = "BASIC"
    """The scanner that comes with ECR."""
    ENHANCED = "ENHANCED"
    """Amazon Inspector, which is charged for."""


class ScanFrequency(Enum):
    """When images are scanned.

    Repositories that no rule names are scanned on request alone under ``BASIC``, and not at all under ``ENHANCED``.
    """

    SCAN_ON_PUSH = "SCAN_ON_PUSH"
    """When they are pushed or imported."""
    CONTINUOUS_SCAN = "CONTINUOUS_SCAN"
    """Again and again; for ``ENHANCED`` alone."""


@checked
@dataclass(frozen=True, kw_only=True)
class ScanningRule:
    """Repositories, and when they are scanned.

    :param frequency: when they are scanned.
    :param repository_prefixes: 1 to 100 prefixes of the repositories; ``ROOT``, alone or beside others, means all
        repositories. Default: all repositories.
    :raises UserError: when no prefix is given, or scanning takes no filter for one.
    """

    frequency: ScanFrequency
    repository_prefixes: tuple[str, ...] = (ROOT,)

    def __post_init__(self) -> None:
        if not self.repository_prefixes:
            raise UserError(f"a scanning rule has no repository prefixes; give at least one, or {ROOT} for all")
        _ = self.filters

    @property
    def filters(self) -> list[str]:
        """The filters in the words of the service."""
        return filters.SCANNING.filters(self.repository_prefixes) or ["*"]


@checked
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
        frequencies = [rule.frequency for rule in rules]
        if scan_type is ScanType.BASIC and ScanFrequency.CONTINUOUS_SCAN in frequencies:
            raise error_at(scope, id, "CONTINUOUS_SCAN does not go with BASIC; allowed is SCAN_ON_PUSH")
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
                        l1.RepositoryFilterProperty(filter=text, filter_type="WILDCARD") for text in rule.filters
                    ],
                )
                for rule in rules
            ],
        )
        """The L1."""
