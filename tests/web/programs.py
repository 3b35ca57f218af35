"""Somebody who asks the JSON API of a whole server, without a socket."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from shopfloor.web.api.operations import BEGIN
from tests.serving import until
from tests.stores import MEMORY, Kind
from tests.web.sites import Visit, visiting


class Program:
    """Somebody who asks the API, and holds every answer against its schema."""

    def __init__(self, visit: Visit) -> None:
        self.visit = visit

    async def ask(self, method: str, path: str, body: object = None, status: int = 200, **more: Any) -> Any:
        """Ask; a body that is text goes as it is."""
        content = body if isinstance(body, str | bytes | None) else json.dumps(body)
        headers = {"content-type": "application/json"} | more.pop("headers", {})
        answer = await self.visit.visitor.request(method, BEGIN + path, content=content, headers=headers, **more)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        if status >= 400:
            assert answer.headers["content-type"] == "application/problem+json"
        return answer.json()

    async def get(self, path: str, status: int = 200, **more: Any) -> Any:
        """Ask for something."""
        return await self.ask("GET", path, None, status, **more)

    async def post(self, path: str, body: object = None, status: int = 200) -> Any:
        """Ask for something to be done."""
        return await self.ask("POST", path, body, status)

    async def pages(self, path: str, **asked: Any) -> AsyncIterator[Any]:
        """Ask for one page after the other."""
        cursor: str | None = ""
        while cursor is not None:
            page = await self.get(path, params={**asked, "cursor": cursor})
            yield page
            cursor = page["next"]

    async def chore(self, told: Mapping[str, Any]) -> Any:
        """Wait for the end of a chore that was begun."""
        chore = self.visit.site.chores.find(told["chore"])
        assert chore is not None
        await until(lambda: not chore.running)
        return await self.get(f"/chores/{told['chore']}")


@asynccontextmanager
async def asking(folder: Path, kind: Kind = MEMORY, **wanted: Any) -> AsyncIterator[Program]:
    """Serve, and ask."""
    async with visiting(folder, kind, **wanted) as visit:
        yield Program(visit)
