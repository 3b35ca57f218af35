"""A real browser without a screen: the system's own Chromium, each time with a folder of its own."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from playwright.async_api import BrowserContext, ConsoleMessage, Page, async_playwright

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
NAMES = ("chromium", "chromium-browser", "google-chrome")
PATIENCE_MILLISECONDS = 20_000


@asynccontextmanager
async def browsing(folder: Path, address: str, **wanted: Any) -> AsyncIterator[BrowserContext]:
    """Open a browser whose relative addresses are those of a site."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    assert program is not None, "no Chromium: run scripts/install-test-tools chromium"
    async with async_playwright() as playwright:
        context = await playwright.chromium.launch_persistent_context(
            folder / "browser", executable_path=program, headless=True, args=list(FLAGS), base_url=address, **wanted
        )
        context.set_default_timeout(PATIENCE_MILLISECONDS)
        try:
            yield context
        finally:
            await context.close()


def complaints(page: Page) -> list[str]:
    """Collect from now on what a page complains of: errors of scripts, and whatever its policy forbids."""
    heard: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            heard.append(message.text)

    page.on("console", hear)
    page.on("pageerror", lambda error: heard.append(str(error)))
    return heard


async def obstacles(page: Page) -> list[str]:
    """Let axe look for what people who cannot see, point or read quickly would stumble over (WCAG 2.2 AA and more)."""
    await page.evaluate(_axe())
    found = await page.evaluate("axe.run()")
    return [
        f"{violation['id']}: {violation['help']}: {node['target']}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]


@cache
def _axe() -> str:
    """Read axe-core, which the package brings along."""
    return (files("axe_playwright_python") / "axe.min.js").read_text()
