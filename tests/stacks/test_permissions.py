"""Who may do what in the example organisation, asked of a policy evaluator: by meaning, not by text."""

import json
import re

import pytest

from tests.real.policies import Question, allowed
from tests.support.assemblies import assembly, of_kind, resolved, templates

HUB, PROD, DEV = "111122223333", "222233334444", "333344445555"
ORGANIZATION = "o-exampleorg1"

IMPORT = "ecr:BatchImportUpstreamImage"
PULL = "ecr:BatchGetImage"
CREATE = "ecr:CreateRepository"


def nodes_of(cluster):
    """The node policy of a cluster, and beside it what AWS's own AmazonEC2ContainerRegistryPullOnly allows."""
    (policy,) = of_kind(templates(assembly("example"))[f"cluster-{cluster}"], "AWS::IAM::ManagedPolicy")
    aws_managed = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Resource": "*", "Action": [PULL, IMPORT, "ecr:GetAuthorizationToken"]}],
    }
    return resolved(policy["PolicyDocument"]), aws_managed


def registry_policies(registry, repository):
    """Registry policy, and the repository policy that the longest matching template gives a repository."""
    template = templates(assembly("example"))[f"registry-{registry}"]
    policies = [resolved(p["PolicyText"]) for p in of_kind(template, "AWS::ECR::RegistryPolicy")]
    matching = [
        t for t in of_kind(template, "AWS::ECR::RepositoryCreationTemplate") if repository.startswith(t["Prefix"] + "/")
    ]
    longest = sorted(matching, key=lambda t: -len(t["Prefix"]))[:1]
    return (*policies, *(json.loads(resolved(t["RepositoryPolicy"])) for t in longest))


def call(cluster, action, registry, region, repository, *, account, organization=ORGANIZATION, with_aws_managed=False):
    own, managed = nodes_of(cluster)
    return Question(
        principal=f"arn:aws:iam::{account}:role/nodes",
        action=action,
        resource=f"arn:aws:ecr:{region}:{HUB}:repository/{repository}",
        owner=HUB,
        identity=(own, managed) if with_aws_managed else (own,),
        resource_policies=registry_policies(registry, repository),
        organization=organization,
    )


MAY = {
    "prod nodes pull from the hub": call("prod-eu", PULL, "hub", "eu-west-1", "k8s/pause", account=PROD),
    "prod nodes import into the hub": call("prod-eu", IMPORT, "hub", "eu-west-1", "k8s/pause", account=PROD),
    "prod nodes create repositories in the hub": call("prod-eu", CREATE, "hub", "eu-west-1", "quay/a/b", account=PROD),
    "self-hosted nodes import": call(
        "dev-self-hosted", IMPORT, "hub", "eu-west-1", "docker-hub/library/nginx", account=DEV
    ),
    "tasks of ECS import": call("batch-ecs", IMPORT, "hub", "eu-west-1", "github/a/b", account=DEV),
    "private nodes pull": call("prod-private", PULL, "frankfurt", "eu-central-1", "k8s/pause", account=PROD),
    "private nodes pull replicas": call("prod-private", PULL, "frankfurt", "eu-central-1", "quay/a/b", account=PROD),
    "nodes pull replicas": call("prod-us", PULL, "america", "us-east-1", "quay/a/b", account=PROD),
}
MAY_NOT = {
    "import outside of the prefixes": call("prod-eu", IMPORT, "hub", "eu-west-1", "apps/web", account=PROD),
    "create repositories outside of the prefixes": call("prod-eu", CREATE, "hub", "eu-west-1", "k8sx/pause", account=PROD),
    "push": call("prod-eu", "ecr:PutImage", "hub", "eu-west-1", "k8s/pause", account=PROD),
    "delete": call("prod-eu", "ecr:DeleteRepository", "hub", "eu-west-1", "k8s/pause", account=PROD),
    "pull from a registry that is not theirs": call("prod-eu", PULL, "america", "us-east-1", "k8s/pause", account=PROD),
    "pull from outside of organisation and accounts": call(
        "prod-eu", PULL, "hub", "eu-west-1", "k8s/pause", account="999988887777", organization="o-somebodyelse"
    ),
    "import from outside of organisation and accounts": call(
        "prod-eu", IMPORT, "hub", "eu-west-1", "k8s/pause", account="999988887777", organization="o-somebodyelse"
    ),
    "import from private subnets": call("prod-private", IMPORT, "frankfurt", "eu-central-1", "k8s/pause", account=PROD),
    "import from private subnets by what AWS's own policy allows": call(
        "prod-private", IMPORT, "frankfurt", "eu-central-1", "k8s/pause", account=PROD, with_aws_managed=True
    ),
    "import into a registry of replicas": call("prod-us", IMPORT, "america", "us-east-1", "k8s/pause", account=PROD),
    "pull from another account by repository policy alone": Question(
        principal=f"arn:aws:iam::{PROD}:role/nobody", action=PULL, owner=HUB,
        resource=f"arn:aws:ecr:eu-west-1:{HUB}:repository/k8s/pause",
        resource_policies=registry_policies("hub", "k8s/pause"), organization=ORGANIZATION,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("table", "expected"), [(MAY, True), (MAY_NOT, False)], ids=["may", "may not"])
def test_who_may_do_what(table, expected):
    answers = dict(zip(table, allowed(list(table.values())), strict=True))
    assert answers == dict.fromkeys(table, expected)


def test_each_of_the_three_sides_is_needed_for_an_import_from_another_account():
    whole = MAY["prod nodes import into the hub"]
    pull = MAY["prod nodes pull from the hub"]
    without = [
        Question(**{**vars(whole), "identity": ()}),
        Question(**{**vars(whole), "resource_policies": whole.resource_policies[1:]}),
        Question(**{**vars(pull), "resource_policies": pull.resource_policies[:1]}),
    ]
    assert allowed(without) == [False, False, False]


def test_policies_name_the_registry_that_is_really_pulled_from():
    own, _ = nodes_of("prod-private")
    arns = {
        arn for s in own["Statement"] for arn in ([s["Resource"]] if isinstance(s["Resource"], str) else s["Resource"])
    }
    assert {re.sub(r"/\w.*", "", arn) for arn in arns} == {"*", f"arn:aws:ecr:eu-central-1:{HUB}:repository"}
