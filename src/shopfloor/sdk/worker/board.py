"""What each slot of a child runs, and until when it may: shared memory that the parent can read when the child is dead.

Noting a run costs a microsecond and no system call. A note that was cut short by the child's death reads as another jid
than any that the child had, and so counts for nothing.
"""

import mmap
import os
import struct
import tempfile
from dataclasses import dataclass

_NOTE = struct.Struct("<dH110s")
SLOT_BYTES = 128
JID_BYTES_MAX = 110


@dataclass(frozen=True, slots=True)
class Note:
    """A run under way. `jid` is cut after 110 bytes; `deadline` is 0 where there is none."""

    jid: bytes
    deadline: float

    def is_of(self, jid: str) -> bool:
        """Say whether this is about that job."""
        return jid.encode()[:JID_BYTES_MAX] == self.jid


class Board:
    """So many slots, each with a note or none."""

    def __init__(self, descriptor: int, slots: int) -> None:
        self.descriptor = descriptor
        self._memory = mmap.mmap(descriptor, max(slots, 1) * SLOT_BYTES)
        self._slots = slots

    @classmethod
    def make(cls, slots: int) -> "Board":
        """Make an empty one whose descriptor a child can inherit."""
        descriptor, path = tempfile.mkstemp(prefix="shopfloor-board-")
        os.unlink(path)
        os.ftruncate(descriptor, max(slots, 1) * SLOT_BYTES)
        return cls(descriptor, slots)

    def close(self) -> None:
        """Let go of it."""
        self._memory.close()
        os.close(self.descriptor)

    def note(self, slot: int, jid: str, deadline: float) -> None:
        """Note that a run begins."""
        text = jid.encode()[:JID_BYTES_MAX]
        _NOTE.pack_into(self._memory, slot * SLOT_BYTES, deadline, len(text), text)

    def clear(self, slot: int) -> None:
        """Note that the run is over."""
        _NOTE.pack_into(self._memory, slot * SLOT_BYTES, 0.0, 0, b"")

    def notes(self) -> list[Note]:
        """Read every note."""
        found = []
        for slot in range(self._slots):
            deadline, length, text = _NOTE.unpack_from(self._memory, slot * SLOT_BYTES)
            if 0 < length <= JID_BYTES_MAX:
                found.append(Note(text[:length], deadline))
        return found
