"""Texts of a certain form: the regular expression and the words for it, in one annotation."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic_core import core_schema

from ..errors import UserError


@dataclass(frozen=True)
class Form:
    r"""The form that a text must have.

    :param pattern: regular expression that the whole text must match; ``\d`` and ``\w`` mean ASCII alone.
    :param words: the form in words, as an error gives it: ``an account: 12 digits in quotes``.
    :param description: purpose of the value, for the JSON Schema. Default: none.
    """

    pattern: str
    words: str
    description: str | None = None

    def check(self, given: str) -> str:
        """The same text.

        :raises UserError: when it has another form.
        """
        if re.fullmatch(self.pattern, given, re.ASCII) is None:
            raise UserError(f"{given!r} does not look like {self.words}")
        return given

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        described = {} if self.description is None else {"description": self.description}
        return {**handler(schema), "pattern": f"^{self.pattern}$", **described}


Name = Annotated[
    str, Form(r"[a-z][a-z0-9-]{0,62}", "a name: at most 63 lower-case letters, digits and '-', beginning with a letter")
]
AccountNumber = Annotated[str, Form(r"[0-9]{12}", "an account: 12 digits in quotes")]
OrganizationId = Annotated[
    str, Form(r"o-[a-z0-9]{10,32}", "the id of an organisation: 'o-' and 10 to 32 lower-case letters and digits")
]
RoleName = Annotated[
    str,
    Form(
        r"[a-zA-Z0-9_+=,.@-]{1,64}",
        "the name of a role: at most 64 letters, digits and '_+=,.@-', without its path",
        "Name of an IAM role, without its path.",
    ),
]
KeyArn = Annotated[
    str,
    Form(
        r"arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[a-zA-Z0-9-]+",
        "the ARN of a KMS key: 'arn:aws:kms:REGION:ACCOUNT:key/ID'",
        "ARN of a KMS key.",
    ),
]
TopicArn = Annotated[
    str,
    Form(
        r"arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+(\.fifo)?",
        "the ARN of a topic: 'arn:aws:sns:REGION:ACCOUNT:NAME'",
        "ARN of an SNS topic.",
    ),
]
Schedule = Annotated[
    str,
    Form(
        r"(rate\([1-9][0-9]* (hours?|days?)\)|cron\([^\s]+( [^\s]+){5}\))",
        "a schedule: 'rate(6 hours)' or 'cron(0 3 * * ? *)'",
        "An expression of EventBridge Scheduler, at most every hour.",
    ),
]
VpcId = Annotated[str, Form(r"vpc-[0-9a-f]{8,17}", "the id of a VPC: 'vpc-' and hexadecimal digits")]
SubnetId = Annotated[str, Form(r"subnet-[0-9a-f]{8,17}", "the id of a subnet: 'subnet-' and hexadecimal digits")]
RouteTableId = Annotated[str, Form(r"rtb-[0-9a-f]{8,17}", "the id of a route table: 'rtb-' and hexadecimal digits")]
AddressRange = Annotated[str, Form(r"[0-9]+(\.[0-9]+){3}/[0-9]+", "an address range: '10.0.0.0/16'")]
