"""A CodeBuild project that synthesises and deploys the cache, with the right to become CDK's own roles and no other."""

import aws_cdk as cdk
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_iam as iam

OWNER, REPOSITORY = "acme", "image-cache"
ACCOUNTS = ["111122223333", "222233334444"]


class DeploymentProjectStack(cdk.Stack):
    """The project. Its source needs a connection to GitHub, which CodeBuild is given once for the account."""

    def __init__(self, scope: cdk.App, id: str, *, env: cdk.Environment) -> None:
        super().__init__(scope, id, env=env)
        on_main = codebuild.FilterGroup.in_event_of(codebuild.EventAction.PUSH).and_branch_is("main")
        project = codebuild.Project(
            self,
            "Project",
            project_name="image-cache-deployment",
            source=codebuild.Source.git_hub(
                owner=OWNER, repo=REPOSITORY, branch_or_ref="main", webhook_filters=[on_main]
            ),
            build_spec=codebuild.BuildSpec.from_source_filename("examples/codebuild/buildspec.yml"),
            environment=codebuild.BuildEnvironment(build_image=codebuild.LinuxBuildImage.STANDARD_7_0),
            concurrent_build_limit=1,
            timeout=cdk.Duration.hours(1),
        )
        # The bootstrapped roles of each account do the work; this one may only become them.
        project.add_to_role_policy(
            iam.PolicyStatement(
                actions=["sts:AssumeRole"],
                resources=[
                    f"arn:{self.partition}:iam::{account}:role/cdk-{cdk.DefaultStackSynthesizer.DEFAULT_QUALIFIER}-"
                    f"{purpose}-role-{account}-*"
                    for account in ACCOUNTS
                    for purpose in ("deploy", "file-publishing", "lookup")
                ],
            )
        )


app = cdk.App()
DeploymentProjectStack(app, "DeploymentProject", env=cdk.Environment(account="111122223333", region="eu-west-1"))
app.synth()
