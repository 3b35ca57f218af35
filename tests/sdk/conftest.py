"""What the tests of the SDK share: a server in a process of its own, and clients for it."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from benchmarks.servers import ADDRESS, Server, describe, running
from shopfloor import Client, ClientSettings
from shopfloor.sdk.current import CHOSEN

QUICK = " --fetch-seconds 0.2"
"""A worker that stops waits for the answer to its last FETCH."""


@pytest.fixture(scope="session")
def busy_server() -> Iterator[Server]:
    spec = describe("shopfloor:memory")
    with running(replace(spec, command=spec.command + QUICK)) as server:
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
