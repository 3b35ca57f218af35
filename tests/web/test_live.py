"""The pulse: asked for once however many listen, and ended with the server."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from shopfloor.errors import StoreUnavailable
from shopfloor.web import pulse
from shopfloor.web.house import WebHouse
from tests.serving import run, serving, until
from tests.stores import MEMORY
from tests.web.sites import web_house

PATIENCE_SECONDS = 20


@pytest.fixture(autouse=True)
def quick_beats(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let time pass quickly."""
    monkeypatch.setattr(pulse, "BEAT_SECONDS", 0.02)


async def _beats(web: WebHouse, count: int) -> list[dict[str, float]]:
    """Listen to some beats."""
    heard: list[dict[str, float]] = []
    address = f"http://127.0.0.1:{web.port}/live"
    async with (
        asyncio.timeout(PATIENCE_SECONDS),
        httpx.AsyncClient() as visitor,
        visitor.stream("GET", address) as answer,
    ):
        assert answer.headers["content-type"].startswith("text/event-stream")
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                heard.append(json.loads(line[6:]))
            if len(heard) == count:
                return heard
    return heard


def test_beats_tell_the_counters(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(MEMORY, tmp_path) as house:
            web = web_house(house)
            await web.start()
            client = await house.client()
            listening = asyncio.create_task(_beats(web, 50))
            await until(lambda: web.site.pulse.listeners)
            assert await client.ask('PUSH {"jid":"picture-1","jobtype":"T","args":[]}') == "+OK"
            beats = await listening
            assert beats[-1]["enqueued"] == 1
            assert sorted(beats[-1]) == [
                "at",
                "dead",
                "enqueued",
                "failures",
                "processed",
                "retries",
                "scheduled",
                "working",
            ]
            await until(lambda: not web.site.pulse.listeners)
            await web.stop()

    run(test())


def test_many_listeners_cost_the_broker_no_more_than_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse, "BEAT_SECONDS", 1000)

    async def test() -> None:
        async with serving(MEMORY, tmp_path) as house:
            asked = 0
            heart = pulse.Pulse(house.server.broker)
            totals = house.server.broker.glances.totals

            def counted() -> object:
                nonlocal asked
                asked += 1
                return totals()

            house.server.broker.glances.totals = counted  # type: ignore[method-assign, assignment]  # for this test
            together = await asyncio.gather(*[_first(heart.beats()) for _ in range(20)])
            later = await _first(heart.beats())
            assert together == [later] * 20
            assert asked == 1

    run(test())


async def _first(beats: AsyncIterator[pulse.Beat]) -> pulse.Beat:
    return await anext(beats)


def test_a_store_that_is_away_leaves_beats_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        async with serving(MEMORY, tmp_path) as house:
            heart, away = pulse.Pulse(house.server.broker), True
            store = house.server.broker.context.store
            figures = store.figures

            async def sometimes() -> object:
                nonlocal away
                if away:
                    away = False
                    raise StoreUnavailable("the disk is full")
                return await figures()

            monkeypatch.setattr(store, "figures", sometimes)
            assert (await anext(heart.beats())).enqueued == 0
            assert not away

    run(test())


def test_a_stream_ends_by_itself_so_that_the_password_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulse, "STREAM_BEATS", 3)

    async def test() -> None:
        async with serving(MEMORY, tmp_path) as house:
            web = web_house(house)
            await web.start()
            assert len(await _beats(web, 100)) == 3
            await web.stop()

    run(test())


def test_streams_end_with_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse, "BEAT_SECONDS", 1000)

    async def test() -> None:
        async with serving(MEMORY, tmp_path) as house:
            web = web_house(house)
            await web.start()
            listening = asyncio.create_task(_beats(web, 100))
            await until(lambda: web.site.pulse.listeners)
            await web.stop()
            assert len(await listening) <= 1

    run(test())


def test_only_so_many_pages_are_live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse, "LISTENERS_MAX", 0)

    async def test() -> None:
        async with serving(MEMORY, tmp_path) as house:
            web = web_house(house)
            await web.start()
            async with httpx.AsyncClient() as visitor:
                answer = await visitor.get(f"http://127.0.0.1:{web.port}/live")
            assert answer.status_code == 409
            await web.stop()

    run(test())
