"""Write docs/concepts/lifecycle.md: the page around the table of events that `shopfloor.core.lifecycle` keeps.

python -m scripts.lifecycle_page FOLDER
"""

import sys
import typing
from collections.abc import Iterator
from pathlib import Path

from shopfloor.core.job import Place
from shopfloor.core.lifecycle import EVENTS, Event

PLACES: tuple[Place, ...] = typing.get_args(Place)

MEANINGS: dict[Event, str] = {
    "reserve": "A worker fetches it.",
    "acknowledge": "Its worker has done it (`ACK`).",
    "fail": "Its worker could not do it (`FAIL`). It is tried again later, dies, or leaves if it has no retries.",
    "give_back": "Its worker returns it unharmed (`REQUEUE`, or the connection broke). No retry is used.",
    "crash": "Its worker died, or kept it too long. It goes back, and dies when that happens too often.",
    "promote": "Its time has come.",
    "requeue": "An operator wants it to run now (`MUTATE`).",
    "kill": "An operator gives it up (`MUTATE`). A dead job is kept for another term.",
    "discard": "An operator throws it away (`MUTATE`).",
    "cancel": "Somebody does not want it any more (`JOB CANCEL`). While it runs, its worker is told.",
    "expire": "Its time was over when a worker was to get it (`expires_at`, `expires_in`).",
    "hold_back": "A throttle is full when a worker was to get it. It waits a moment; no retry is used.",
}

PAGE = """\
# The life of a job

<!-- Written by scripts/lifecycle_page.py from shopfloor.core.lifecycle: change it there, then `make docs`. -->

A job that the server holds is in exactly one place, and moves from one to the next in one step: there is no moment
at which a crash loses it or doubles it.

| Place | Who is there |
|---|---|
| queued | waits in its queue for a worker |
| working | a worker has it, until the reservation ends |
| scheduled | was pushed with a time to come |
| retries | has failed and will be tried again |
| dead | has used up its retries; is kept for a while, for people to look at |

A push puts a job into *queued*, or into *scheduled* if it has a time to come. A job that is *gone* is held no more.

## What can happen

Each row is an event, each column the place that the job is in, each cell where the job can be afterwards. In an empty
cell the event cannot happen.

{table}

## What the events mean

{meanings}

A job that was cancelled while it ran does not come back: whatever its worker says of it then, it is gone.
"""


def main(arguments: list[str]) -> None:
    """Write the page into the folder that is named."""
    page = PAGE.format(table="\n".join(_table()), meanings="\n".join(_meanings()))
    (Path(arguments[0]) / "lifecycle.md").write_text(page, encoding="utf-8")


def _table() -> Iterator[str]:
    yield "| | " + " | ".join(PLACES) + " |"
    yield "|---" * (len(PLACES) + 1) + "|"
    for event, places in EVENTS.items():
        cells = (" or ".join(places.get(place, ())) for place in PLACES)
        yield f"| **{_words(event)}** | " + " | ".join(cells) + " |"


def _meanings() -> Iterator[str]:
    for event in EVENTS:
        yield f"* **{_words(event)}**: {MEANINGS[event]}"


def _words(event: Event) -> str:
    return event.replace("_", " ")


if __name__ == "__main__":
    main(sys.argv[1:])
