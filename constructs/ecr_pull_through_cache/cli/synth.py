"""``synth``: write the cloud assembly of a configuration, without the CDK CLI."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import UserError
from ._console import complain, say
from ._options import CONFIG, Config
from ._usage import Command

if TYPE_CHECKING:
    from ..configuration import ClusterPlan, Configuration, RegistryPlan

_STACKS = "Amazon ECR pull through cache: "
"""The description of each stack of this package begins with this."""
_CLI = "npx aws-cdk@2"
_LIBRARIES = ("aws_cdk", "constructs", "jsii")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(cls=Command)(synth)


def synth(
    config: Config = CONFIG,
    output: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder of the cloud assembly.")] = Path("cdk.out"),
) -> None:
    """Write the CloudFormation templates of a configuration.

    Writes a cloud assembly: the templates, assets and policies of all stacks. It needs Node.js and no AWS credentials. A folder
    that holds anything but an assembly of this command is refused.

    Example: ecr-pull-through synth --config environments/minimal.yaml --output cdk.out
    """
    from ..configuration import load

    configuration = load(config)
    check_folder(output)
    with tempfile.TemporaryDirectory(prefix="ecr-pull-through-") as made:
        for message in _synthesize(configuration, Path(made)):
            complain(message)
        _replace(Path(made), output)
    manifest = json.loads((output / "manifest.json").read_text(encoding="utf-8"))
    say(f"wrote {_counted(len(list(_stacks(manifest))), 'stack')} to {output}")
    say(f"deploy it with the CDK CLI {manifest.get('minimumCliVersion', '2')} or newer:")
    plans: list[RegistryPlan | ClusterPlan] = [*configuration.registries.values(), *configuration.clusters.values()]
    for account, region in sorted({(plan.environment.account, plan.environment.region) for plan in plans}):
        say(f"  {_CLI} bootstrap aws://{account}/{region}")
    say(f"  {_CLI} deploy --all --app {output}")
    say(f"  ecr-pull-through check --config {config}")


def check_folder(folder: Path) -> None:
    """Check that a cloud assembly may be written to a folder.

    :param folder: the folder; it need not exist.
    :raises UserError: when it holds anything but an assembly that ``synth`` wrote.
    """
    if not os.path.lexists(folder):
        return
    if not folder.is_dir():
        raise UserError(f"{folder}: this is not a folder; name another one with --output")
    if not any(folder.iterdir()):
        return
    other = _other_contents(folder)
    if other:
        raise UserError(f"{folder}: {other}; name another folder with --output, or remove this one")


def _other_contents(folder: Path) -> str | None:
    """Say why a folder is no assembly of this package; ``None`` if it is one."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        artifacts = [*_stacks(manifest)]
        described = {
            name: json.loads((folder / artifact["properties"]["templateFile"]).read_text(encoding="utf-8"))
            for name, artifact in artifacts
        }
        for name, template in described.items():
            if not str(template.get("Description", "")).startswith(_STACKS):
                return f"it is a cloud assembly with a stack that is not of this package, {name}"
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return "it is not empty and no cloud assembly"
    return None if described else "it is a cloud assembly without stacks"


def _stacks(manifest: Any) -> Iterator[tuple[str, Any]]:
    for name, artifact in manifest["artifacts"].items():
        if artifact["type"] == "aws:cloudformation:stack":
            yield name, artifact


def _synthesize(configuration: Configuration, out: Path) -> list[str]:
    """Write the assembly, and return the warnings of its constructs."""
    if shutil.which(os.environ.get("JSII_NODE", "node")) is None:
        raise UserError("synth needs Node.js, which is not on the PATH; install Node.js 22 or newer")
    try:
        from ecr_pull_through_cache_stacks.app import add_stacks, new_app
    except ModuleNotFoundError as missing:
        if str(missing.name).split(".")[0] not in _LIBRARIES:
            raise
        raise UserError("synth needs aws-cdk-lib, which is not installed; pip install aws-cdk-lib") from None

    app = new_app(out)
    add_stacks(app, configuration)
    messages = [message for stack in app.synth().stacks_recursively for message in stack.messages]
    errors = [f"{message.id}: {message.entry.data}" for message in messages if message.level.name == "ERROR"]
    if errors:
        raise UserError("\n".join(errors))
    return [f"warning: {m.id.strip('/')}: {m.entry.data}" for m in messages if m.level.name == "WARNING"]


def _replace(made: Path, folder: Path) -> None:
    """Move an assembly to a folder, in place of the one there."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        if old.is_dir() and not old.is_symlink():
            shutil.rmtree(old)
        else:
            old.unlink()
    for new in made.iterdir():
        shutil.move(new, folder / new.name)


def _counted(number: int, one: str) -> str:
    return f"{number} {one}{'' if number == 1 else 's'}"
