"""Pages from templates: every value is escaped, whatever it says, and nothing is missing in silence."""

from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from shopfloor.core.timestamps import format_timestamp
from shopfloor.web import words
from shopfloor.web.assets import Assets
from shopfloor.web.forms import FIELD, give_cookie, token
from shopfloor.web.site import Site
from shopfloor.web.views.frame import THEMES, Frame

THEME_COOKIE: Final = "shopfloor_theme"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What is to be shown: a template, what its heading and its place in the menu are, and its view."""

    template: str
    title: str
    section: str
    view: object
    status: int = 200


class Renderer:
    """Writes pages; holds the templates, which are read once."""

    def __init__(self, assets: Assets) -> None:
        self._assets = assets
        self._templates = Environment(
            loader=PackageLoader("shopfloor.web"),
            autoescape=True,
            finalize=_seen,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        filters = {"count": words.count, "span": words.span, "cut": words.cut, "plural": words.plural}
        self._templates.filters |= filters

    async def answer(self, site: Site, request: Request, page: Page) -> HTMLResponse:
        """Write a page within its frame."""
        totals = await site.ask(site.broker.glances.totals())
        frame = Frame.of(site, request, page.title, page.section, totals)
        return self.write(request, page, frame)

    def write(self, request: Request, page: Page, frame: Frame) -> HTMLResponse:
        """Write a page within a frame that is there."""
        template = self._templates.get_template(page.template)
        prefix = request.scope["root_path"]
        text = template.render(
            view=page.view,
            frame=frame,
            themes=THEMES,
            nonce=request.state.nonce,
            url=partial(_url, prefix),
            static=lambda name: f"{prefix}/static/{name}?{self._assets.digest}",
            token=lambda: Markup('<input type="hidden" name="{}" value="{}">').format(FIELD, token(request)),
            time=partial(_time, frame.now),
            ago=partial(_ago, frame.now),
        )
        response = HTMLResponse(text, page.status)
        give_cookie(request, response)
        return response


def _seen(value: Any) -> Any:
    """Let no text pretend to be another one; what is markup has been through here."""
    return words.visible(value) if type(value) is str else value


def _url(prefix: str, path: str, **query: object) -> str:
    """Give the address of one of our pages; words that say nothing are left out."""
    asked = {name: value for name, value in query.items() if value not in ("", None)}
    return f"{prefix}{path}?{urlencode(asked)}" if asked else f"{prefix}{path}"


def _time(now: float, at: float) -> Markup:
    """Write a moment, in UTC; a script may write it in the viewer's own zone."""
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        format_timestamp(at), words.relative(at, now), words.moment(at)
    )


def _ago(now: float, at: float) -> Markup:
    """Write how long ago something was, or when it will be."""
    return Markup('<time datetime="{}" title="{}" data-relative>{}</time>').format(
        format_timestamp(at), words.moment(at), words.relative(at, now)
    )
