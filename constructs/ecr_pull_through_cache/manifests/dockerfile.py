"""Images in Dockerfiles: what stages are built from, and what is copied from."""

from __future__ import annotations

import re

from .spots import Piece, Role, Spot

_JOINED = r"(?:[ \t]|\\[ \t]*\r?\n)+"
_FROM = re.compile(
    rf"^[ \t]*FROM{_JOINED}(?:--\S+{_JOINED})*(?P<image>[^\s\\]+)(?:{_JOINED}AS{_JOINED}(?P<stage>\S+))?", re.I | re.M
)
_COPY = re.compile(
    rf"^[ \t]*(?:COPY|ADD){_JOINED}(?:--\S+{_JOINED})*?--from=(?P<image>[^\s\\]+)"
    r"|^[ \t]*RUN[^\n]*?--mount=\S*?\bfrom=(?P<mounted>[^\s,\\]+)",
    re.I | re.M,
)
_ARG = re.compile(r"^[ \t]*ARG[ \t]+(?P<name>\w+)=(?P<quote>[\"']?)(?P<image>[^\s\"'$\\]+)(?P=quote)", re.I | re.M)
_VARIABLE = re.compile(r"^\$\{?(\w+)\}?$")
"""An image that is a variable and nothing else."""
_TAGGED_BY_VARIABLE = re.compile(r"(?P<name>[^$@]+):\$\{?\w+[^@]*")
_SYNTAX = re.compile(r"\A(?:#[ \t]*(?:escape|check)[ \t]*=[^\n]*\n)*#[ \t]*syntax[ \t]*=[ \t]*(?P<image>\S+)", re.I)
_HEREDOC = re.compile(r"<<-?[ \t]*([\"']?)(?P<word>\w+)\1")
_NAME = re.compile(
    r"(?:^|[/\\])(?:(?:Dockerfile|Containerfile)(?:\.[\w.-]+)?|[\w.-]+\.(?:Dockerfile|Containerfile))$", re.I
)


def is_dockerfile(name: str) -> bool:
    """Whether a file is a Dockerfile by its name.

    :param name: name of the file, or the way to it.
    """
    return _NAME.search(name) is not None


def in_dockerfile(text: str) -> list[Spot]:
    """The images of a Dockerfile; names of its own stages are none.

    https://docs.docker.com/reference/dockerfile/

    :param text: the Dockerfile.
    """
    outside = _without_heredocs(text)
    stages: set[str] = set()
    found: list[Spot] = []
    used = set()
    for match in _FROM.finditer(outside):
        image = match["image"]
        used.update(_VARIABLE.findall(image))
        name = _TAGGED_BY_VARIABLE.fullmatch(image)
        if name is not None:
            end = match.start("image") + name.end("name")
            found.append(Spot(name["name"], ((match.start("image"), end, Piece.WHOLE),)))
        elif image.lower() not in stages and image != "scratch" and "$" not in image:
            found.append(_spot(match, "image", Role.FIELD))
        if match["stage"]:
            stages.add(match["stage"].lower())
    for match in _COPY.finditer(outside):
        group = "image" if match["image"] else "mounted"
        if match[group].lower() not in stages and not match[group].isdigit() and "$" not in match[group]:
            found.append(_spot(match, group, Role.FIELD))
    found += [_spot(match, "image", Role.FIELD) for match in _ARG.finditer(outside) if match["name"] in used]
    syntax = _SYNTAX.match(text)
    return [*found, *([_spot(syntax, "image", Role.MENTION)] if syntax else [])]


def _spot(match: re.Match[str], group: str, role: Role) -> Spot:
    return Spot(match[group], ((match.start(group), match.end(group), Piece.WHOLE),), role)


def _without_heredocs(text: str) -> str:
    """The text with what stands in here-documents and comments blanked, so that every place stays where it is."""
    lines = []
    word = ""
    for line in text.split("\n"):
        if word:
            lines.append(" " * len(line))
            if line.strip() == word:
                word = ""
            continue
        match = _HEREDOC.search(line) if re.match(r"[ \t]*(?:RUN|COPY|ADD)\b", line, re.I) else None
        word = match["word"] if match else ""
        lines.append(" " * len(line) if line.lstrip().startswith("#") else line)
    return "\n".join(lines)
