"""The place of a construct: its path, stack, account and Region, requested from aws-cdk-lib once.

aws-cdk-lib runs in a Node process, and each question to it is a round trip. Without this memo most round trips of a
synthesis would ask for what is known already.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary, ref

from aws_cdk import ScopedAws, Stack, Stage, Token

from constructs import IConstruct

Claims = dict[tuple[str, str], dict[str, str]]
"""What the constructs of an app stand for: path by name, for each kind of thing in each environment."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """The place of a construct. It does not change after the construct is created.

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


# Nothing here holds a construct: what holds a key of its own dictionary would never be let go.
_places: WeakKeyDictionary[IConstruct, Place] = WeakKeyDictionary()
_stacks: WeakKeyDictionary[IConstruct, ref[Stack]] = WeakKeyDictionary()
_claims: WeakKeyDictionary[IConstruct, Claims] = WeakKeyDictionary()
_references: WeakKeyDictionary[IConstruct, tuple[str, str]] = WeakKeyDictionary()


def stack_of(scope: IConstruct) -> Stack:
    """The stack of a construct, as ``Stack.of`` gives it."""
    known = _stacks.get(scope)
    stack = known() if known is not None else None
    if stack is None:
        stack = Stack.of(scope)
        _stacks[scope] = ref(stack)
    return stack


def place_of(scope: IConstruct) -> Place:
    """Return the place of a construct."""
    place = _places.get(scope)
    if place is None:
        place = _places[scope] = _ask(scope)
    return place


def _ask(scope: IConstruct) -> Place:
    stack = stack_of(scope)
    node = scope.node
    if stack is not scope:
        return replace(place_of(stack), path=node.path)
    return Place(
        path=node.path,
        stack=node.path or stack.stack_name,
        account=stack.account,
        region=stack.region,
        claims=_claims.setdefault(node.root, {}),
    )


def references_to(scope: IConstruct) -> tuple[str, str]:
    """Account and Region of a construct's stack, in a form that other stacks may use.

    The account of a stack without an ``env`` is ``AWS::AccountId``, which means another account in another stack. The
    tokens given here refer to the stack itself: in another stack aws-cdk-lib makes them a cross-stack reference.

    :param scope: any construct of the stack.
    """
    stack = stack_of(scope)
    known = _references.get(stack)
    if known is None:
        place = place_of(stack)
        account, region = place.account, place.region
        if is_unresolved(account) or is_unresolved(region):
            own = ScopedAws(stack)
            account = own.account_id if is_unresolved(account) else account
            region = own.region if is_unresolved(region) else region
        known = _references[stack] = (account, region)
    return known


def in_one_stage(one: IConstruct, other: IConstruct) -> bool:
    """Whether two constructs are deployed together, so that one may wait for the other."""
    return Stage.of(one) is Stage.of(other)


def is_unresolved(text: str) -> bool:
    """Whether a text holds a token.

    ``Token.is_unresolved`` begins with the same look at it: only a text with a token's marker can hold one.
    """
    return "Token[" in text and Token.is_unresolved(text)
