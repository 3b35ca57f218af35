"""Looking at throttles and locks: who has a slot of which throttle, and who the lock of a unique job."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from shopfloor.broker.asks import Query, Verb
from shopfloor.broker.context import Context
from shopfloor.broker.throttles import Throttles
from shopfloor.core import throttle
from shopfloor.core.job import Held
from shopfloor.core.throttle import THROTTLE, Limit, Slots
from shopfloor.core.timestamps import SECONDS_MAX, format_timestamp
from shopfloor.store.port import Lock

HOLDERS_NAMED_MAX = 100
"""Jobs that are named for one throttle; all are counted."""


class SlotView:
    """Questions; nothing changes."""

    def __init__(self, context: Context, throttles: Throttles) -> None:
        self._context = context
        self._throttles = throttles

    def throttles(self) -> Verb[Sequence[dict[str, Any]]]:
        """Describe every throttle that is in force, and for a pattern each type or key that has slots; by name."""
        store, table = self._context.store, self._throttles.table
        records = yield Query(partial(store.records, THROTTLE))
        working: Sequence[Held] = yield Query(store.reservations)
        slots = {name: throttle.decode(record.value) for name, record in records.items()}
        told: dict[str, dict[str, Any]] = {}
        for one in table.throttles:
            name = one.name if one.kind == "queue" else f"{one.kind}:{one.name}"
            record = slots.get(f"{one.kind}:{one.name}", Slots())
            holders = record.holders
            if one.kind == "queue":
                holders = {held.job.jid: held.wid for held in working if held.job.queue == one.name}
            told[name] = self._told(name, one.limit, record, holders)
        for name, record in slots.items():
            limit = table.named(name)
            if limit is not None and name not in told and not name.startswith("queue:"):
                told[name] = self._told(name, limit, record, record.holders)
        return [told[name] for name in sorted(told)]

    def locks(self, count: int) -> Verb[Sequence[dict[str, Any]]]:
        """List the locks that end first."""
        locks: Sequence[Lock] = yield Query(partial(self._context.store.locks, SECONDS_MAX, count))
        return [{"key": lock.key, "jid": lock.owner, "until": format_timestamp(lock.until)} for lock in locks]

    def _told(self, name: str, limit: Limit, record: Slots, holders: Mapping[str, str]) -> dict[str, Any]:
        bounds = {word: value for word, value in msgspec.structs.asdict(limit).items() if value}
        named = list(holders.items())[:HOLDERS_NAMED_MAX]
        told: dict[str, Any] = {
            "name": name,
            "limit": bounds,
            "in_use": len(holders),
            "workers": dict(Counter(holders.values())),
            "holders": [{"jid": jid, "wid": wid} for jid, wid in named],
        }
        now = self._context.moment.now
        if limit.rate:
            told["starts"] = sum(start > now - limit.period for start in record.starts)
        if record.line_end > now:
            told["waiting_until"] = format_timestamp(record.line_end)
        return told
