"""Manifests of Kubernetes through the rewriter."""

from __future__ import annotations

import random
from typing import Any

import yaml

from ecr_pull_through_cache.manifests.rewriting import Rewriter
from tests.corpus import DIGEST, mapping
from tests.fuzz import Tally, mutated
from tests.support import ROOT

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_REWRITER = Rewriter(mapping())
_OWN = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, annotations: {note: "image: nginx"}}
spec:
  template:
    spec:
      initContainers:
        - {name: a, image: "busybox:1.36"}
      containers:
        - name: b
          image: quay.io/argoproj/argocd:v3 # ours
          args: [--image=registry.k8s.io/pause:3.10]
        - image: 'registry.k8s.io/pause'
          name: c
      volumes: [{name: v, image: {reference: "ghcr.io/fluxcd/x:1"}}]
---
kind: Kustomization
images:
- name: nginx
  newTag: "1.29"
- {name: quay.io/a/b, newName: x, newTag: y}
---
kind: CronJob
spec:
  jobTemplate: {spec: {template: {spec: {containers: [{name: d, image: docker.io/library/redis}]}}}}
---
kind: ConfigMap
data:
  file: |
    image: nginx
    kind: Pod
"""
_JSON = '{"kind": "List", "items": [{"kind": "Pod", "spec": {"containers": [{"name": "a", "image": "nginx:1"}]}}]}\n'
_PIECES = [
    "image:", " image: nginx", "image: &i nginx", "image: *i", "image: !!str nginx", "image: >-\n    nginx", "- ", "? ", ": ", "\n", "\r\n", "\r",
    "\t", " ", "#", "'", '"', "{", "}", "[", "]", "&a ", "*a", "|", ">", "<<: *a", "---\n", "...\n", "\ufeff", "\x85", "\u2028", "\0", "\x1b",
    "{{ .Values.image }}", "{{- if x }}", "$(IMAGE)", f"@{DIGEST}", "kind: List", "items:", "newTag: 2024-31-12", "0x_", "é", "\udce9", "%YAML 1.1\n",
]  # fmt: skip
_SEEDS = [_OWN, _OWN, _JSON, *(path.read_text() for path in sorted((ROOT / "examples").rglob("*.yaml"))[:20])]


def manifest(chance: random.Random, tally: Tally) -> None:
    """A text that has a problem stays to the byte, and YAML stays YAML of the same shape."""
    text = mutated(chance, chance.choice(_SEEDS), _PIECES)
    result = _REWRITER.rewrite(text)
    if result.problem is not None:
        tally.outcomes["problem"] += 1
        if result.text != text:
            tally.wrong("changed with a problem", result.problem, text)
        return
    tally.outcomes["rewritten" if result.changes else "unchanged"] += 1
    if not result.changes:
        if result.text != text:
            tally.wrong("changed without a word", "", text)
        return
    before = _read(text)
    if before is None:
        tally.outcomes["no YAML"] += 1
        return
    after = _read(result.text)
    if after is None:
        tally.wrong("YAML became none", "", text)
    elif _REWRITER.rewrite(result.text).changes:
        tally.wrong("rewritten twice", "", text)


def _read(text: str) -> list[Any] | None:
    try:
        return list(yaml.load_all(text, Loader=_LOADER))
    except (yaml.YAMLError, ValueError, RecursionError, TypeError):
        return None
