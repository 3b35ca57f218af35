"""Starts the server under test on a free port, in a folder of its own, and waits for its greeting.

The server is ours unless SHOPFLOOR_TEST_SERVER says otherwise: that variable is a command in which {port},
{dir} and {conf} are filled in, so that the same tests can be run against Faktory itself and be tested in turn.
"""

import contextlib
import os
import shlex
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import trustme

from tests.foreign.raw import Wire

START_SECONDS = 60.0
STOP_SECONDS = 45.0
OURS = (
    f"{shlex.quote(sys.executable)} -m shopfloor serve -b 127.0.0.1:{{port}} -w :0 -d {{dir}} -c {{conf}}"
    " -e development"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where a running server is, and what a client needs to be let in."""

    port: int
    log: Path
    password: str = ""
    authority: Path | None = None

    def url(self, *, password: str | None = None) -> str:
        """Address it as the clients expect it in FAKTORY_URL."""
        secret = self.password if password is None else password
        login = f":{secret}@" if secret else ""
        scheme = "tcp" if self.authority is None else "tcp+tls"
        return f"{scheme}://{login}127.0.0.1:{self.port}"

    def trust(self) -> ssl.SSLContext | None:
        return ssl.create_default_context(cafile=self.authority) if self.authority else None

    def connect(self) -> Wire:
        return Wire(self.port, password=self.password, trust=self.trust())


@contextlib.contextmanager
def running_server(folder: Path, *, password: str = "", with_tls: bool = False) -> Iterator[Server]:
    """Run a server with an empty store. At the end it must stop when told to, and must not have stumbled."""
    conf, data = folder / "conf", folder / "data"
    conf.mkdir(parents=True)
    data.mkdir()
    authority = _write_certificates(conf, folder) if with_tls else None
    server = Server(port=_free_port(), log=folder / "server.log", password=password, authority=authority)
    template = os.environ.get("SHOPFLOOR_TEST_SERVER", OURS)
    command = [part.format(port=server.port, dir=data, conf=conf) for part in shlex.split(template)]
    # Settings of whoever runs the tests are not the server's.
    ours = ("FAKTORY", "SHOPFLOOR")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    if password:
        environment["FAKTORY_PASSWORD"] = password
    with server.log.open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, env=environment, start_new_session=True)
    try:
        _wait_for_the_greeting(server, process)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the server did not stop; it wrote:\n{server.log.read_text()}") from None
        finally:
            end_at_once(process)
    assert "Traceback" not in server.log.read_text(), server.log.read_text()


def end_at_once(process: subprocess.Popen[bytes]) -> None:
    """Kill a program that was started in a session of its own, and its children with it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _wait_for_the_greeting(server: Server, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            server.connect().close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError(f"the server did not come up; it wrote:\n{server.log.read_text()}")


def _write_certificates(conf: Path, folder: Path) -> Path:
    """Give the server a certificate for 127.0.0.1; return the authority that vouches for it."""
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1", "localhost")
    certificate.private_key_pem.write_to_path(conf / "private.key.pem")
    for link in certificate.cert_chain_pems:
        link.write_to_path(conf / "public.cert.pem", append=True)
    path = folder / "authority.pem"
    authority.cert_pem.write_to_path(path)
    return path


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
