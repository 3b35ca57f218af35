"""Pictures of every page, light and dark, on a desk and on a phone: `make screenshots` writes them for people."""

import asyncio
import sys
import tempfile
from pathlib import Path

from playwright.async_api import BrowserContext

from tests.serving import run, serving
from tests.stores import EMBEDDED
from tests.web.browsers import browsing
from tests.web.scene import play, play_features
from tests.web.sites import web_house

PAGES = {
    "overview": "/",
    "queues": "/queues",
    "queue": "/queues/default",
    "queue-clear": "/queues/default?preview=clear",
    "queue-search": "/queues/default?type=Resize&argument=cat-1",
    "busy": "/busy",
    "retries": "/retries",
    "retries-preview": "/retries?type=Letter&preview=discard",
    "scheduled": "/scheduled",
    "dead": "/morgue",
    "job-retry": "/jobs?jid=retry-0001",
    "job-hostile": "/jobs?jid=hostile-retry-1",
    "job-queued": "/jobs?jid=picture-0040",
    "server": "/debug",
    "batches": "/batches",
    "batch": "/batches/{bid}",
    "batch-cancel": "/batches/{bid}?preview=cancel",
    "cron": "/cron",
    "not-found": "/nowhere",
}
SIZES = {"desk": (1280, 900), "phone": (390, 844)}


async def _shoot(context: BrowserContext, folder: Path, bid: str) -> None:
    page = await context.new_page()
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)
        for size, (width, height) in SIZES.items():
            await page.set_viewport_size({"width": width, "height": height})
            for name, path in PAGES.items():
                await page.goto(path.format(bid=bid))
                await page.screenshot(path=folder / f"{name}-{size}-{scheme}.png", full_page=True)


async def main(folder: Path) -> None:
    """Play the scene and write a picture of each page."""
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        async with serving(EMBEDDED, Path(scratch), reap_seconds=300, schedule_seconds=60) as house:
            bid = await play_features(await play(house))
            web = web_house(house)
            await web.start()
            async with browsing(Path(scratch), f"http://127.0.0.1:{web.port}") as context:
                await _shoot(context, folder, bid)
            await web.stop()


if __name__ == "__main__":
    run(main(Path(sys.argv[1])))
