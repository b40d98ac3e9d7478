"""The role with which a GitHub Actions workflow deploys: no stored key, one repository, one environment, CDK's own roles."""

import aws_cdk as cdk
from aws_cdk import aws_iam as iam

REPOSITORY = "acme/image-cache"
ENVIRONMENT = "production"
ACCOUNTS = ["111122223333", "222233334444"]
ISSUER = "token.actions.githubusercontent.com"


class DeploymentRoleStack(cdk.Stack):
    """GitHub's identity provider, and the role of the workflow."""

    def __init__(self, scope: cdk.App, id: str, *, env: cdk.Environment) -> None:
        super().__init__(scope, id, env=env)
        provider = iam.OidcProviderNative(self, "GitHub", url=f"https://{ISSUER}", client_ids=["sts.amazonaws.com"])
        claims = {
            f"{ISSUER}:aud": "sts.amazonaws.com",
            f"{ISSUER}:sub": f"repo:{REPOSITORY}:environment:{ENVIRONMENT}",
        }
        role = iam.Role(
            self,
            "Role",
            role_name="image-cache-deployment",
            assumed_by=iam.WebIdentityPrincipal(provider.oidc_provider_arn, {"StringEquals": claims}),
            max_session_duration=cdk.Duration.hours(1),
        )
        # The bootstrapped roles of each account do the work; this one may only become them.
        role.add_to_policy(
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
DeploymentRoleStack(app, "DeploymentRole", env=cdk.Environment(account="111122223333", region="eu-west-1"))
app.synth()
