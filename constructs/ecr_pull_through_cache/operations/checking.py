"""Compares deployed resources with the expected ones, and makes the change that CloudFormation cannot make."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ..ecr import quotas, secrets, settings
from ..ecr.registry import EcrRegistry
from ..ecr.templates import TemplateSettings
from ..errors import UserError
from ..images import ROOT
from .aws import AwsError, SignedOut, call, paginate, to_aws_error
from .backfilling import Backfiller, Change, Failed, template_of
from .expected import ExpectedMember, ExpectedNodes, ExpectedRegistry, ExpectedRule, ExpectedTemplate, Permission
from .parallel import THREADS, in_order
from .policies import allows, same, statements_of

_DEPLOY = "deploy the stack of its registry"
_ROLE = (
    "CloudFormation cannot change it, ecr-pull-through check --fix does; a stack that was deployed with another role must "
    "leave the rule out once, too"
)
_NEARLY = 0.8


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A difference between what is deployed and what should be.

    :param registry: name of the registry, or of the cluster.
    :param subject: what it is about: ``rule docker-hub``.
    :param problem: what is wrong, and what to do.
    :param credential_arn: the secret to give the rule by the API, if that fixes it.
    :param custom_role_arn: the role to give the rule by the API, if that fixes it.
    :param account_setting: name and value of the account setting to put by the API, if that fixes it.
    :param notice: whether it is information, and no difference.
    """

    registry: str
    subject: str
    problem: str
    credential_arn: str | None = None
    custom_role_arn: str | None = None
    account_setting: tuple[str, str] | None = None
    notice: bool = False

    @property
    def prefix(self) -> str:
        """The prefix of the rule that it is about."""
        return self.subject.partition(" ")[2]

    @property
    def given(self) -> dict[str, str]:
        """Arguments of the call that fixes it, by ECR's own names; empty if no call does."""
        if self.account_setting is not None:
            name, value = self.account_setting
            return {"name": name, "value": value}
        arns = {"credentialArn": self.credential_arn, "customRoleArn": self.custom_role_arn}
        return {name: arn for name, arn in arns.items() if arn is not None}


def _raise(error: UserError) -> None:
    raise error


