"""Looking at a store's file without serving from it: is it one of ours, whole, and of a version we know?"""

from pathlib import Path

import apsw

from shopfloor.errors import StoreDamaged, StoreError
from shopfloor.store.embedded import rows
from shopfloor.store.embedded.file import APPLICATION_ID, FORMAT, abandon, check_sqlite, connect, doubt, our_words
from shopfloor.store.embedded.recovery import tidy


def check(path: Path) -> dict[str, str | int]:
    """Read the whole file and answer facts about it; raise a `StoreError` that says what is wrong with it.

    The file must not be in use. What its journal holds is carried into its tables, as a start would do.
    """
    if not path.exists():
        raise StoreError(f"{path} does not exist")
    replayed = tidy(path)
    connection = connect(path, "NORMAL")
    try:
        with our_words(path), doubt(path):
            problem = next(connection.execute("PRAGMA integrity_check(1)"))[0]
            if problem != "ok":
                raise StoreDamaged(f"{path} is damaged: {problem}")
            facts: dict[str, str | int] = {
                "path": str(path),
                "sqlite": check_sqlite(),
                "format": FORMAT,
                "replayed": replayed,
            }
            facts |= _jobs(connection)
            connection.close()
    except BaseException:
        abandon(connection)
        raise
    return facts


def is_ours(path: Path) -> bool:
    """Say whether a file is a store of Shopfloor, without changing it."""
    with our_words(path):
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            return bool(connection.pragma("application_id") == APPLICATION_ID)
        finally:
            connection.close()


def _jobs(connection: apsw.Connection) -> dict[str, str | int]:
    """Read every job, which checks its text, and count them by place."""
    counts: dict[str, str | int] = {}
    for row in connection.execute(f"SELECT {rows.COLUMNS} FROM jobs"):  # a constant of ours
        place = rows.from_row(row).place
        counts[place] = int(counts.get(place, 0)) + 1
    return counts
