"""What people get wrong in a configuration, and what they are told."""

import copy
import textwrap
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ecr_pull_through_cache.configuration import ConfigurationError, load, parse

GOOD = """\
accounts:
  hub: "111122223333"
  work: "222233334444"
regions:
  home: eu-west-1
registries:
  main:
    account: hub
    region: home
    upstreams:
      k8s: registry.k8s.io
    replicateTo: [copy]
  copy:
    account: hub
    region: eu-central-1
clusters:
  prod:
    account: work
    region: home
    registry: main
    nodes:
      - role: nodes
"""
SECRET = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:ecr-pullthroughcache/hub-AbCdEf"


def broken(change):
    """The good configuration with a part replaced: ``{"a.b": value}``; ``None`` removes it."""
    data = yaml.safe_load(GOOD)
    for path, value in change.items():
        *way, last = path.split("/")
        at = data
        for key in way:
            at = at[int(key)] if isinstance(at, list) else at.setdefault(key, {})
        if value is None:
            at.pop(last)
        else:
            at[last] = value
    return yaml.safe_dump(data, sort_keys=False)


CASES = {
    "an unknown key at the top": (
        {"registrys": {}},
        ["registrys: is not a key here (did you mean 'registries'?); allowed are accounts, clusters, defaults, organization, regions, registries, tags"],
    ),
    "an unknown key of a registry": (
        {"registries/main/upstream": {}},
        ["registries.main.upstream: is not a key here (did you mean 'upstreams'?); allowed are acceptUnverified, account, backfill, dashboard, emptyOnDelete, exclude, only, pull, region, registryPolicyScope, replicateTo, scanType, template, upstreams, warm"],
    ),
    "an unknown key of an upstream": (
        {"registries/main/upstreams/k8s": {"upstream": "registry.k8s.io", "credential": "x"}},
        ["registries.main.upstreams.k8s.credential: is not a key here (did you mean 'credentials'?); allowed are allow, credentials, deployedCredentials, knownRepositoriesOnly, mode, role, template, upstream, upstreamRepositoryPrefix"],
    ),
    "an unknown key of a node": (
        {"clusters/prod/nodes/0/kin": "fargate"},
        ["clusters.prod.nodes[0].kin: is not a key here (did you mean 'kind'?); allowed are kind, role"],
    ),
    "no registries": ({"registries": None, "clusters": None}, ["registries: is missing"]),
    "a registry without account": ({"registries/copy/account": None}, ["registries.copy.account: is missing"]),
    "an account as a number": (
        {"accounts/hub": 111122223333},
        ["accounts.hub: given the number 111122223333; write accounts in quotes, so that no leading 0 is lost"],
    ),
    "an account that is too short": (
        {"accounts/hub": "1111"},
        ["accounts.hub: '1111' does not look like an account: 12 digits in quotes"],
    ),
    "an account nobody named": (
        {"registries/main/account": "hubb"},
        ["registries.main.account: 'hubb' is not an account (did you mean 'hub'?); allowed are the names under 'accounts' (hub, work) and 12 digits in quotes"],
    ),
    "a Region nobody knows": (
        {"registries/copy/region": "eu-centrall-1"},
        ["registries.copy.region: 'eu-centrall-1' is not a Region (did you mean 'eu-central-1'?); allowed are the names under 'regions' and Regions such as 'eu-west-1'"],
    ),
    "a name for no Region": (
        {"regions/other": "eu-wst-1"},
        ["regions.other: 'eu-wst-1' is not a Region (did you mean 'eu-west-1'?); a Region is named like 'eu-west-1'"],
    ),
    "a name of upper-case letters": (
        {"clusters/Prod": {"account": "work", "region": "home", "registry": "main"}},
        ["clusters.Prod: 'Prod' does not look like a name: at most 63 lower-case letters, digits and '-', beginning with a letter"],
    ),
    "an organisation that is none": (
        {"organization": "example"},
        ["organization: 'example' does not look like the id of an organisation: 'o-' and 10 to 32 lower-case letters and digits"],
    ),
    "an organisation that is let in and not named": (
        {"registries/main/pull": {"organization": True}},
        ["registries.main.pull.organization: the organization is let in, but not named; add 'organization: o-...' at the top"],
    ),
    "an upstream that ECR refuses": (
        {"registries/main/upstreams/elastic": "docker.elastic.co"},
        ["registries.main.upstreams.elastic: 'docker.elastic.co' is not an upstream registry that Amazon ECR can pull through; allowed are registry.k8s.io, public.ecr.aws, quay.io, docker.io, ghcr.io, registry.gitlab.com, cgr.dev, NAME.azurecr.io and private ECR registries; copy images of other registries into a repository of your own, or take the same software from one of these"],
    ),
    "a misspelt upstream": (
        {"registries/main/upstreams/k8s": "registry.k8s.oi"},
        ["registries.main.upstreams.k8s: 'registry.k8s.oi' is not an upstream registry that Amazon ECR can pull through (did you mean 'registry.k8s.io'?); allowed are registry.k8s.io, public.ecr.aws, quay.io, docker.io, ghcr.io, registry.gitlab.com, cgr.dev, NAME.azurecr.io and private ECR registries; copy images of other registries into a repository of your own, or take the same software from one of these"],
    ),
    "missing credentials": (
        {"registries/main/upstreams/hub": "docker.io"},
        ["registries.main.upstreams.hub: docker.io needs credentials; add 'credentials' with the name of a secret"],
    ),
    "credentials for nothing": (
        {"registries/main/upstreams/k8s": {"upstream": "registry.k8s.io", "credentials": "x"}},
        ["registries.main.upstreams.k8s: registry.k8s.io takes no credentials; leave 'credentials' out"],
    ),
    "a secret with a blank in its name": (
        {"registries/main/upstreams/hub": {"upstream": "docker.io", "credentials": "a b"}},
        ["registries.main.upstreams.hub.credentials: 'a b' is not the name of a secret; allowed are letters, digits and '/_+=.@-'"],
    ),
    "a secret with the wrong name": (
        {"registries/main/upstreams/hub": {"upstream": "docker.io", "credentials": SECRET.replace("ecr-pull", "pull")}},
        ["registries.main.upstreams.hub.credentials: 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:pullthroughcache/hub-AbCdEf' is not the complete ARN of a secret that ECR reads; its name begins with 'ecr-pullthroughcache/', and '-' and six characters follow the name"],
    ),
    "a secret of another Region": (
        {"registries/main/upstreams/hub": {"upstream": "docker.io", "credentials": SECRET.replace("eu-west", "us-west")}},
        ["registries.main.upstreams.hub.credentials: the secret lies in 111122223333/us-west-1; a rule reads secrets of its own account and Region, 111122223333/eu-west-1"],
    ),
    "a recorded secret that is only a name": (
        {"registries/main/upstreams/hub": {"upstream": "docker.io", "credentials": "new", "deployedCredentials": "old"}},
        ["registries.main.upstreams.hub.deployedCredentials: 'old' is not the complete ARN of a secret that ECR reads; its name begins with 'ecr-pullthroughcache/', and '-' and six characters follow the name"],
    ),
    "a prefix in upper case": (
        {"registries/main/upstreams/K8s": "quay.io"},
        ["registries.main.upstreams.K8s: 'K8s' is not a repository prefix; allowed are 2 to 30 lower-case letters and digits, joined by '.', '_', '__', '-' or '/', or ROOT for none"],
    ),
    "a prefix of 31 characters": (
        {"registries/main/upstreams": {"a" * 31: "quay.io"}},
        [f"registries.main.upstreams.{'a' * 31}: '{'a' * 31}' is not a repository prefix; allowed are 2 to 30 lower-case letters and digits, joined by '.', '_', '__', '-' or '/', or ROOT for none"],
    ),
    "an upstream prefix that is none": (
        {"registries/main/upstreams/k8s": {"upstream": "registry.k8s.io", "upstreamRepositoryPrefix": "a//b"}},
        ["registries.main.upstreams.k8s: 'a//b' is not a repository prefix; allowed are 2 to 30 lower-case letters and digits, joined by '.', '_', '__', '-' or '/', or ROOT for none"],
    ),
    "overlapping prefixes": (
        {"registries/main/upstreams/k8s~more": "quay.io"},
        ["registries.main.upstreams.k8s/more: the prefix 'k8s/more' overlaps 'k8s'; every upstream of a registry needs a prefix of its own"],
    ),
    "a private registry of another partition": (
        {"registries/main/upstreams/cn": "444455556666.dkr.ecr.cn-north-1.amazonaws.com.cn"},
        ["registries.main.upstreams.cn: 444455556666.dkr.ecr.cn-north-1.amazonaws.com.cn lies in the partition aws-cn, and this registry in aws; ECR reads a private registry of its own partition alone, so copy its images; or write 'mode: push' and push the images there"],
    ),
    "a registry as its own upstream": (
        {"registries/main/upstreams/own": "111122223333.dkr.ecr.eu-west-1.amazonaws.com"},
        ["registries.main.upstreams.own: 111122223333.dkr.ecr.eu-west-1.amazonaws.com is this registry itself; a registry is not its own upstream; or write 'mode: push' and push the images there"],
    ),
    "a part of an upstream without a prefix": (
        {"registries/main/upstreams": {"ROOT": {"upstream": "quay.io", "upstreamRepositoryPrefix": "argoproj"}}},
        ["registries.main.upstreams.ROOT: the part 'argoproj' of quay.io is given with the repository prefix ROOT; ECR takes a part of an upstream only with a repository prefix of 2 to 30 characters, so choose one"],
    ),
    "credentials for Quay": (
        {"registries/main/upstreams/quay": {"upstream": "quay.io", "credentials": "quay"}},
        ["registries.main.upstreams.quay: quay.io takes no credentials; leave 'credentials' out"],
    ),
    "a deployed credential for Quay": (
        {"registries/main/upstreams/quay": {"upstream": "quay.io", "deployedCredentials": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:ecr-pullthroughcache/quay-AbCdEf"}},
        ["registries.main.upstreams.quay: quay.io takes no credentials; leave 'deployedCredentials' out"],
    ),
    "Azure of China": (
        {"registries/main/upstreams/azure": {"upstream": "contoso.azurecr.cn", "credentials": "azure"}},
        ["registries.main.upstreams.azure: 'contoso.azurecr.cn' is not an Azure container registry that ECR pulls through; allowed are hosts like 'example.azurecr.io' and 'example-a1b2c3d4e5f6g7h8.azurecr.io', not those of Azure China (.cn) and Azure Government (.us)"],
    ),
    "51 rules": (
        {"registries/main/upstreams": {f"p{number:02d}": {"upstream": "quay.io", "upstreamRepositoryPrefix": f"p{number:02d}"} for number in range(51)}},
        ["registries.main.upstreams: 51 upstreams are pulled through; allowed are 50 pull through cache rules per registry, which AWS does not raise"],
    ),
    "digits that are not those of an account": (
        {"accounts/work": "١١١١٢٢٢٢٣٣٣٣"},
        ["accounts.work: '١١١١٢٢٢٢٣٣٣٣' does not look like an account: 12 digits in quotes"],
    ),
    "a key with an account of other digits": (
        {"registries/main/template": {"kmsKey": "arn:aws:kms:eu-west-1:١١١١٢٢٢٢٣٣٣٣:key/1234abcd"}},
        ["registries.main.template.kmsKey: 'arn:aws:kms:eu-west-1:١١١١٢٢٢٢٣٣٣٣:key/1234abcd' does not look like the ARN of a KMS key: 'arn:aws:kms:REGION:ACCOUNT:key/ID'"],
    ),
    "double encryption by KMS outside of GovCloud, for every registry": (
        {"defaults/template": {"encryptionType": "KMS_DSSE"}},
        [
            "defaults.template.encryptionType: KMS_DSSE exists in the AWS GovCloud (US) Regions alone, and this is the partition aws; use KMS or AES256 (the registry of 111122223333/eu-central-1)",
            "defaults.template.encryptionType: KMS_DSSE exists in the AWS GovCloud (US) Regions alone, and this is the partition aws; use KMS or AES256 (the registry of 111122223333/eu-west-1)",
        ],
    ),
    "a key of defaults with AES256 of a registry": (
        {"defaults/template": {"kmsKey": "arn:aws:kms:eu-west-1:111122223333:key/1234abcd"}, "registries/main/template": {"encryptionType": "AES256"}, "registries/main/replicateTo": None, "registries/copy": None},
        ["defaults.template.kmsKey: an kmsKey is given with AES256; a key goes with KMS or KMS_DSSE"],
    ),
    "exclusion filters that are no patterns": (
        {"registries/main/template": {"imageTagMutability": "IMMUTABLE_WITH_EXCLUSION", "imageTagMutabilityExclusionFilters": ["v*-rc*-*", "not a tag", "fine*"]}},
        [
            "registries.main.template.imageTagMutabilityExclusionFilters[0]: the exclusion filter 'v*-rc*-*' is not a tag pattern; allowed are 1 to 128 letters, digits, '.', '_', '-' and at most two '*'",
            "registries.main.template.imageTagMutabilityExclusionFilters[1]: the exclusion filter 'not a tag' is not a tag pattern; allowed are 1 to 128 letters, digits, '.', '_', '-' and at most two '*'",
        ],
    ),
    "filters of a registry without the setting of defaults": (
        {"defaults/template": {"imageTagMutability": "MUTABLE_WITH_EXCLUSION", "imageTagMutabilityExclusionFilters": ["a"]}, "registries/main/upstreams/k8s": {"upstream": "registry.k8s.io", "template": {"imageTagMutability": "MUTABLE"}}},
        ["registries.main.upstreams.k8s.template.imageTagMutability: imageTagMutability is MUTABLE and there are 1 imageTagMutabilityExclusionFilters; filters go with a setting that ends in _WITH_EXCLUSION, and it with them"],
    ),
    "tags that AWS refuses": (
        {"registries/main/template": {"resourceTags": {"aws:owner": "platform"}}, "tags": {"cost{}": "1"}},
        [
            "tags: the tag key 'cost{}' holds '{', '}'; allowed are letters, digits, blanks and '_.:/=+-@'",
            "registries.main.template.resourceTags: the tag key 'aws:owner' begins with 'aws:', which is reserved for AWS; give it another name",
        ],
    ),
    "replication to a registry nobody knows": (
        {"registries/main/replicateTo": ["copi", "copy"]},
        ["registries.main.replicateTo[0]: there is no registry 'copi' (did you mean 'copy'?); there are copy, main"],
    ),
    "replication to itself": (
        {"registries/main/replicateTo": ["main", "copy"]},
        ["registries.main.replicateTo[0]: main would replicate to itself; leave it out"],
    ),
    "a destination given twice": (
        {"registries/main/replicateTo": ["copy", "copy"]},
        ["registries.main.replicateTo[1]: 'copy' is given twice"],
    ),
    "replication of replicas": (
        {"registries/copy/replicateTo": ["main"]},
        ["registries.copy.replicateTo: no upstreams are given, and replicas themselves are not replicated on"],
    ),
    "replication to another partition": (
        {"registries/copy/region": "cn-north-1"},
        ["registries.main.replicateTo[0]: ECR does not replicate from eu-west-1 to cn-north-1, which is another partition"],
    ),
    "replicas of one upstream under the prefix of another": (
        {"registries/copy/upstreams": {"k8s": "quay.io"}},
        ["registries.main.replicateTo[0]: under 'k8s' copy caches quay.io, but main would replicate registry.k8s.io there"],
    ),
    "a registry of nothing": (
        {"registries/main/replicateTo": None},
        ["registries.copy: holds nothing: it has no upstreams, and no registry names it under 'replicateTo'"],
    ),
    "two registries in one place": (
        {"registries/twin": {"account": "111122223333", "region": "eu-west-1", "upstreams": {"quay": "quay.io"}}},
        ["registries.twin: 111122223333/eu-west-1 is the registry 'main' already; an account has one registry in a Region, so put the upstreams together"],
    ),
    "a cluster of no registry": (
        {"clusters/prod/registry": "mian"},
        ["clusters.prod.registry: there is no registry 'mian' (did you mean 'main'?); there are copy, main"],
    ),
    "a cluster in another partition": (
        {"clusters/prod/region": "us-gov-west-1"},
        ["clusters.prod.registry: main lies in eu-west-1, another partition than us-gov-west-1; its nodes cannot sign in there, so give the partition a registry of its own"],
    ),
    "endpoints to another Region": (
        {"clusters/prod/region": "eu-central-1", "clusters/prod/endpoints": {"vpc": "vpc-0123456789abcdef0", "cidr": "10.0.0.0/16", "subnets": {"a": "subnet-0123456789abcdef0"}, "routeTables": {"a": "rtb-0123456789abcdef0"}}},
        ["clusters.prod.endpoints: VPC endpoints in eu-central-1 reach the ECR of eu-central-1 alone, and main lies in eu-west-1; pull from a registry in eu-central-1"],
    ),
    "endpoints in different zones": (
        {"clusters/prod/endpoints": {"vpc": "vpc-0123456789abcdef0", "cidr": "10.0.0.0/16", "subnets": {"a": "subnet-0123456789abcdef0"}, "routeTables": {"b": "rtb-0123456789abcdef0"}}},
        ["clusters.prod.endpoints: subnets are given for a and routeTables for b; give both for the same availability zones"],
    ),
    "a VPC that is none": (
        {"clusters/prod/endpoints": {"vpc": "main", "cidr": "10.0.0.0/16", "subnets": {"a": "subnet-0123456789abcdef0"}, "routeTables": {"a": "rtb-0123456789abcdef0"}}},
        ["clusters.prod.endpoints.vpc: 'main' does not look like the id of a VPC: 'vpc-' and hexadecimal digits"],
    ),
    "a role given twice": (
        {"clusters/prod/nodes": [{"role": "a"}, {"role": "a"}]},
        ["clusters.prod.nodes: the role 'a' is given twice"],
    ),
    "a role with its path": (
        {"clusters/prod/nodes/0/role": "team/nodes"},
        ["clusters.prod.nodes[0].role: 'team/nodes' does not look like the name of a role: at most 64 letters, digits and '_+=,.@-', without its path"],
    ),
    "a kind of nodes that is none": (
        {"clusters/prod/nodes/0/kind": "spot"},
        ["clusters.prod.nodes[0].kind: 'spot' is not allowed; allowed are 'managed-node-group', 'karpenter', 'auto-mode', 'fargate', 'self-managed' or 'ecs'"],
    ),
    "a form of policy that is none": (
        {"clusters/prod/rewrite": {"form": "opa"}},
        ["clusters.prod.rewrite.form: 'opa' is not allowed; allowed are 'cluster-policy', 'mutating-policy' or 'mutating-admission-policy'"],
    ),
    "a scanner that is none": (
        {"registries/main/scanType": "FULL"},
        ["registries.main.scanType: 'FULL' is not allowed; allowed are 'BASIC' or 'ENHANCED'"],
    ),
    "a mutability that is none": (
        {"registries/main/template": {"imageTagMutability": "mutable"}},
        ["registries.main.template.imageTagMutability: 'mutable' is not allowed; allowed are 'MUTABLE', 'IMMUTABLE', 'MUTABLE_WITH_EXCLUSION' or 'IMMUTABLE_WITH_EXCLUSION'"],
    ),
    "exclusions from nothing": (
        {"registries/main/template": {"imageTagMutabilityExclusionFilters": ["a"]}},
        ["registries.main.template: the tag mutability MUTABLE is given with 1 exclusion filters; 1 to 5 of them go with a setting that ends in _WITH_EXCLUSION"],
    ),
    "a key with AES256": (
        {"registries/main/template": {"encryptionType": "AES256", "kmsKey": "arn:aws:kms:eu-west-1:111122223333:key/1234abcd"}},
        ["registries.main.template: a KMS key is given with the encryption AES256; a key goes with KMS or KMS_DSSE"],
    ),
    "a key of another Region": (
        {"registries/main/template": {"kmsKey": "arn:aws:kms:us-east-1:111122223333:key/1234abcd"}},
        ["registries.main.template.kmsKey: the key lies in 111122223333/us-east-1; repositories of 111122223333/eu-west-1 need one of theirs"],
    ),
    "a lifecycle of both kinds": (
        {"registries/main/template": {"lifecyclePolicy": {"expireAfterDays": 3, "rules": []}}},
        ["registries.main.template.lifecyclePolicy: give one of 'expireAfterDays' and 'rules'"],
    ),
    "a lifecycle that ECR refuses": (
        {"registries/main/template": {"lifecyclePolicy": {"rules": [{"rulePriority": 1, "selection": {"tagStatus": "some"}, "action": {"type": "expire"}}]}}},
        ["registries.main.template.lifecyclePolicy: a lifecycle rule has the countType None; allowed are imageCountMoreThan, sinceImagePushed, sinceImagePulled, sinceImageTransitioned"],
    ),
    "zero days": (
        {"registries/main/template": {"lifecyclePolicy": {"expireAfterDays": 0}}},
        ["registries.main.template.lifecyclePolicy.expireAfterDays: input should be greater than or equal to 1, given 0"],
    ),
    "a list for a mapping": (
        {"registries/main/upstreams": ["registry.k8s.io"]},
        ["registries.main.upstreams: input should be a valid dictionary, given a list"],
    ),
    "everything at once": (
        {
            "accounts/hub": 1,
            "registries/main/upstreams/hub": "docker.io",
            "clusters/prod/account": "wrok",
            "clusters/prod/registry": "mian",
            "tag": {},
        },
        [
            "accounts.hub: given the number 1; write accounts in quotes, so that no leading 0 is lost",
            "registries.main.upstreams.hub: docker.io needs credentials; add 'credentials' with the name of a secret",
            "clusters.prod.account: 'wrok' is not an account (did you mean 'work'?); allowed are the names under 'accounts' (work) and 12 digits in quotes",
            "clusters.prod.registry: there is no registry 'mian' (did you mean 'main'?); there are copy, main",
            "tag: is not a key here (did you mean 'tags'?); allowed are accounts, clusters, defaults, organization, regions, registries, tags",
        ],
    ),
    "warming without upstreams": (
        {"registries/copy/warm": {}},
        ["registries.copy.warm: no upstreams are pulled through here; leave it out"],
    ),
    "emptying what is no cache": (
        {"registries/copy/emptyOnDelete": True},
        ["registries.copy.emptyOnDelete: no upstreams are pulled through here; leave it out"],
    ),
    "emptying a whole registry": (
        {"registries/main/upstreams": {"ROOT": "registry.k8s.io"}, "registries/main/emptyOnDelete": True},
        ["registries.main.emptyOnDelete: what a rule without a prefix made cannot be told from the rest of the registry; give the upstream a prefix instead of ROOT"],
    ),
    "an image of no upstream": (
        {"registries/main/warm": {"images": ["registry.k8s.io/pause:3.10", "quay.io/a/b:1"]}},
        ["registries.main.warm.images[1]: 'quay.io/a/b:1' is not an image of an upstream that is cached here; cached are registry.k8s.io"],
    ),
    "an image by its digest alone": (
        {"registries/main/warm": {"images": [f"registry.k8s.io/pause@sha256:{'0' * 64}"]}},
        [f"registries.main.warm.images[0]: 'registry.k8s.io/pause@sha256:{'0' * 64}' is pinned by its digest alone, and ECR imports by tags; write NAME:TAG@DIGEST"],
    ),
    "an image that is none": (
        {"registries/main/warm": {"images": ["registry.k8s.io/Pause"]}},
        ["registries.main.warm.images[0]: 'registry.k8s.io/Pause' has an upper-case letter in its repository; only lower case is allowed there"],
    ),
    "two lists of images": (
        {"registries/main/warm": {"images": ["registry.k8s.io/pause:3.10"], "imagesFile": "images.txt"}},
        ["registries.main.warm: give one of 'images' and 'imagesFile'"],
    ),
    "a list that is not there": (
        {"registries/main/warm": {"imagesFile": "no/images.txt"}},
        ["registries.main.warm.imagesFile: 'no/images.txt' cannot be read: No such file or directory"],
    ),
    "a platform without its system": (
        {"registries/main/warm": {"platforms": ["linux/arm64", "arm64"]}},
        ["registries.main.warm.platforms[1]: 'arm64' is not a platform; a platform is named like 'linux/arm64'"],
    ),
    "a schedule in words": (
        {"registries/main/warm": {"schedule": "daily"}},
        ["registries.main.warm.schedule: 'daily' does not look like a schedule: 'rate(6 hours)' or 'cron(0 3 * * ? *)'"],
    ),
    "more batches at once than there may be": (
        {"registries/main/warm": {"maxConcurrency": 1001}},
        ["registries.main.warm.maxConcurrency: input should be less than or equal to 1000, given 1001"],
    ),
    "a topic that is none": (
        {"registries/main/dashboard": {"alarmTopic": "alarms"}},
        ["registries.main.dashboard.alarmTopic: 'alarms' does not look like the ARN of a topic: 'arn:aws:sns:REGION:ACCOUNT:NAME'"],
    ),
    "a topic of another Region": (
        {"registries/main/backfill": {"alarmTopic": "arn:aws:sns:us-east-1:111122223333:alarms"}},
        ["registries.main.backfill.alarmTopic: the topic lies in us-east-1; alarms of eu-west-1 tell topics of their Region"],
    ),
    "a key for lists of another Region": (
        {"registries/main/warm": {"kmsKey": "arn:aws:kms:us-east-1:111122223333:key/1234abcd"}},
        ["registries.main.warm.kmsKey: the key lies in us-east-1; a bucket of eu-west-1 needs one of its Region"],
    ),
    "a setting that backfill cannot replace": (
        {"registries/main/backfill": {"replace": ["policy"]}},
        ["registries.main.backfill.replace[0]: 'policy' is not allowed; allowed are 'lifecyclePolicy', 'imageTagMutability' or 'resourceTags'"],
    ),
    "a misspelt key of warm": (
        {"registries/main/warm": {"image": []}},
        ["registries.main.warm.image: is not a key here (did you mean 'images'?); allowed are alarmTopic, images, imagesFile, kmsKey, maxConcurrency, platforms, referrers, requestsPerSecond, schedule"],
    ),
}  # fmt: skip


def messages(error):
    """The lines of an error without file and line."""
    return [line.split(": ", 1)[1] for line in str(error.value).splitlines()]


def test_the_good_configuration_is_good():
    assert set(parse(GOOD).registries) == {"main", "copy"}


def test_there_are_at_least_forty_of_them():
    assert len(CASES) >= 40


@pytest.mark.parametrize(("change", "expected"), CASES.values(), ids=CASES)
def test_what_people_are_told(change, expected):
    with pytest.raises(ConfigurationError) as error:
        parse(broken(change).replace("k8s~more", "k8s/more"), name="f.yaml")
    assert sorted(messages(error)) == sorted(expected)


def test_every_message_has_its_line():
    text = GOOD.replace("registry: main", "registry: mian").replace("eu-central-1", "eu-centrall-1")
    with pytest.raises(ConfigurationError) as error:
        parse(text, name="f.yaml")
    places = [line.split(": ")[0] for line in str(error.value).splitlines()]
    lines = text.splitlines()
    assert [lines[int(place.split(":")[1]) - 1].strip() for place in places] == [
        "region: eu-centrall-1",
        "registry: mian",
    ]


FILES = {
    "no YAML": ("a: [", "f.yaml:1: this is not YAML: "),
    "a key twice": (
        "accounts: {}\naccounts: {}\n",
        "f.yaml:1: accounts: is given twice, first in line 1",
    ),
    "nothing": (
        "",
        "f.yaml:1: the configuration: input should be a valid dictionary or instance of Document, given None",
    ),
    "a tag of Python": ("a: !!python/object:os.system x", "f.yaml:1: this is not YAML: "),
    "a text": (
        "hello",
        "f.yaml:1: the configuration: input should be a valid dictionary or instance of Document, given 'hello'",
    ),
}


@pytest.mark.parametrize(("text", "message"), FILES.values(), ids=FILES)
def test_files_that_are_no_configuration(text, message):
    with pytest.raises(ConfigurationError) as error:
        parse(text, name="f.yaml")
    assert str(error.value).startswith(message)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ConfigurationError, match="the configuration cannot be read: No such file or directory"):
        load(tmp_path / "none.yaml")


def test_an_alias_for_what_it_is_part_of():
    with pytest.raises(ConfigurationError) as error:
        parse("clusters: &all\n  prod:\n    region: *all\n")
    assert str(error.value) == (
        "configuration:3: clusters.prod.region: is an alias for what it is itself part of; write it out"
    )


def test_an_alias_for_something_else_is_what_it_stands_for():
    text = "registries:\n  a: &one {account: '111122223333', region: eu-west-1, upstreams: {k8s: registry.k8s.io}}\n  b: *one\n"
    with pytest.raises(
        ConfigurationError, match=r"^configuration:3: registries.b: 111122223333/eu-west-1 is the registry 'a'"
    ):
        parse(text)


EXAMPLE = yaml.safe_load((Path(__file__).parents[2] / "environments/example.yaml").read_text())
VALUES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.just([])
    | st.just({})
    | st.just(["x", 1])
    | st.just({"x": {"y": None}})
)


def places(data, way=()):
    yield way
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        yield from places(value, (*way, key))


@given(st.lists(st.tuples(st.sampled_from(sorted(places(EXAMPLE), key=str)[1:]), VALUES), min_size=1, max_size=4))
@settings(max_examples=150)
def test_whatever_is_written_there_is_no_traceback(changes):
    data = copy.deepcopy(EXAMPLE)
    for way, value in changes:
        at = data
        try:
            for key in way[:-1]:
                at = at[key]
            at[way[-1]] = value
        except (KeyError, IndexError, TypeError):
            continue
    try:
        parse(yaml.safe_dump(data))
    except ConfigurationError as error:
        assert all(line.startswith("configuration:") for line in textwrap.dedent(str(error)).splitlines())


@given(st.text(max_size=200))
@settings(max_examples=200)
def test_whatever_a_file_holds_there_is_no_traceback(text):
    with pytest.raises(ConfigurationError):
        parse(text)
