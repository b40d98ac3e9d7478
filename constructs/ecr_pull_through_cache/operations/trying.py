"""Try a pull as a node does it: token, manifest, the first bytes of each layer; and explain what stops it.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/error-pullthroughcache.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from ..errors import UserError
from ..images import CachedUpstream, CacheMapping, Decision, ImageReference, PinnedByDigest, Reason
from .aws import call
from .failures import Failure, RegistryError
from .oci import Manifest
from .registry import RegistryClient
from .upstreams import UpstreamClient

_PULLABLE = frozenset({Reason.CACHED, Reason.ALREADY_CACHED, Reason.PINNED_BY_DIGEST, Reason.REPLICA_ONLY})
_NO_RULE = "PullThroughCacheRuleNotFoundException"
_S3 = ".amazonaws.com"
_S3_CHINA = ".amazonaws.com.cn"


class Step(Enum):
    """A part of a pull."""

    NAME = "name"
    SIGN_IN = "sign-in"
    MANIFEST = "manifest"
    LAYER = "layer"


class Result(Enum):
    """The outcome of a step."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Tried:
    """One step of a pull.

    :param step: the step.
    :param result: how it ended.
    :param detail: a sentence for people.
    :param failure: the kind of reason, when it failed.
    """

    step: Step
    result: Result
    detail: str
    failure: Failure | None = None


class Trial:
    """Pulls an image as far as a node needs to begin to run it, without storing anything.

    :param mapping: the mapping of the cache.
    :param client: the cache's registry.
    :param token: called for the ``Authorization`` header, as ECR gives it.
    :param ecr: client of ECR, asked for the rule when an image is not there. Default: the rule is not looked at.
    :param upstream: asked whether the image exists when the cache does not have it. Default: upstreams are not asked.
    :param platform: platform whose manifest is pulled from an index, ``OS/ARCHITECTURE[/VARIANT]``.
    """

    def __init__(
        self,
        mapping: CacheMapping,
        client: RegistryClient,
        *,
        token: Callable[[bool], str | None],
        ecr: Any | None = None,
        upstream: UpstreamClient | None = None,
        platform: str = "linux/amd64",
    ) -> None:
        self._mapping = mapping
        self._client = client
        self._token = token
        self._ecr = ecr
        self._upstream = upstream
        self._platform = platform

    def run(self, image: str) -> Iterator[Tried]:
        """Try one image. The last step is the one that failed, if any did.

        :param image: a reference, upstream's name or the cache's.
        :raises UserError: when it is no image reference.
        """
        decision = self._mapping.decide(image)
        if decision.reason not in _PULLABLE:
            yield _failed(Step.NAME, f"{image} stays with its upstream: {decision.reason.value}")
            return
        reference = self._cached(decision)
        yield Tried(step=Step.NAME, result=Result.OK, detail=f"{image} is {reference} in the cache")
        try:
            self._token(False)
        except UserError as error:
            yield _failed(Step.SIGN_IN, str(error), getattr(error, "failure", Failure.SIGNED_OUT))
            return
        yield Tried(step=Step.SIGN_IN, result=Result.OK, detail=f"signed in to {self._mapping.registry}")
        yield from self._pulled(reference, decision.rule)

    def _cached(self, decision: Decision) -> ImageReference:
        """The name in the cache, also of a digest that workloads take from upstream."""
        mapping = replace(self._mapping, pinned_by_digest=PinnedByDigest.REWRITE, replica_only=False)
        found = ImageReference.parse(mapping.decide(decision.original).image)
        return found.at(registry=self._mapping.registry, repository=found.repository)

    def _pulled(self, reference: ImageReference, rule: CachedUpstream | None) -> Iterator[Tried]:
        asked = reference.digest or reference.tag or "latest"
        try:
            manifest = self._client.manifest(reference.repository, asked)
        except RegistryError as error:
            yield self._explained(reference, rule, error)
            return
        yield Tried(step=Step.MANIFEST, result=Result.OK, detail=f"the manifest of {reference} is {manifest.digest}")
        if manifest.is_index:
            chosen = _of_platform(manifest, self._platform)
            if chosen is None:
                there = ", ".join(sorted(str(p) for entry in manifest.entries for p in entry.platforms)) or "none named"
                yield _failed(
                    Step.MANIFEST,
                    f"the image has no platform {self._platform}; it has {there}; give --platform",
                    Failure.NO_SUCH_IMAGE,
                )
                return
            try:
                manifest = self._client.manifest(reference.repository, chosen)
            except RegistryError as error:
                yield self._explained(reference, rule, error)
                return
            yield Tried(
                step=Step.MANIFEST, result=Result.OK, detail=f"the manifest for {self._platform} is {manifest.digest}"
            )
        yield from self._layers(reference, manifest)

    def _layers(self, reference: ImageReference, manifest: Manifest) -> Iterator[Tried]:
        for digest in manifest.blobs:
            try:
                start = self._client.layer_start(reference.repository, digest)
            except RegistryError as error:
                if error.status == 404:
                    yield _failed(
                        Step.LAYER,
                        f"ECR has not imported the layer {digest} yet; try again in a minute",
                        Failure.NOT_COMPLETE,
                    )
                else:
                    yield _failed(Step.LAYER, f"the layer {digest} cannot be read: {error}", error.failure)
                return
            ours = start.host == self._client.host or start.host.endswith((_S3, _S3_CHINA)) or _is_loopback(start.host)
            detail = f"the layer {digest} begins to arrive from {start.host}"
            if ours:
                yield Tried(step=Step.LAYER, result=Result.OK, detail=detail)
            else:
                # aws/containers-roadmap#2304: until the import is finished, layers are downloaded from the upstream's CDN.
                yield Tried(
                    step=Step.LAYER,
                    result=Result.WARNING,
                    detail=f"{detail}, for ECR has not finished its import; nodes without internet access cannot pull it yet",
                )

    def _explained(self, reference: ImageReference, rule: CachedUpstream | None, error: RegistryError) -> Tried:
        """Why there is no manifest, as far as ECR's API and the upstream can tell."""
        if error.status == 404:
            detail, failure = self._not_there(reference, rule)
            return _failed(Step.MANIFEST, detail, failure)
        return _failed(Step.MANIFEST, str(error), error.failure)

    def _not_there(self, reference: ImageReference, rule: CachedUpstream | None) -> tuple[str, Failure]:
        rule = rule or _rule_of(self._mapping, reference)
        if rule is None:
            return f"there is no image {reference}, and no upstream is cached under its name", Failure.NO_SUCH_IMAGE
        if not self._mapping.replica_only and not self._has_rule(rule.repository_prefix):
            missing = (
                f"there is no pull through cache rule for the repository prefix {rule.repository_prefix} in "
                f"{self._mapping.registry}; deploy the stack of this registry"
            )
            return missing, Failure.NO_RULE
        if self._mapping.replica_only:
            return (
                f"{self._mapping.registry} holds replicas only, and {reference} is none of them",
                Failure.NO_SUCH_IMAGE,
            )
        name = self._mapping.upstream_of(str(reference)) or str(reference)
        return self._by_upstream(name, reference)

    def _by_upstream(self, name: str, reference: ImageReference) -> tuple[str, Failure]:
        not_allowed = (
            "the import is not allowed: the caller needs ecr:BatchImportUpstreamImage and ecr:CreateRepository for "
            f"{reference.repository}, and ecr:TagResource if the creation template sets tags"
        )
        by_digest = (
            f"; a first pull by digest can fail, so pull {name.partition('@')[0]} by its tag first"
            if reference.digest
            else ""
        )
        if self._upstream is None:
            return (
                f"ECR does not give {reference}: either there is no image {name} upstream, or {not_allowed}{by_digest}",
                Failure.NO_SUCH_IMAGE,
            )
        try:
            found = self._upstream.digest_of(ImageReference.parse(name))
        except RegistryError as error:
            either = f"either there is no image {name} upstream ({error}), or {not_allowed}{by_digest}"
            return f"ECR does not give {reference}: {either}", Failure.NO_SUCH_IMAGE
        if found is None:
            return f"there is no image {name} upstream", Failure.NO_SUCH_IMAGE
        if reference.digest:
            return (
                f"upstream has {name}, but ECR has not imported it{by_digest}; if that fails too, {not_allowed}",
                Failure.PINNED_BY_DIGEST,
            )
        return f"upstream has {name}, but ECR does not import it: {not_allowed}", Failure.NOT_ALLOWED

    def _has_rule(self, prefix: str) -> bool:
        if self._ecr is None:
            return True
        answer = call(self._ecr, "describe_pull_through_cache_rules", absent=[_NO_RULE], ecrRepositoryPrefixes=[prefix])
        return answer is not None


