"""Workflows: jobs after and beside one another, nested as one likes, as the server's batches.

Where the server takes batches that are declared whole, a workflow is one command as far as it can be said so. What
cannot (a group whose members are workflows, and on a Faktory every second step) is launched step by step: each step
is a batch within an enclosing one, and the callback of a step is a job for our own worker, `shopfloor.continue`, which
opens the enclosing batch again and launches the rest. The enclosing batch waits, since a child's callback is under way.
"""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import Raw

from shopfloor.errors import ShopfloorError
from shopfloor.sdk import asks
from shopfloor.sdk.asks import Ask
from shopfloor.sdk.current import CHOSEN
from shopfloor.sdk.order import Order, fresh_jid

CONTINUE = "shopfloor.continue"
"""The type of the jobs that launch what is left of a workflow."""
DECLARES = "BATCH SHOW"
"""A server with this extension takes batches that are declared whole."""

Asking = Generator[Ask[Any], Any, str]
"""Yields asks, is sent what they answered, and returns a bid."""


class Workflow:
    """What `chain`, `group` and `chord` make: pushed as a whole, or part of another one."""

    def push(self) -> str:
        """Push it; answer the bid of the batch that stands for it, empty where it is a single job."""
        return CHOSEN.connected().perform(launch((self,), CHOSEN.connected().extensions()))

    async def apush(self) -> str:
        """Push it; answer the bid of the batch that stands for it."""
        client = CHOSEN.connected_asynchronously()
        return await client.perform(launch((self,), await client.extensions()))


Step = Order | Workflow


@dataclass(frozen=True)
class Chain(Workflow):
    """One after the other; a step begins when all of the one before has succeeded."""

    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Group(Workflow):
    """Beside one another; it has succeeded when every member has."""

    members: tuple[Step, ...]


def chain(*steps: Step) -> Chain:
    """Have steps done one after the other: `chain(extract.order(day), load.order(day))`."""
    flat = [inner for step in steps for inner in (step.steps if isinstance(step, Chain) else (step,))]
    return Chain(_some(flat, "chain"))


def group(*members: Step) -> Group:
    """Have members done beside one another."""
    return Group(_some(members, "group"))


def chord(members: Sequence[Step], then: Step) -> Chain:
    """Have members done beside one another, and something when all have succeeded."""
    return chain(group(*members), then)


def _some(steps: Sequence[Step], what: str) -> tuple[Step, ...]:
    for step in steps:
        if not isinstance(step, Order | Workflow):
            raise TypeError(f"a {what} is made of orders and workflows, such as f.order(…), not of {step!r}")
    if not steps:
        raise ShopfloorError(f"a {what} needs something to do")
    return tuple(steps)


def declared(steps: Sequence[Step]) -> dict[str, object] | None:
    """Say steps in one declaration of a batch; None where that is not possible."""
    definition: dict[str, object] | None = {}
    for step in reversed(_flat(steps)):
        members = step.members if isinstance(step, Group) else (step,)
        if not all(isinstance(member, Order) for member in members):
            return None
        after = {"success": definition} if definition else {}
        definition = {"jobs": [_job(member) for member in members if isinstance(member, Order)], **after}
    return definition


def callback(steps: Sequence[Step], extensions: frozenset[str], parent: str = "") -> Mapping[str, object]:
    """Say what is to come when a batch is through: a job, a declared batch, or a job that launches the rest."""
    flat = _flat(steps)
    if len(flat) == 1 and isinstance(flat[0], Order):
        return _job(flat[0])
    whole = declared(flat) if DECLARES in extensions else None
    return whole if whole is not None else continuation(flat, parent)


def continuation(steps: Sequence[Step], parent: str) -> dict[str, object]:
    """Make the job that launches steps within a batch; it goes where the first of the steps will go."""
    rest = [as_plain(step) for step in steps]
    job: dict[str, object] = {"jid": fresh_jid(), "jobtype": CONTINUE, "args": [rest, parent]}
    queue = _first_queue(steps)
    return {**job, "queue": queue} if queue else job


def launch(steps: Sequence[Step], extensions: frozenset[str], parent: str = "") -> Asking:
    """Launch steps, within a batch that is open or by themselves; answer the bid of what was made."""
    flat = _flat(steps)
    if DECLARES in extensions and (whole := declared(flat)) is not None:
        return str((yield asks.batch_new(_within(parent, whole))))
    if not parent and (len(flat) > 1 or not isinstance(flat[0], Group)):
        return (yield from _launch_enclosed(flat, extensions))
    first, rest = flat[0], flat[1:]
    if isinstance(first, Order) and not rest:
        return (yield from _push_into(parent, first))
    after = {"success": callback(rest, extensions, parent)} if rest else _end(extensions)
    bid = yield asks.batch_new(_within(parent, after))
    for member in first.members if isinstance(first, Group) else (first,):
        yield from (_push_into(bid, member) if isinstance(member, Order) else launch((member,), extensions, bid))
    yield asks.batch_commit(bid)
    return str(bid)


def resume(plain: Sequence[Any], parent: str, extensions: frozenset[str]) -> Asking:
    """Launch what a continuation was left with, in its batch, which is opened again for it."""
    if not plain:
        return parent
    if parent:
        yield asks.batch_open(parent)
    bid = yield from launch([from_plain(one) for one in plain], extensions, parent)
    if parent:
        yield asks.batch_commit(parent)
    return bid


def as_plain(step: Step) -> dict[str, object]:
    """Write a step as JSON, to be read back by `from_plain`."""
    if isinstance(step, Order):
        return {"job": step}
    if isinstance(step, Group):
        return {"group": [as_plain(member) for member in step.members]}
    assert isinstance(step, Chain)
    return {"chain": [as_plain(inner) for inner in step.steps]}


def from_plain(plain: Mapping[str, Any]) -> Step:
    """Read a step that was written as JSON."""
    if "job" in plain:
        job = plain["job"]
        return msgspec.convert({**job, "args": Raw(msgspec.json.encode(job["args"]))}, Order)
    if "group" in plain:
        return Group(tuple(from_plain(one) for one in plain["group"]))
    return Chain(tuple(from_plain(one) for one in plain["chain"]))


def _launch_enclosed(steps: Sequence[Step], extensions: frozenset[str]) -> Asking:
    """Launch steps in a batch of their own, which is through when the last of them is."""
    bid = yield asks.batch_new(_end(extensions))
    yield from launch(steps, extensions, bid)
    yield asks.batch_commit(bid)
    return str(bid)


def _push_into(bid: str, order: Order) -> Asking:
    yield asks.push(order.with_custom({"bid": bid}))
    return bid


def _end(extensions: frozenset[str]) -> dict[str, object]:
    """Say that nothing comes after a batch. A Faktory wants a callback all the same."""
    return {} if DECLARES in extensions else {"success": continuation((), "")}


def _within(parent: str, definition: Mapping[str, object]) -> dict[str, object]:
    return {**definition, "parent_bid": parent} if parent else dict(definition)


def _job(order: Order) -> dict[str, object]:
    """Write an order as a part of a batch's definition."""
    return msgspec.json.decode(order.text(), type=dict[str, object]) | {"args": order.args}


def _flat(steps: Sequence[Step]) -> list[Step]:
    return [inner for step in steps for inner in (_flat(step.steps) if isinstance(step, Chain) else (step,))]


def _first_queue(steps: Sequence[Step]) -> str:
    for step in _flat(steps):
        if isinstance(step, Order):
            return step.queue
        if isinstance(step, Group):
            return _first_queue(step.members)
    return ""
