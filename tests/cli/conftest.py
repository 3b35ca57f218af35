"""A server of its own for the tests of commands, and the command line as a user has it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.programs import Program, Shell, running

SERVER_OPTIONS = ("--storage", "memory://", "--fetch-seconds", "0.05")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """A server in memory that all tests of this folder share."""
    with running(tmp_path_factory.mktemp("server"), *SERVER_OPTIONS) as program:
        yield program


@pytest.fixture
def shell(server: Program, tmp_path: Path) -> Shell:
    """The command line, pointed at the shared server, which is empty."""
    shell = Shell(tmp_path, {"FAKTORY_URL": server.url()})
    with shell.connect() as connection:
        connection.ask(b"FLUSH")
        connection.ask(b"QUEUE RESUME *")
    return shell


@pytest.fixture
def bare(tmp_path: Path) -> Shell:
    """The command line of somebody who has set nothing."""
    return Shell(tmp_path, {})
