"""The proxies that the environment names, for everything that is asked from here: registries and AWS."""

from __future__ import annotations

import re
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from ..errors import UserError
from .text import printable

_PROXY = re.compile(
    r"(?P<scheme>https?)://(?:(?P<user>[^@/]*)@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?/?"
)


def check_proxy(proxy: str) -> str:
    """The address of a proxy. One without a scheme is reached by HTTP, as AWS's own tools read it.

    :param proxy: ``[http[s]://][USER:PASSWORD@]HOST[:PORT]``.
    :raises UserError: when it is something else. The message leaves a password out.
    """
    url = proxy.strip() if "://" in proxy else f"http://{proxy.strip().removeprefix('//')}"
    match = _PROXY.fullmatch(url)
    if match is None or int(match["port"] or 1) not in range(1, 65_536):
        shown = re.sub(r"//[^/]*@", "//***@", url)
        raise UserError(
            f"HTTPS_PROXY names {printable(shown, longest=200)!r}, which is no HTTP proxy; "
            "write http://HOST:PORT, http://USER:PASSWORD@HOST:PORT or https://HOST:PORT"
        )
    return url


def proxy_for(url: str) -> str | None:
    """The proxy that the environment names for an address, as boto3 finds it for AWS's own; ``None`` for none.

    :param url: an address; one over ``http`` is on the loopback and needs no proxy.
    :raises UserError: when what the environment names is no proxy.
    """
    parts = urlsplit(url)
    if parts.scheme == "http" or proxy_bypass(parts.netloc):
        return None
    named = getproxies().get("https")
    return check_proxy(named) if named else None
