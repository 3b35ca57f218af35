"""Garbage, half lines and sudden ends on real sockets, while a client that behaves goes on undisturbed."""

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serving import Client, Serving, run, serving, until
from tests.stores import MEMORY

GOOD = (
    b'PUSH {"jid":"fuzz-%d","jobtype":"T","queue":"fuzz","args":[1]}',
    b"FETCH fuzz",
    b'ACK {"jid":"fuzz-%d"}',
    b'FAIL {"jid":"fuzz-%d"}',
    b'BEAT {"wid":"w%d"}',
    b'MUTATE {"cmd":"kill","target":"retries","filter":{"jids":["fuzz-%d"]}}',
    b"QUEUE PAUSE fuzz",
    b"QUEUE RESUME fuzz",
    b"QUEUE PEEK fuzz 5",
    b"JOB CANCEL fuzz-%d",
    b"INFO",
    b"END",
)
ROGUES = 150
LINES_MAX = 8


def garbage(dice: random.Random) -> bytes:
    """Make a line that is good, damaged, or noise; with its end, or without."""
    line = dice.choice(GOOD)
    if b"%d" in line:
        line %= dice.randrange(10)
    for _ in range(dice.randrange(3)):
        at = dice.randrange(len(line) + 1)
        line = line[:at] + dice.randbytes(dice.randrange(4)) + line[at + dice.randrange(3) :]
    if dice.random() < 0.1:
        line = dice.randbytes(dice.randrange(200))
    return line + dice.choice([b"\r\n", b"\n", b"\r\n", b""])


def pieces(dice: random.Random) -> Iterator[bytes]:
    """Give what one rogue sends, piece by piece; most say a good HELLO first."""
    if dice.random() < 0.8:
        yield b'HELLO {"v":2,"wid":"%b"}\r\n' % dice.choice([b"", b"w1", b"w2"])
    for _ in range(dice.randrange(LINES_MAX)):
        line = garbage(dice)
        cut = dice.randrange(len(line) + 1)
        yield line[:cut]
        yield line[cut:]


async def misbehave(house: Serving, dice: random.Random) -> None:
    """Connect, send, read or not, and go: politely, in the middle of a line, or with a reset."""
    client = await house.connect()
    try:
        for piece in pieces(dice):
            if client.writer.is_closing():
                break
            client.writer.write(piece)
            await asyncio.sleep(0)
            if dice.random() < 0.3:
                await client.writer.drain()
        if dice.random() < 0.5:
            client.writer.transport.abort()
        else:
            client.close()
            await client.is_closed()
    except ConnectionError:
        pass


async def behave(client: Client, rounds: int) -> None:
    """Push, fetch, acknowledge and look, and insist on the right answers."""
    for number in range(rounds):
        jid = f"good-{number:06}"
        assert await client.ask(f'PUSH {{"jid":"{jid}","jobtype":"T","queue":"good","args":[{number}]}}') == "+OK"
        job = await client.ask("FETCH good")
        assert f'"jid":"{jid}"' in job
        assert f'"args":[{number}]' in job
        assert await client.ask("NONSENSE") == "-ERR unknown command NONSENSE"
        assert await client.ask(f'ACK {{"jid":"{jid}"}}') == "+OK"
        assert await client.ask(f"JOB GET {jid}") == f"-ERR Job not found {jid}"


@pytest.mark.parametrize("seed", range(4))
def test_a_client_that_behaves_is_served_while_others_send_garbage(seed: int, tmp_path: Path) -> None:
    async def scene() -> None:
        dice = random.Random(seed)
        async with serving(MEMORY, tmp_path, line_bytes_max=5000) as house:
            good = await house.client("good")
            rogues = [misbehave(house, random.Random(dice.random())) for _ in range(ROGUES)]
            await asyncio.gather(behave(good, 50), *rogues)
            assert house.server.broker.ticks.waiting.count <= ROGUES
            await until(lambda: house.server.vitals().connections == 1)
            assert house.parked == 0
            await behave(good, 2)

    run(scene())
