"""Where a server is, as URLs and the variables that Faktory's clients know say it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from shopfloor.errors import ConfigError

PORT_DEFAULT = 7419
SCHEMES: Final[Mapping[str, bool]] = {"tcp": False, "tcp+tls": True}
_USER = re.compile(r"//[^/]*@")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A server's address and what it wants to be shown."""

    host: str
    port: int = PORT_DEFAULT
    username: str = ""
    password: str = field(default="", repr=False)
    tls: bool = False

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'tcp+tls' if self.tls else 'tcp'}://{host}:{self.port}"

    def url(self) -> str:
        """Write it as a URL, with the password: for a program's environment, and nobody's eyes."""
        if not self.username and not self.password:
            return str(self)
        scheme, place = str(self).split("//", 1)
        return f"{scheme}//{quote(self.username, safe='')}:{quote(self.password, safe='')}@{place}"


def find_address(environment: Mapping[str, str]) -> Address | None:
    """Find the server that the environment names; None where it names none.

    The first of these counts: `SHOPFLOOR_PROVIDER`, `SHOPFLOOR_URL`, `FAKTORY_PROVIDER`, `FAKTORY_URL`.
    A provider is the name of another variable, which holds the URL.
    """
    for prefix in ("SHOPFLOOR", "FAKTORY"):
        provider, variable = environment.get(f"{prefix}_PROVIDER", ""), f"{prefix}_URL"
        if provider:
            return _provided(provider, f"{prefix}_PROVIDER", environment)
        if environment.get(variable):
            return parse_address(environment[variable], variable)
    return None


def parse_address(url: str, place: str) -> Address:
    """Read `tcp://:password@host:7419` or `tcp+tls://…`; `place` says where it was given."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigError(f"{place}: {_shown(url)}: {str(error).lower()}") from None
    if parts.scheme not in SCHEMES or not host:
        raise ConfigError(f"{place}: expected tcp://host:7419 or tcp+tls://host:7419, got {_shown(url)}")
    return Address(
        host=host,
        port=PORT_DEFAULT if port is None else port,
        username=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        tls=SCHEMES[parts.scheme],
    )


def _provided(provider: str, place: str, environment: Mapping[str, str]) -> Address:
    if ":" in provider:
        raise ConfigError(f"{place}: expected the name of a variable that holds the URL, not the URL itself")
    if not environment.get(provider):
        raise ConfigError(f"{place}: names {provider}, but there is no such variable")
    return parse_address(environment[provider], provider)


def _shown(url: str) -> str:
    """Quote a URL without the password in it."""
    return _USER.sub("//***@", url)
