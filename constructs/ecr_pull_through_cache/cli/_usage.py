"""Errors of the parser as one sentence, and the list of commands in groups."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

from ..errors import did_you_mean
from ._options import select

UsageError: Final[type[Exception]] = typer.BadParameter.__bases__[0]
"""The base of every error of the parser. Typer carries click within itself and names only this error's subclass."""

GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "Set up": ("init", "describe", "diagram", "synth", "iam"),
    "Use the cache": ("image", "rewrite", "helm-values", "cluster-config", "policy"),
    "Operate": ("inventory", "warm", "try", "check", "backfill", "purge"),
}
"""The commands, by what people do with them, in the order of the help."""

_TYPE = re.compile(r"(?<=[A-Z\].]) <.+>$")
_CHOICES = re.compile(r"is not one of (?P<choices>'.*')\.?$")
_PARSER = (
    (re.compile(r"Option '(?P<name>[^']+)' requires an argument\.?"), "{name} needs a value"),
    (re.compile(r"Option '(?P<name>[^']+)' does not take a value\.?"), "{name} takes no value"),
    (re.compile(r"Got unexpected extra argument(?:\(s\)|s)? \((?P<name>.*)\)"), "{name!r} is one argument too many"),
    (re.compile(r"Missing command\.?"), "no command is given"),
)  # fmt: skip
_NUMBERS = {"int_parsing": "a whole number", "int_from_float": "a whole number", "float_parsing": "a number"}


class Command(TyperCommand):
    """A command whose help names arguments as people do, and whose options are completed from the environment."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        if {"config", "cluster", "registry", "host", "upstream"} <= ctx.params.keys():
            select(ctx.params, os.environ)
        return super().invoke(ctx)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments and options."""
        write = formatter.write_dl
        formatter.write_dl = lambda rows, **how: write([(_TYPE.sub("", name), text) for name, text in rows], **how)
        super().format_options(ctx, formatter)


class Commands(TyperGroup):
    """The commands in groups, each with its first sentence."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - as TyperGroup has it
        """Write the list of commands, a section for each group."""
        width = formatter.width - 6 - max(len(name) for name in self.commands)
        for title, names in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(name, self.commands[name].get_short_help_str(width)) for name in names])

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - as TyperGroup has it
        """Order the commands as the help does."""
        return [name for names in GROUPS.values() for name in names]


def sentence(error: Exception) -> str:
    """Explain an error of the parser: what was given, what is allowed, what to do.

    :param error: an error of the parser.
    """
    context: Any = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "ecr-pull-through COMMAND"
    message = str(getattr(error, "message", "") or "")
    return f"{_refusal(error, message, context)}; {path} --help explains it"


def _refusal(error: Exception, message: str, context: Any) -> str:
    option = getattr(error, "option_name", None)
    if option and message.startswith("No such option"):
        return f"there is no option {option}{did_you_mean(option, _options(context))}"
    unknown = re.match(r"No such command '(?P<name>.*?)'", message)
    if unknown:
        known = context.command.list_commands(context)
        return f"there is no command {unknown['name']!r}{did_you_mean(unknown['name'], known)}; there are {', '.join(known)}"
    parameter = getattr(error, "param", None)
    if parameter is not None:
        return _parameter(error, parameter, message)
    for pattern, better in _PARSER:
        found = pattern.match(message)
        if found:
            return better.format(**found.groupdict())
    return message.rstrip(".")


def _parameter(error: Exception, parameter: Any, message: str) -> str:
    name = parameter.opts[-1] if parameter.param_type_name == "option" else parameter.metavar or parameter.name.upper()
    name = name.strip(".[]")
    allowed = _allowed(parameter)
    if type(error).__name__ == "MissingParameter":
        return f"{name} is not given{f'; allowed are {allowed}' if allowed else ''}"
    given, kind = _given(error)
    choices = _CHOICES.search(message)
    if choices:
        known = re.findall(r"'([^']*)'", choices["choices"])
        return f"{name} {given!r} is not known{did_you_mean(str(given), known)}; allowed are {', '.join(known)}"
    if kind in _NUMBERS:
        return f"{name} {given!r} is not {_NUMBERS[kind]}{f'; allowed are {allowed}' if allowed else ''}"
    if allowed:
        return f"{name} {given!r} is not allowed; allowed are {allowed}"
    return f"{name}: {message.rstrip('.')}"


def _given(error: Exception) -> tuple[Any, str]:
    """The value that was refused, and the kind of error, as pydantic names both within Typer."""
    cause: Any = error.__cause__
    details = cause.errors()[0] if hasattr(cause, "errors") else {}
    return details.get("input"), str(details.get("type", ""))


def _allowed(parameter: Any) -> str:
    """The range of a number, or the choices of an argument."""
    low, high = getattr(parameter, "min", None), getattr(parameter, "max", None)
    if low is not None:
        return f"{low} to {high}" if high is not None else f"{low} and more"
    return ", ".join(str(choice.value) for choice in getattr(parameter.type_descriptor, "choices", None) or ())


def _options(context: Any) -> list[str]:
    return [name for parameter in context.command.params for name in (*parameter.opts, *parameter.secondary_opts)]