class Checker:
    """Asks one registry what it is like.

    :param ecr: client of ECR in the registry's account and Region.
    :param secrets: client of Secrets Manager there.
    :param read_secrets: whether the values of secrets are read, to see that they have the keys which ECR wants. ECR's own
        validation of a rule reads them as well, and says less precisely what is wrong.
    """

    def __init__(self, ecr: Any, secrets: Any, *, read_secrets: bool = True) -> None:
        self._ecr = ecr
        self._secrets = secrets
        self._read_secrets = read_secrets

    def check(self, expected: ExpectedRegistry, *, on_error: Callable[[UserError], None] = _raise) -> list[Finding]:
        """Everything that is not as it should be.

        :param on_error: called for each part that cannot be looked at, and then the others are; it raises if left out.
        :raises AwsError: when AWS cannot be asked, and nothing is called instead.
        """
        parts = (
            self._rules,
            self._templates,
            self._registry_policy,
            self._replication,
            self._scanning,
            self._account_settings,
        )
        found: list[Finding] = []
        for part in parts:
            try:
                found += part(expected)
            except SignedOut:
                raise
            except UserError as error:
                on_error(error)
        return found

    def repositories(
        self,
        expected: ExpectedRegistry,
        *,
        threads: int = THREADS,
        on_progress: Callable[[int, int], None] = lambda *_: None,
        on_error: Callable[[UserError], None] = _raise,
    ) -> Iterator[Finding]:
        """Repositories that are not as their template would make them now: those that ``backfill`` would change.

        :param threads: how many repositories are looked at at once.
        :param on_progress: called with how many have been looked at, of how many.
        :param on_error: called for each repository that cannot be looked at.
        :raises AwsError: when they cannot be listed.
        """
        differing: dict[str, Counter[str]] = defaultdict(Counter)
        names: dict[str, set[str]] = defaultdict(set)
        prefixes = tuple(expected.templates)
        for step in Backfiller(self._ecr).plan(prefixes, threads=threads, on_progress=on_progress):
            if isinstance(step, Failed):
                on_error(AwsError(f"{step.repository}: {step.reason}"))
            elif isinstance(step, Change):
                prefix = template_of(step.repository, {p: p for p in prefixes})
                differing[prefix][step.what] += 1
                names[prefix].add(step.repository)
        for prefix, counts in sorted(differing.items()):
            what = ", ".join(f"{setting} of {count}" for setting, count in sorted(counts.items()))
            example = min(names[prefix])
            yield Finding(
                registry=expected.name,
                subject=f"repositories {prefix}",
                problem=f"{len(names[prefix])} were there before their template is as it is now, {example} among them "
                f"({what}); ecr-pull-through backfill brings it to them",
            )

    def stale(
        self,
        expected: ExpectedRegistry,
        *,
        days: int,
        threads: int = THREADS,
        on_progress: Callable[[int, int], None] = lambda *_: None,
        on_error: Callable[[UserError], None] = _raise,
    ) -> Iterator[Finding]:
        """Repositories from which nothing was pulled for so many days.

        ECR requests a tag from upstream again only when it is pulled, so a tag that is not pulled is as old as its last pull.
        Whether the upstream has moved the tag meanwhile, ECR does not say.

        :param days: since the last pull, or since the import of what was never pulled.
        :param threads: how many repositories are looked at at once.
        :param on_progress: called with how many have been looked at, of how many.
        :param on_error: called for each repository that cannot be looked at.
        :raises AwsError: when repositories cannot be listed.
        """
        before = datetime.now(UTC) - timedelta(days=days)
        prefixes = dict.fromkeys(expected.templates, True)
        repositories = paginate(self._ecr, "describe_repositories", "repositories", page=1000)
        there = [r for r in repositories if template_of(r["repositoryName"], prefixes)]
        on_progress(0, len(there))

        def look(repository: Mapping[str, Any]) -> str | UserError | None:
            try:
                return self._stale(repository, before)
            except SignedOut:
                raise
            except UserError as error:
                return AwsError(f"{repository['repositoryName']}: {error}")

        for number, answer in enumerate(in_order(look, there, threads=threads), 1):
            on_progress(number, len(there))
            if isinstance(answer, UserError):
                on_error(answer)
            elif answer is not None:
                subject = f"repository {there[number - 1]['repositoryName']}"
                yield Finding(registry=expected.name, subject=subject, problem=answer)

    def _stale(self, repository: Mapping[str, Any], before: datetime) -> str | None:
        """Report a repository without a recent pull."""
        try:
            images = list(self._images(repository["repositoryName"]))
        except ClientError as error:
            if error.response["Error"]["Code"] == "RepositoryNotFoundException":
                return None
            raise to_aws_error(error, call="ecr:DescribeImages") from None
        except BotoCoreError as error:
            raise to_aws_error(error, call="ecr:DescribeImages") from None
        if not images:
            return "holds no image" if repository["createdAt"] < before else None
        latest = max(pulled or pushed for pulled, pushed in images)
        if latest >= before:
            return None
        day = f"{latest:%Y-%m-%d}"
        pulled = any(pulled for pulled, _ in images)
        return f"nothing was pulled from it since {day}" if pulled else f"was imported {day} and never pulled"

    def _images(self, repository: str) -> Iterator[tuple[datetime | None, datetime]]:
        """When each image was last pulled, and when it came."""
        for page in self._ecr.get_paginator("describe_images").paginate(
            repositoryName=repository, PaginationConfig={"PageSize": 1000}
        ):
            for image in page["imageDetails"]:
                yield image.get("lastRecordedPullTime"), image["imagePushedAt"]

    def fix(self, finding: Finding) -> None:
        """Make a change that only the API can make.

        A rule gets another secret or role: all properties of a rule are create-only for CloudFormation. Giving a role needs
        ``iam:PassRole`` for it. An account setting gets its value: CloudFormation has no resource for one, and a custom resource
        would have to guess at its deletion which value the other users of the registry need.

        https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_UpdatePullThroughCacheRule.html
        https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutAccountSetting.html

        :param finding: the difference to fix.
        :raises AwsError: when ECR refuses.
        """
        if finding.account_setting is not None:
            call(self._ecr, "put_account_setting", **finding.given)
            return
        call(self._ecr, "update_pull_through_cache_rule", ecrRepositoryPrefix=finding.prefix, **finding.given)

    def _rules(self, expected: ExpectedRegistry) -> Iterator[Finding]:
        there = {
            rule["ecrRepositoryPrefix"].rstrip("/"): rule
            for rule in paginate(self._ecr, "describe_pull_through_cache_rules", "pullThroughCacheRules")
        }
        used = len(there)
        for rule in expected.rules:
            finding = partial(Finding, registry=expected.name, subject=f"rule {rule.prefix}")
            yield from self._rule(rule, there.pop(rule.prefix, None), finding)
        for prefix in sorted(there):
            problem = "exists and is not in the configuration; another owner created it, or it is left over"
            yield Finding(registry=expected.name, subject=f"rule {prefix}", problem=problem)
        quota = quotas.RULES
        if used >= _NEARLY * quota.value:
            problem = f"{used} of {quota.value} {quota.name} are used; ask AWS to raise the quota before it is met"
            yield Finding(registry=expected.name, subject="quota", problem=problem, notice=True)

    def _rule(
        self, rule: ExpectedRule, found: Mapping[str, Any] | None, finding: Callable[..., Finding]
    ) -> Iterator[Finding]:
        if found is None:
            yield finding(problem=f"is not there; {_DEPLOY}")
            return
        for problem in _differences(rule, found):
            yield finding(problem=problem)
        role = found.get("customRoleArn")
        if rule.role is not None and role != rule.role:
            problem = f"reads the upstream with {f'the role {role}' if role else 'no role'} and should with {rule.role}"
            yield finding(problem=f"{problem}; {_ROLE}", custom_role_arn=rule.role)
        yield from self._credential(rule, found, finding)
        prefix = found["ecrRepositoryPrefix"]
        answer = call(self._ecr, "validate_pull_through_cache_rule", ecrRepositoryPrefix=prefix)
        if not answer.get("isValid"):
            yield finding(problem=f"ECR cannot reach its upstream: {answer.get('failure', 'it does not say why')}")

    def _credential(
        self, rule: ExpectedRule, found: Mapping[str, Any], finding: Callable[..., Finding]
    ) -> Iterator[Finding]:
        """Find mistakes in a rule's secret."""
        if rule.credentials is None:
            return
        given = rule.credentials
        name = given if secrets.parse_arn(given) else secrets.full_name(given)
        secret = self._secret("describe_secret", name)
        text = None
        if secret is not None and self._read_secrets and not secret.get("DeletedDate"):
            value = self._secret("get_secret_value", secret["ARN"])
            text = None if value is None else value.get("SecretString", "")
        if secret is None or (text is None and self._read_secrets and not secret.get("DeletedDate")):
            yield finding(problem=f"its secret {name} is not there, or has no value")
            return
        if found.get("credentialArn") != secret["ARN"]:
            arn = secret["ARN"]
            problem = f"it uses the secret {found.get('credentialArn')} and should use {arn}"
            yield finding(problem=f"{problem}; CloudFormation cannot change it", credential_arn=arn)
            return
        wrong = _secret_problem(name, secret, text)
        if wrong is not None:
            yield finding(problem=wrong)

    def _secret(self, operation: str, id: str) -> Any:
        """Return the answer of Secrets Manager; ``None`` if there is nothing."""
        return call(self._secrets, operation, absent=["ResourceNotFoundException"], SecretId=id)

    def _templates(self, expected: ExpectedRegistry) -> Iterator[Finding]:
        templates = paginate(self._ecr, "describe_repository_creation_templates", "repositoryCreationTemplates")
        there = {template["prefix"].rstrip("/"): template for template in templates}
        for prefix, wanted in sorted(expected.templates.items()):
            found = there.pop(prefix, None)
            problems = [f"is not there; {_DEPLOY}"] if found is None else _template_differences(wanted, found)
            for problem in problems:
                yield Finding(registry=expected.name, subject=f"template {prefix}", problem=problem)
        for prefix in sorted(there):
            over = template_of(prefix, {p: p for p in expected.templates if p != ROOT})
            if over is not None:
                problem = f"is there and not in the configuration; it takes the repositories below it from {over}"
                yield Finding(registry=expected.name, subject=f"template {prefix}", problem=problem)

    def _registry_policy(self, expected: ExpectedRegistry) -> Iterator[Finding]:
        if not expected.registry_policy:
            return
        answer = call(self._ecr, "get_registry_policy", absent=["RegistryPolicyNotFoundException"])
        if answer is None:
            yield Finding(registry=expected.name, subject="registry policy", problem=f"is not there; {_DEPLOY}")
            return
        policy = json.loads(answer["policyText"])
        for statement in expected.registry_policy:
            if not allows(policy, statement):
                problem = (
                    f"does not allow {', '.join(statement['Action'])} to {_who(statement)} on all of "
                    f"{', '.join(statement['Resource'])}; deploy, or see who else owns the policy"
                )
                yield Finding(registry=expected.name, subject="registry policy", problem=problem)

    def _replication(self, expected: ExpectedRegistry) -> Iterator[Finding]:
        answer = call(self._ecr, "describe_registry")
        rules = answer.get("replicationConfiguration", {}).get("rules", [])
        there: dict[EcrRegistry, list[set[str]]] = defaultdict(list)
        for rule in rules:
            for to in rule["destinations"]:
                filters = {entry["filter"] for entry in rule.get("repositoryFilters") or ()}
                there[EcrRegistry(account=to["registryId"], region=to["region"])].append(filters)
        for to in sorted(expected.replicate_to):
            for problem in _replicated(expected.replicated_prefixes, there.pop(to, None)):
                yield Finding(registry=expected.name, subject=f"replication to {to}", problem=problem)
        for to in sorted(there):
            problem = "exists and is not in the configuration; another owner created it, and a deployment overwrites it"
            yield Finding(registry=expected.name, subject=f"replication to {to}", problem=problem)

    def _scanning(self, expected: ExpectedRegistry) -> Iterator[Finding]:
        if expected.scanning is None:
            return
        answer = call(self._ecr, "get_registry_scanning_configuration")
        there = answer.get("scanningConfiguration", {})
        if there.get("scanType") != expected.scanning:
            problem = f"is {there.get('scanType')} and should be {expected.scanning}; deploy, or see who else owns it"
            yield Finding(registry=expected.name, subject="scanning", problem=problem)
        elif not any(
            entry["filter"] == "*" for rule in there.get("rules", ()) for entry in rule.get("repositoryFilters", ())
        ):
            problem = "does not scan every repository when an image arrives; deploy, or see who else owns it"
            yield Finding(registry=expected.name, subject="scanning", problem=problem)

    def _account_settings(self, expected: ExpectedRegistry) -> Iterator[Finding]:
        if expected.registry_policy or settings.POLICY_SCOPE in expected.account_settings:
            there = self._account_setting(settings.POLICY_SCOPE)
            yield from _policy_scope(expected, there)
        if expected.scanning == "BASIC" and self._account_setting(settings.SCAN_VERSION) == "CLAIR":
            problem = (
                f"{settings.SCAN_VERSION} is CLAIR, which AWS has ended; set it to AWS_NATIVE, or no image is scanned"
            )
            yield Finding(registry=expected.name, subject="account setting", problem=problem)

    def _account_setting(self, name: str) -> str | None:
        value: str | None = call(self._ecr, "get_account_setting", name=name).get("value")
        return value


