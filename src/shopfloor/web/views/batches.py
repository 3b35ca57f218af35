"""Batches: the list, and one with all below it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from shopfloor.web import words

STANDINGS: Final[Mapping[str, str]] = {
    "open": "open",
    "complete": "complete, with failures",
    "succeeded": "succeeded",
    "lost": "lost",
}
CALLBACKS: Final[Mapping[str, str]] = {"": "not due", "1": "enqueued", "2": "acknowledged"}
LEVELS: Final[Mapping[str, str]] = {"succeeded": "ok", "complete": "attention", "lost": "trouble"}
"""The colour of a standing; the words say it too."""
DEPTH_MAX: Final = 20
"""Batches may be nested deeper; nobody reads that as a tree."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchLine:
    """One batch."""

    bid: str
    description: str
    standing: str
    level: str
    committed: bool
    created_at: float
    total: int
    done: int
    """Members that were executed, well or not."""
    failed: int
    complete: str
    success: str

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> "BatchLine":
        """Read what the broker tells of a batch."""
        return cls(
            bid=told["bid"],
            description=told["description"],
            standing=STANDINGS[told["standing"]],
            level=LEVELS.get(told["standing"], ""),
            committed=told["committed"],
            created_at=words.seconds_of(told["created_at"]) or 0.0,
            total=told["total"],
            done=told["total"] - told["pending"],
            failed=told["failed"],
            complete=CALLBACKS[told["complete_st"]],
            success=CALLBACKS[told["success_st"]],
        )

    @property
    def settled(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.level in ("ok", "trouble")


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchesView:
    """See `templates/batches.html`."""

    lines: Sequence[BatchLine]
    total: int
    every: bool
    begin: int
    after: int | None

    @classmethod
    def of(cls, told: Sequence[Mapping[str, Any]], *, begin: int, count: int, every: bool) -> "BatchesView":
        """Put a page together."""
        lines = [BatchLine.of(one) for one in told]
        wanted = lines if every else [line for line in lines if not line.settled]
        end = begin + count
        return cls(
            lines=wanted[begin:end],
            total=len(wanted),
            every=every,
            begin=begin,
            after=end if end < len(wanted) else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A batch in its tree: how deep it is, and what it waits for."""

    line: BatchLine
    depth: int
    waits_for: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchView:
    """See `templates/batch.html`: the batch first, then all below it as they are nested."""

    line: BatchLine
    parent: str
    branches: Sequence[Branch]
    cancels: bool
    """Whether the page asks if it is to be cancelled."""

    @classmethod
    def of(cls, told: Mapping[str, Any], *, asks: str | None) -> "BatchView":
        """Put the page together."""
        return cls(
            line=BatchLine.of(told),
            parent=told.get("parent_bid", ""),
            branches=_branches(told, 0),
            cancels=asks == "cancel",
        )


def _branches(told: Mapping[str, Any], depth: int) -> list[Branch]:
    branches = [Branch(line=BatchLine.of(told), depth=min(depth, DEPTH_MAX), waits_for=told["waits_for"])]
    for child in told["children"]:
        branches += _branches(child, depth + 1)
    return branches
