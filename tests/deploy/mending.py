"""What the engine's CloudFormation lacks, done through the engine's own API of ECR after a deployment.

It reports a repository creation template as created, and has none. Here each is created from the synthesised stack, so that
`check` and `backfill` find them; that CloudFormation makes them stays unproven, and the report says so.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from tests.deploy.deploying import Deployer

TEMPLATE = "AWS::ECR::RepositoryCreationTemplate"


def mend(deployer: Deployer) -> None:
    """Make the creation templates of each Region those of the stacks that are deployed there."""
    wanted: dict[tuple[str, str], dict[str, Any]] = {}
    for account, region, name, body in stacks(deployer):
        there = wanted.setdefault((account, region), {})
        ids = _physical_ids(deployer.client("cloudformation", region, account), name)
        if ids is None:
            continue
        known = {**ids, "AWS::AccountId": account, "AWS::Region": region, "AWS::Partition": "aws"}
        for resource in body["Resources"].values():
            if resource["Type"] == TEMPLATE:
                settings = settings_of(resource["Properties"], known)
                there[settings["prefix"]] = settings
    for (account, region), templates in wanted.items():
        put_templates(deployer.client("ecr", region, account), templates)


def stacks(deployer: Deployer) -> Iterator[tuple[str, str, str, Any]]:
    """Account, Region, name and template of each stack that was synthesised last."""
    manifest = json.loads((deployer.out / "manifest.json").read_text())
    for artifact in manifest["artifacts"].values():
        if artifact["type"] == "aws:cloudformation:stack":
            account, region = artifact["environment"].removeprefix("aws://").split("/")
            properties = artifact["properties"]
            body = json.loads((deployer.out / properties["templateFile"]).read_text())
            yield account, region, properties["stackName"], body


def resolve(value: Any, known: Mapping[str, str]) -> Any:
    """A property with its intrinsic functions carried out, as far as the stacks use them."""
    if isinstance(value, list):
        return [resolve(item, known) for item in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"Ref"}:
        return known[value["Ref"]]
    if set(value) == {"Fn::Join"}:
        separator, parts = value["Fn::Join"]
        return separator.join(resolve(parts, known))
    if set(value) == {"Fn::GetAtt"}:
        id, attribute = value["Fn::GetAtt"]
        assert attribute == "Arn", value
        return known[id]  # the engine gives roles their ARN as physical id
    return {key: resolve(item, known) for key, item in value.items()}


def _physical_ids(cloudformation: Any, stack: str) -> dict[str, str] | None:
    """What a deployed stack's resources are called, `None` when it is not deployed."""
    try:
        status = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
    except ClientError:
        return None
    if status in ("REVIEW_IN_PROGRESS", "DELETE_COMPLETE", "ROLLBACK_COMPLETE"):
        return None
    resources = cloudformation.describe_stack_resources(StackName=stack)["StackResources"]
    return {r["LogicalResourceId"]: r["PhysicalResourceId"] for r in resources}


def settings_of(properties: dict[str, Any], known: Mapping[str, str]) -> dict[str, Any]:
    """The properties of CloudFormation as arguments of the API, which spells some of them in another way."""
    settings = {key[0].lower() + key[1:]: value for key, value in resolve(properties, known).items()}
    encryption = settings.get("encryptionConfiguration")
    if encryption:
        settings["encryptionConfiguration"] = {key[0].lower() + key[1:]: value for key, value in encryption.items()}
    filters = settings.get("imageTagMutabilityExclusionFilters")
    if filters:
        settings["imageTagMutabilityExclusionFilters"] = [
            {
                "filterType": entry["ImageTagMutabilityExclusionFilterType"],
                "filter": entry["ImageTagMutabilityExclusionFilterValue"],
            }
            for entry in filters
        ]
    return settings


def put_templates(ecr: Any, templates: Mapping[str, dict[str, Any]]) -> None:
    """Make the creation templates of a registry these."""
    # The engine's update changes what is given and unsets nothing, so what is there is made anew.
    for template in ecr.describe_repository_creation_templates()["repositoryCreationTemplates"]:
        ecr.delete_repository_creation_template(prefix=template["prefix"])
    for settings in templates.values():
        ecr.create_repository_creation_template(**settings)
