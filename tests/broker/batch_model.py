"""What must become of batches, said once more and as plainly as possible: nothing is counted, all is derived."""

from dataclasses import dataclass, field
from typing import Literal

from shopfloor.core.facts import Callback

Fate = Literal["waiting", "failed", "succeeded", "lost"]


@dataclass
class Member:
    """A job of a batch: what became of it last."""

    fate: Fate = "waiting"
    cancelled: bool = False


@dataclass
class Expected:
    """A batch of the model."""

    bid: str
    parent: "Expected | None"
    wanted: tuple[Callback, ...]
    """The callbacks that it was made with."""
    committed: bool = False
    members: dict[str, Member] = field(default_factory=dict)
    children: "list[Expected]" = field(default_factory=list)
    enqueued: set[Callback] = field(default_factory=set)
    ended: set[Callback] = field(default_factory=set)
    """Callbacks that were acknowledged, or lost."""
    lost_callbacks: set[Callback] = field(default_factory=set)

    @property
    def takes_more(self) -> bool:
        """Whether a push or a nested NEW is accepted."""
        return not self.committed and self.can_open

    @property
    def can_open(self) -> bool:
        """Whether OPEN is accepted."""
        return not self.enqueued & {"complete", "success"}

    @property
    def executed(self) -> bool:
        """Whether every member was executed, and all due callbacks of every child are through."""
        members = all(member.fate != "waiting" for member in self.members.values())
        return self.committed and members and all(child.settled for child in self.children)

    @property
    def loses(self) -> bool:
        """Whether success can never come."""
        members = any(member.fate == "lost" for member in self.members.values())
        return bool(self.lost_callbacks) or members or any(child.settled and child.loses for child in self.children)

    @property
    def well(self) -> bool:
        """Whether all went well, below it too."""
        members = all(member.fate == "succeeded" for member in self.members.values())
        return not self.loses and members and all(child.settled and child.well for child in self.children)

    @property
    def settled(self) -> bool:
        """Whether all its callbacks that are due are through."""
        return self.executed and self.due() - {"death"} <= self.ended

    def due(self) -> set[Callback]:
        """Name the callbacks that must have been enqueued by now."""
        found: set[Callback] = set()
        if self.committed and self.loses:
            found.add("death")
        if self.executed:
            found.add("complete")
        if self.executed and self.well and ("complete" not in self.wanted or "complete" in self.ended):
            found.add("success")
        return found & set(self.wanted)
