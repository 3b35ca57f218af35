"""Both clients ask a real server, and lose it on the way; each test is held with the one and the other."""

import asyncio
import inspect
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from benchmarks.servers import ADDRESS, Server, describe, running
from shopfloor import (
    AsyncClient,
    BulkRefused,
    Carry,
    Client,
    ClientSettings,
    Middleware,
    Options,
    Order,
    Refused,
    Selection,
    ServerUnreachable,
    job,
)
from shopfloor.errors import ProtocolBroken
from shopfloor.sdk import asks
from shopfloor.sdk.client import named_order
from shopfloor.wire.client import command
from tests.sdk.proxy import Proxy

QUICK = ClientSettings(timeout_seconds=10, connections_max=4)


class Either:
    """A client of one kind or the other, with the same blocking face."""

    def __init__(self, inner: Any, runner: asyncio.Runner | None) -> None:
        self._inner = inner
        self._runner = runner

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._inner, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            async def awaited() -> Any:
                answer = method(*args, **kwargs)
                return await answer if inspect.isawaitable(answer) else answer

            return (
                method(*args, **kwargs) if self._runner is None else self._runner.run(awaited(), context=copy_context())
            )

        return call


Make = Callable[..., Either]


@pytest.fixture(params=["blocking", "asynchronous"])
def make(request: pytest.FixtureRequest) -> Iterator[Make]:
    """Give a maker of clients of one kind."""
    made: list[Either] = []
    runner = asyncio.Runner() if request.param == "asynchronous" else None

    def make_one(url: str, settings: ClientSettings = QUICK) -> Either:
        if runner is None:
            made.append(Either(Client(url, settings), None))
        else:

            async def build() -> AsyncClient:
                return AsyncClient(url, settings)

            made.append(Either(runner.run(build()), runner))
        return made[-1]

    yield make_one
    for client in made:
        client.close()
    if runner is not None:
        runner.close()


@pytest.fixture
def either(make: Make, url: str) -> Either:
    return make(url)


def order(jobtype: str = "Resize", *args: object, **options: Any) -> Order:
    return named_order(jobtype, args, cast(Options, options), lambda: 1_000_000.0)


@pytest.fixture
def proxy(busy_server: Server, url: str) -> Iterator[Proxy]:
    one = Proxy(busy_server.port)
    yield one
    one.close()


def test_pushing_and_looking(either: Either) -> None:
    jid = either.push_named("Resize", "cat.jpg", 640, queue="pictures", retry=3, custom={"a": 1})
    (seen,) = either.peek("pictures")
    assert (seen["jid"], seen["args"], seen["retry"], seen["custom"]) == (jid, ["cat.jpg", 640], 3, {"a": 1})
    assert either.get(jid)["place"] == "queued"
    assert either.get("nobody-01") is None
    assert either.latency("pictures")["pictures"] >= 0
    assert either.info()["faktory"]["queues"] == {"pictures": 1}
    assert "QUEUE PEEK" in either.extensions()
    either.queue("PAUSE", "pictures")
    either.queue("RESUME", "pictures")
    either.cancel(jid)
    with pytest.raises(Refused, match="Job not found"):
        either.cancel(jid)
    with pytest.raises(Refused, match="JOB GET"):
        either.get("")


def test_what_options_become(either: Either) -> None:
    when = datetime(2099, 1, 1, tzinfo=UTC)
    jid = either.push(
        order(at=when, unique_for=timedelta(minutes=1), unique_until="start", track=True, reserve_for=90, retry=0)
    )
    told = either.get(jid)
    assert told["place"] == "scheduled"
    assert told["job"]["at"].startswith("2099-01-01T00:00:00")
    assert told["job"]["custom"] == {"unique_for": 60.0, "unique_until": "start", "track": 1}
    assert (told["job"]["reserve_for"], told["job"]["retry"]) == (90, 0)
    assert either.jobs_in("scheduled", Selection(jobtype="Resize"))["jobs"][0]["job"]["jid"] == jid
    either.mutate("requeue", "scheduled", Selection(jids=(jid,)))
    assert either.get(jid)["place"] == "queued"
    assert either.track(jid).state == "enqueued"


