"""What a user's type checker sees of jobs and clients. Nothing here runs: mypy and pyright read it.

Each wrong call carries the complaint that it must cause; both checkers say so when it causes none.
"""

from datetime import UTC, datetime
from typing import assert_type

from shopfloor import AsyncClient, Client, Order, Tracked, connect, current_job, job


@job
def resize(picture: str, width: int = 640) -> str:
    return f"{picture} at {width}"


@job(queue="mail", retry=3, track=True, timeout=30, dead_on=(ValueError,))
async def send_receipt(customer: int, *, copy: bool = False) -> None: ...


def right_calls() -> None:
    assert_type(resize("a.jpg", width=3), str)
    assert_type(resize.push("a.jpg", width=3), str)
    assert_type(resize.delay("a.jpg"), str)
    assert_type(resize.send("a.jpg"), str)
    assert_type(resize.order("a.jpg"), Order)
    assert_type(resize.options(queue="big", at=datetime.now(UTC), unique_for=60).push("a.jpg", 3), str)


async def right_asynchronous_calls(client: AsyncClient) -> None:
    assert_type(await send_receipt(1), None)
    assert_type(await resize.apush("a.jpg"), str)
    assert_type(await send_receipt.options(delay=5).apush(1, copy=True), str)
    assert_type(await client.push(resize.order("a.jpg")), str)
    assert_type(await client.track("jid"), Tracked)


def wrong_calls() -> None:
    resize(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    resize.push(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    resize.push()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    resize.push("a.jpg", height=3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    resize.delay("a.jpg", "3")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    resize.order(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    resize.options(queue=3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    resize.options(colour="red")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    resize.options(queue="a").push(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    send_receipt.push(1, True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


async def wrong_asynchronous_calls() -> None:
    await send_receipt.apush("1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await resize.options(delay=1).apush(2)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def clients() -> None:
    assert_type(connect("tcp://localhost"), Client)
    assert_type(Client().push_bulk([resize.order("a.jpg")]), list[str])
    assert_type(Client().push_named("Resize", "a.jpg", queue="pictures"), str)
    Client().push_named("Resize", colour="red")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    assert_type(current_job().attempt, int)
