"""Where the server is: from `--url`, the variables that Faktory's clients know, or the server's own settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from shopfloor.config import Secret, Settings, load, masked
from shopfloor.errors import ConfigError

PORT_DEFAULT = 7419
SCHEMES: Final[Mapping[str, bool]] = {"tcp": False, "tcp+tls": True}
EVERYWHERE = ("", "0.0.0.0", "::", "*")  # noqa: S104  # nothing is bound here: it is where a server listens


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A server's address and what it wants to be shown."""

    host: str
    port: int
    username: str = ""
    password: Secret = Secret("")  # noqa: RUF009  # a Secret never changes
    tls: bool = False
    certificate: Path | None = None
    """The server's own certificate, where we are on its machine: no authority has to vouch for it."""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'tcp+tls' if self.tls else 'tcp'}://{host}:{self.port}"


def find_address(url: str, environment: Mapping[str, str]) -> Address:
    """Find the server that is meant; without any word of it, the one that the settings here describe.

    The first of these counts: `--url`, `SHOPFLOOR_PROVIDER`, `SHOPFLOOR_URL`, `FAKTORY_PROVIDER`, `FAKTORY_URL`.
    A provider is the name of another variable, which holds the URL.
    """
    if url:
        return parse_address(url, "--url")
    for prefix in ("SHOPFLOOR", "FAKTORY"):
        provider, variable = environment.get(f"{prefix}_PROVIDER", ""), f"{prefix}_URL"
        if provider:
            return _provided(provider, f"{prefix}_PROVIDER", environment)
        if environment.get(variable):
            return parse_address(environment[variable], variable)
    return own_address(load({}, environment).settings)


def own_address(settings: Settings) -> Address:
    """Address the server that runs with these settings on this machine."""
    binding = settings.command_binding
    return Address(
        host="localhost" if binding.host in EVERYWHERE else binding.host,
        port=binding.port or PORT_DEFAULT,
        password=settings.password,
        tls=settings.tls_enabled,
        certificate=settings.tls_certificate,
    )


def parse_address(url: str, place: str) -> Address:
    """Read `tcp://:password@host:7419` or `tcp+tls://…`; `place` says where it was given."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigError(f"{place}: {masked(url)}: {str(error).lower()}") from None
    if parts.scheme not in SCHEMES or not host:
        raise ConfigError(f"{place}: expected tcp://host:7419 or tcp+tls://host:7419, got {masked(url)}")
    return Address(
        host=host,
        port=PORT_DEFAULT if port is None else port,
        username=unquote(parts.username or ""),
        password=Secret(unquote(parts.password or "")),
        tls=SCHEMES[parts.scheme],
    )


def _provided(provider: str, place: str, environment: Mapping[str, str]) -> Address:
    if ":" in provider:
        raise ConfigError(f"{place}: expected the name of a variable that holds the URL, not the URL itself")
    if not environment.get(provider):
        raise ConfigError(f"{place}: names {provider}, but there is no such variable")
    return parse_address(environment[provider], provider)
