"""A plan and a round's requests as the arguments of `commit_round`, in its order."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from shopfloor.core.changes import Put
from shopfloor.core.facts import NO_FACTS, facts
from shopfloor.core.job import NOTHING, QUEUED, WORKING
from shopfloor.core.lifecycle import Rules, reserve_seconds
from shopfloor.core.payload import encode
from shopfloor.store.port import QueueLimit, Reserve
from shopfloor.store.postgres.plan import Plan
from shopfloor.store.postgres.rows import to_text

Values = tuple[Any, ...]

COUNT: Final = 52
"""How many arguments `commit_round` has."""
COMMIT: Final = "SELECT * FROM commit_round(" + ", ".join(f"${number}" for number in range(1, COUNT + 1)) + ")"

_NO_LIMIT: Final = QueueLimit()


def of_plan(plan: Plan, rules: Rules) -> tuple[Values, list[str]]:
    """Write a plan; answer with it the queue of each job that is put into one."""
    if not (plan.takes or plan.puts):
        written = (None,) * 15
        told: list[str] = []
    else:
        taken = _taken(plan)
        put, told = _put(plan, rules)
        written = taken + put
    rest = (None,) * 18
    if plan.amends or plan.notes or plan.claims or plan.releases or plan.paused or plan.forgotten:
        rest = _amended(plan) + _noted(plan) + _locked(plan) + _queues(plan)
    return (list(plan.counts), list(plan.counts.values()), *written, *rest), told


def _taken(plan: Plan) -> Values:
    """Sort the jobs that leave by where they are. Who waited in a queue is counted by the function, which sees it."""
    working: list[str] = []
    holders: list[str | None] = []
    queued: list[str] = []
    timed: list[str] = []
    places: list[str] = []
    for take in plan.takes.values():
        if take.place == WORKING:
            working.append(to_text(take.jid))
            holders.append(None if take.holder is None else to_text(take.holder))
        elif take.place == QUEUED:
            queued.append(to_text(take.jid))
        else:
            timed.append(to_text(take.jid))
            places.append(take.place)
            plan.count(f"place:{take.place}", -1)
    if working:
        plan.count("place:working", -len(working))
    return (
        *((working, holders) if working else (None, None)),
        queued or None,
        *((timed, places) if timed else (None, None)),
    )


def _put(plan: Plan, rules: Rules) -> tuple[Values, list[str]]:
    """Write the jobs that come, and name the queue of each that waits from now on."""
    puts = plan.puts.values()
    if not puts:
        return (None,) * 10, []
    jobs = [put.job for put in puts]
    queues = [to_text(job.queue) for job in jobs]
    told = [queue for queue, put in zip(queues, puts, strict=True) if put.place == QUEUED]
    for put, queue in zip(puts, queues, strict=True):
        plan.count(f"queue:{queue}" if put.place == QUEUED else f"place:{put.place}", 1)
    return (
        [to_text(job.jid) for job in jobs],
        [put.place for put in puts],
        [put.at for put in puts],
        queues,
        [put.front for put in puts],
        [reserve_seconds(job, rules) if job.reserve_for else None for job in jobs],
        *_batches(puts),
        [encode(job) for job in jobs],
        list(dict.fromkeys(told)),
    ), told


def _batches(puts: Iterable[Put]) -> Values:
    known = [NO_FACTS if put.job.custom is NOTHING else facts(put.job) for put in puts]
    return (
        [None if one.bid is None else to_text(one.bid) for one in known],
        [None if one.callback_bid is None else to_text(one.callback_bid) for one in known],
    )


def _amended(plan: Plan) -> Values:
    amends = plan.amends.values()
    if not amends:
        return (None,) * 4
    return (
        [to_text(amend.jid) for amend in amends],
        [None if amend.holder is None else to_text(amend.holder) for amend in amends],
        [amend.expires_at for amend in amends],
        [amend.cancelled for amend in amends],
    )


def _noted(plan: Plan) -> Values:
    """In the order of their keys, so that two servers that write the same records wait for each other in one order."""
    if not plan.notes:
        return (None,) * 5
    keys = sorted(plan.notes)
    notes = [plan.notes[key] for key in keys]
    return (
        [kind for kind, _ in keys],
        [to_text(identity) for _, identity in keys],
        [note.expected for note in notes],
        [note.version for note in notes],
        [note.value for note in notes],
    )


def _locked(plan: Plan) -> Values:
    claimed, released = sorted(plan.claims), sorted(plan.releases)
    return (
        *(
            (list(map(to_text, claimed)), [to_text(plan.claims[key][0]) for key in claimed])
            if claimed
            else (None, None)
        ),
        [plan.claims[key][1] for key in claimed] if claimed else None,
        plan.claims_at,
        *(
            (list(map(to_text, released)), [to_text(plan.releases[key]) for key in released])
            if released
            else (None, None)
        ),
    )


def _queues(plan: Plan) -> Values:
    return (
        list(map(to_text, plan.paused)) if plan.paused else None,
        list(plan.paused.values()) if plan.paused else None,
        list(map(to_text, plan.forgotten)) if plan.forgotten else None,
    )


def of_requests(requests: Sequence[Reserve], lows: "dict[str, int | None]") -> Values:
    """Write requests: lists of queues that many of them share are written once."""
    lists: list[int] = []
    froms: list[int] = []
    tos: list[int] = []
    queues: list[str] = []
    together: list[int] = []
    each: list[int] = []
    known: dict[tuple[tuple[str, ...], int], int] = {}
    for request in requests:
        key = request.queues, id(request.limits) if request.limits else 0
        number = known.get(key)
        if number is None:
            number = known[key] = len(known) + 1
            limits = [(request.limits or {}).get(queue, _NO_LIMIT) for queue in request.queues]
            froms.append(len(queues) + 1)
            queues += map(to_text, request.queues)
            tos.append(len(queues))
            together += [limit.concurrency for limit in limits]
            each += [limit.worker for limit in limits]
        lists.append(number)
    counts = [request.count for request in requests]
    wids = [to_text(request.wid) for request in requests]
    limits_of = (together, each) if any(together) or any(each) else (None, None)
    return lists, counts, wids, froms, tos, queues, [lows.get(queue) for queue in queues], *limits_of


NOTHING_CHANGES: Final[Values] = (None,) * 35
