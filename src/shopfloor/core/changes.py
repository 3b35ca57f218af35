"""The closed set of changes: the only words in which the rules speak to a store.

A transition is a tuple of changes that is applied whole or not at all, in order. Changes marked *guard* make
the transition fail where their condition does not hold; the store then answers with a `Conflict` and changes
nothing. The set is the same for every store; a new feature is said in these words or the words are extended
for all.
"""

from typing import Literal

from msgspec import Struct

from shopfloor.core.job import Held, Job, Place


class Put(Struct, frozen=True, gc=False):
    """Guard: the job now rests in `place`; fails where a job of that jid is already held ("held").

    `working` is reached by reservation alone. `front` puts it at the head of its queue. `limit` > 0 makes it
    fail where the queue already holds that many jobs ("full"). `new` says that a client just pushed it: only
    such a job fails where its queue would be one too many ("queues"). One that was taken in before always finds
    its queue, or it could neither be given back nor promoted.
    """

    job: Job
    place: Place
    at: float = 0.0
    front: bool = False
    limit: int = 0
    new: bool = False


class Take(Struct, frozen=True, gc=False):
    """Guard: the job leaves `place`; fails where it is not there or, while working, another holder has it
    ("gone").

    `holder` None means whoever has it.
    """

    jid: str
    place: Place
    holder: str | None = None


class Amend(Struct, frozen=True, gc=False):
    """Guard: a reservation lasts until `expires_at` at least, and is cancelled if `cancelled` ("gone": there is none).

    It never makes a reservation shorter, nor takes a cancellation back: amendments that were decided side by side
    all hold, in whatever order they come.
    """

    jid: str
    holder: str | None
    expires_at: float
    cancelled: bool = False


class Note(Struct, frozen=True, gc=False):
    """Guard: the record (kind, id) becomes `value`; fails where its version is not `expected` any more
    ("version").

    Version 0 means that there is none; each write adds one. `value` None removes it. Soft records (kind in
    `SOFT_KINDS`) need not survive the store's restart.
    """

    kind: str
    id: str
    value: bytes | None
    expected: int


SOFT_KINDS = frozenset({"worker"})
"""Kinds of records that describe who is connected now and may be forgotten when the store restarts."""


INBOX = "inbox"
"""Kind of records that are jobs to be pushed; where a store lets applications leave them there."""


class Claim(Struct, frozen=True, gc=False):
    """Guard: `owner` gets the lock `key` until `until`; fails where another holds it ("claimed")."""

    key: str
    owner: str
    until: float
    now: float


class Release(Struct, frozen=True, gc=False):
    """The lock `key` ends, if `owner` has it."""

    key: str
    owner: str


class Count(Struct, frozen=True, gc=False):
    """A total and its figure for the UTC day grow by `by`."""

    name: Literal["processed", "failures"]
    day: str
    by: int = 1


class Pause(Struct, frozen=True, gc=False):
    """The queue is known from now on and gives out no jobs while `paused`."""

    queue: str
    paused: bool


class Clear(Struct, frozen=True, gc=False):
    """Up to `count` jobs leave `place`, the first in its order; in `queued`, of `queue`.

    A queue that is empty afterwards is no longer known nor paused. Repeat it until nothing is left: a limited
    count keeps one command from holding up all others.
    """

    place: Place
    queue: str = ""
    count: int = 1000


Reason = Literal["held", "full", "queues", "gone", "version", "claimed"]
Change = Put | Take | Amend | Note | Claim | Release | Count | Pause | Clear
Transition = tuple[Change, ...]


class Conflict(Struct, frozen=True, gc=False):
    """Why a transition was not applied: the change whose guard failed, and a word for it.

    With "held" comes the job that is held, as it was at that moment.
    """

    change: Change
    reason: Reason
    held: Held | None = None


class Record(Struct, frozen=True, gc=False):
    """A small record as a store answers it; version 0 and value None mean that there is none."""

    value: bytes | None
    version: int


ABSENT = Record(None, 0)
