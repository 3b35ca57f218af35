"""What the tests of the SDK share: a server in a process of its own, and clients for it."""

from collections.abc import Iterator

import pytest

from benchmarks.servers import ADDRESS, Server, describe, running
from shopfloor import Client, ClientSettings
from shopfloor.sdk.current import CHOSEN


@pytest.fixture(scope="session")
def busy_server() -> Iterator[Server]:
    with running(describe("shopfloor:memory")) as server:
        yield server


@pytest.fixture
def url(busy_server: Server) -> str:
    """Give the address of an empty server."""
    address = f"tcp://{ADDRESS}:{busy_server.port}"
    with Client(address) as client:
        client.flush()
    return address


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    """Give a client that every push goes through."""
    with Client(url, ClientSettings(timeout_seconds=10)) as client, CHOSEN.replaced(client):
        yield client
