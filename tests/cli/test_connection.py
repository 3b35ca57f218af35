"""The blocking connection: servers that let us in, and peers that are none."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from shopfloor.cli.address import Address, own_address, parse_address
from shopfloor.cli.connection import Connection
from shopfloor.config import Binding, Settings
from shopfloor.errors import ProtocolBroken, Refused, ServerUnreachable
from tests.cli.programs import Program, Shell, running

GREETING = b'+HI {"v":2}\r\n'


@contextmanager
def _peer(says: bytes, *, stays: bool = False) -> Iterator[Address]:
    """Listen on a port, say something to the first who comes, and hang up or stay."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        done = threading.Event()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(says)
                if not stays:
                    connection.shutdown(socket.SHUT_WR)
                done.wait(10)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield Address(host="127.0.0.1", port=listener.getsockname()[1])
        finally:
            done.set()
            thread.join()


def _address(program: Program, login: str = "", scheme: str = "tcp") -> Address:
    return parse_address(f"{scheme}://{login}localhost:{program.port}", "--url")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """A server that wants a password."""
    folder = tmp_path_factory.mktemp("guarded")
    with running(folder, "--storage", "memory://", variables={"FAKTORY_PASSWORD": "s3/cret"}) as program:
        yield program


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the server that speaks TLS has its certificate, and the tests the authority's."""
    folder = tmp_path_factory.mktemp("tls")
    (folder / "conf").mkdir()
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    certificate.private_key_pem.write_to_path(folder / "conf" / "private.key.pem")
    for link in certificate.cert_chain_pems:
        link.write_to_path(folder / "conf" / "public.cert.pem", append=True)
    authority.cert_pem.write_to_path(folder / "authority.pem")
    return folder


@pytest.fixture(scope="module")
def secure(folder: Path) -> Iterator[Program]:
    """A server that speaks TLS."""
    with running(folder, "--storage", "memory://") as program:
        yield program


def test_the_password_lets_us_in(guarded: Program) -> None:
    with Connection(_address(guarded, ":s3%2Fcret@"), 5) as connection:
        assert connection.info()["server"]["description"] == "Shopfloor (Faktory Enterprise compatible)"


def test_a_wrong_password_and_none(guarded: Program) -> None:
    with pytest.raises(Refused, match=r"tcp://localhost:\d+ refused: invalid password"):
        Connection(_address(guarded, ":wrong@"), 5)
    with pytest.raises(Refused, match="wants a password: put it in the URL"):
        Connection(_address(guarded), 5)


def test_tls_with_an_authority_that_is_known(secure: Program, folder: Path) -> None:
    with Connection(_address(secure, scheme="tcp+tls"), 5, folder / "authority.pem") as connection:
        assert connection.info()["server"]["description"] == "Shopfloor (Faktory Enterprise compatible)"
        assert connection.certificate_ends_at is not None


def test_tls_on_the_servers_own_machine_needs_no_authority(secure: Program, folder: Path) -> None:
    settings = Settings(
        command_binding=Binding("", secure.port),
        tls_certificate=folder / "conf" / "public.cert.pem",
        tls_key=folder / "conf" / "private.key.pem",
    )
    with Connection(replace(own_address(settings), host="127.0.0.1"), 5) as connection:
        assert connection.info()


def test_tls_with_an_authority_that_nobody_knows(secure: Program) -> None:
    with pytest.raises(ServerUnreachable, match="certificate not trusted"):
        Connection(_address(secure, scheme="tcp+tls"), 5)


def test_a_plain_client_at_a_tls_port(secure: Program) -> None:
    with pytest.raises(ServerUnreachable):
        Connection(_address(secure), 1)


def test_a_tls_client_at_a_plain_port(server: Program) -> None:
    with pytest.raises(ServerUnreachable, match="no TLS there"):
        Connection(_address(server, scheme="tcp+tls"), 5)


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ServerUnreachable, match=rf"cannot reach tcp://127.0.0.1:{port}: connection refused"):
        Connection(Address(host="127.0.0.1", port=port), 5)


@pytest.mark.parametrize(
    ("says", "complaint"),
    [
        (b"", "closed the connection without a greeting"),
        (b"HTTP/1.1 400 Bad Request\r\n", "what answers there is no Faktory server"),
        (GREETING, "closed the connection"),
    ],
)
def test_a_peer_that_hangs_up(says: bytes, complaint: str) -> None:
    with _peer(says) as address, pytest.raises(ServerUnreachable, match=complaint):
        Connection(address, 5)


def test_a_peer_that_says_nothing() -> None:
    with _peer(b"", stays=True) as address, pytest.raises(ServerUnreachable, match=r"no answer from .* in time"):
        Connection(address, 0.1)


@pytest.mark.parametrize("reply", [b"+OK\r\n", b"$1\r\n[\r\n", b"$2\r\n[]\r\n", b"$-1\r\n"])
def test_an_info_that_is_none(reply: bytes) -> None:
    with (
        _peer(GREETING + b"+OK\r\n" + reply, stays=True) as address,
        Connection(address, 5) as connection,
        pytest.raises(ProtocolBroken),
    ):
        connection.info()


def test_a_command_that_finds_nobody_is_code_3(bare: Shell) -> None:
    said = bare("info", "--url", "tcp://127.0.0.1:1")
    assert (said.code, said.out) == (3, "")
    assert said.complaints == ["shopfloor: cannot reach tcp://127.0.0.1:1: connection refused"]
