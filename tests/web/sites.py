"""The pages of a whole server, asked without a socket: an application, and a visitor with a memory for cookies."""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx

from shopfloor.cli.build import build_web
from shopfloor.config import Binding, Settings
from shopfloor.config.values import Secret
from shopfloor.web.application import make_application
from shopfloor.web.house import WebHouse
from shopfloor.web.site import Site
from tests.serving import Serving, serving
from tests.stores import MEMORY, Kind

HERE = "http://localhost"
TOKEN = re.compile(r'name="form_token" value="([^"]+)"')
Fields = Mapping[str, str | Sequence[str]]


class _Words(HTMLParser):
    """Collects what is seen of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def seen(answer: httpx.Response) -> str:
    """Give the text of a page as somebody reads it, with single spaces."""
    parser = _Words()
    parser.feed(answer.text)
    return " ".join(" ".join(parser.words).split())


@dataclass
class Visit:
    """A server with its pages, and somebody who looks at them."""

    serving: Serving
    site: Site
    visitor: httpx.AsyncClient

    async def get(self, path: str, status: int = 200, headers: Mapping[str, str] | None = None) -> httpx.Response:
        """Load a page, which is to be answered with that status."""
        answer = await self.visitor.get(path, headers=headers)
        assert answer.status_code == status, f"{path}: {answer.status_code} {seen(answer)}"
        return answer

    async def read(self, path: str, status: int = 200) -> str:
        """Load a page and give what is seen of it."""
        return seen(await self.get(path, status))

    async def send(self, path: str, fields: Fields, page: str = "", status: int = 303) -> httpx.Response:
        """Send a form of a page as a browser does; `page` is where it stands, if not at its own address."""
        found = TOKEN.search((await self.get(page or path)).text)
        assert found is not None
        sent = {"form_token": found[1], **fields}
        answer = await self.visitor.post(path, data=sent, headers={"sec-fetch-site": "same-origin"})
        assert answer.status_code == status, f"{path}: {answer.status_code} {seen(answer)}"
        return answer

    async def follow(self, answer: httpx.Response) -> str:
        """Go where a form led to and give what is seen there."""
        return await self.read(answer.headers["location"])


@asynccontextmanager
async def visiting(folder: Path, kind: Kind = MEMORY, password: str = "", **wanted: Any) -> AsyncIterator[Visit]:
    """Serve pages with these settings."""
    async with serving(kind, folder, **({"reap_seconds": 300} | wanted)) as house:
        web = web_house(house, password, **wanted)
        transport = httpx.ASGITransport(make_application(web.site))
        async with httpx.AsyncClient(transport=transport, base_url=HERE) as visitor:
            yield Visit(house, web.site, visitor)


def web_house(house: Serving, password: str = "", **wanted: Any) -> WebHouse:
    """Make the web side of a server, on a free port of this machine; it does not listen yet."""
    settings = Settings(web_binding=Binding("127.0.0.1", 0), web_password=Secret(password), **wanted)
    web = build_web(settings, house.server, None)
    assert web is not None
    return web
