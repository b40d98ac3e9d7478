"""A pipeline that deploys every stack of a configuration: registries first, then what the clusters need."""

from collections.abc import Iterable
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import pipelines

from ecr_pull_through_cache.configuration import Configuration, load
from ecr_pull_through_cache_stacks import ClusterStack, RegistryStack

CONFIGURATION = "../../environments/example.yaml"
VERSION = "0.1.0"
REPOSITORY = "acme/image-cache"
CONNECTION = "arn:aws:codeconnections:eu-west-1:111122223333:connection/12345678-1234-1234-1234-123456789012"


class RegistryStage(cdk.Stage):
    """The stacks of some registries."""

    def __init__(self, scope: cdk.Stack, id: str, *, configuration: Configuration, names: Iterable[str]) -> None:
        super().__init__(scope, id)
        for name in names:
            RegistryStack(self, f"registry-{name}", registry=configuration.registries[name], tags=configuration.tags)


class ClusterStage(cdk.Stage):
    """The stacks of one account's clusters. Their admission policies become files of the stage's assembly."""

    def __init__(self, scope: cdk.Stack, id: str, *, configuration: Configuration, names: Iterable[str]) -> None:
        super().__init__(scope, id)
        for name in names:
            ClusterStack(self, f"cluster-{name}", cluster=configuration.clusters[name], tags=configuration.tags)


class PipelineStack(cdk.Stack):
    """The pipeline; it updates itself from the configuration."""

    def __init__(self, scope: cdk.App, id: str, *, configuration: Configuration, env: cdk.Environment) -> None:
        super().__init__(scope, id, env=env)
        synth = pipelines.ShellStep(
            "Synth",
            input=pipelines.CodePipelineSource.connection(REPOSITORY, "main", connection_arn=CONNECTION),
            commands=[
                f"pip install cdk-ecr-pull-through-cache=={VERSION}",
                "npx aws-cdk@2 synth --app 'python3 app.py'",
            ],
        )
        pipeline = pipelines.CodePipeline(self, "Pipeline", synth=synth, cross_account_keys=True)
        registries, clusters = configuration.registries, configuration.clusters
        # A destination lets its sources in before they replicate.
        receiving = [name for name, plan in registries.items() if plan.sources]
        others = [name for name in registries if name not in receiving]
        for id, names in (("Receiving", receiving), ("Caching", others)):
            if names:
                pipeline.add_stage(RegistryStage(self, id, configuration=configuration, names=names))
        wave = pipeline.add_wave("Clusters")
        for account in sorted({plan.environment.account for plan in clusters.values()}):
            here = [name for name, plan in clusters.items() if plan.environment.account == account]
            wave.add_stage(ClusterStage(self, f"Clusters-{account}", configuration=configuration, names=here))


app = cdk.App()
PipelineStack(
    app,
    "ImageCachePipeline",
    configuration=load(Path(__file__).resolve().parent / CONFIGURATION),
    env=cdk.Environment(account="111122223333", region="eu-west-1"),
)
app.synth()
