"""Where the site is mounted: behind a proxy, its pages may live below a path, and all links must say so."""

import re
from typing import Final

from starlette.datastructures import Headers
from starlette.types import Scope

PREFIX_HEADERS: Final = ("x-script-name", "x-forwarded-prefix")
"""Faktory's header, and the one that newer proxies send."""
_PREFIX = re.compile(r"(?:/[A-Za-z0-9_~.-]+)+")
PREFIX_LETTERS_MAX: Final = 256


def mounted(scope: Scope) -> Scope:
    """Give the scope of a request whose path has the prefix of its proxy, whether or not that one cut it off.

    Whoever can set these headers can only mislead the links of their own page: it is stored nowhere.
    """
    prefix = prefix_of(Headers(scope=scope))
    path: str = scope["path"]
    if prefix and path != prefix and not path.startswith(f"{prefix}/"):
        path = prefix + path
    return {**scope, "root_path": prefix, "path": path, "state": dict(scope.get("state") or {})}


def prefix_of(headers: Headers) -> str:
    """Read the prefix; empty where none is given, or something that is no plain path."""
    for name in PREFIX_HEADERS:
        given = headers.get(name, "").rstrip("/")
        if given and len(given) <= PREFIX_LETTERS_MAX and _PREFIX.fullmatch(given) and "/.." not in given:
            return given
    return ""
