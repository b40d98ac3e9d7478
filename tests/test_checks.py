"""Claims: what a registry has once, and the error that names the first owner."""

import aws_cdk as cdk
import pytest

from ecr_pull_through_cache import (
    RegistryPolicy,
    RegistryScanningConfiguration,
    ReplicationConfiguration,
    ReplicationDestination,
    ReplicationRule,
    SigningConfiguration,
    SigningRule,
    UserError,
)

RULE = ReplicationRule(destinations=(ReplicationDestination(region="us-east-1"),), repository_prefixes=("k8s",))
SINGLETONS = {
    "replication configuration": lambda scope, id: ReplicationConfiguration(scope, id, rules=[RULE]),
    "registry policy": RegistryPolicy,
    "registry scanning configuration": RegistryScanningConfiguration,
    "signing configuration": lambda scope, id: SigningConfiguration(
        scope, id, rules=[SigningRule(signing_profile_arn=cdk.Fn.import_value("profile"))]
    ),
}


@pytest.mark.parametrize(("kind", "make"), SINGLETONS.items(), ids=SINGLETONS)
class TestSingletons:
    def test_a_second_one_is_refused_in_the_same_environment(self, app, stack, kind, make):
        make(stack, "First")
        other = cdk.Stack(app, "Other", env=cdk.Environment(account="111122223333", region="eu-west-1"))
        with pytest.raises(UserError) as error:
            make(other, "Second")
        assert str(error.value) == (
            f"Other/Second: a registry has only one {kind}, and Stack/First is it for aws://111122223333/eu-west-1; "
            "add to that one, or give this stack another env"
        )

    def test_another_region_has_its_own(self, app, stack, kind, make):
        make(stack, "First")
        make(cdk.Stack(app, "Other", env=cdk.Environment(account="111122223333", region="eu-west-2")), "Second")

    def test_stacks_of_any_environment_are_told_apart(self, app, kind, make):
        make(cdk.Stack(app, "One"), "First")
        make(cdk.Stack(app, "Two"), "Second")

    def test_apps_are_told_apart(self, kind, make):
        for _ in range(2):
            app = cdk.App()
            make(cdk.Stack(app, "S", env=cdk.Environment(account="111122223333", region="eu-west-1")), "First")
