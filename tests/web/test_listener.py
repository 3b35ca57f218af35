"""The web port on a real socket: slow and broken visitors, TLS, and stopping while somebody is served."""

import asyncio
import contextlib
import ssl
from pathlib import Path

import httpx
import pytest
import trustme

from shopfloor.broker.asks import Aside, Verb
from shopfloor.web import limits, listener
from shopfloor.web.house import WebHouse
from shopfloor.web.listener import Binding
from tests.serving import Serving, run, serving
from tests.stores import MEMORY
from tests.web.sites import web_house

GET = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def _connect(web: WebHouse) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", web.port)


async def _answered(web: WebHouse, sent: bytes) -> bytes:
    reader, writer = await _connect(web)
    writer.write(sent)
    async with asyncio.timeout(20):
        first = await reader.readline()
    writer.close()
    return first


def test_requests_follow_one_another_on_a_connection(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(MEMORY, tmp_path) as house:
            web = web_house(house)
            await web.start()
            reader, writer = await _connect(web)
            for _ in range(3):
                writer.write(GET)
                assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
                await reader.readexactly(int(length.split(b":")[1]))
            writer.close()
            await web.stop()
            await web.stop()

    run(test())


def test_what_is_no_request(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(MEMORY, tmp_path) as house:
            web = web_house(house)
            await web.start()
            for sent in (
                b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
                b"GET /\xff HTTP/1.1\r\nHost: localhost\r\n\r\n",
                b"GET / HTTP/1.1\r\n\r\n",
                b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * (limits.HEADER_BYTES_MAX + 100),
            ):
                assert b" 400 " in await _answered(web, sent), sent[:40]
            assert b" 200 " in await _answered(web, GET)
            await web.stop()

    run(test())


@pytest.mark.parametrize(
    "begun",
    [b"", b"GET / HTTP/1.1\r\nHost: loc", b"POST /queues HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\na"],
)
def test_a_request_that_does_not_come_whole_is_given_up(
    tmp_path: Path, begun: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "REQUEST_SECONDS", 0.05)

    async def test() -> None:
        async with serving(MEMORY, tmp_path) as house:
            web = web_house(house)
            await web.start()
            reader, writer = await _connect(web)
            writer.write(begun)
            async with asyncio.timeout(20):
                with contextlib.suppress(ConnectionError):
                    assert await reader.read() == b""
            writer.close()
            await web.stop()

    run(test())


def test_a_second_request_that_does_not_come_whole_is_given_up_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test() -> None:
        async with serving(MEMORY, tmp_path) as house:
            web = web_house(house)
            await web.start()
            reader, writer = await _connect(web)
            writer.write(GET)
            assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
            monkeypatch.setattr(limits, "REQUEST_SECONDS", 0.05)
            writer.write(b"GET / HTTP/1.1\r\nHost:")
            async with asyncio.timeout(20):
                with contextlib.suppress(ConnectionError):
                    await reader.read()
            writer.close()
            await web.stop()

    run(test())


def test_stopping_answers_who_has_asked_and_closes_who_has_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        async with serving(MEMORY, tmp_path) as house:
            web = web_house(house)
            await web.start()
            monkeypatch.setattr(listener, "STOP_SECONDS", 20)
            gate, asked = asyncio.Event(), asyncio.Event()
            _hold_rounds(house, gate, asked)
            asking_reader, asking = await _connect(web)
            asking.write(GET)
            idle_reader, idle = await _connect(web)
            await asked.wait()
            stopping = asyncio.create_task(web.stop())
            assert await idle_reader.read() == b""
            gate.set()
            answer = await asking_reader.read()
            assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
            await stopping
            with pytest.raises(OSError):  # noqa: PT011 - each system has its own words for it
                await _connect(web)
            asking.close()
            idle.close()

    run(test())


def _hold_rounds(house: Serving, gate: asyncio.Event, asked: asyncio.Event) -> None:
    """Let `/health` say that it was asked, and wait until the gate is open."""
    told = house.server.broker.reports.info

    async def wait() -> None:
        asked.set()
        await gate.wait()

    def info(vitals: object) -> Verb[object]:
        yield Aside(wait)
        return (yield from told(vitals))  # type: ignore[arg-type]  # whatever it was given

    house.server.broker.reports.info = info  # type: ignore[method-assign, assignment]  # for this test alone


def test_pages_over_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(ours)
    theirs = ssl.create_default_context()
    authority.configure_trust(theirs)

    async def test() -> None:
        async with serving(MEMORY, tmp_path) as house:
            web = WebHouse(web_house(house).site, Binding(host="127.0.0.1", port=0, tls=ours))
            await web.start()
            async with httpx.AsyncClient(verify=theirs) as visitor:
                answer = await visitor.get(f"https://localhost:{web.port}/")
                assert answer.status_code == 200
                assert "Secure" in answer.headers["set-cookie"]
            await web.stop()

    run(test())
