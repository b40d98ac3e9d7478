"""The admission policy of a cluster, applied to it or written for GitOps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from aws_cdk import CfnResource, Stack, Stage

from constructs import Construct

from .._checks import claim_file, error_at
from .._place import is_unresolved
from .._props import checked
from ..admission import PolicyForm, PolicySettings, render_policy
from ..images import CacheMapping
from ..manifests.yaml_text import to_yaml
from ._eks import is_v2

if TYPE_CHECKING:
    from aws_cdk import aws_eks as eks
    from aws_cdk import aws_eks_v2 as eks_v2

    from ..registry.pull_through_cache import IPullThroughCache


@checked
class ImageRewritePolicy(Construct):
    """The admission policy that makes a cluster's Pods pull through the cache.

    With a cluster it is applied to it; without one it is written into the cloud assembly, for a pipeline or GitOps.

    :param scope: parent.
    :param id: id below the parent.
    :param cache: the cache that the Pods pull from, or a mapping of its own:
        ``cache.mapping(pinned_by_digest=PinnedByDigest.REWRITE)``.
    :param form: the kind of policy; the engine it needs, such as :class:`Kyverno`, must be in the cluster before. Default:
        ``MutatingPolicy`` of Kyverno.
    :param settings: how the policy behaves. Default: see :class:`PolicySettings`.
    :param cluster: cluster of ``aws_eks`` or ``aws_eks_v2``, of this app or imported with its ``kubectl_provider``. Default:
        the policy is written into a file.
    :param audit: whether to render the report-only variant, which lists the Pods that would change. Default: no.
    :raises UserError: when a file would have to hold tokens, or another policy writes the same file.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        cache: IPullThroughCache | CacheMapping,
        form: PolicyForm = PolicyForm.MUTATING_POLICY,
        settings: PolicySettings | None = None,
        cluster: eks.ICluster | eks_v2.ICluster | None = None,
        audit: bool = False,
    ) -> None:
        mapping = cache if isinstance(cache, CacheMapping) else cache.mapping()
        if cluster is None and is_unresolved(mapping.registry):
            raise error_at(
                scope,
                id,
                "the policy cannot be written to a file while account or Region are unknown; "
                "give the stack an env, or apply the policy to a cluster",
            )
        documents = render_policy(mapping, form, settings, audit=audit)
        path = _path(scope, documents[0]["metadata"]["name"])
        if cluster is None:
            claim_file(scope, id, str(path))
        super().__init__(scope, id)
        self.documents = documents
        """The policy's documents."""
        self.manifest: eks.KubernetesManifest | eks_v2.KubernetesManifest | None = None
        """The manifest that applies it, where there is a cluster."""
        self.file: Path | None = None
        """The file that holds it, where there is none."""
        if cluster is None:
            path.write_text(to_yaml(documents), encoding="utf-8")
            self.file = path
            return
        # These modules take more than a second to load, which a policy in a file need not spend.
        from aws_cdk import aws_eks as eks
        from aws_cdk import aws_eks_v2 as eks_v2

        if is_v2(cluster):
            self.manifest = eks_v2.KubernetesManifest(self, "Resource", cluster=cluster, manifest=self.documents)
        else:
            self.manifest = eks.KubernetesManifest(self, "Resource", cluster=cluster, manifest=self.documents)

    @property
    def resource(self) -> CfnResource | None:
        """The L1 of the manifest, where there is a cluster."""
        if self.manifest is None:
            return None
        return cast("CfnResource", self.manifest.node.find_child("Resource").node.default_child)


def _path(scope: Construct, name: str) -> Path:
    """A file of the assembly, beside the stack's template and under its name."""
    stage = Stage.of(scope)
    outdir = stage.outdir if stage is not None else "cdk.out"
    return Path(outdir) / f"{Stack.of(scope).artifact_id}.{name}.yaml"
