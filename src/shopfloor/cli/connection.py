"""A blocking connection to a server, as the commands use it: the SDK's link, and whose certificate it trusts."""

import ssl
from pathlib import Path
from types import TracebackType
from typing import Self

from shopfloor.cli.address import Address
from shopfloor.sdk.link import Link


class Connection(Link):
    """An identified connection. Raises `ServerUnreachable` when it breaks, `Refused` where the server says no."""

    def __init__(self, address: Address, seconds: float, authorities: Path | None = None) -> None:
        super().__init__(address.plain(), seconds, _trust(address, authorities) if address.tls else None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _trust(address: Address, authorities: Path | None) -> ssl.SSLContext:
    """Trust the machine's authorities, those of a file, or just the certificate that the server here has."""
    if authorities is not None or address.certificate is None:
        return ssl.create_default_context(cafile=authorities)
    context = ssl.create_default_context(cafile=address.certificate)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.check_hostname = False  # it is this very certificate or none
    return context
