"""What constructs ask of aws-cdk-lib again and again, asked once.

aws-cdk-lib runs in a Node process, and each question to it is a round trip. Without this, four of five round trips of a
synthesis would ask what is known already.
"""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

from aws_cdk import Stack, Token

from constructs import IConstruct

Claims = dict[tuple[str, str], dict[str, str]]
"""What the constructs of an app stand for: path by name, for each kind of thing in each environment."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a construct is. None of it changes once there is a construct.

    :param path: path of the construct.
    :param stack: path of its stack, or the stack's name.
    :param account: account of its stack, perhaps a token.
    :param region: Region of its stack, perhaps a token.
    :param claims: claims of its app.
    """

    path: str
    stack: str
    account: str
    region: str
    claims: Claims

    def below(self, id: str) -> str:
        """The path of a construct right below."""
        return f"{self.path}/{id}" if self.path else id


# Texts alone are kept, no constructs: what holds a key would never be let go.
_places: WeakKeyDictionary[IConstruct, Place] = WeakKeyDictionary()
_claims: WeakKeyDictionary[IConstruct, Claims] = WeakKeyDictionary()


def place_of(scope: IConstruct) -> Place:
    """Where a construct is."""
    place = _places.get(scope)
    if place is None:
        place = _places[scope] = _ask(scope)
    return place


def _ask(scope: IConstruct) -> Place:
    stack = Stack.of(scope)
    node = scope.node
    path = node.path
    if stack is not scope:
        of_stack = place_of(stack)
        return Place(
            path=path, stack=of_stack.stack, account=of_stack.account, region=of_stack.region, claims=of_stack.claims
        )
    return Place(
        path=path,
        stack=path or stack.stack_name,
        account=stack.account,
        region=stack.region,
        claims=_claims.setdefault(node.root, {}),
    )


def is_unresolved(text: str) -> bool:
    """Whether a text holds a token.

    ``Token.is_unresolved`` begins with the same look at it: only a text with a token's marker can hold one.
    """
    return "Token[" in text and Token.is_unresolved(text)
