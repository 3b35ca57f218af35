"""What a server that did not stop orderly left beside its file, and carrying it into the tables."""

from pathlib import Path

import apsw
from msgspec import Struct

from shopfloor.store.embedded import entries, journal
from shopfloor.store.embedded.file import Marks, abandon, connect, doubt, marks, our_words, put_marks, synced
from shopfloor.store.embedded.fold import Touched, replay


class Left(Struct, frozen=True):
    """What the tables do not have yet."""

    touched: Touched
    entries: int = 0
    slots: frozenset[int] = frozenset()
    """Files of the journal that have it: they are not to be touched before the tables have it."""


def look(connection: apsw.Connection, path: Path) -> Left:
    """Read the journal, where there is one; raise `StoreDamaged` where it is not what the tables' marks speak of.

    Where the marks say that the file was closed, files beside it are of an earlier life, or of another store.
    """
    known, touched = marks(connection), Touched()
    if not known.is_open or not known.generation:
        return Left(touched)
    found = journal.read(path, known.generation, known.folded)
    for text in found.texts:
        touched.note(entries.from_text(text))
    return Left(touched, len(found.texts), found.slots)


def carry_over(connection: apsw.Connection, left: Left, wanted: Marks) -> None:
    """Bring the tables up to date, and write the marks that are true then."""
    with synced(connection), connection:
        replay(connection, left.touched)
        put_marks(connection, wanted)


def tidy(path: Path) -> int:
    """Make a store that nobody has open one file that is whole by itself; answer how many entries its journal had."""
    connection = connect(path, "NORMAL")
    try:
        with our_words(path), doubt(path):
            left = look(connection, path)
            carry_over(connection, left, Marks())
    except BaseException:
        abandon(connection)
        raise
    with our_words(path):
        connection.close()
        journal.remove(path)
    return left.entries
