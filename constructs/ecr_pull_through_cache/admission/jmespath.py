"""The mapping as expressions of JMESPath, as Kyverno's ``ClusterPolicy`` reads them.

Kyverno puts variables into text, and reads that text again as a template, as YAML, or as JMESPath. So an image reaches such
a text only once it is known to be a legal reference, which holds neither braces nor quotes; all else stays a value.

Backslashes would have to pass through YAML, Kyverno's variables and JMESPath: the patterns here have none.
https://kyverno.io/docs/policy-types/cluster-policy/jmespath/
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..images import PLACEHOLDERS, CacheMapping, PinnedByDigest
from ..images.patterns import expression_of
from ..images.reference import IMAGE_ID, LEGAL, LEGAL_LENGTH, LEGAL_TAGGED, LONGEST_REFERENCE, SURELY_SHORT

OF_PODS = {"containers": "image", "initContainers": "image", "volumes": "image.reference"}
"""Where a Pod names images: the list of its spec, and the field of an item."""
OF_DEBUG_CONTAINERS = {"ephemeralContainers": "image"}

_SAFE = "^[A-Za-z0-9._:/@-]+$"
_LABEL = "^[a-z0-9-]{1,63}$"


def mapped(mapping: CacheMapping, lists: Mapping[str, str]) -> str:
    """The items of some lists of a Pod, each with its list, its name, and under ``to`` what its image becomes.

    ``to`` is empty where the image is left alone, as one that is not legal is. All lists go through one expression, since
    Kyverno reads an expression anew for each Pod.

    :param mapping: the mapping.
    :param lists: lists of the Pod's spec, with the field of an item that holds the reference.
    """
    items = ", ".join(
        f"(request.object.spec.{path} || `[]`)[].{{list: '{path}', name: name, given: {field} || ''}}"
        for path, field in lists.items()
    )
    kept = "list: list, name: name"
    steps = [
        f"[{items}][]",
        f"[].{{{kept}, canonical: ({_guard(mapping)} && {_canonical(mapping)}) || ''}}",
        f"[].{{{kept}, canonical: canonical, cached: {_substituted(mapping)}}}",
        f"[].{{{kept}, to: ({_tests(mapping)} && cached) || ''}}",
    ]
    return " | ".join(steps)


def of_list(variable: str, path: str) -> str:
    """Those of the items of :func:`mapped` that one list has."""
    return f"{variable}[?list == '{path}']"


def patch_of(variable: str, field: str, *, condition: str = "to") -> str:
    """The items of :func:`mapped` as a strategic merge takes them: all names in their order, with the image that changes.

    :param variable: expression for the items of one list.
    :param field: field of an item of the Pod that holds the reference.
    :param condition: whether an item changes.
    """
    image = "image: to" if field == "image" else "image: {reference: to}"
    return f"map(&(({condition} && {{name: name, {image}}}) || {{name: name}}), {variable})"


def pairs(variable: str) -> str:
    """Lists, names and cached images of the items of :func:`mapped` as text that is safe inside an expression."""
    return f"{variable}[?to && regex_match('{_LABEL}', name)].join('=', [list, name, to])"


def kept(path: str, field: str, variable: str) -> str:
    """The items of the Pod as it was, of which those with exactly what the new image becomes keep theirs.

    :param path: list of the Pod's spec.
    :param field: field of an item that holds the reference.
    :param variable: variable with the :func:`pairs` of the Pod as it is to be.
    """
    items = f"(request.oldObject.spec.{path} || `[]`)[].{{name: name, to: {field} || ''}}"
    condition = f"contains(`{{{{ {variable} }}}}`, join('=', ['{path}', name, to]))"
    return f"{items} | {patch_of('@', field, condition=condition)}"


def images_of(pod: str) -> str:
    """Every image of a Pod, as text.

    :param pod: ``request.object`` or ``request.oldObject``.
    """
    lists = {**OF_PODS, **OF_DEBUG_CONTAINERS}
    return "[" + ", ".join(f"{pod}.spec.{path}[].{field} || `[]`" for path, field in lists.items()) + "][]"


def outside(
    hosts: Iterable[str], docker_hub_hosts: Iterable[str], allowed: str | None, *, before: str | None = None
) -> str:
    """The images of a Pod that come from elsewhere.

    :param hosts: hosts that images may come from.
    :param docker_hub_hosts: hosts that mean Docker Hub.
    :param allowed: expression for canonical references that are let through, if any.
    :param before: variable with the :func:`safe` images that the Pod had before it was changed.
    """
    tests = [f"!starts_with(@, '{host}/')" for host in hosts]
    if before is not None:
        tests.append(f"!contains(`{{{{ {before} }}}}`, @)")
    found = f"{images_of('request.object')} | [?{' && '.join(tests)}]"
    if allowed is None:
        return found
    written_out = f"map(&{{given: @, canonical: {_written_out(docker_hub_hosts).replace('given', '@')}}}, {found})"
    return f"{written_out} | [?!regex_match('{allowed}', canonical)].given"


def safe(images: str, *, instead: str) -> str:
    """Images as text that is safe inside an expression or a message.

    :param images: expression for a list of images.
    :param instead: what stands for those whose characters no reference has.
    """
    return f"map(&((regex_match('{_SAFE}', @) && @) || '{instead}'), {images})"


def _guard(mapping: CacheMapping) -> str:
    tests = [
        f"length(given) <= `{LONGEST_REFERENCE}`",
        *(f"given != '{placeholder}'" for placeholder in PLACEHOLDERS),
        f"!regex_match('{IMAGE_ID}', given)",
    ]
    if mapping.pinned_by_digest is PinnedByDigest.LEAVE:
        tests.append("!contains(given, '@')")
    return " && ".join(tests)


def _canonical(mapping: CacheMapping) -> str:
    """The reference with its registry written out, where names without one mean something to the mapping."""
    if not any(s.rule.upstream.is_docker_hub for s in mapping.substitutions):
        return "given"
    return _written_out(mapping.docker_hub_hosts)


def _written_out(docker_hub_hosts: Iterable[str]) -> str:
    hosts = "|".join(_literal(host) for host in docker_hub_hosts)
    return _replaced(
        "given",
        [
            # A name without a registry; `localhost/` is one, and is written as no name can be until the end.
            ("^localhost/", "//"),
            ("^([^/.:A-Z]+/.*)$", "docker.io/$1"),
            ("^([^/]+)$", "docker.io/$1"),
            ("^//", "localhost/"),
            (f"^({hosts})/", "docker.io/"),
            ("^docker[.]io/([^/]+)$", "docker.io/library/$1"),
        ],
    )


def _substituted(mapping: CacheMapping) -> str:
    return _replaced("canonical", ((f"^{_literal(s.source)}", s.target) for s in mapping.substitutions))


def _tests(mapping: CacheMapping) -> str:
    legal = LEGAL_TAGGED if mapping.pinned_by_digest is PinnedByDigest.LEAVE else LEGAL
    # Kyverno reads a pattern anew for each text that it is asked about, and a long one takes its time.
    tests = [
        "cached != canonical",
        f"regex_match('{legal}', canonical)",
        *(
            f"(length({text}) <= `{SURELY_SHORT}` || regex_match('{LEGAL_LENGTH}', {text}))"
            for text in ("canonical", "cached")
        ),
    ]
    aliases = [(f"^{_literal(s.source)}", s.upstream) for s in mapping.substitutions if s.source != s.upstream]
    name = _replaced("canonical", aliases)
    if mapping.exclude:
        tests.append(f"!regex_match('{expression_of(mapping.exclude)}', {name})")
    if mapping.only:
        tests.append(f"regex_match('{expression_of(mapping.only)}', {name})")
    if mapping.allowed is not None:
        tests.append(f"regex_match('{mapping.allowed}', {name})")
    return " && ".join(tests)


def _replaced(subject: str, steps: Iterable[tuple[str, str]]) -> str:
    expression = subject
    for pattern, replacement in steps:
        expression = f"regex_replace_all('{pattern}', {expression}, '{replacement}')"
    return expression


def _literal(text: str) -> str:
    return text.replace(".", "[.]")
