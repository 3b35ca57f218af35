"""Verbs about cron entries, and the pass that fires them.

What each look needs is kept here by name: the entry as its record's version had it, and when it fires next. So a look
at many entries costs one reading of their records, and only those that changed are decoded. A firing is one transition:
the record, expected unchanged, and the job with all that its `custom` asks for.
"""

from collections.abc import Callable, Sequence
from functools import partial

from msgspec import Struct
from structlog.typing import FilteringBoundLogger

from shopfloor.broker.asks import Fork, Load, Query, Verb
from shopfloor.broker.context import Context
from shopfloor.broker.following import Following
from shopfloor.broker.jobs import Jobs, is_about_another
from shopfloor.core import cron, lifecycle
from shopfloor.core.changes import ABSENT, Conflict, Note, Record
from shopfloor.core.cron import CRON, Entry, Source
from shopfloor.core.cron_definition import Definition, check_name, read_definition
from shopfloor.core.job import NOTHING, Job
from shopfloor.errors import Refused

ENTRIES_MAX = 1_000
"""Every look reads all entries, and one reply lists them; beyond this, jobs should schedule their successors."""
FIRE_STEP = 500
"""Entries that are fired side by side; commands get their turn in between."""
NEVER = float("inf")


class Known(Struct, frozen=True):
    """An entry, the record that it was read from or written to, and when it is to be looked at again."""

    entry: Entry
    record: Record
    next_at: float

    @property
    def version(self) -> int:
        """What a transition expects."""
        return self.record.version


