"""Props of constructs and values are compared with their annotations before anything is made of them.

aws-cdk-lib and Python answer a wrong type with a TypeError or an AttributeError from somewhere inside; this answers it with
one sentence that names the construct, the prop, what was given and what it takes.
"""

from __future__ import annotations

import ast
import difflib
import functools
import importlib
import inspect
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from enum import Enum, EnumMeta
from typing import Any, TypeVar, cast

from jsii._reference_map import InterfaceDynamicProxy

from .errors import UserError

T = TypeVar("T", bound=type)

_WORDS = {"str": "a text", "int": "a whole number", "float": "a number", "bool": "True or False", "None": "None"}
_LISTS = {"Sequence": Sequence, "tuple": Sequence, "list": list, "Collection": Collection, "Iterable": Collection}
_MAPPINGS = ("Mapping", "dict")
_PLAIN = {"str": (str,), "int": (int,), "float": (int, float), "bool": (bool,)}


def checked(cls: T) -> T:
    """Let the constructor of a construct or a value answer wrong types with a :class:`UserError`.

    ``help()`` and editors show the docstring of the class and the constructor's own signature, which the metaclass of
    jsii hides. A list is accepted where a tuple is annotated.

    :param cls: the class; every parameter of its constructor is annotated.
    """
    init = cls.__init__  # type: ignore[misc]
    signature = inspect.signature(init)
    of_props = _annotations(init)

    @functools.wraps(init)
    def checked_init(self: Any, *given: Any, **props: Any) -> None:
        try:
            bound = signature.bind(self, *given, **props)
        except TypeError as error:
            raise UserError(f"{_where(cls, given, props)}: {_misfit(signature, props, error)}") from None
        problems = [
            problem
            for name, value in bound.arguments.items()
            if name in of_props
            for problem in _problems(name, value, of_props[name], init.__globals__)
        ]
        if problems:
            raise UserError(f"{_where(cls, given, props)}: {'; '.join(problems)}")
        for name, value in bound.arguments.items():
            if isinstance(value, list) and _is_tuple(of_props.get(name)):
                bound.arguments[name] = tuple(value)
        init(*bound.args, **bound.kwargs)

    checked_init.__doc__ = cls.__doc__
    cls.__init__ = checked_init  # type: ignore[misc]
    parameters = list(signature.parameters.values())[1:]
    cls.__signature__ = signature.replace(parameters=parameters, return_annotation=inspect.Signature.empty)  # type: ignore[attr-defined]
    return cls


def _annotations(init: Callable[..., Any]) -> dict[str, ast.expr]:
    return {
        name: ast.parse(text, mode="eval").body
        for name, text in init.__annotations__.items()
        if name != "return" and isinstance(text, str)
    }


def _where(cls: type, given: tuple[Any, ...], props: Mapping[str, Any]) -> str:
    """The path of the construct, or the name of the value's class."""
    scope: Any = given[0] if given else props.get("scope")
    name = given[1] if len(given) > 1 else props.get("id")
    if hasattr(type(scope), "node") and isinstance(name, str):
        return "/".join(part for part in (scope.node.path, name) if part)
    return cls.__name__


def _misfit(signature: inspect.Signature, props: Mapping[str, Any], error: TypeError) -> str:
    """Explain why a call does not fit the constructor's signature."""
    known = [name for name in signature.parameters if name != "self"]
    unknown = next((name for name in props if name not in known), None)
    if unknown is None:
        return str(error)
    near = difflib.get_close_matches(unknown, known, n=1)
    meant = f" (did you mean {near[0]!r}?)" if near else ""
    return f"there is no prop {unknown!r}{meant}; there are {', '.join(known[2:] if known[:1] == ['scope'] else known)}"


def _problems(name: str, value: Any, kind: ast.expr, names: Mapping[str, Any]) -> Iterator[str]:
    found = _misfits(name, value, kind, names)
    if found is not None:
        yield found


def _misfits(name: str, value: Any, kind: ast.expr, names: Mapping[str, Any]) -> str | None:
    """Why a value is not of a kind; ``None`` when it is."""
    choices = list(_choices(kind))
    refused = None
    for choice in choices:
        part = _part_misfits(name, value, choice, names)
        if part is None:
            return None
        # The complaint about an element says more than the one about the whole.
        refused = part if part and refused is None else refused
    return refused or f"{name} is {_shown(value)}; give {_worded(choices, names)}"


def _choices(kind: ast.expr) -> Iterator[ast.expr]:
    if isinstance(kind, ast.BinOp):
        yield from _choices(kind.left)
        yield from _choices(kind.right)
    else:
        yield kind


