"""ImageRewritePolicy: applied to a cluster, or written into the cloud assembly."""

import json
from pathlib import Path

import aws_cdk as cdk
import pytest
import yaml

from ecr_pull_through_cache import ImageRewritePolicy, PolicyForm, PolicySettings, PullThroughCache, Upstream, UserError
from tests.corpus import mapping
from tests.support.eks import MANIFEST, imported
from tests.support.templates import only


class TestImageRewritePolicy:
    @pytest.mark.parametrize("version", [1, 2])
    @pytest.mark.parametrize("form", PolicyForm)
    def test_it_is_applied_to_a_cluster_of_either_module(self, stack, version, form):
        it = ImageRewritePolicy(stack, "Policy", cache=mapping(), form=form, cluster=imported(stack, version))
        applied = json.loads(only(stack, MANIFEST)["Manifest"])
        assert [(d["kind"], d["spec"]) for d in applied] == [(d["kind"], d["spec"]) for d in it.documents]
        assert it.file is None

    def test_it_is_written_into_the_assembly_without_a_cluster(self, app, stack):
        it = ImageRewritePolicy(stack, "Policy", cache=mapping())
        assembly = Path(app.synth().directory)
        assert it.file == assembly / "Stack.ecr-pull-through-cache.yaml"
        assert list(yaml.safe_load_all(it.file.read_text())) == it.documents

    def test_a_cluster_takes_tokens(self, app):
        stack = cdk.Stack(app, "Anywhere")
        cache = PullThroughCache(stack, "Cache", upstreams={"k8s": Upstream.KUBERNETES})
        ImageRewritePolicy(stack, "Policy", cache=cache, cluster=imported(stack, 1))
        assert "AWS::AccountId" in json.dumps(only(stack, MANIFEST)["Manifest"])

    def test_a_file_does_not(self, app):
        stack = cdk.Stack(app, "Anywhere")
        cache = PullThroughCache(stack, "Cache", upstreams={"k8s": Upstream.KUBERNETES})
        with pytest.raises(UserError, match="Anywhere/Policy: the policy cannot be written to a file while"):
            ImageRewritePolicy(stack, "Policy", cache=cache)

    def test_two_policies_never_write_the_same_file(self, stack):
        ImageRewritePolicy(stack, "First", cache=mapping())
        with pytest.raises(
            UserError, match="Stack/Second: Stack/First writes the file .*Stack.ecr-pull-through-cache.yaml"
        ):
            ImageRewritePolicy(stack, "Second", cache=mapping())
        ImageRewritePolicy(stack, "Third", cache=mapping(), settings=PolicySettings(name="another"))

    def test_what_is_refused_leaves_the_file_of_the_first(self, stack):
        first = ImageRewritePolicy(stack, "First", cache=mapping())
        written = first.file.read_text()
        with pytest.raises(UserError):
            ImageRewritePolicy(stack, "Second", cache=mapping(), form=PolicyForm.CLUSTER_POLICY)
        assert first.file.read_text() == written
