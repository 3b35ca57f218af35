"""When what is folded: the jobs that come and go within some seconds never get a row.

The journal is cut in segments (`embedded/journal.py`). Three of them are in play:

    oldest     is being folded, slice by slice, while rounds go on
    previous   is full; its jobs are still young
    current    is being written

A fold writes what of the oldest segment is still there at the end of the previous one. Both are on the disk before it
begins, so that tables and journal never contradict each other, whatever of the latest entries a loss of power takes:
a start replays, on the tables, all segments behind those that were folded whole, and each entry says how things are
then and not by how much they change. The last slice carries the mark "folded up to here", and is synced: only then is
the segment's file free to be written over.
"""

from typing import Final

import apsw
from msgspec import Struct

from shopfloor.core.job import Held
from shopfloor.store.embedded.entries import Round
from shopfloor.store.embedded.file import Marks, mark_folded, put_marks, synced
from shopfloor.store.embedded.fold import Fold, Touched, write_small
from shopfloor.store.embedded.journal import Journal

SLICE_MIN: Final = 128
"""Rows written in one go (1 ms), unless it is the last go."""
SLICE_MAX: Final = 512
"""No round is held up by more, about 5 ms, unless it wrote so much itself that the fold would not keep up."""
LEAD: Final = 1.5
"""A fold runs ahead of the segment being written, so that it is done when that is full."""
CATCH_UP: Final = 2
"""A slice is at most so many times the part of a fold that the round is of the segment: a fold that is late catches up
in some rounds, and not in one stall when the segment is full."""
RETRY_PART: Final = 1 / 16
"""The part of a segment that is written before a fold that failed is tried again."""


Span = tuple[int, int]
"""The first and the last position that were ever given away, at some moment."""


class Stretch(Struct):
    """What a segment says, and the positions at its end."""

    touched: Touched
    span: Span = (0, 0)


class Folding:
    """What the journal has and the tables have not."""

    def __init__(self, journal: Journal | None, settled: Span) -> None:
        self._journal = journal
        self.settled = settled
        """Every held job with a position in here has its row. A fold makes it larger slice by slice."""
        self._current = Stretch(Touched())
        self._previous: Stretch | None = None
        self._oldest: Stretch | None = None
        self._fold: Fold | None = None
        self._retry_at = 0.0
        self._share = 0.0
        """How full the segment was that is being written, a round ago."""

    @property
    def is_under_way(self) -> bool:
        """Say whether some of a fold was written and some was not."""
        return self._fold is not None

    def note(self, done: Round) -> None:
        """The journal got this."""
        self._current.touched.note(done)

    def proceed(self, connection: apsw.Connection, share: float) -> list[Held] | None:
        """Fold a little more; `share` is how full the segment is that is being written.

        Answers the jobs that have a row from now on, or None where nothing was done.
        """
        grown, self._share = share - self._share, share
        if self._oldest is None or share < self._retry_at or not self._is_settled():
            return None
        fold = self._begun(self._oldest)
        due = min(fold.size, int(fold.size * share * LEAD)) - fold.done
        if due < SLICE_MIN and fold.done + due < fold.size:
            return None
        most = max(SLICE_MAX, int(fold.size * grown * CATCH_UP))
        return self._slice(connection, self._oldest, min(due, most))

    def turn(self, connection: apsw.Connection, share: float, span: Span) -> list[Held] | None:
        """The segment is full: finish the fold under way, and begin the next one. Answers like `proceed`."""
        if share < self._retry_at:
            return None
        assert self._journal is not None
        self._journal.settle()
        ended = None
        if self._oldest is not None:
            ended = self._slice(connection, self._oldest, self._begun(self._oldest).size)
        self._current.span = span
        self._journal.sync_behind()
        self._journal.turn()
        self._oldest, self._previous, self._current = self._previous, self._current, Stretch(Touched())
        self._share = 0.0
        return ended

    def failed(self, share: float) -> None:
        """A fold could not go on: let some time pass."""
        self._retry_at = share + RETRY_PART

    def write_all(self, connection: apsw.Connection, marks: Marks, span: Span) -> list[Held]:
        """Write everything, in one transaction, and the marks that are true then; answer the jobs that got a row."""
        fold, behind = self.pending()
        with synced(connection), connection:
            jobs = write(connection, fold, behind)
            put_marks(connection, marks)
        self._current, self._previous, self._oldest, self._fold = Stretch(Touched()), None, None, None
        self.settled = span
        self._retry_at = 0.0
        return jobs

    def pending(self) -> tuple[Fold, Touched]:
        """Answer copies of all that the tables have not: the fold under way, and what came behind it."""
        fold = Fold(Touched()) if self._oldest is None else self._begun(self._oldest).rest()
        behind = Touched()
        for stretch in (self._previous, self._current):
            if stretch is not None:
                behind.note(stretch.touched)
        return fold, behind

    def _is_settled(self) -> bool:
        return self._journal is not None and self._journal.is_settled()

    def _begun(self, oldest: Stretch) -> Fold:
        if self._fold is None:
            self._fold = Fold(oldest.touched, None if self._previous is None else self._previous.touched)
        return self._fold

    def _slice(self, connection: apsw.Connection, oldest: Stretch, count: int) -> list[Held]:
        assert self._journal is not None
        fold = self._begun(oldest)
        end = min(fold.done + count, fold.size)
        if end < fold.size:
            with connection:
                jobs = fold.write(connection, fold.done, end)
            fold.done, self._retry_at = end, 0.0
            front, back = self.settled
            self.settled = front, max([held.position for held in jobs], default=back)
            return jobs
        with synced(connection), connection:
            jobs = fold.write(connection, fold.done, end)
            write_small(connection, fold.small)
            mark_folded(connection, self._journal.oldest_end())
        self._journal.release()
        self._oldest, self._fold, self.settled, self._retry_at = None, None, oldest.span, 0.0
        return jobs


def write(connection: apsw.Connection, fold: Fold, behind: Touched) -> list[Held]:
    """Write what `Folding.pending` answered; answer the jobs that got a row. It belongs into a transaction."""
    last = Fold(behind)
    jobs = fold.write(connection, 0, fold.size)
    write_small(connection, fold.small)
    jobs += last.write(connection, 0, last.size)
    write_small(connection, behind)
    return jobs
