"""What the engines did, as the page docs/verification.md."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

VERBS = {
    "CREATE_COMPLETE": "created",
    "UPDATE_COMPLETE": "updated",
    "DELETE_COMPLETE": "deleted",
    "DELETE_SKIPPED": "kept",
}


@dataclass
class Record:
    """Collected while the tests run.

    :param done: what each engine did, by resource type.
    :param read: how what it did was found to be as configured: by `check`, by the service's API, by running it.
    """

    done: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    read: dict[tuple[str, str], set[str]] = field(default_factory=dict)

    @property
    def doubtful(self) -> set[tuple[str, str]]:
        """What an engine says it updated: ministack says so of every resource of a stack, whatever changed in it."""
        return {(k, e) for k, e in self.done if e.startswith("ministack") and k != "Custom::EcrImageWarmer"}

    def saw(self, engine: str, kind: str, state: str) -> None:
        """A resource came to a state."""
        verb = VERBS.get(state)
        if verb and not kind.startswith("AWS::CloudFormation::"):
            self.done.setdefault((kind, engine), set()).add(verb)

    def found(self, engine: str, how: str, *kinds: str) -> None:
        """Resources were found as the configuration says."""
        for kind in kinds:
            self.read.setdefault((kind, engine), set()).add(how)

    def rows(self) -> Iterable[str]:
        """The table of resource types."""
        yield "| resource type | engine | created | updated | deleted | found as configured by |"
        yield "|---|---|---|---|---|---|"
        for (kind, engine), verbs in sorted(self.done.items()):
            told = verbs - {"updated"} if (kind, engine) in self.doubtful else verbs
            cells = [_cell(kind, verb, told) for verb in ("created", "updated", "deleted")]
            read = (
                ", ".join(f"`{how}`" if how == "check" else how for how in sorted(self.read.get((kind, engine), ())))
                or "-"
            )
            yield f"| `{kind}` | {engine} | {' | '.join(cells)} | {read} |"


def _cell(kind: str, verb: str, verbs: set[str]) -> str:
    if kind == "AWS::ECR::RepositoryCreationTemplate":
        return "reported only" if verb in verbs or verb == "deleted" else "-"
    if verb == "updated" and kind == "AWS::ECR::PullThroughCacheRule":
        return "never: create-only"
    if verb == "deleted" and "kept" in verbs:
        return "kept"
    return "yes" if verb in verbs else "-"


def page(record: Record) -> str:
    """The page, the same for every run that saw the same."""
    return _PAGE.replace("ROWS", "\n".join(record.rows()))


_PAGE = """\
# Verification

Written by `make test-deploy`, which fails in CI when the page is not what the run found. The real CDK CLI deploys the stacks
into AWS emulators on localhost. The last tables list the limits of the emulators: what they cannot show is not proven.

## What the engines did with each resource type

ROWS

*Created*, *updated* and *deleted* are the engine's own events, and for stacks that were destroyed what its API says afterwards.
ministack calls every resource of a changed stack updated: there, only what was seen to change counts.
*Kept* is what the stacks retain: secrets with tokens, and the bucket with the lists and reports of a warmer.

## What was done

| what | with |
|---|---|
| `cdk bootstrap`, three Regions of an account, two accounts that trust a third | fakecloud, ministack |
| `environments/minimal.yaml` as it stands: `deploy --all`, `check` agrees, deployed again without a change, `diff` without a difference | fakecloud |
| an upstream and a replica Region added and removed, a template changed, pullers and scanning switched on, changed and off | fakecloud |
| an upstream with credentials: `check` waits for the token; a new token is no deployment; another secret by `deployedCredentials` and `check --fix --yes` | fakecloud |
| a resource that fails in the middle: rolled back, and deployed after the cause is gone | fakecloud |
| the CLI killed before and after its change set is executed: the next deployment finishes the work | fakecloud |
| `environments/example.yaml` with its custom resources replaced, three accounts, with the credentials of one; `check --assume-role` over all of them | fakecloud; the stack with VPC endpoints: ministack |
| an image pulled through a deployed rule by crane from a registry on localhost; `inventory`, `warm`, `backfill`, `check` and `purge` on what that made | fakecloud, CNCF registry |
| another tool overwrites registry policy and replication: `check` reports it, an unchanged deployment leaves it, a changed one overwrites it, `destroy` deletes it | fakecloud |
| the stack of a warmed registry: its custom resources answer, `RepositoryBackfill` settles what was there before, the state machine imports the list through the function, a longer list is imported when it is deployed, `CacheRemoval` empties the cache when the stack is destroyed | ministack, with fakecloud as ECR and a CNCF registry as upstream |
| everything destroyed: what the stacks retain is left, and nothing else | fakecloud, ministack |

