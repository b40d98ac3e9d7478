"""What all the files before this one saw, as the page docs/verification.md."""

from __future__ import annotations

import os

from tests.deploy.verification import page
from tests.support import ROOT

SEEN = {
    "AWS::ECR::PullThroughCacheRule": {"created", "deleted"},
    "AWS::ECR::PullTimeUpdateExclusion": {"created"},
    "AWS::ECR::RegistryPolicy": {"created", "updated", "deleted"},
    "AWS::ECR::RegistryScanningConfiguration": {"created", "updated", "deleted"},
    "AWS::ECR::ReplicationConfiguration": {"created", "updated", "deleted"},
    "AWS::ECR::RepositoryCreationTemplate": {"created", "updated"},
    "AWS::EC2::SecurityGroup": {"created", "deleted"},
    "AWS::EC2::VPCEndpoint": {"created", "deleted"},
    "AWS::IAM::ManagedPolicy": {"created", "updated", "deleted"},
    "AWS::IAM::Policy": {"created", "deleted"},
    "AWS::IAM::Role": {"created", "deleted"},
    "AWS::Lambda::Function": {"created", "deleted"},
    "AWS::StepFunctions::StateMachine": {"created", "deleted"},
    "Custom::EcrCacheRemoval": {"created", "deleted"},
    "Custom::EcrImageWarmer": {"created", "deleted"},
    "Custom::EcrRepositoryBackfill": {"created", "deleted"},
    "AWS::SecretsManager::Secret": {"created", "kept"},
}


def test_the_page_says_what_was_seen(record):
    seen = {kind: set().union(*(v for (k, _), v in record.done.items() if k == kind)) for kind, _ in record.done}
    # A run that saw less, because something failed or was left out, writes nothing.
    assert {kind: verbs & seen.get(kind, set()) for kind, verbs in SEEN.items()} == SEEN
    path = ROOT / "docs/verification.md"
    text = page(record)
    if os.environ.get("CI") != "true":
        path.write_text(text)
    assert path.read_text() == text, "docs/verification.md is out of date; run `make test-deploy`, and commit it"
