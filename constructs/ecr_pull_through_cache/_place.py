"""What constructs ask of aws-cdk-lib again and again, asked once.

aws-cdk-lib runs in a Node process, and each question to it is a round trip. Most round trips of a synthesis would ask
what is known already.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary, ref

from aws_cdk import Stack, Token

from constructs import Construct, IConstruct

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


# Nothing here holds a construct: what holds a key of its own dictionary would never be let go.
_places: WeakKeyDictionary[IConstruct, Place] = WeakKeyDictionary()
_stacks: WeakKeyDictionary[IConstruct, ref[Stack]] = WeakKeyDictionary()
_claims: WeakKeyDictionary[IConstruct, Claims] = WeakKeyDictionary()


def stack_of(scope: IConstruct) -> Stack:
    """The stack of a construct, as ``Stack.of`` gives it."""
    known = _stacks.get(scope)
    stack = known() if known is not None else None
    if stack is None:
        stack = Stack.of(scope)
        _stacks[scope] = ref(stack)
    return stack


def place_of(scope: IConstruct) -> Place:
    """Where a construct is."""
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


def settle(construct: IConstruct, scope: IConstruct, id: str) -> None:
    """Work out where a construct is that was just made, so that it need not be asked.

    :param construct: the construct; not a stack.
    :param scope: its parent.
    :param id: its id below the parent.
    """
    place = place_of(scope)
    _places[construct] = replace(place, path=place.below(id))
    _stacks[construct] = ref(stack_of(scope))


def group(scope: Construct, id: str) -> Construct:
    """A construct that does nothing but hold others.

    :param scope: parent.
    :param id: id below the parent.
    """
    construct = Construct(scope, id)
    settle(construct, scope, id)
    return construct


def is_unresolved(text: str) -> bool:
    """Whether a text holds a token.

    ``Token.is_unresolved`` begins with the same look at it: only a text with a token's marker can hold one.
    """
    return "Token[" in text and Token.is_unresolved(text)