class MemberChecker:
    """Asks AWS Organizations whether an account belongs to the organisation by which it pulls.

    Any account of an organisation may ask that of itself, and it needs one permission.

    https://docs.aws.amazon.com/organizations/latest/APIReference/API_DescribeOrganization.html

    :param organizations: client of AWS Organizations in the account.
    """

    def __init__(self, organizations: Any) -> None:
        self._organizations = organizations

    def check(self, expected: ExpectedMember) -> Iterator[Finding]:
        """The difference, if the account belongs to another organisation or to none.

        :param expected: the account and its organisation.
        :raises AwsError: when AWS Organizations cannot be asked.
        """
        answer = call(self._organizations, "describe_organization", absent=["AWSOrganizationsNotInUseException"])
        there = answer["Organization"]["Id"] if answer is not None else None
        if there != expected.organization:
            yield Finding(
                registry=expected.cluster,
                subject=f"account {expected.environment.account}",
                problem=f"belongs to {there or 'no organisation'}, and {expected.registry} lets in {expected.organization}; "
                f"list the account under pull.accounts of {expected.registry}",
            )


class NodeChecker:
    """Asks IAM what the roles of a cluster's nodes may do.

    IAM's policy simulator is asked, instead of reading the role's policies: it takes one permission, on these roles alone,
    and it sees what counts, whichever policy it stands in: inline ones, managed ones, boundaries, and what is denied.
    Policies of the registry are the other side of a pull from another account; :class:`Checker` looks at them.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html

    :param iam: client of IAM in the role's account.
    """

    def __init__(self, iam: Any) -> None:
        self._iam = iam

    def check(self, expected: ExpectedNodes) -> Iterator[Finding]:
        """Find missing permissions of a role, and permissions that it should not have.

        :raises AwsError: when IAM cannot be asked.
        """
        subject = f"role {expected.role}"
        answer = call(self._iam, "get_role", absent=["NoSuchEntity"], RoleName=expected.role)
        if answer is None:
            problem = "is not there; make it, or correct its name"
            yield Finding(registry=expected.cluster, subject=subject, problem=problem)
            return
        role = answer["Role"]
        yield from self._trust(expected, role, subject)
        missing = self._decided(role["Arn"], expected, expected.allowed, lambda decisions: decisions != {"allowed"})
        if missing:
            problem = f"may not do {', '.join(missing)}; deploy the stack of its cluster, or attach its policy"
            yield Finding(registry=expected.cluster, subject=subject, problem=problem)
        too_much = self._decided(role["Arn"], expected, expected.denied, lambda decisions: "allowed" in decisions)
        if too_much:
            problem = (
                f"may do {', '.join(too_much)}, which the configuration denies it; deploy the stack of its cluster"
            )
            yield Finding(registry=expected.cluster, subject=subject, problem=problem)

    def _trust(self, expected: ExpectedNodes, role: Mapping[str, Any], subject: str) -> Iterator[Finding]:
        trusted = _services(role.get("AssumeRolePolicyDocument") or {})
        if expected.trusted and not expected.trusted & trusted:
            wanted = min(expected.trusted)
            problem = f"cannot be assumed by {wanted}, which its kind in the configuration needs; correct the role or the kind"
            yield Finding(registry=expected.cluster, subject=subject, problem=problem)

    def _decided(
        self,
        arn: str,
        expected: ExpectedNodes,
        permissions: Iterable[Permission],
        wrong: Callable[[set[str]], bool],
    ) -> list[str]:
        """Actions whose decisions of the simulator are wrong."""
        found: dict[str, bool] = {}
        for permission in permissions:
            decisions = self._decisions(arn, expected.registry, permission)
            for action in permission.actions:
                found[action] = found.get(action, False) or wrong(decisions[action])
        return [action for action, is_wrong in found.items() if is_wrong]

    def _decisions(self, arn: str, registry: EcrRegistry, permission: Permission) -> Mapping[str, set[str]]:
        """Return the simulator's decision for each action, over all resources."""
        found: dict[str, set[str]] = defaultdict(set)
        context = {"aws:ResourceAccount": registry.account, "aws:RequestedRegion": registry.region}
        asked: dict[str, Any] = {
            "PolicySourceArn": arn,
            "ActionNames": list(permission.actions),
            "ResourceArns": list(permission.resources) or ["*"],
            "ContextEntries": [
                {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"}
                for key, value in context.items()
            ],
        }
        for result in paginate(self._iam, "simulate_principal_policy", "EvaluationResults", **asked):
            each = [part["EvalResourceDecision"] for part in result.get("ResourceSpecificResults") or ()]
            found[result["EvalActionName"]].update(each or [result["EvalDecision"]])
        return found


def _services(trust: Mapping[str, Any]) -> frozenset[str]:
    """The services that a trust policy lets assume a role."""
    found: set[str] = set()
    for statement in statements_of(trust):
        principal = statement.get("Principal")
        if statement.get("Effect") == "Allow" and isinstance(principal, dict):
            given = principal.get("Service", [])
            found.update([given] if isinstance(given, str) else given)
    return frozenset(found)


def _policy_scope(expected: ExpectedRegistry, there: str | None) -> Iterator[Finding]:
    wanted = expected.account_settings.get(settings.POLICY_SCOPE)
    if wanted is not None and there != wanted:
        yield Finding(
            registry=expected.name,
            subject="registry policy",
            problem=f"has the scope {there} and should have {wanted}: until then other accounts cannot pull from repositories "
            "that existed before their template; ecr-pull-through check --fix sets it",
            account_setting=(settings.POLICY_SCOPE, wanted),
        )
    elif wanted is None:
        problem = (
            "has the scope V2: ECR enforces it in every request; with 'registryPolicyScope: V2' in the configuration it also "
            "lets other accounts pull from repositories that existed before their template (not seen on AWS)"
            if there == "V2"
            else f"has the scope {there}: other accounts pull by the policy of each repository alone; ecr-pull-through backfill "
            "gives it to repositories that existed before their template"
        )
        yield Finding(registry=expected.name, subject="registry policy", problem=problem, notice=True)


def _differences(rule: ExpectedRule, found: Mapping[str, Any]) -> Iterator[str]:
    once = "CloudFormation cannot change it: deploy once without the rule, and once with it"
    url = found.get("upstreamRegistryUrl")
    if url != rule.upstream_url:
        yield f"caches {url} and should cache {rule.upstream_url}; {once}"
    part = found.get("upstreamRepositoryPrefix") or ROOT
    if part.rstrip("/") != rule.upstream_prefix:
        yield f"caches {part} of the upstream and should cache {rule.upstream_prefix}; {once}"


def _template_differences(wanted: ExpectedTemplate, found: Mapping[str, Any]) -> Iterator[str]:
    applied_for = set(found.get("appliedFor", ()))
    if applied_for != wanted.applied_for:
        there, should = (", ".join(sorted(names)) or "nothing" for names in (applied_for, wanted.applied_for))
        yield f"is applied for {there} and should be for {should}; {_DEPLOY}"
    yield from _settings_differences(wanted.settings, found)


def _settings_differences(wanted: TemplateSettings, found: Mapping[str, Any]) -> Iterator[str]:
    mutability = found.get("imageTagMutability", "MUTABLE")
    exclusions = {entry["filter"] for entry in found.get("imageTagMutabilityExclusionFilters") or ()}
    if (mutability, exclusions) != (wanted.image_tag_mutability, set(wanted.exclusion_filters)):
        there, should = (
            _mutability(mutability, exclusions),
            _mutability(wanted.image_tag_mutability, wanted.exclusion_filters),
        )
        yield f"has the tag mutability {there} and should have {should}; {_DEPLOY}"
    yield from _encryption(wanted, found.get("encryptionConfiguration") or {})
    lifecycle = json.loads(found.get("lifecyclePolicy") or "null")
    if lifecycle != wanted.lifecycle_document:
        yield f"{_has('lifecycle policy', lifecycle, wanted.lifecycle_document)}; {_DEPLOY}"
    policy, should_be = json.loads(found.get("repositoryPolicy") or "null"), wanted.repository_policy
    if (policy is None) != (should_be is None) or (policy and should_be and not same(policy, should_be)):
        yield f"{_has('repository policy', policy, should_be)}; {_DEPLOY}"
    if wanted.needs_role and not found.get("customRoleArn"):
        yield f"has no role, without which ECR can neither tag nor use KMS; {_DEPLOY}"
    tags = {tag["Key"]: tag["Value"] for tag in found.get("resourceTags") or ()}
    if tags != dict(wanted.resource_tags):
        yield f"sets the tags {_tags(tags)} and should set {_tags(wanted.resource_tags)}; {_DEPLOY}"


def _encryption(wanted: TemplateSettings, there: Mapping[str, str]) -> Iterator[str]:
    kind = there.get("encryptionType", "AES256")
    if kind != wanted.encryption:
        yield f"encrypts with {kind} and should with {wanted.encryption}; {_DEPLOY}"
    elif wanted.kms_key is not None and there.get("kmsKey") != wanted.kms_key:
        yield f"encrypts with the key {there.get('kmsKey')} and should with {wanted.kms_key}; {_DEPLOY}"


def _has(what: str, there: object, wanted: object) -> str:
    if there is None:
        return f"has no {what}"
    return f"has a {what} and should have none" if wanted is None else f"has another {what}"


def _mutability(setting: str, exclusions: Iterable[str]) -> str:
    excluded = ", ".join(sorted(exclusions))
    return f"{setting} ({excluded})" if excluded else setting


def _tags(tags: Mapping[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in sorted(tags.items())) or "none"


def _replicated(prefixes: frozenset[str], rules: list[set[str]] | None) -> Iterator[str]:
    """Find the missing parts of the replication to one destination."""
    if rules is None:
        yield "is not there; deploy, or see who else owns the configuration"
        return
    missing = [
        prefix
        for prefix in sorted(prefixes)
        if not any(not filters or any(_begins(prefix, known) for known in filters) for filters in rules)
    ]
    if missing:
        yield f"leaves out {', '.join(missing)}; deploy, or see who else owns the configuration"


def _begins(prefix: str, known: str) -> bool:
    return prefix != ROOT and f"{prefix}/".startswith(known)


def _who(statement: Mapping[str, Any]) -> str:
    principal = statement["Principal"]
    if "Condition" in statement:
        return ", ".join(f"{key} {value}" for keys in statement["Condition"].values() for key, value in keys.items())
    return ", ".join(principal["AWS"]) if isinstance(principal["AWS"], list) else str(principal["AWS"])


def _secret_problem(name: str, secret: Mapping[str, Any], text: str | None) -> str | None:
    """Find mistakes in a secret, without revealing its values."""
    if secret.get("DeletedDate"):
        return f"its secret {name} is being deleted; restore it"
    key = secret.get("KmsKeyId")
    if key and not str(key).endswith("alias/aws/secretsmanager"):
        return f"its secret {name} is encrypted with {key}; ECR reads secrets encrypted with aws/secretsmanager only"
    return None if text is None else _shape(name, text)


def _shape(name: str, text: str) -> str | None:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict) or not set(value) >= secrets.KEYS:
        return f"its secret {name} does not have the JSON keys username and accessToken"
    if value["username"] == secrets.PLACEHOLDER:
        return f"its secret {name} was made and never written to; put the user name and the token into it"
    return None
