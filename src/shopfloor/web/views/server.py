"""The server and its store as they describe themselves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shopfloor.broker.reports import Vitals
from shopfloor.store.port import Description
from shopfloor.web import words
from shopfloor.web.views.overview import MEANINGS


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerView:
    """See `templates/server.html`: each table has a caption and lines of a name and what belongs to it."""

    tables: Sequence[tuple[str, Mapping[str, str]]]
    meaning: str

    @classmethod
    def of(cls, store: Description, vitals: Vitals, rounds: int) -> "ServerView":
        """Put the page together."""
        process = {
            "Version": vitals.version,
            "Up for": words.span(vitals.uptime_seconds),
            "Memory": f"{words.count(vitals.memory_megabytes)} MB",
            "Connections": words.count(vitals.connections),
            "Commands": words.count(vitals.commands),
            "Rounds": words.count(rounds),
            "Extensions": ", ".join(vitals.extensions),
        }
        facts = {name.replace("_", " ").capitalize(): _written(value) for name, value in store.facts.items()}
        kept = {"Engine": store.engine, "Version": store.version, "Durability": store.durability, **facts}
        return cls(
            tables=(("The server process", process), ("The store", kept)),
            meaning=MEANINGS.get(store.durability, store.durability),
        )


def _written(value: str | int | float) -> str:
    if isinstance(value, int):
        return words.count(value)
    return str(value) if value != "" else "none"
