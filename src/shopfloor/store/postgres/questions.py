"""What can be asked of the tables, each question one statement."""

from collections.abc import Sequence
from typing import Final

from shopfloor.core.changes import ABSENT, Record
from shopfloor.core.job import Held, TimedPlace
from shopfloor.store.port import BatchJobs, Figures, Loaded, Lock, Page, QueueFigures
from shopfloor.store.postgres.line import Line
from shopfloor.store.postgres.rows import HELD, from_text, to_held, to_record, to_text

JOBS: Final = f"SELECT {HELD} WHERE j.jid = ANY ($1)"
RECORDS: Final = """
    SELECT r.kind, r.id, r.version, r.value FROM unnest($1::text[], $2::text[]) AS k (kind, id)
    JOIN records AS r ON r.kind = k.kind AND r.id = k.id"""
DUE: Final = f"""
    SELECT {HELD} WHERE j.place = $1 AND j.place <> 'queued' AND j.at <= $2 ORDER BY j.place, j.at, j.jid LIMIT $3"""
RESERVATIONS: Final = f"SELECT {HELD} WHERE w.jid IS NOT NULL".replace("LEFT JOIN", "JOIN")
BROWSE: Final = f"""
    SELECT {HELD} WHERE j.place = $1 AND j.place <> 'queued' ORDER BY j.place, j.at, j.jid LIMIT $2"""
BROWSE_ON: Final = f"""
    SELECT {HELD} WHERE j.place = $1 AND j.place <> 'queued' AND (j.at, j.jid) > ($3, $4)
    ORDER BY j.place, j.at, j.jid LIMIT $2"""
BACK: Final = " ORDER BY j.place DESC, j.at DESC, j.jid DESC "
PEEK: Final = f"""
    SELECT {HELD} JOIN (
        SELECT jid, position FROM ready WHERE queue = $1 ORDER BY queue, position OFFSET $2 LIMIT $3
    ) AS r ON r.jid = j.jid ORDER BY r.position"""
QUEUES: Final = """
    SELECT q.name, q.paused, coalesce(f.value, 0)::bigint AS size
    FROM queues AS q LEFT JOIN figures AS f ON f.name = 'queue:' || q.name ORDER BY q.name"""
FIGURES: Final = "SELECT name, value FROM figures WHERE name = ANY ($1)"
MEMBERS: Final = "SELECT jid FROM jobs WHERE bid = $1 ORDER BY jid"
CALLBACKS: Final = "SELECT jid FROM jobs WHERE callback_bid = $1 ORDER BY jid"
KIND: Final = """
    SELECT id, version, value FROM records WHERE kind = $1
    ORDER BY kind, id LIMIT CASE WHEN $1 = 'inbox' THEN 1000 END"""
"""Of the inbox a part: an application may leave any number of jobs there in one transaction."""
LOCKS: Final = "SELECT key, owner, until FROM locks WHERE until <= $1 ORDER BY until, key LIMIT $2"

FIGURE_NAMES: Final = (
    "place:working",
    "place:scheduled",
    "place:retries",
    "place:dead",
    "total:processed",
    "total:failures",
)


class Questions:
    """The verbs of `store.port.Store` that change nothing."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def load(self, jids: Sequence[str], records: Sequence[tuple[str, str]]) -> Loaded:
        """Look up jobs and records, a statement for each kind that is asked for."""
        jobs: dict[str, Held] = {}
        found: dict[tuple[str, str], Record] = dict.fromkeys(records, ABSENT)
        if jids:
            rows = await self._line.fetch(JOBS, list(map(to_text, jids)))
            jobs = {held.job.jid: held for held in map(to_held, rows)}
        if records:
            kinds, identities = zip(*found, strict=True)
            for row in await self._line.fetch(RECORDS, kinds, list(map(to_text, identities))):
                found[row["kind"], from_text(row["id"])] = to_record(row)
        return Loaded(jobs, found)

    async def due(self, place: TimedPlace, now: float, count: int) -> Sequence[Held]:
        """List jobs whose time has come."""
        return list(map(to_held, await self._line.fetch(DUE, place, now, count)))

    async def reservations(self) -> Sequence[Held]:
        """List every working job."""
        return list(map(to_held, await self._line.fetch(RESERVATIONS)))

    async def browse(
        self, place: TimedPlace, after: tuple[float, str] | None, count: int, *, latest_first: bool = False
    ) -> Page:
        """List jobs of a timed place."""
        statement = BROWSE if after is None else BROWSE_ON
        if latest_first:
            statement = statement.replace(") > (", ") < (").replace(" ORDER BY j.place, j.at, j.jid ", BACK)
            statement = statement.replace("\n    ORDER BY j.place, j.at, j.jid ", BACK)
        mark = () if after is None else (after[0], to_text(after[1]))
        jobs = list(map(to_held, await self._line.fetch(statement, place, count, *mark)))
        last = jobs[-1] if jobs and len(jobs) == count else None
        return Page(jobs=jobs, after=None if last is None else (last.at, last.job.jid))

    async def peek(self, queue: str, offset: int, count: int) -> Sequence[Held]:
        """List jobs of a queue."""
        return list(map(to_held, await self._line.fetch(PEEK, to_text(queue), offset, count)))

    async def queues(self) -> Sequence[QueueFigures]:
        """List the known queues."""
        rows = await self._line.fetch(QUEUES)
        return [QueueFigures(name=from_text(row["name"]), size=row["size"], paused=row["paused"]) for row in rows]

    async def figures(self) -> Figures:
        """Count what rests where."""
        values = await self._values(FIGURE_NAMES)
        return Figures(**{name.partition(":")[2]: values.get(name, 0) for name in FIGURE_NAMES})

    async def history(self, days: Sequence[str]) -> Sequence[tuple[int, int]]:
        """Answer the figures of each day."""
        names = [(f"day:processed:{day}", f"day:failures:{day}") for day in days]
        values = await self._values([name for pair in names for name in pair])
        return [(values.get(processed, 0), values.get(failures, 0)) for processed, failures in names]

    async def batch_jobs(self, bid: str) -> BatchJobs:
        """List the held jobs of a batch."""
        members = await self._line.fetch(MEMBERS, to_text(bid))
        callbacks = await self._line.fetch(CALLBACKS, to_text(bid))
        return BatchJobs(
            members=[from_text(row["jid"]) for row in members], callbacks=[from_text(row["jid"]) for row in callbacks]
        )

    async def records(self, kind: str) -> dict[str, Record]:
        """List the records of a kind."""
        return {from_text(row["id"]): to_record(row) for row in await self._line.fetch(KIND, kind)}

    async def locks(self, until: float, count: int) -> Sequence[Lock]:
        """List the locks that end first."""
        rows = await self._line.fetch(LOCKS, until, count)
        return [Lock(key=from_text(row["key"]), owner=from_text(row["owner"]), until=row["until"]) for row in rows]

    async def _values(self, names: Sequence[str]) -> dict[str, int]:
        return {row["name"]: row["value"] for row in await self._line.fetch(FIGURES, list(names))}