def test_delays_count_from_the_clients_clock() -> None:
    assert order(delay=timedelta(seconds=5)).at == "1970-01-12T13:46:45Z"
    assert order(expires_in=5, expires_at=datetime(2099, 1, 1, tzinfo=UTC)).custom == {
        "expires_in": 5,
        "expires_at": "2099-01-01T00:00:00Z",
    }
    with pytest.raises(ValueError, match="either at or delay"):
        order(delay=5, at=datetime(2099, 1, 1, tzinfo=UTC))
    with pytest.raises(ValueError, match="needs a zone"):
        order(at=datetime(2099, 1, 1))  # noqa: DTZ001


def test_pushing_in_bulk(either: Either) -> None:
    orders = [order("Resize", number, queue="pictures") for number in range(asks.BULK_JOBS_MAX + 1)]
    assert either.push_bulk(orders) == [one.jid for one in orders]
    assert either.info()["faktory"]["queues"]["pictures"] == len(orders)
    bad = order(jid="too")
    with pytest.raises(BulkRefused) as raised:
        either.push_bulk([order(queue="others"), bad])
    assert list(raised.value.refusals) == ["too"]
    assert either.info()["faktory"]["queues"]["others"] == 1
    assert either.push_bulk([]) == []


def test_tracking_and_waiting(either: Either, url: str) -> None:
    jid = either.push(order(track=True))
    with pytest.raises(TimeoutError, match="is enqueued"):
        either.wait(jid, 0.02)
    with Client(url) as worker:
        worker.run(asks.Ask(command("FETCH default"), lambda reply: reply))
        worker.run(asks.track_set(jid, {"percent": 50, "result": {"rows": 3}}))
        worker.run(asks.Ask(command("ACK", b'{"jid":"%s"}' % jid.encode()), lambda reply: reply))
    told = either.wait(jid, 10)
    assert (told.state, told.percent, told.result) == ("success", 50, {"rows": 3})


def test_cron_and_batches(either: Either) -> None:
    either.cron_put({"name": "nightly", "schedule": "0 3 * * *", "job": {"type": "Report", "queue": "low"}})
    assert [entry["name"] for entry in either.cron_list()] == ["nightly"]
    jid = either.cron_run("nightly")
    assert either.get(jid)["job"]["jobtype"] == "Report"
    either.cron("REMOVE", "nightly")
    assert either.cron_list() == []
    bid = either.run(asks.batch_new({"success": {"jobtype": "Done", "args": []}}))
    assert either.batch_status(bid).total == 0
    assert either.run(asks.batch_open(bid)) == bid
    either.run(asks.batch_commit(bid))
    assert either.batch_status(bid).success_st == "1"


@pytest.mark.parametrize("reply_lost", [True, False])
def test_a_push_whose_reply_is_lost_is_pushed_once(make: Make, proxy: Proxy, reply_lost: bool) -> None:
    client = make(proxy.url)
    client.info()
    if reply_lost:
        proxy.cut_once()
    else:
        proxy.cut_everything()
    client.push(order(queue="pictures"))
    assert proxy.cuts == reply_lost
    assert client.info()["faktory"]["queues"] == {"pictures": 1}


def test_what_is_not_repeatable_is_not_repeated(make: Make, proxy: Proxy) -> None:
    client = make(proxy.url)
    client.info()
    jid = client.push(order())
    proxy.cut_once()
    with pytest.raises(ServerUnreachable):
        client.cancel(jid)
    assert client.get(jid) is None


def test_a_server_that_is_away(make: Make) -> None:
    with socket.create_server((ADDRESS, 0)) as reserved:
        port = reserved.getsockname()[1]
    with pytest.raises(ServerUnreachable, match="cannot reach"):
        make(f"tcp://{ADDRESS}:{port}", ClientSettings(timeout_seconds=0.3)).info()


def test_a_server_that_is_restarted(make: Make) -> None:
    with running(describe("shopfloor:none")) as server:
        proxy = Proxy(server.port)
        client = make(proxy.url)
        jid = client.push(order())
        server.stop()
        proxy.cut_everything()
        server.start()
        proxy.move_to(server.port)
        assert client.get(jid)["place"] == "queued"
        proxy.close()


def test_a_server_that_does_not_answer(make: Make) -> None:
    with socket.create_server((ADDRESS, 0)) as silent:
        client = make(f"tcp://{ADDRESS}:{silent.getsockname()[1]}", ClientSettings(timeout_seconds=0.2))
        with pytest.raises(ServerUnreachable, match="no answer from"):
            client.info()