class Cron:
    """What clients and files do with entries; `fire` is a row in `server.timers`."""

    def __init__(self, context: Context, following: Following, jobs: Jobs, log: FilteringBoundLogger) -> None:
        self._context = context
        self._following = following
        self._jobs = jobs
        self._log = log
        self._known: dict[str, Known] = {}
        self._files: dict[str, Definition] = {}
        """What the files of this server say; an entry of theirs that is lost (FLUSH) is entered again."""

    def entries(self) -> Verb[list[Entry]]:
        """List all entries by name."""
        yield from self._look()
        return [self._known[name].entry for name in sorted(self._known)]

    def put(self, text: bytes) -> Verb[str]:
        """Add an entry, or change the one of that name; refused where that one comes from a file."""
        definition = read_definition(text, self._context.moment.now)

        def decide(before: Entry | None) -> Entry:
            _check_ours(before, "change it")
            return self._entered(before, definition, "api")

        yield from self._look()
        if definition.name not in self._known and len(self._known) >= ENTRIES_MAX:
            raise Refused(f"too many cron entries: the limit is {ENTRIES_MAX}")
        yield from self._change(definition.name, decide)
        return definition.name

    def remove(self, name: str) -> Verb[None]:
        """Forget an entry; its jobs stay. Refused where it comes from a file."""

        def decide(before: Entry | None) -> None:
            _check_ours(_existing(before, name), "remove it")

        yield from self._change(name, decide)

    def pause(self, name: str, paused: bool) -> Verb[None]:
        """Stop an entry from firing, or let it go on from now on."""
        now = self._context.moment.now

        def decide(before: Entry | None) -> Entry:
            entry = _existing(before, name)
            return cron.paused(entry) if paused else cron.resumed(entry, now)

        yield from self._change(name, decide)

    def run(self, name: str) -> Verb[str]:
        """Fire an entry now, paused or not; its schedule goes on as before. Answers the jid; refused as a push is."""
        if self._context.push_refusal:
            raise Refused(self._context.push_refusal)
        while True:
            found, version = yield from self._load(name)
            entry, now = _existing(found, name), self._context.moment.now
            job = cron.job_for(entry, cron.jid_by_hand(name, version, now), now)
            if (yield from self._fired(entry, version, 0.0, job)) is not None:
                return job.jid

    def apply(self, definitions: Sequence[Definition]) -> Verb[None]:
        """Let entries be what the files of this server say; those that came from a file and are in none any more go."""
        self._files = {definition.name: definition for definition in definitions}
        yield from self._look()
        gone = [name for name, known in self._known.items() if known.entry.source == "file" and name not in self._files]
        for name in gone:
            self._log.info("a cron entry is in no file any more", entry=name)
        yield from _side_by_side([self._change(name, _without_file) for name in gone])
        yield from _side_by_side([self._enter(definition) for definition in definitions])

    def fire(self) -> Verb[None]:
        """Fire what is due. While no job is taken, moments wait; what becomes of them later is their entry's policy."""
        yield from self._look()
        lost = self._files.keys() - self._known.keys()
        yield from _side_by_side([self._enter(self._files[name]) for name in lost])
        if self._context.push_refusal:
            return
        now = self._context.moment.now
        yield from _side_by_side([self._fire_due(name) for name, known in self._known.items() if known.next_at <= now])

    def _look(self) -> Verb[None]:
        """Read the entries that have changed since the last look."""
        records: dict[str, Record] = yield Query(partial(self._context.store.records, CRON))
        for name in self._known.keys() - records.keys():
            del self._known[name]
        for name, record in records.items():
            known = self._known.get(name)
            if record.value is not None and (known is None or known.record != record):
                self._keep(cron.decode(record.value), record)

    def _fire_due(self, name: str) -> Verb[None]:
        """Fire one entry's due moments, one after the other; where another server is faster, leave the rest to it."""
        known, now = self._known.get(name), self._context.moment.now
        if known is None:
            return
        due = cron.due(known.entry, now)
        if due.skipped:
            known = yield from self._noted(cron.skipped(known.entry, due, now), known.version)
        for moment in due.moments:
            if known is not None:
                known = yield from self._fire_one(known, moment)

    def _fire_one(self, known: Known, moment: float) -> Verb[Known | None]:
        now = self._context.moment.now
        try:
            job = cron.job_for(known.entry, cron.jid_at(known.entry.name, moment), now)
            return (yield from self._fired(known.entry, known.version, moment, job))
        except Refused as refused:
            reason = f"{refused.code} {refused.message}"
            self._log.warning("a cron job was refused", entry=known.entry.name, reason=reason)
            after = cron.refused(known.entry, moment, now, reason)
            return (yield from self._noted(after, known.version))

    def _fired(self, entry: Entry, version: int, moment: float, job: Job) -> Verb[Known | None]:
        """Put the job and note it; None where the record has changed. Raises `Refused` where it is not taken."""
        context = self._context
        after = cron.fired(entry, moment, context.moment.now, job.jid)
        note = Note(CRON, entry.name, cron.encode(after), version)
        while True:
            joined, joining = (job, ()) if job.custom is NOTHING else (yield from self._following.joining(job, 0.0))
            conflict: Conflict | None = yield (note, *lifecycle.push(joined, 0.0, context.rules), *joining)
            if conflict is None:
                return self._keep(after, Record(note.value, version + 1))
            if conflict.change == note:
                return None
            if is_about_another(job, conflict):
                continue
            refusal = self._jobs.refusal(job, conflict)
            if refusal is not None:
                raise refusal
            if conflict.reason == "held":
                return (yield from self._noted(after, version))

    def _noted(self, after: Entry, version: int) -> Verb[Known | None]:
        """Write the record; None where it has changed."""
        note = Note(CRON, after.name, cron.encode(after), version)
        conflict = yield (note,)
        return None if conflict is not None else self._keep(after, Record(note.value, version + 1))

    def _enter(self, definition: Definition) -> Verb[None]:
        yield from self._change(definition.name, lambda before: self._entered(before, definition, "file"))

    def _entered(self, before: Entry | None, definition: Definition, source: Source) -> Entry:
        entry = cron.entered(before, definition, source, self._context.moment.now)
        bytes_max = self._context.limits.queue_name_bytes_max
        if len(cron.job_for(entry, "to be given", 0.0).queue) > bytes_max:
            raise Refused(f"queue name is too long: the limit is {bytes_max} bytes")
        return entry

    def _change(self, name: str, decide: Callable[[Entry | None], Entry | None]) -> Verb[None]:
        """Write what is decided, deciding anew where the record has changed; None removes it."""
        while True:
            before, version = yield from self._load(name)
            after = decide(before)
            if after == before:
                return
            value = None if after is None else cron.encode(after)
            conflict = yield (Note(CRON, name, value, version),)
            if conflict is None:
                break
        if after is None:
            self._known.pop(name, None)
        else:
            self._keep(after, Record(value, version + 1))

    def _load(self, name: str) -> Verb[tuple[Entry | None, int]]:
        check_name(name)
        loaded = yield Load((), ((CRON, name),))
        record: Record = loaded.records.get((CRON, name), ABSENT)
        return (None if record.value is None else cron.decode(record.value)), record.version

    def _keep(self, entry: Entry, record: Record) -> Known:
        """Remember an entry and reckon when it is to be looked at; a moment whose jitter is not over is ahead too."""
        upcoming = cron.next_at(entry, entry.last_at)
        if upcoming is None and not entry.paused:
            self._log.warning("a cron entry never fires here", entry=entry.name, zone=entry.definition.zone)
        known = Known(entry, record, NEVER if upcoming is None else upcoming)
        self._known[entry.name] = known
        return known


def _side_by_side(verbs: Sequence[Verb[None]]) -> Verb[None]:
    """Carry out verbs so that they share commits; raise what the first of them that failed did."""
    for start in range(0, len(verbs), FIRE_STEP):
        prongs = yield Fork(tuple(verbs[start : start + FIRE_STEP]))
        failed = next((prong.error for prong in prongs if prong.error is not None), None)
        if failed is not None:
            raise failed


def _existing(entry: Entry | None, name: str) -> Entry:
    if entry is None:
        raise Refused(f"Cron entry not found {name}")
    return entry


def _check_ours(entry: Entry | None, what: str) -> None:
    if entry is not None and entry.source == "file":
        raise Refused(f"cron entry {entry.name} comes from a file: {what} there, or pause it")


def _without_file(entry: Entry | None) -> Entry | None:
    return None if entry is None or entry.source == "file" else entry
