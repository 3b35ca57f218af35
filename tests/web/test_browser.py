"""A real browser clicks through every page and action, with scripts and without, and axe looks for obstacles."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import BrowserContext, Page

from shopfloor.web.house import WebHouse
from tests.serving import Serving, run, serving, until
from tests.stores import EMBEDDED
from tests.web.browsers import browsing, complaints, obstacles
from tests.web.scene import HOSTILE, Scene, play, play_features
from tests.web.screenshots import PAGES
from tests.web.sites import web_house

pytestmark = pytest.mark.timeout(240)  # a browser takes some seconds to start, and many more on a busy machine


@dataclass
class Sitting:
    """Somebody in front of a browser."""

    house: Serving
    web: WebHouse
    scene: Scene
    context: BrowserContext
    page: Page

    async def press(self, name: str, *, link: bool = False) -> None:
        """Press a button, or follow a link, by its words, and wait for the next page."""
        found = self.page.get_by_role("link" if link else "button", name=name, exact=True).first
        async with self.page.expect_navigation():
            await found.click()

    async def see(self, text: str) -> None:
        """Wait until a text is seen."""
        await self.page.get_by_text(text).first.wait_for()


@asynccontextmanager
async def sitting(folder: Path, **wanted: Any) -> AsyncIterator[Sitting]:
    """Serve the scene to a browser."""
    async with serving(EMBEDDED, folder, reap_seconds=300, schedule_seconds=60) as house:
        scene = await play(house)
        web = web_house(house)
        await web.start()
        try:
            async with browsing(folder, f"http://127.0.0.1:{web.port}", **wanted) as context:
                yield Sitting(house, web, scene, context, await context.new_page())
        finally:
            await web.stop()


def test_every_page_is_well_and_axe_finds_nothing(tmp_path: Path) -> None:
    """Light on a desk, dark on a phone: each page once in both."""

    async def test() -> None:
        async with sitting(tmp_path) as desk:
            page = desk.page
            bid = await play_features(desk.scene)
            heard = complaints(page)
            for scheme, width in (("light", 1280), ("dark", 390)):
                await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # it is one of the two
                await page.set_viewport_size({"width": width, "height": 844})
                for name, path in PAGES.items():
                    await page.goto(path.format(bid=bid))
                    assert "owned" not in await page.title() or HOSTILE[:8] in await page.title(), name
                    assert await obstacles(page) == [], f"{name}, {scheme}"
                    wider = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
                    assert wider <= 0, f"{name} is {wider} pixels wider than a screen of {width}"
            expected = [text for text in heard if "404" not in text]
            assert expected == []

    run(test())


def test_what_an_operator_does(tmp_path: Path) -> None:
    async def test() -> None:
        async with sitting(tmp_path) as desk:
            page = desk.page
            await page.goto("/queues")
            await desk.press("Pause queue default")
            await desk.see("Paused.")
            await desk.press("default", link=True)
            await desk.press("Resume")
            await page.get_by_label("Select job picture-0010").check()
            await page.get_by_label("Select job picture-0011").check()
            await desk.press("Cancel")
            await desk.see("Cancelled: 2 jobs.")
            await desk.press("Clear…", link=True)
            await page.get_by_label("Type clear to go on").fill("clear")
            await desk.press("Clear the queue")
            await desk.see("57 of 57 looked at")
            await desk.press("Retries 5", link=True)
            await page.get_by_label("Type", exact=True).fill("Letter")
            await desk.press("Find")
            await desk.see("4 jobs found; that was all.")
            await page.get_by_label("Select all jobs of this page").check()
            assert await page.locator("tbody input:checked").count() == 4
            await desk.press("Run now")
            await desk.see("Put into their queues: 4 jobs.")
            await desk.press("All jobs", link=True)
            await desk.press("Discard… with all", link=True)
            await page.get_by_label("Type discard to go on").fill("discard")
            await page.locator(".ask").get_by_role("button", name="Discard").click()
            await desk.see("1 of 1 looked at")
            await _workers_and_jobs(desk)

    run(test())


async def _workers_and_jobs(desk: Sitting) -> None:
    page = desk.page
    await desk.press("Busy 3", link=True)
    await desk.press("Quiet worker resizer-1")
    await desk.see("Told to take no more jobs")
    await desk.press("Stop all")
    await desk.see("Told to stop")
    await desk.press("Cancel job picture-0001")
    await page.get_by_label("Find a job by its jid").fill("dead-00001")
    async with page.expect_navigation():
        await page.keyboard.press("Enter")
    await desk.see("amount must not be negative")
    await desk.press("Run now")
    await desk.see("in its queue")
    await page.get_by_label("Colours").select_option("dark")
    await desk.press("Use")
    assert await page.locator("html").get_attribute("data-theme") == "dark"
    assert await desk.scene.worker.ask('BEAT {"wid":"resizer-1"}') == '$ {"state":"terminate"}'


def test_everything_can_be_read_and_done_without_scripts(tmp_path: Path) -> None:
    async def test() -> None:
        async with sitting(tmp_path, java_script_enabled=False) as desk:
            page = desk.page
            bid = await play_features(desk.scene)
            for path in PAGES.values():
                await page.goto(path.format(bid=bid))
                assert await page.locator("main").count() == 1, path
            await page.goto("/morgue")
            await page.get_by_label("Select job dead-00001").check()
            await desk.press("Discard")
            await desk.see("Discarded: 1 job.")
            await page.goto("/?days=7")
            await page.get_by_text("The figures as a table").click()
            await desk.see("Runs per day (UTC)")

    run(test())


def test_open_pages_follow_the_server_until_it_is_gone(tmp_path: Path) -> None:
    async def test() -> None:
        async with sitting(tmp_path) as desk:
            page = desk.page
            await page.clock.install()
            await page.goto("/busy")
            await page.get_by_text("Live.").wait_for()
            await desk.scene.push("new-one-0001", "Resize")
            tab = page.get_by_role("link", name="Queues 61")
            await tab.wait_for()
            await page.clock.fast_forward(6_000)
            assert json.loads((await desk.scene.worker.ask("FETCH default"))[2:])["jid"] == "picture-0003"
            await page.get_by_role("link", name="picture-0003").wait_for()
            await page.get_by_role("button", name="Pause").click()
            await desk.see("Paused.")
            await until(lambda: not desk.web.site.pulse.listeners)
            await page.get_by_role("button", name="Go on").click()
            await until(lambda: desk.web.site.pulse.listeners)
            await desk.web.stop()
            await page.clock.fast_forward(20_000)
            await desk.see("The server does not answer.")
            assert "s old" in str(await page.locator("#live-age").text_content())

    run(test())


def test_the_keyboard_leads_past_the_menu(tmp_path: Path) -> None:
    async def test() -> None:
        async with sitting(tmp_path) as desk:
            page = desk.page
            await page.goto("/retries")
            await page.keyboard.press("Tab")
            assert await page.evaluate("document.activeElement.textContent") == "Skip to the content"
            await page.keyboard.press("Enter")
            assert await page.evaluate("document.activeElement.id") == "content"
            await page.keyboard.press("Tab")
            assert await page.evaluate("document.activeElement.id") == "by-type"

    run(test())


def test_another_site_cannot_act_with_the_visitors_cookies(tmp_path: Path) -> None:
    """The page of another origin sends a form here, as the browser really sends it."""

    async def other(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = PAGE_OF_ANOTHER.format(address=addresses[0]).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()

    addresses: list[str] = []

    async def test() -> None:
        async with sitting(tmp_path) as desk:
            addresses.append(f"http://127.0.0.1:{desk.web.port}")
            await desk.page.goto("/queues")
            elsewhere = await asyncio.start_server(other, "127.0.0.1", 0)
            port = elsewhere.sockets[0].getsockname()[1]
            await desk.page.goto(f"http://localhost:{port}/")
            async with desk.page.expect_navigation():
                await desk.page.get_by_role("button").click()
            await desk.see("This form was not sent by a page of this server")
            known = await desk.house.server.broker.ticks.run(desk.house.server.broker.queues.known())
            assert [queue.name for queue in known if queue.paused] == ["mail"]
            elsewhere.close()
            await elsewhere.wait_closed()

    run(test())


PAGE_OF_ANOTHER = """<!doctype html><title>Prizes</title><form method="post" action="{address}/queues">
<input name="queue" value="default"><input name="action" value="pause"><button>Win</button></form>"""
