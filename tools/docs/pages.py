"""The pages of docs/reference that follow from the code: configuration, command line, upstreams, limits, permissions.

``python -m tools.docs.pages`` writes them anew; a test compares.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

REFERENCE = Path(__file__).parents[2] / "docs/reference"
_MADE = "\n<!-- written by tools/docs/pages.py -->\n"


def pages() -> dict[str, str]:
    """The text of each page, by its file name."""
    makers: Mapping[str, Callable[[], str]] = {
        "configuration.md": configuration,
        "command-line.md": command_line,
        "upstreams.md": upstreams,
        "limits.md": limits,
        "iam.md": iam,
    }
    return {name: make() + _MADE for name, make in makers.items()}


# --- configuration


def configuration() -> str:
    """Every key path of a configuration file, from its JSON Schema."""
    from ecr_pull_through_cache.configuration.schema import schema_file

    schema = json.loads(schema_file().read_text())
    parts = [
        "# Configuration file\n",
        (
            "Every key of `environments/*.yaml`. Editors complete and check a file whose first line names the JSON Schema, as "
            "`environments/minimal.yaml` does; `ecr-pull-through describe --config FILE` lists every mistake in "
            "a file, each with its line and key path.\n"
        ),
        (
            "Names that you choose are written in capitals: `REGISTRY`, `CLUSTER`, `PREFIX`. A part that may stand in several "
            "places has a section of its own. The nearest setting wins, key by key: the `template` of an upstream over that of "
            "its registry, and that over `defaults.template`.\n"
        ),
    ]
    for title, paths, model in _sections(schema):
        parts.append(f"## {title}\n")
        if model.get("description"):
            parts.append(f"{_plain(model['description'])}\n")
        if paths:
            ordered = sorted(paths, key=lambda path: (path.count("."), path))
            parts.append(f"Location: {_and([f'`{path}`' for path in ordered])}.\n")
        parts.append("| key | type | default | what it is |\n|---|---|---|---|")
        parts.extend(_rows(model, schema))
        parts.append("")
    return "\n".join(parts).rstrip() + "\n"


_NAMED = {"registries": "REGISTRY", "clusters": "CLUSTER", "upstreams": "PREFIX", "accounts": "NAME", "regions": "NAME"}


def _sections(schema: Mapping[str, Any]) -> Iterator[tuple[str, list[str], Mapping[str, Any]]]:
    """Each model once, in the order in which a reader comes to it, with the paths where it stands."""
    places: dict[str, list[str]] = {}
    order: list[str] = []

    def walk(model: Mapping[str, Any], path: str) -> None:
        found = [
            (f"{path}.{key}".lstrip(".") + _below(key, value), _models(value))
            for key, value in model["properties"].items()
        ]
        for below, names in found:
            for name in names:
                if name not in order:
                    order.append(name)
                if below not in places.setdefault(name, []):
                    places[name].append(below)
        for below, names in found:
            for name in names:
                walk(_model(name, schema), below)

    walk(schema, "")
    yield "At the top", [], schema
    for name in order:
        yield _title(name), places[name], _model(name, schema)


def _rows(model: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[str]:
    required = set(model.get("required", ()))
    for key, value in model["properties"].items():
        kind = _type(value, schema)
        default = "**required**" if key in required else _default(value)
        said = value.get("description") or "".join(_model(name, schema)["description"] for name in _models(value))
        yield f"| `{key}` | {kind} | {default} | {_cell(_plain(said))} |"


def _model(name: str, schema: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = schema["$defs"][name]
    return next((v for v in found.get("anyOf", ()) if "properties" in v), found)


def _models(value: Mapping[str, Any]) -> list[str]:
    """Names of the models that stand below a key; enumerations are no models."""
    names = re.findall(r'"#/\$defs/(\w+)"', json.dumps(value))
    return [name for name in dict.fromkeys(names) if not _is_enumeration(name)]


def _is_enumeration(name: str) -> bool:
    from ecr_pull_through_cache.configuration.schema import schema_file

    return "enum" in json.loads(schema_file().read_text())["$defs"][name]


def _below(key: str, value: Mapping[str, Any]) -> str:
    if _entries(value) is not None:
        return f".{_NAMED.get(key, 'NAME')}"
    return "[]" if _variant(value).get("type") == "array" else ""


def _entries(value: Mapping[str, Any]) -> Any:
    """Return the schema of the values of a mapping with free keys, ``None`` for anything else."""
    value = _variant(value)
    patterned = value.get("patternProperties")
    if patterned:
        return next(iter(patterned.values()))
    more = value.get("additionalProperties")
    return more if isinstance(more, dict) else None


def _variant(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """The one that is not null."""
    kept = [v for v in value.get("anyOf", ()) if v.get("type") != "null"]
    return kept[0] if len(kept) == 1 else value


def _type(value: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    value = _variant(value)
    if "anyOf" in value:
        return " or ".join(_type(v, schema) for v in value["anyOf"] if v.get("type") != "null")
    if "$ref" in value:
        return _of_reference(value["$ref"].rsplit("/", 1)[-1], schema)
    if "enum" in value:
        return " \\| ".join(f"`{option}`" for option in value["enum"])
    entries = _entries(value)
    if entries is not None:
        return f"a mapping of {_type(entries, schema)}"
    if value.get("type") == "array":
        return f"a list of {_type(value['items'], schema)}"
    return {"boolean": "`true` \\| `false`", "integer": "integer", "number": "number", "string": "string"}.get(
        value.get("type", ""), "object"
    )


def _of_reference(name: str, schema: Mapping[str, Any]) -> str:
    if "enum" in schema["$defs"][name]:
        return _type(schema["$defs"][name], schema)
    text = f"[{_title(name)}](#{_anchor(_title(name))})"
    return f"host, or {text}" if "anyOf" in schema["$defs"][name] else text


def _title(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", " ", name).capitalize()


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-")


def _default(value: Mapping[str, Any]) -> str:
    default = value.get("default")
    if default in (None, [], {}):
        return "—"
    return f"`{json.dumps(default) if not isinstance(default, str) else default}`"


# --- command line


def command_line() -> str:
    """Every command and option, from the help that the command line itself prints."""
    import typer

    from ecr_pull_through_cache.cli import app

    root = typer.main.get_command(app)
    commands = root.commands  # type: ignore[attr-defined]
    parts = [
        "# Command line\n",
        (
            "`ecr-pull-through COMMAND --help` prints the same. A mistake is one sentence on standard error and exit code 2; "
            "each command lists its other exit codes. Ctrl-C ends every command within two seconds with 130, an output that "
            "nobody reads any more with 141.\n"
        ),
        "| command | what it does |\n|---|---|",
        *(f"| [`{name}`](#{name}) | {_cell(_summary(commands[name].help))} |" for name in sorted(commands)),
        "",
    ]
    parts.extend(_command(name, commands[name]) for name in sorted(commands))
    return "\n".join(parts).rstrip() + "\n"


def _command(name: str, command: Any) -> str:
    context = command.make_context(name, [], resilient_parsing=True)
    usage = " ".join(["ecr-pull-through", name, *command.collect_usage_pieces(context)])
    text, _, example = command.help.partition("Example:")
    rows = [_parameter(p, context) for p in command.params if not getattr(p, "hidden", False)]
    return "\n".join(
        [
            f"## {name}\n",
            "\n\n".join(_plain(paragraph) for paragraph in text.strip().split("\n\n")) + "\n",
            f"Usage: `{usage}`\n",
            "<!-- not run: needs an AWS account -->"
            if _needs_aws(command)
            else "<!-- run by tests/cli/test_help.py -->",
            f"```sh\n{_wrapped(' '.join(example.split()))}\n```\n",
            "| option | what it is |\n|---|---|",
            *rows,
            "",
        ]
    )


def _needs_aws(command: Any) -> bool:
    return any(parameter.name == "profile" for parameter in command.params)


def _parameter(parameter: Any, context: Any) -> str:
    record = parameter.get_help_record(context)
    left, right = record if record else (parameter.name, "")
    left = re.sub(r"(?<=[A-Z\].]) <.+>$", "", left)
    right = re.sub(r"\s*\[required\]", " **Required.**", right)
    right = re.sub(r"(\d+)<=x<=(\d+)", r"\1 to \2", right)
    right = re.sub(r"x>=(\d+)", r"at least \1", right)
    right = re.sub(r"\s*\[default: ([^\];]*)(; [^\]]*)?\]", r" Default: `\1`\2.", right)
    return f"| `{_cell(left)}` | {_cell(right)} |"


def _wrapped(command: str) -> str:
    """A command over several lines where it is long, broken before options."""
    lines, line = [], ""
    for word in re.split(r" (?=--|> )", command):
        if line and len(line) + len(word) > 100:
            lines.append(f"{line} \\")
            line = f"  {word}"
        else:
            line = f"{line} {word}" if line else word
    return "\n".join([*lines, line])


def _summary(text: str) -> str:
    return " ".join(text.partition("\n\n")[0].split())


# --- upstreams


def upstreams() -> str:
    """The catalogue of upstream registries."""
    from ecr_pull_through_cache.images import PARTITIONS, Upstream

    rows = [
        f"| `{u.host}` | {', '.join(f'`{host}`' for host in u.hosts)} | `{u.name}` | `{u.url}` | {u.credentials.value} |"
        for u in Upstream.catalogue()
    ]
    azure = Upstream.azure("example.azurecr.io")
    return (
        "\n".join(
            [
                "# Upstream registries\n",
                "The registries that Amazon ECR can pull through. A test compares the list with the API model of botocore.\n",
                "| in the configuration | images are named by | `upstreamRegistry` | `upstreamRegistryUrl` | credentials |",
                "|---|---|---|---|---|",
                *rows,
                (
                    f"| `NAME.azurecr.io`, `NAME-HASH.azurecr.io` | the same host | `{azure.name}` | the same host "
                    f"| {azure.credentials.value} |"
                ),
                (
                    "| `ACCOUNT.dkr.ecr.REGION.amazonaws.com` | that host, its dual-stack and its FIPS host | `ecr` "
                    "| the same host | none; a role where the upstream is in another account |"
                ),
                "",
                (
                    "A reference without a registry means Docker Hub, and one without a path its official images: `nginx` is "
                    "`docker.io/library/nginx`, and through the cache `library/` must be written out.\n"
                ),
                (
                    "Other registries (gcr.io, mcr.microsoft.com, nvcr.io, docker.elastic.co, reg.kyverno.io …) ECR refuses with "
                    "`UnsupportedUpstreamRegistryException`; see [Troubleshooting](../troubleshooting.md"
                    "#unsupportedupstreamregistryexception).\n"
                ),
                (
                    "Quay, Kubernetes and ECR Public take no credentials: ECR has none for Quay, so it caches its public images "
                    "alone ([containers-roadmap#2652](https://github.com/aws/containers-roadmap/issues/2652)).\n"
                ),
                "## Partitions\n",
                (
                    "A rule in a partition that is not verified is a warning; "
                    "`acceptUnverified: true` of the registry silences it.\n"
                ),
                "| partition | pull through cache |\n|---|---|",
                *(
                    f"| `{p.name}` | {_cell(f'not verified: {p.unverified}' if p.unverified else 'yes')} |"
                    for p in PARTITIONS
                ),
                "",
                "Quotas and the other rules of AWS are in [Limits](limits.md).",
            ]
        )
        + "\n"
    )


# --- limits


def limits() -> str:
    """The rules and quotas of AWS that the package enforces, from the data that it enforces them by."""
    from ecr_pull_through_cache.ecr.limits import LIMITS

    parts = [
        "# Limits\n",
        (
            "The rules and quotas of AWS that this package enforces. An *error* stops a command or a synthesis because AWS would "
            "refuse the request or nothing could be pulled. A *warning* tells what happens or is not known; "
            "[Warnings](warnings.md) lists the ids and how to acknowledge them. Two sources contradict each other where "
            "the rule says so. A test breaks each rule and expects the answer of its row.\n"
        ),
    ]
    for subject in dict.fromkeys(limit.subject for limit in LIMITS):
        parts += [f"## {subject}\n", "| rule | answer | where | AWS raises it | source |\n|---|---|---|---|---|"]
        parts += [
            f"| {_cell(limit.rule)} | {limit.severity.value} | {', '.join(where.value for where in limit.where)} "
            f"| {_raised(limit.quota)} | {', '.join(_source(url) for url in limit.sources)} |"
            for limit in LIMITS
            if limit.subject == subject
        ]
        parts.append("")
    return "\n".join(parts).rstrip() + "\n"


def _raised(quota: Any) -> str:
    return "—" if quota is None else "yes" if quota.adjustable else "no"


def _source(url: str) -> str:
    name = url.rstrip("/").rpartition("/")[2].removesuffix(".html").partition("#")[0]
    return f"[{f'containers-roadmap#{name}' if 'containers-roadmap' in url else name}]({url})"


# --- permissions of the verbs

_WHEN = {
    "": "always",
    "wait": "unless `--no-wait`",
    "images": "unless `--no-wait`",
    "replicas": "with `--replicas`",
    "destinations": "with `--replicas` and no configuration",
    "tags": "where creation templates set tags",
    "settings": "unless `--replication`",
    "settings yes": "with `--yes`, unless `--replication`",
    "replication": "with `--replication`",
    "replication yes": "with `--replication --yes`",
    "secret-values": "unless `--skip secret-values`",
    "members": "where an organisation is let in, in the accounts of clusters",
    "nodes": "where clusters have `nodes`",
    "repositories": "unless `--skip repositories`",
    "stale": "with `--unused-days`",
    "fix yes": "with `--fix --yes`",
    "yes": "with `--yes`",
    "rule yes": "with `--yes`, unless `--keep-rule`",
}
_ON = {
    "everything": "`*`; AWS allows nothing narrower",
    "registry": "all repositories of the registry",
    "repositories": "repositories under the prefixes",
    "replicas": "the same, where the registry replicates to",
    "secrets": "the secrets of the rules",
    "keys": "the customer managed keys of the repositories",
    "node-roles": "the roles of the nodes",
    "own-organization": "`*`; AWS allows nothing narrower",
    "upstream-roles": "the roles of the rules, passed to ECR alone",
}


def iam() -> str:
    """The permissions of each command, from the module that defines them."""
    from ecr_pull_through_cache.operations import least_privilege

    parts = [
        "# Permissions of the verbs\n",
        (
            "The least that each verb needs; a test compares it with the calls that the verbs send. `ecr-pull-through iam VERB` "
            "prints it as a policy with the ARNs of a configuration: [Give the verbs a role](../how-to/operator-roles.md). The "
            "Lambda functions of the constructs get theirs from the same table. What *pullers* need is in "
            "[Permissions](../explanation/permissions.md).\n"
        ),
    ]
    for verb, needs in least_privilege._NEEDS.items():
        parts.append(f"## {verb}\n")
        rows = [
            f"| {_WHEN[key]} | {', '.join(f'`{action}`' for action in statement.actions)} | {_ON[statement.on.value]} |"
            for key, statements in needs.items()
            for statement in statements
        ]
        parts.append("\n".join(["| when | actions | on |\n|---|---|---|", *rows, ""]) if rows else "Nothing of AWS.\n")
    return "\n".join(parts).rstrip() + "\n"


# --- text


def _plain(text: str) -> str:
    """Docstring markup as Markdown."""
    text = re.sub(r":\w+:`~?([^`]+)`", r"`\1`", text)
    return " ".join(text.replace("``", "`").split())


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("\\|", "|").replace("|", "\\|")


def _and(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


if __name__ == "__main__":
    REFERENCE.mkdir(exist_ok=True)
    for file_name, content in pages().items():
        (REFERENCE / file_name).write_text(content)
