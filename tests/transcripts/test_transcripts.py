"""Every conversation that is written down here is held with a real server, on every store (format: see `script`)."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from shopfloor.cli.throttle_tables import read_throttle_tables
from shopfloor.config import Secret
from shopfloor.config.document import read_document
from shopfloor.wire.handshake import password_hash
from tests.serving import NEVER_SECONDS, PATIENCE_SECONDS, Client, Serving, run, serving, until
from tests.stores import STORES, Kind
from tests.transcripts.script import Scenario, Step, fits, scenarios

SCENARIOS = list(scenarios(Path(__file__).parent))
SETTING = re.compile(r"setting (\w+) = (\d+)")
BYTE = re.compile(rb"<byte ([0-9a-f]{2})>")
TIMERS_AT_REST = dict.fromkeys(("schedule_seconds", "reap_seconds", "batch_seconds", "cron_seconds"), NEVER_SECONDS)
"""Periodic tasks run when the transcript lets time pass, and at no other moment: it means the same on any machine."""
HASH = re.compile(r"<hash (once )?(\w+)>")


class Replay:
    """One scenario under way."""

    def __init__(self, house: Serving, scenario: Scenario) -> None:
        self.house = house
        self.scenario = scenario
        self.clients: dict[str, Client] = {}
        self.greetings: dict[str, str] = {}
        self.stopping: asyncio.Task[None] | None = None
        self.throttles = ""

    async def play(self) -> None:
        """Take the steps; lines of one client that follow each other go out together."""
        for (by, connection), group in groupby(self.scenario.steps, key=lambda step: (step.by, step.connection)):
            steps = list(group)
            if by == "C":
                await self._say(connection, steps)
                continue
            for step in steps:
                await (self._hear(step) if by == "S" else self._do(step.text))
        if self.stopping is not None:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self.stopping

    async def _say(self, connection: str, steps: list[Step]) -> None:
        data = b""
        for step in steps:
            if match := re.fullmatch(r"<hello ?(\w*)>", step.text):
                self.clients[connection] = await self.house.client(match[1])
            elif step.text == "<connect>":
                self.clients[connection] = await self.house.connect()
            else:
                data += self._line(connection, step.text)
        self.clients[connection].writer.write(data)

    def _line(self, connection: str, text: str) -> bytes:
        end = b"\n" if text.endswith("<lf>") else b"\r\n"
        text = HASH.sub(lambda match: self._hash(connection, match[2], once=bool(match[1])), text.removesuffix("<lf>"))
        return BYTE.sub(lambda match: bytes.fromhex(match[1].decode()), text.encode()) + end

    def _hash(self, connection: str, password: str, *, once: bool) -> str:
        asked = json.loads(self.greetings[connection].removeprefix("+HI "))
        return password_hash(password, asked["s"], 1 if once else asked["i"])

    async def _hear(self, step: Step) -> None:
        client = self.clients[step.connection]
        where = f"{self.scenario.file}.txt:{step.line}"
        if step.text == "<closed>":
            assert await client.is_closed(), f"{where}: the server said something else"
            return
        try:
            said = await client.reply()
        except TimeoutError:
            pytest.fail(f"{where}: no answer; expected {step.text}", pytrace=False)
        if said.startswith("+HI"):
            self.greetings[step.connection] = said
        if not fits(step.text, said):
            pytest.fail(f"{where}:\n  expected {step.text}\n  heard    {said}", pytrace=False)

    async def _do(self, text: str) -> None:
        for words, do in DIRECTIVES.items():
            if match := re.fullmatch(words, text):
                await do(self, match[1])
                return
        raise AssertionError(f"nobody knows how to do this: {text}")

    async def _pass(self, seconds: str) -> None:
        await self.house.let_pass(float(seconds))

    async def _give_up(self, _: str) -> None:
        await until(lambda: self.house.parked)
        await self.house.let_pass(self.house.server.broker.context.limits.fetch_seconds)

    async def _wait(self, count: str) -> None:
        await until(lambda: self.house.parked == int(count))

    async def _hang_up(self, connection: str) -> None:
        server = self.house.server
        before = server.vitals().connections
        self.clients.pop(connection).close()
        await until(lambda: server.vitals().connections < before)

    async def _throttle(self, line: str) -> None:
        self.throttles += line + "\n"
        document = read_document(Path("transcript.toml"), f"[throttles]\n{self.throttles}")
        self.house.server.broker.throttles.apply(read_throttle_tables(document.tables.throttles))

    async def _stop(self, _: str) -> None:
        self.stopping = asyncio.create_task(self.house.server.stop())


DIRECTIVES: Mapping[str, Callable[[Replay, str], Awaitable[None]]] = {
    r"(\d+(?:\.\d+)?) seconds? pass(?:es)?": Replay._pass,
    r"the fetch gives (up)": Replay._give_up,
    r"(\d+) fetchers? waits?": Replay._wait,
    r"C(\d*) hangs up": Replay._hang_up,
    r"the server (stops)": Replay._stop,
    r"throttle (.+)": Replay._throttle,
}


def wanted_settings(scenario: Scenario) -> dict[str, Any]:
    """Take the settings out of the steps of a scenario."""
    wanted: dict[str, Any] = {}
    for step in list(scenario.steps):
        match = SETTING.fullmatch(step.text) if step.by == "@" else None
        if match is not None:
            wanted[match[1]] = int(match[2])
        elif step.by == "@" and step.text.startswith("password "):
            wanted["password"] = Secret(step.text.removeprefix("password "))
    return wanted


def without_settings(scenario: Scenario) -> Scenario:
    """Give what is left to be done."""
    is_setting = re.compile(r"(setting|password) .*")
    steps = [step for step in scenario.steps if step.by != "@" or not is_setting.fullmatch(step.text)]
    return Scenario(scenario.file, scenario.title, steps)


@pytest.mark.parametrize("kind", STORES, ids=lambda kind: kind.name)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_the_conversation_is_as_written(scenario: Scenario, kind: Kind, tmp_path: Path) -> None:
    async def converse() -> None:
        async with serving(kind, tmp_path, **(TIMERS_AT_REST | wanted_settings(scenario))) as house:
            await Replay(house, without_settings(scenario)).play()

    run(converse())


def test_a_reply_that_differs_is_noticed() -> None:
    assert fits('$ {"at":"<time>","n":<number>}', '$ {"at":"2023-11-14T22:13:20.000000Z","n":1.5}')
    assert not fits("+OK", "+OK!")
    assert not fits("-ERR a.c", "-ERR abc")
    assert not fits("$ <number>", "$ x")
