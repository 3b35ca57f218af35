"""Logging in: the password is checked in slices, and nothing happens before it was found right."""

import asyncio
import json
from pathlib import Path

import pytest

from shopfloor.config import Secret
from shopfloor.server import login
from shopfloor.wire.handshake import password_hash
from tests.serving import Client, run, serving, until
from tests.stores import MEMORY

PUSH = '{"jid":"job-0001","jobtype":"T","args":[]}'


async def proof(client: Client, password: str) -> str:
    """Read the greeting and write the HELLO that answers it."""
    asked = json.loads((await client.reply()).removeprefix("+HI "))
    return f'HELLO {{"v":2,"pwdhash":"{password_hash(password, asked["s"], asked["i"])}"}}'


@pytest.fixture(autouse=True)
def _slow_hashing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the check of one password take thousands of turns of the event loop."""
    monkeypatch.setattr(login, "SLICE_ROUNDS", 1)


@pytest.mark.parametrize(("password", "heard"), [("foobar", ["+OK", "+OK"]), ("fooba", ["-ERR Invalid password", ""])])
def test_what_comes_while_the_password_is_checked_waits_for_the_verdict(
    password: str, heard: list[str], tmp_path: Path
) -> None:
    async def scene() -> None:
        async with serving(MEMORY, tmp_path, password=Secret("foobar")) as house:
            client = await house.connect()
            client.send(await proof(client, password))
            for _ in range(20):
                await asyncio.sleep(0)
            client.send(f"PUSH {PUSH}")
            assert [await client.reply() for _ in heard] == heard
            assert len(await house.server.broker.context.store.queues()) == heard.count("+OK") // 2

    run(scene())


def test_a_crowd_of_wrong_passwords_delays_only_logins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(login, "SLICE_ROUNDS", 100)

    async def scene() -> None:
        async with serving(MEMORY, tmp_path, password=Secret("foobar")) as house:
            good = await house.connect()
            assert await good.ask(await proof(good, "foobar")) == "+OK"
            crowd = [await house.connect() for _ in range(20)]
            for client in crowd:
                client.send(await proof(client, "wrong"))
            answered = asyncio.gather(*[client.reply() for client in crowd])
            served = 0
            while not answered.done():
                assert await good.ask("QUEUE PEEK empty") == "$ []"
                served += 1
            assert set(await answered) == {"-ERR Invalid password"}
            assert served > len(crowd)

    run(scene())


def test_a_client_that_leaves_while_its_password_is_checked_leaves_nothing_behind(tmp_path: Path) -> None:
    async def scene() -> None:
        async with serving(MEMORY, tmp_path, password=Secret("foobar")) as house:
            client = await house.connect()
            client.send(await proof(client, "foobar"), f"PUSH {PUSH}")
            await client.writer.drain()
            client.writer.transport.abort()
            await until(lambda: house.server.vitals().connections == 0)
            other = await house.connect()
            assert await other.ask(await proof(other, "foobar")) == "+OK"
            assert await other.ask("JOB GET job-0001") == "-ERR Job not found job-0001"

    run(scene())


def test_a_new_password_holds_for_those_who_come_and_not_for_those_who_are_there(tmp_path: Path) -> None:
    async def scene() -> None:
        async with serving(MEMORY, tmp_path, password=Secret("old")) as house:
            early = await house.connect()
            assert await early.ask(await proof(early, "old")) == "+OK"
            house.server.reload("new")
            late = await house.connect()
            assert await late.ask(await proof(late, "old")) == "-ERR Invalid password"
            right = await house.connect()
            assert await right.ask(await proof(right, "new")) == "+OK"
            assert await early.ask(f"PUSH {PUSH}") == "+OK"

    run(scene())
