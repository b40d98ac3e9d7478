"""The admission policy of a cluster, applied to it or written for GitOps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from aws_cdk import Stack, Stage

from constructs import Construct

from .._checks import error_at
from .._place import is_unresolved
from ..admission import PolicyForm, PolicySettings, render_policy
from ..images import CacheMapping
from ..manifests.yaml_text import to_yaml
from ._eks import is_v2

if TYPE_CHECKING:
    from aws_cdk import aws_eks as eks
    from aws_cdk import aws_eks_v2 as eks_v2


class ImageRewritePolicy(Construct):
    """The admission policy that makes a cluster's Pods pull through the cache.

    Given a cluster it is applied to it; without one it is written into the cloud assembly, from where a pipeline hands it
    to whoever owns the cluster's manifests.

    :param scope: parent.
    :param id: id below the parent.
    :param mapping: what images become; see :meth:`PullThroughCache.mapping`.
    :param form: the kind of policy; what it needs in the cluster, :class:`Kyverno` say, must be there before.
    :param settings: how the policy behaves.
    :param cluster: cluster of ``aws_eks`` or ``aws_eks_v2``, of this app or imported with its ``kubectl_provider``.
    :param audit: the twin that reports which Pods would change, and changes nothing.
    :raises UserError: when a file would have to hold tokens.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        mapping: CacheMapping,
        form: PolicyForm = PolicyForm.MUTATING_POLICY,
        settings: PolicySettings | None = None,
        cluster: eks.ICluster | eks_v2.ICluster | None = None,
        audit: bool = False,
    ) -> None:
        if cluster is None and is_unresolved(mapping.registry):
            raise error_at(
                scope,
                id,
                "the policy cannot be written to a file while account or Region are unknown; "
                "give the stack an env, or apply the policy to a cluster",
            )
        super().__init__(scope, id)
        self.documents = render_policy(mapping, form, settings, audit=audit)
        """The policy's documents."""
        self.manifest: eks.KubernetesManifest | eks_v2.KubernetesManifest | None = None
        """The manifest that applies it, where there is a cluster."""
        self.file: Path | None = None
        """The file that holds it, where there is none."""
        if cluster is None:
            self.file = self._write()
            return
        # These modules take more than a second to load, which a policy in a file need not spend.
        from aws_cdk import aws_eks as eks
        from aws_cdk import aws_eks_v2 as eks_v2

        if is_v2(cluster):
            self.manifest = eks_v2.KubernetesManifest(self, "Resource", cluster=cluster, manifest=self.documents)
        else:
            self.manifest = eks.KubernetesManifest(self, "Resource", cluster=cluster, manifest=self.documents)

    def _write(self) -> Path:
        """Into the assembly, beside the stack's template and under its name."""
        stage = Stage.of(self)
        outdir = stage.outdir if stage is not None else "cdk.out"
        name = self.documents[0]["metadata"]["name"]
        target = Path(outdir) / f"{Stack.of(self).artifact_id}.{name}.yaml"
        target.write_text(to_yaml(self.documents), encoding="utf-8")
        return target
