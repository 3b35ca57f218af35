"""One request as handlers see it: the site, what was asked, and the ways to answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from shopfloor.broker.asks import Verb
from shopfloor.web.forms import Form
from shopfloor.web.render import Page, Renderer
from shopfloor.web.site import Site

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A request; `form` is what was sent with a POST, and empty for any other."""

    site: Site
    request: Request
    renderer: Renderer
    form: Form

    @property
    def asked(self) -> Mapping[str, str]:
        """The words behind the `?` of the address."""
        return self.request.query_params

    @property
    def path(self) -> str:
        """The path of the page, without the prefix that a proxy may have put before it."""
        path: str = self.request.scope["path"]
        return path[len(self.request.scope["root_path"]) :]

    def named(self, part: str) -> str:
        """Give a part of the path."""
        text: str = self.request.path_params[part]
        return text

    def number(self, word: str, default: int, most: int) -> int:
        """Read a whole number from the address; what is none counts as not given."""
        text = self.asked.get(word, "")
        return min(int(text), most) if text.isascii() and text.isdigit() and len(text) < 16 else default

    async def ask(self, verb: Verb[_Result]) -> _Result:
        """Have a verb carried out."""
        return await self.site.ask(verb)

    async def show(self, template: str, title: str, section: str, view: object) -> Response:
        """Answer with a page."""
        page = Page(template=template, title=title, section=section, view=view)
        return await self.renderer.answer(self.site, self.request, page)

    def go(self, path: str, query: Mapping[str, Any] | None = None) -> Response:
        """Answer a form: the browser is to look at a page now."""
        asked = f"?{urlencode(query)}" if query else ""
        return RedirectResponse(f"{self.request.scope['root_path']}{path}{asked}", 303)
