"""INFO tells how far the server's clock is ahead of the store's, where the store has one."""

import json
import time
from pathlib import Path

import pytest

from tests.serving import run, serving
from tests.stores import EMBEDDED, POSTGRES, REDIS, Kind


@pytest.mark.parametrize("kind", [POSTGRES, REDIS], ids=lambda kind: kind.name)
def test_the_clock_of_a_store_is_compared(kind: Kind, tmp_path: Path) -> None:
    async def ask() -> float:
        async with serving(kind, tmp_path) as house:
            house.clock.now = time.time() + 100
            client = await house.client()
            told = json.loads((await client.ask("INFO")).removeprefix("$ "))
            return float(told["server"]["store_clock_ahead"])

    assert 40 < run(ask()) < 101


def test_a_store_in_the_server_has_no_other_clock(tmp_path: Path) -> None:
    async def ask() -> object:
        async with serving(EMBEDDED, tmp_path) as house:
            client = await house.client()
            return json.loads((await client.ask("INFO")).removeprefix("$ "))["server"]["store_clock_ahead"]

    assert run(ask()) is None
