"""`Batch`: jobs with callbacks, as a block of code."""

from dataclasses import dataclass
from types import TracebackType
from typing import Self

from shopfloor.errors import ShopfloorError
from shopfloor.sdk import asks
from shopfloor.sdk.current import CHOSEN
from shopfloor.sdk.order import Order
from shopfloor.sdk.workflow import Step, Workflow, callback, launch


@dataclass(frozen=True, slots=True, kw_only=True)
class Callbacks:
    """What comes when a batch is through: jobs or workflows."""

    success: Step | None = None
    """When every member has succeeded."""
    complete: Step | None = None
    """When every member was tried at least once."""
    death: Step | None = None
    """When the first member is lost; not with a Faktory."""

    def said(self, extensions: frozenset[str]) -> dict[str, object]:
        """Write them as the keys of a batch."""
        named = {"success": self.success, "complete": self.complete, "death": self.death}
        return {key: callback((step,), extensions) for key, step in named.items() if step is not None}


class Batch:
    """A block in which jobs are pushed into a batch, `with` or `async with`; at its end the batch is committed.

    Leaving the block with an exception leaves the batch open: no callback comes, and the server forgets it after a
    while. `Batch(bid=…)` opens a batch again, as a callback of one of its children may.
    """

    def __init__(
        self,
        *,
        success: Step | None = None,
        complete: Step | None = None,
        death: Step | None = None,
        description: str = "",
        bid: str = "",
    ) -> None:
        self.bid = bid
        self._callbacks = Callbacks(success=success, complete=complete, death=death)
        self._description = description
        self._extensions: frozenset[str] = frozenset()

    def __enter__(self) -> Self:
        client = CHOSEN.connected()
        self._extensions = client.extensions()
        self.bid = client.run(self._begin())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            CHOSEN.connected().run(asks.batch_commit(self.bid))

    async def __aenter__(self) -> Self:
        client = CHOSEN.connected_asynchronously()
        self._extensions = await client.extensions()
        self.bid = await client.run(self._begin())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            await CHOSEN.connected_asynchronously().run(asks.batch_commit(self.bid))

    def push(self, member: Step) -> str:
        """Push a job into the batch, and answer its jid; or a workflow, and answer its bid."""
        if isinstance(member, Workflow):
            return CHOSEN.connected().perform(launch((member,), self._extensions, self._open_bid()))
        return CHOSEN.connected().push(self._joining(member))

    async def apush(self, member: Step) -> str:
        """Push a job into the batch, and answer its jid; or a workflow, and answer its bid."""
        client = CHOSEN.connected_asynchronously()
        if isinstance(member, Workflow):
            return await client.perform(launch((member,), self._extensions, self._open_bid()))
        return await client.push(self._joining(member))

    def _begin(self) -> asks.Ask[str]:
        if self.bid:
            return asks.batch_open(self.bid)
        described = {"description": self._description} if self._description else {}
        return asks.batch_new({**described, **self._callbacks.said(self._extensions)})

    def _joining(self, order: Order) -> Order:
        return order.with_custom({"bid": self._open_bid()})

    def _open_bid(self) -> str:
        if not self.bid:
            raise ShopfloorError("a batch takes jobs within its block: with Batch(…) as batch")
        return self.bid
