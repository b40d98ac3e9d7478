"""Amazon ECS: every image of a stack from the cache, and the right to pull it for the task execution role."""

import aws_cdk as cdk
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam

from ecr_pull_through_cache import PullThroughCache, RewriteImages, Upstream

ENV = cdk.Environment(account="111122223333", region="eu-west-1")


class TaskStack(cdk.Stack):
    """A task with a container that names its image by the cache, and a sidecar that names it by its upstream."""

    def __init__(self, scope: cdk.App, id: str, *, env: cdk.Environment, cache: PullThroughCache) -> None:
        super().__init__(scope, id, env=env)
        execution_role = iam.Role(self, "Execution", assumed_by=iam.ServicePrincipal("ecs-tasks.amazonaws.com"))
        cache.grant_import(execution_role)
        task = ecs.FargateTaskDefinition(self, "Task", execution_role=execution_role)
        for name, image in (
            ("web", cache.image_uri("ecr-public", "nginx/nginx", tag="1.29")),
            ("metrics", "quay.io/prometheus/statsd-exporter:v0.28.0"),
        ):
            task.add_container(
                name,
                image=ecs.ContainerImage.from_registry(image),
                logging=ecs.LogDrivers.aws_logs(stream_prefix=name),
            )
        cdk.Aspects.of(self).add(RewriteImages(cache.mapping()))


app = cdk.App()
platform = cdk.Stack(app, "Platform", env=ENV)
cache = PullThroughCache(platform, "Cache", upstreams={"ecr-public": Upstream.ECR_PUBLIC, "quay": Upstream.QUAY})
TaskStack(app, "Task", env=ENV, cache=cache)
app.synth()
