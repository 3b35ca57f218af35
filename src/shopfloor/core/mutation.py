"""Which jobs a MUTATE means: its filter, and the glob that patterns are (reference 1.5)."""

import re
from dataclasses import dataclass
from typing import Literal

from msgspec import Struct

from shopfloor.core.job import Job, TimedPlace
from shopfloor.core.payload import compact
from shopfloor.errors import Refused

Command = Literal["clear", "kill", "discard", "requeue"]
COMMANDS: tuple[Command, ...] = ("clear", "kill", "discard", "requeue")
TARGETS: tuple[TimedPlace, ...] = ("scheduled", "retries", "dead")
PATTERN_BYTES_MAX = 2048
"""Making a pattern ready takes up to 20 ms at this length, in which nobody else is served."""


class Filter(Struct, frozen=True, kw_only=True):
    """What a job must be to be meant. `jids` override the rest; otherwise whatever is given must hold."""

    jids: tuple[str, ...] = ()
    pattern: str = ""
    jobtype: str = ""


class Mutation(Struct, frozen=True, kw_only=True):
    """One operation on one timed place; without a filter it means everything there."""

    command: Command
    target: TimedPlace
    filter: Filter = Filter()


@dataclass(frozen=True, slots=True)
class Glob:
    """A pattern of Redis' kind (`*`, `?`, `[a-z]`, `[^a]`, backslash) that matches in time linear in the
    text.

    The pieces between stars have no repetition, so that looking for each from left to right is enough: no
    pattern can make it slow.
    """

    pieces: tuple[re.Pattern[bytes], ...]

    @classmethod
    def parse(cls, pattern: str) -> "Glob":
        """Read a pattern; every text is a valid one, unless it is too long."""
        text = pattern.encode(errors="replace")
        if len(text) > PATTERN_BYTES_MAX:
            raise Refused(f"pattern is too long: {len(text)} bytes, the limit is {PATTERN_BYTES_MAX}")
        return cls(tuple(re.compile(piece, re.DOTALL) for piece in _pieces(text)))

    def matches(self, text: bytes) -> bool:
        """Say whether the whole text fits the pattern."""
        if len(self.pieces) == 1:
            return self.pieces[0].fullmatch(text) is not None
        first = self.pieces[0].match(text)
        if first is None:
            return False
        at = first.end()
        for piece in self.pieces[1:-1]:
            found = piece.search(text, at)
            if found is None:
                return False
            at = found.end()
        return _ends_with(self.pieces[-1], text, at)


@dataclass(frozen=True, slots=True)
class Matcher:
    """A filter made ready: whether a job is meant."""

    jobtype: str
    glob: Glob | None

    @classmethod
    def of(cls, wanted: Filter) -> "Matcher":
        """Make ready what of a filter is not a list of jids."""
        return cls(wanted.jobtype, Glob.parse(wanted.pattern) if wanted.pattern else None)

    def matches(self, job: Job) -> bool:
        """Say whether the job has the type and its compact JSON fits the pattern."""
        if self.jobtype and job.jobtype != self.jobtype:
            return False
        return self.glob is None or self.glob.matches(compact(job))


def _ends_with(piece: re.Pattern[bytes], text: bytes, at: int) -> bool:
    """A piece without repetition has one length; it has to stand at the very end, not before `at`."""
    length = _length(piece.pattern)
    return len(text) - length >= at and piece.fullmatch(text, len(text) - length) is not None


def _length(piece: bytes) -> int:
    return len(re.findall(rb"\\.|\[(?:\\.|[^\]\\])*\]|.", piece, re.DOTALL))


def _pieces(pattern: bytes) -> list[bytes]:
    """Cut a glob at its stars and write what is between them as regular expressions without repetition."""
    pieces = [b""]
    at = 0
    while at < len(pattern):
        char = pattern[at : at + 1]
        at += 1
        if char == b"*":
            pieces.append(b"")
        elif char == b"?":
            pieces[-1] += b"."
        elif char == b"[":
            members, at = _class(pattern, at)
            pieces[-1] += members
        elif char == b"\\" and at < len(pattern):
            pieces[-1] += re.escape(pattern[at : at + 1])
            at += 1
        else:
            pieces[-1] += re.escape(char)
    return pieces


def _class(pattern: bytes, at: int) -> tuple[bytes, int]:
    """Translate `[…]`, of which the opening bracket has been read; an unclosed one reaches to the end."""
    negated = pattern[at : at + 1] == b"^"
    at += negated
    members: set[int] = set()
    while at < len(pattern) and pattern[at : at + 1] != b"]":
        if pattern[at : at + 1] == b"\\" and at + 1 < len(pattern):
            at += 1
        low = high = pattern[at]
        if pattern[at + 1 : at + 2] == b"-" and at + 2 < len(pattern) and pattern[at + 2 : at + 3] != b"]":
            high = pattern[at + 2]
            at += 2
        members.update(range(min(low, high), max(low, high) + 1))
        at += 1
    allowed = sorted(set(range(256)) - members if negated else members)
    if not allowed:
        return b"[^\\x00-\\xff]", at + 1
    return b"[" + b"".join(b"\\x%02x" % member for member in allowed) + b"]", at + 1
