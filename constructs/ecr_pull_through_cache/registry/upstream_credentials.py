"""The secret with which ECR signs in to an upstream registry."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from aws_cdk import Annotations, RemovalPolicy

from constructs import Construct

from .._checks import at, error_at
from .._place import is_unresolved, place_of, stack_of
from .._props import checked
from ..ecr import secrets

if TYPE_CHECKING:
    from aws_cdk import aws_secretsmanager as secretsmanager


@checked
class UpstreamCredentials(Construct):
    """A secret of the shape that ECR reads: the JSON keys ``username`` and ``accessToken``.

    The template holds no secret value. The secret is created with a user name to be replaced and a random token;
    write the real value once, and again whenever it is rotated::

        aws secretsmanager put-secret-value --secret-id NAME --secret-string file://credentials.json

    Rotate the value and keep the secret: a rule's secret is create-only for CloudFormation. The secret is encrypted with
    the AWS managed key, the only one that ECR can read it with, and is kept when the stack goes.

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-creating-secret.html

    :param scope: parent.
    :param id: id below the parent.
    :param secret_name: name of the secret, with or without the leading ``ecr-pullthroughcache/``.
    :param description: purpose of the secret. Default: a text that says so.
    :param removal_policy: what becomes of the secret when the stack is deleted. Default: it is kept.
    :raises UserError: when Secrets Manager or ECR would refuse the name.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        secret_name: str,
        description: str | None = None,
        removal_policy: RemovalPolicy = RemovalPolicy.RETAIN,
    ) -> None:
        with at(scope, id):
            full_name = secret_name if is_unresolved(secret_name) else secrets.check_name(secret_name)
        # It loads aws_ec2, which takes longer than all the rest of a synthesis without secrets.
        from aws_cdk import aws_secretsmanager as secretsmanager

        super().__init__(scope, id)
        self.secret: secretsmanager.ISecret = secretsmanager.Secret(
            self,
            "Resource",
            secret_name=full_name,
            description=description or "Credentials with which Amazon ECR pulls from an upstream registry",
            generate_secret_string=secretsmanager.SecretStringGenerator(
                secret_string_template=json.dumps({"username": secrets.PLACEHOLDER}),
                generate_string_key="accessToken",
            ),
            removal_policy=removal_policy,
        )
        """The secret, to be given to a rule as its ``credentials``."""

    @property
    def resource(self) -> secretsmanager.CfnSecret:
        """The L1."""
        return cast("secretsmanager.CfnSecret", self.secret.node.default_child)

    @property
    def secret_arn(self) -> str:
        """ARN of the secret."""
        return self.secret.secret_arn

    @property
    def secret_name(self) -> str:
        """Name of the secret."""
        return self.secret.secret_name


def check_credentials(scope: Construct, id: str, secret: secretsmanager.ISecret) -> None:
    """Refuse a secret that ECR could not read, as far as that can be seen at synth.

    :raises UserError: when its name, account, Region or key is wrong.
    """
    if secret.encryption_key is not None:
        raise error_at(
            scope,
            id,
            "the credentials are encrypted with a customer managed key; ECR reads secrets that are encrypted with the AWS "
            "managed key aws/secretsmanager only, so leave encryption_key out",
        )
    name = secret.secret_name
    if not is_unresolved(name):
        with at(scope, id):
            secrets.check_reads(name)
    elif (made := _made_here(secret)) is not None:
        _check_made(scope, id, made)
    _check_place(scope, id, secret.secret_arn)
    if secret.secret_full_arn is None:
        Annotations.of(scope).add_warning_v2(
            "cdk-ecr-pull-through-cache:partialSecretArn",
            f"the secret {name} is given without the six characters at the end of its ARN; "
            "ECR documents complete ARNs, so use Secret.from_secret_complete_arn",
        )


def _made_here(secret: secretsmanager.ISecret) -> secretsmanager.CfnSecret | None:
    """The L1 of a secret that this app makes; the name of such a secret is a token."""
    resource = secret.node.default_child
    return cast("secretsmanager.CfnSecret", resource) if hasattr(type(resource), "secret_string") else None


def _check_made(scope: Construct, id: str, resource: secretsmanager.CfnSecret) -> None:
    # aws-cdk-lib gives a resource without a name a token that stands for nothing.
    name = stack_of(resource).resolve(resource.name)
    if name is None:
        raise error_at(
            scope,
            id,
            f"the secret {resource.node.path} with the credentials has no name of its own; ECR reads secrets whose name begins "
            f"with {secrets.PREFIX!r}, so give it one, or use UpstreamCredentials",
        )
    if isinstance(name, str):
        with at(scope, id):
            secrets.check_reads(name)


def _check_place(scope: Construct, id: str, arn: str) -> None:
    parts = None if is_unresolved(arn) else secrets.parse_arn(arn)
    if parts is None:
        return
    here = place_of(scope)
    for what, given, expected in (
        ("Region", parts.region, here.region),
        ("account", parts.account, here.account),
    ):
        if not is_unresolved(expected) and given != expected:
            raise error_at(
                scope,
                id,
                f"the credentials lie in the {what} {given}; a rule reads a secret of its own {what}, {expected}",
            )
