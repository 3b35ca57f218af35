"""Where the server is: from `--url`, the variables that Faktory's clients know, or the server's own settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from shopfloor.config import Secret, Settings, load
from shopfloor.wire import address
from shopfloor.wire.address import PORT_DEFAULT

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
        return str(self.plain())

    def plain(self) -> address.Address:
        """Answer the same with the password in the open, as a connection needs it."""
        return address.Address(
            host=self.host,
            port=self.port,
            username=self.username,
            password=self.password.reveal(),
            tls=self.tls,
        )


def find_address(url: str, environment: Mapping[str, str]) -> Address:
    """Find the server that is meant; without any word of it, the one that the settings here describe.

    The first of these counts: `--url`, `SHOPFLOOR_PROVIDER`, `SHOPFLOOR_URL`, `FAKTORY_PROVIDER`, `FAKTORY_URL`.
    A provider is the name of another variable, which holds the URL.
    """
    if url:
        return parse_address(url, "--url")
    found = address.find_address(environment)
    if found is not None:
        return _kept_secret(found)
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
    return _kept_secret(address.parse_address(url, place))


def _kept_secret(found: address.Address) -> Address:
    return Address(
        host=found.host,
        port=found.port,
        username=found.username,
        password=Secret(found.password),
        tls=found.tls,
    )
