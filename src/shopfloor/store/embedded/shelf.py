"""Jobs whose text rests in the file only; in memory is where each of them is."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import apsw
import msgspec

from shopfloor.core.job import Held
from shopfloor.store.embedded import rows
from shopfloor.store.embedded.file import our_words

SHARDS: Final = 256
"""The index is cut in pieces so that none takes long to grow: one of ten million entries would stop the server."""

_READ_ONE: Final = f"SELECT {rows.COLUMNS} FROM jobs WHERE position = ?"
_READ_MANY: Final = f"SELECT {rows.COLUMNS} FROM json_each(?) AS wanted JOIN jobs ON position = wanted.value"


class FileShelf:
    """An index from jid to position, about 100 bytes a job.

    Its keys are hashes of 61 bits and not the jids, which would take as much memory again. Every answer is checked
    against the row, so that another jid with the same hash is never taken for the one that was meant.
    """

    def __init__(self, connection: apsw.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path
        self._shards: list[dict[int, int]] = [{} for _ in range(SHARDS)]
        self._count = 0

    def put(self, jid: str, position: int) -> bool:
        """A job whose row is up to date rests here from now on; False where its hash is taken, so it cannot."""
        key = hash(jid)
        shard = self._shards[key % SHARDS]
        if shard.setdefault(key, position) != position:
            return False
        self._count += 1
        return True

    def find(self, jid: str) -> Held | None:
        """Read one job; None where it is not on the shelf."""
        key = hash(jid)
        position = self._shards[key % SHARDS].get(key)
        if position is None:
            return None
        with our_words(self._path):
            row = next(self._connection.execute(_READ_ONE, (position,)), None)
        held = rows.from_row(row) if row is not None else None
        return held if held is not None and held.job.jid == jid else None

    def contains(self, jid: str) -> bool:
        """Say whether the job is on the shelf."""
        key = hash(jid)
        return key in self._shards[key % SHARDS] and self.find(jid) is not None

    def read(self, positions: Sequence[int]) -> Sequence[Held]:
        """Read those of the positions that are still on the shelf, in the order given."""
        with our_words(self._path):
            found = [rows.from_row(row) for row in self._connection.execute(_READ_MANY, (_numbers(positions),))]
        order = {held.position: held for held in found if self._position(held.job.jid) == held.position}
        return [order[position] for position in positions if position in order]

    def remove(self, held: Held) -> None:
        """The job is no longer on the shelf."""
        key = hash(held.job.jid)
        del self._shards[key % SHARDS][key]
        self._count -= 1

    def restore(self, held: Held) -> None:
        """Undo `remove`."""
        assert self.put(held.job.jid, held.position)

    def __len__(self) -> int:
        """Count the jobs on the shelf."""
        return self._count

    def _position(self, jid: str) -> int | None:
        key = hash(jid)
        return self._shards[key % SHARDS].get(key)


def _numbers(positions: Sequence[int]) -> str:
    return msgspec.json.encode(positions).decode()
