"""What is around every page: menu, counters, who serves, and what was just done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

from shopfloor.broker.glance import Totals
from shopfloor.web import words
from shopfloor.web.site import Site

THEMES: Final[Mapping[str, str]] = {"system": "As the system", "light": "Light", "dark": "Dark"}

DONE: Final[Mapping[str, str]] = {
    "paused": "Paused.",
    "resumed": "Resumed.",
    "cleared": "Cleared.",
    "retry": "Put into their queues",
    "kill": "Moved to the dead set",
    "discard": "Discarded",
    "cancel": "Cancelled",
    "quiet": "Told to take no more jobs; heard at the next beat.",
    "stop": "Told to stop; heard at the next beat.",
    "fired": "Fired: its job is in the queue.",
    "gone": "The job is not held any more.",
}
"""What a page may be told to say after a form, by the word that stands in its address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tab:
    """An entry of the menu; `number` stands beside it where it is not 0, and follows the `figure` of the pulse."""

    name: str
    path: str
    figure: str
    number: int
    current: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """See `templates/frame.html`."""

    title: str
    tabs: Sequence[Tab]
    totals: Totals
    now: float
    version: str
    environment: str
    theme: str
    here: str
    """The path and query of this page, to come back to."""
    notice: str

    @classmethod
    def of(cls, site: Site, request: Request, title: str, section: str, totals: Totals) -> "Frame":
        """Put the frame of a page together."""
        figures = totals.figures
        tabs = (
            ("Overview", "/", "", 0),
            ("Queues", "/queues", "enqueued", totals.enqueued),
            ("Busy", "/busy", "working", figures.working),
            ("Retries", "/retries", "retries", figures.retries),
            ("Scheduled", "/scheduled", "scheduled", figures.scheduled),
            ("Dead", "/morgue", "dead", figures.dead),
            ("Batches", "/batches", "", 0),
            ("Cron", "/cron", "", 0),
        )
        theme = request.cookies.get("shopfloor_theme", "")
        return cls(
            title=title,
            tabs=[
                Tab(name=name, path=path, figure=figure, number=number, current=name == section)
                for name, path, figure, number in tabs
            ],
            totals=totals,
            now=site.now,
            version=site.vitals().version,
            environment=site.options.environment,
            theme=theme if theme in THEMES else "system",
            here=f"{request.scope['path'][len(request.scope['root_path']) :]}?{request.url.query}",
            notice=_notice(request),
        )


def _notice(request: Request) -> str:
    """Say what was done by the form before; the words are ours, whatever the address says."""
    said = DONE.get(request.query_params.get("done", ""), "")
    number = request.query_params.get("jobs", "")
    if said and not said.endswith(".") and number.isascii() and number.isdigit() and len(number) < 12:
        return f"{said}: {words.plural(int(number), 'job')}."
    return said if said.endswith(".") else ""