def _failed(step: Step, detail: str, failure: Failure = Failure.OTHER) -> Tried:
    return Tried(step=step, result=Result.FAILED, detail=detail, failure=failure)


def _of_platform(index: Manifest, platform: str) -> str | None:
    for entry in index.entries:
        if any(str(known) == platform or str(known).startswith(f"{platform}/") for known in entry.platforms):
            return entry.digest
    return None


def _rule_of(mapping: CacheMapping, reference: ImageReference) -> CachedUpstream | None:
    name = f"{mapping.registry}/{reference.repository}"
    found = [s for s in mapping.substitutions if name.startswith(s.target)]
    return max(found, key=lambda s: len(s.target)).rule if found else None


def _is_loopback(host: str) -> bool:
    return host in ("127.0.0.1", "[::1]", "localhost")


def login_lines(registry: str, region: str) -> list[str]:
    """The commands that sign docker, podman and crane in to a private ECR registry.

    :param registry: host of the registry.
    :param region: its Region.
    """
    password = f"aws ecr get-login-password --region {region}"
    return [
        f"{password} | {tool} login --username AWS --password-stdin {registry}"
        for tool in ("docker", "podman", "crane auth")
    ]


def pod_that_pulls(image: str, *, name: str = "ecr-pull-through-test") -> dict[str, Any]:
    """A Pod that pulls one image, as the AWS post has it.

    :param image: the reference to pull.
    :param name: name of the Pod.
    """
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "restartPolicy": "Never",
            "containers": [{"name": "test", "image": image, "imagePullPolicy": "Always"}],
        },
    }


def wait_lines(name: str = "ecr-pull-through-test") -> list[str]:
    """The commands that tell a pulled image from one that cannot be pulled.

    A container has an id only once its image was pulled; in ``ImagePullBackOff`` it has none, and the first command fails after
    its time. ``.spec.containers[].image`` tells nothing: it is the same in both cases.
    """
    return [
        f"kubectl wait pod/{name} --for=jsonpath='{{.status.containerStatuses[0].containerID}}' --timeout=3m",
        f"kubectl get events --field-selector involvedObject.name={name}",
        f"kubectl delete pod {name}",
    ]
