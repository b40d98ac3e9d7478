"""RegistryScanningConfiguration: scan type, frequencies and repositories."""

import pytest

from ecr_pull_through_cache import RegistryScanningConfiguration, ScanFrequency, ScanningRule, ScanType, UserError
from tests.support.templates import only


class TestScanning:
    def test_the_default_scans_everything_that_arrives(self, stack):
        RegistryScanningConfiguration(stack, "S")
        assert only(stack, "AWS::ECR::RegistryScanningConfiguration") == {
            "ScanType": "BASIC",
            "Rules": [
                {"ScanFrequency": "SCAN_ON_PUSH", "RepositoryFilters": [{"Filter": "*", "FilterType": "WILDCARD"}]}
            ],
        }

    def test_prefixes_are_scanned(self, stack):
        rule = ScanningRule(frequency=ScanFrequency.CONTINUOUS_SCAN, repository_prefixes=("k8s",))
        RegistryScanningConfiguration(stack, "S", scan_type=ScanType.ENHANCED, rules=[rule])
        (rendered,) = only(stack, "AWS::ECR::RegistryScanningConfiguration")["Rules"]
        assert rendered["RepositoryFilters"] == [{"Filter": "k8s/*", "FilterType": "WILDCARD"}]

    def test_the_basic_scanner_does_not_scan_continuously(self, stack):
        with pytest.raises(UserError, match="Stack/S: CONTINUOUS_SCAN does not go with BASIC"):
            RegistryScanningConfiguration(stack, "S", rules=[ScanningRule(frequency=ScanFrequency.CONTINUOUS_SCAN)])

    def test_a_frequency_is_given_once(self, stack):
        rules = [ScanningRule(frequency=ScanFrequency.SCAN_ON_PUSH, repository_prefixes=(p,)) for p in ("a1", "b1")]
        with pytest.raises(UserError, match="a scan frequency is given twice"):
            RegistryScanningConfiguration(stack, "S", rules=rules)

    def test_root_beside_another_prefix_means_all_repositories(self, stack):
        rule = ScanningRule(frequency=ScanFrequency.SCAN_ON_PUSH, repository_prefixes=("ROOT", "team-a"))
        RegistryScanningConfiguration(stack, "S", rules=[rule])
        (rendered,) = only(stack, "AWS::ECR::RegistryScanningConfiguration")["Rules"]
        assert rendered["RepositoryFilters"] == [{"Filter": "*", "FilterType": "WILDCARD"}]

    def test_the_frequencies_are_those_that_cloudformation_takes(self):
        assert {frequency.value for frequency in ScanFrequency} == {"SCAN_ON_PUSH", "CONTINUOUS_SCAN"}

    @pytest.mark.parametrize(
        "prefixes", [("team--cache",), ("a__b",), ("k" * 254,), tuple(f"p{n}" for n in range(101)), ()]
    )
    def test_filters_that_scanning_does_not_take_are_refused(self, prefixes):
        with pytest.raises(UserError):
            ScanningRule(frequency=ScanFrequency.SCAN_ON_PUSH, repository_prefixes=prefixes)