def test_a_peer_that_is_no_server(make: Make) -> None:
    listener = socket.create_server((ADDRESS, 0))

    def greet() -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            peer.sendall(b"SSH-2.0\r\n")
            peer.close()

    thread = threading.Thread(target=greet)
    thread.start()
    try:
        client = make(f"tcp://{ADDRESS}:{listener.getsockname()[1]}", ClientSettings(timeout_seconds=0.2))
        with pytest.raises(ProtocolBroken, match="no Faktory server"):
            client.info()
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def test_many_at_once(url: str) -> None:
    async def main() -> None:
        async with AsyncClient(url, QUICK) as client:
            jids = await asyncio.gather(*(client.push(order(queue="many")) for _ in range(200)))
            assert len(set(jids)) == 200
            assert (await client.info())["faktory"]["queues"]["many"] == 200

    asyncio.run(main())
    with Client(url, QUICK) as client:
        threads = [threading.Thread(target=client.push, args=[order(queue="threads")]) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert client.info()["faktory"]["queues"]["threads"] == 20


def test_a_pool_that_is_used_up(url: str) -> None:
    client = Client(url, ClientSettings(timeout_seconds=0.1, connections_max=1))
    with client, client._pool.lend(), pytest.raises(ServerUnreachable, match=r"every connection .* is in use"):
        client.info()


def test_a_child_process_makes_connections_of_its_own(url: str) -> None:
    with Client(url, QUICK) as client:
        client.info()
        inherited = list(client._pool._idle)
        client._pool._pid = -1  # what a fork looks like from the child
        client.info()
        assert client._pool._idle[0] not in inherited
        assert client._pool._pid == os.getpid()
        for link in inherited:
            link.close()


tenant: ContextVar[str] = ContextVar("tenant")


def test_middleware_is_an_onion(make: Make, url: str) -> None:
    heard: list[str] = []

    class Layer(Middleware):
        def __init__(self, name: str) -> None:
            self.name = name

        @contextmanager
        def pushing(self, order: Order) -> Iterator[Order]:
            heard.append(f"{self.name} in")
            yield order.with_custom({self.name: len(order.custom)})
            heard.append(f"{self.name} out")

    settings = ClientSettings(middleware=(Layer("outer"), Layer("inner"), Carry(tenant=tenant)))
    client = make(url, settings)
    token = tenant.set("acme")
    jid = client.push(order())
    tenant.reset(token)
    assert heard == ["outer in", "inner in", "inner out", "outer out"]
    assert client.get(jid)["job"]["custom"] == {"outer": 0, "inner": 1, "carried": {"tenant": "acme"}}


def test_a_context_variable_that_is_not_set_is_not_carried(make: Make, url: str) -> None:
    client = make(url, ClientSettings(middleware=(Carry(tenant=tenant),)))
    assert "custom" not in client.get(client.push(order()))["job"]


@job(queue="pictures", retry=2)
def resize(picture: str, width: int = 640) -> str:
    return f"{picture} at {width}"


def test_a_job_is_a_function_that_can_be_pushed(client: Client) -> None:
    assert resize("a.jpg", width=3) == "a.jpg at 3"
    assert repr(resize) == "<job resize>"
    jids = [
        resize.push("a.jpg"),
        resize.delay("b.jpg", 3),
        resize.options(queue="others", track=True).push("c.jpg", width=5),
        asyncio.run(resize.apush("d.jpg")),
        asyncio.run(resize.options(retry=9).apush("e.jpg")),
        *client.push_bulk([resize.order("f.jpg")]),
    ]
    jobs = [told["job"] for jid in jids if (told := client.get(jid)) is not None]
    assert [one["args"] for one in jobs] == [["a.jpg"], ["b.jpg", 3], ["c.jpg", 5], ["d.jpg"], ["e.jpg"], ["f.jpg"]]
    assert [one["queue"] for one in jobs] == ["pictures", "pictures", "others", "pictures", "pictures", "pictures"]
    assert [one["retry"] for one in jobs] == [2, 2, 2, 2, 9, 2]
    assert {one["jobtype"] for one in jobs} == {"resize"}
    with pytest.raises(TypeError, match="missing a required argument"):
        resize.push()  # type: ignore[call-arg]