def _part_misfits(name: str, value: Any, kind: ast.expr, names: Mapping[str, Any]) -> str | None:
    """``None`` when it fits, the empty text when the whole does not, else the complaint about an element."""
    if not isinstance(kind, ast.Subscript):
        return None if _is_a(value, kind, names) else ""
    outer = ast.unparse(kind.value).rpartition(".")[2]
    inner = list(kind.slice.elts) if isinstance(kind.slice, ast.Tuple) else [kind.slice]
    if outer in _LISTS:
        return _list_misfits(name, value, inner[0], names, _LISTS[outer])
    if outer in _MAPPINGS:
        return _mapping_misfits(name, value, inner, names)
    return None


def _list_misfits(name: str, value: Any, of: ast.expr, names: Mapping[str, Any], kind: type) -> str | None:
    """A text is a sequence for Python, and never meant as one."""
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, kind):
        return ""
    found = (
        _misfits(f"{name}[{number}]", item, of, names) for number, item in enumerate(cast("Collection[Any]", value))
    )
    return next(filter(None, found), None)


def _mapping_misfits(name: str, value: Any, of: list[ast.expr], names: Mapping[str, Any]) -> str | None:
    if not isinstance(value, Mapping):
        return ""
    for key, item in value.items():
        found = _misfits(f"a key of {name}", key, of[0], names) or _misfits(f"{name}[{key!r}]", item, of[1], names)
        if found:
            return found
    return None


def _is_a(value: Any, kind: ast.expr, names: Mapping[str, Any]) -> bool:
    text = ast.unparse(kind)
    if text == "None" or value is None:
        return text in ("None", "Any", "object") and (value is None or text != "None")
    if text in ("Any", "object"):
        return True
    if text in _PLAIN:
        return isinstance(value, _PLAIN[text]) and (text == "bool" or not isinstance(value, bool))
    wanted = _resolved(text, names)
    return wanted is not None and _is_instance(value, wanted)


def _is_instance(value: Any, wanted: Any) -> bool:
    if not isinstance(wanted, type):
        return True
    if not getattr(wanted, "_is_protocol", False):
        return isinstance(value, wanted)
    # A look at the class, because each attribute of an object of jsii is a call of another process.
    members = _members(wanted)
    types = [type(part) for part in value._delegates] if isinstance(value, InterfaceDynamicProxy) else [type(value)]
    own = getattr(value, "__dict__", {})
    return any(all(hasattr(kind, member) or member in own for member in members) for kind in types)


@functools.cache
def _members(protocol: type) -> tuple[str, ...]:
    return tuple(name for name in dir(protocol) if not name.startswith("_"))


def _resolved(text: str, names: Mapping[str, Any]) -> Any:
    """The class that an annotation names; ``None`` where its module is not loaded, so that no value can be one of it."""
    head, _, rest = text.partition(".")
    found = names.get(head)
    if found is None and rest:
        found = sys.modules.get(f"aws_cdk.aws_{head.rstrip('_')}")
    elif found is None:
        # Imported for type checkers alone; every class that a public prop takes is a public name.
        found = getattr(importlib.import_module(__package__), head)
    for part in rest.split(".") if rest else ():
        found = getattr(found, part, None)
    return found


def _is_tuple(kind: ast.expr | None) -> bool:
    return (
        any(isinstance(c, ast.Subscript) and ast.unparse(c.value) == "tuple" for c in _choices(kind)) if kind else False
    )


def _shown(value: Any) -> str:
    kind = type(value).__name__
    if value is None or isinstance(value, bool):
        return str(value)
    if isinstance(value, str | int | float):
        text = repr(value)
        return f"{text if len(text) < 80 else text[:77] + '...'} ({kind})"
    return f"{'an' if kind[0].upper() in 'AEIOU' else 'a'} {kind}"


def _worded(choices: list[ast.expr], names: Mapping[str, Any]) -> str:
    worded = [_word(choice, names) for choice in choices]
    given = [word for word in worded if word != "None"]
    return ", ".join(given[:-1]) + " or " + given[-1] if len(given) > 1 else given[0]


def _word(kind: ast.expr, names: Mapping[str, Any]) -> str:
    text = ast.unparse(kind)
    if text in _WORDS:
        return _WORDS[text]
    if isinstance(kind, ast.Subscript):
        outer = ast.unparse(kind.value).rpartition(".")[2]
        inner = list(kind.slice.elts) if isinstance(kind.slice, ast.Tuple) else [kind.slice]
        if outer in _MAPPINGS:
            return f"a mapping, each value {_worded(list(_choices(inner[1])), names)}"
        return f"a list, each item {_worded(list(_choices(inner[0])), names)}"
    wanted = _resolved(text, names)
    name = text.rpartition(".")[2]
    if isinstance(wanted, EnumMeta):
        return "one of " + ", ".join(f"{name}.{member.name}" for member in _members_of(wanted))
    return f"{'an' if name[0] in 'AEIOU' else 'a'} {name}"


def _members_of(kind: EnumMeta) -> list[Enum]:
    return list(kind)