## What is arranged for the engine

- One process for each account and Region, behind a front that reads account and Region from the signature: an engine alone shares
  one ECR registry among all Regions of an account.
- fakecloud says that it created an `AWS::ECR::RepositoryCreationTemplate` and has none afterwards. After each deployment the tests
  create what the synthesised stack says through the engine's own API of ECR, so that `check`, `backfill` and `purge` find it.
- For the pulled image, the URL of the rule's upstream is replaced in the synthesised template, since registry.k8s.io cannot be
  asked. ECR imports layers by itself, fakecloud when they are asked for: the front asks after each manifest.
- fakecloud runs no functions without a container runtime: in `environments/example.yaml` the custom resources are replaced by
  wait condition handles. ministack runs functions, and refuses types of ECR: there these are replaced, and the rule and the
  templates are made through the API. It has no `ItemBatcher` either, so each image of the list is a batch of its own.

## What no engine here could see

| what | why | what speaks for it instead |
|---|---|---|
| that CloudFormation makes a creation template | fakecloud only reports it, ministack refuses the type, moto does not know it | cfn-lint holds each template against AWS's schema of every Region; the API of ECR takes the same settings |
| a creation template at work: policy, tags, lifecycle, mutability and encryption of a new repository | fakecloud makes repositories without a look at templates | `backfill` brings the same settings from the same template |
| tag mutability exclusions of a template | fakecloud's API drops them | schema |
| that a replacement of a rule fails with *already exists* | fakecloud updates a rule in place | AWS's schema: all properties are create-only; a test holds the synthesised stack to `deployedCredentials` |
| that a first deployment fails where a registry policy, replication configuration or rule of another owner exists | fakecloud overwrites them | AWS's [own resource handlers](https://github.com/aws-cloudformation/aws-cloudformation-resource-providers-ecr) refuse to create what exists |
| replication itself, and its status | no engine copies an image from one Region's registry to another's | both sides are written from one configuration, and `check` reads both |
| upstreams that want credentials | fakecloud pulls without them, and finds every rule with a secret valid | `check` holds the secret's shape |
| whether IAM and ECR accept and mean each policy so | the engines store policies and evaluate few | the tests of permissions ask an IAM evaluator |
| the role that ECR assumes for a template, and the KMS key | fakecloud does not assume it | its trust and its policies are read back |
| batches and results of the Distributed Map, and the report that is read from them | ministack has neither `ItemBatcher` nor `ResultWriter` | the functions are run on such batches and results in Lambda's bare Python |
| what the roles of the functions allow, the runtime of Python, schedules and alarms that fire | ministack asks no policy, and runs functions with the Python at hand | the tests of permissions; the tests of the functions |
| quotas, throttling, eventual consistency | the engines have none of these | the faults that the tests of each verb make |
| China and GovCloud | no engine has these partitions | the synthesised templates, and cfn-lint for their Regions |

## Which engines there are

| engine | from | resource types of these stacks that its CloudFormation deploys | pulls through | used |
|---|---|---|---|---|
| fakecloud 0.51.0 | crates.io | pull through cache rule, registry policy, replication, registry scanning, secret, IAM, Lambda, Step Functions, Scheduler, EventBridge, S3, Logs, CloudWatch; not: creation template and VPC endpoint (reported only), custom resources (no container runtime) | yes | yes |
| ministack 1.5.33 | PyPI | secret, IAM, Lambda and custom resources that run, Step Functions, Scheduler, EventBridge, S3, Logs, CloudWatch, security group, VPC endpoint; refuses a stack with any type of ECR but `Repository` | no | for VPC endpoints and what runs |
| moto 5.2.5 | PyPI | IAM, security group, VPC endpoint, Lambda, Step Functions, S3, Logs; not: secret, Scheduler, alarm; of ECR `Repository` alone, and no API of rules or templates behind it, so that registered types would test nothing but themselves | no | no |
| Floci | container image | not looked at: it is in no package registry as a program | - | no |
"""
