"""What the pages show is true: their transcripts are replayed, their refusals provoked, README's program run.

A block marked `transcript` is one connection to an empty server. `C:` is sent and `S:` must come back: a simple reply
or an error as it stands, a bulk reply as its JSON, in which "…" stands for any value and the key "…" for further keys.
A line that begins with spaces goes on with the one before. HELLO is said for you unless the block shows the greeting.
A reply such as `b-report` gives a name to the bid that came, which later lines use.

In tables, a row of two code cells of which the second begins with `-` is a command and its refusal.
"""

import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.servers import ADDRESS, Server, describe, running

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
TRANSCRIPT = re.compile(r"^```transcript\n(.*?)^```", re.MULTILINE | re.DOTALL)
REFUSAL = re.compile(r"^\| `([^`]*)` \| `(-[^`]*)` \|", re.MULTILINE)
PROGRAM = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
NAMED_BID = re.compile(r"b-[a-z]+")
BID = re.compile(r"b-[\w-]{14}")
ANYTHING = "…"
HELLO = 'C: HELLO {"v":2}\nS: +OK\n'
SECONDS_MAX = 60.0


class Wire:
    """One connection; what it reads is as the pages show it."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection((ADDRESS, port), timeout=SECONDS_MAX)
        self._reader = self._socket.makefile("rb")

    def send(self, line: str) -> None:
        self._socket.sendall(line.encode() + b"\r\n")

    def read(self) -> str:
        """Read one reply; of a bulk reply its body, of a null one `$-1`, of a closed connection nothing."""
        line = self._reader.readline().decode().removesuffix("\r\n")
        if not line.startswith("$") or line == "$-1":
            return line
        return self._reader.read(int(line[1:]) + 2).decode().removesuffix("\r\n")

    def close(self) -> None:
        self._reader.close()
        self._socket.close()


@pytest.fixture(scope="module")
def busy_server() -> Iterator[Server]:
    with running(describe("shopfloor:none")) as server:
        yield server


@pytest.fixture
def server(busy_server: Server) -> Server:
    """Give an empty server: other tests may have left something."""
    wire = Wire(busy_server.port)
    for line in ("HELLO {}", "FLUSH"):
        wire.send(line)
    assert [wire.read()[:3] for _ in range(3)] == ["+HI", "+OK", "+OK"]
    wire.close()
    return busy_server


@pytest.fixture
def wire(server: Server) -> Iterator[Wire]:
    connection = Wire(server.port)
    yield connection
    connection.close()


def _transcripts() -> Iterator[Any]:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in TRANSCRIPT.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            yield pytest.param(match[1], id=f"{page.relative_to(ROOT)}:{line}")


def _refusals() -> Iterator[Any]:
    for page in PAGES:
        for sent, reply in REFUSAL.findall(page.read_text(encoding="utf-8")):
            yield pytest.param(sent.replace("\\|", "|"), reply.replace("\\|", "|"), id=f"{page.name}: {sent}")


def fits(shown: Any, got: Any) -> bool:
    """Say whether a reply is as shown, where "…" leaves something open."""
    if shown == ANYTHING:
        return True
    if isinstance(shown, dict) and isinstance(got, dict):
        named = shown.keys() - {ANYTHING}
        is_whole = named == got.keys() or (ANYTHING in shown and named <= got.keys())
        return is_whole and all(fits(shown[key], got[key]) for key in named)
    if isinstance(shown, list) and isinstance(got, list):
        return len(shown) == len(got) and all(map(fits, shown, got))
    return type(shown) is type(got) and bool(shown == got)


@pytest.mark.parametrize("transcript", [*_transcripts()])
def test_the_transcript_is_what_happens(transcript: str, wire: Wire) -> None:
    if not transcript.startswith("S: +HI"):
        assert wire.read().startswith("+HI")
        transcript = HELLO + transcript
    bids: dict[str, str] = {}
    for line in re.sub(r"\n +", "", transcript).splitlines():
        who, said = line[:3], NAMED_BID.sub(lambda match: bids.get(match[0], match[0]), line[3:])
        if who == "C: ":
            wire.send(said)
            continue
        assert who == "S: ", f"neither C: nor S: begins {line!r}"
        got = wire.read()
        if said[:1] in ("[", "{"):
            assert fits(json.loads(said), json.loads(got)), got
        elif NAMED_BID.fullmatch(said) and BID.fullmatch(got):
            bids[said] = got
        else:
            assert got == said


@pytest.mark.parametrize(("sent", "reply"), [*_refusals()])
def test_the_refusal_is_worded_as_shown(sent: str, reply: str, wire: Wire) -> None:
    wire.read()
    wire.send("HELLO {}")
    assert wire.read() == "+OK"
    wire.send(sent)
    got = wire.read()
    before, gap, after = reply.partition(ANYTHING)
    assert got == reply or (gap and got.startswith(before) and got.endswith(after)), got


def test_the_program_of_the_readme_runs(server: Server) -> None:
    match = PROGRAM.search((ROOT / "README.md").read_text(encoding="utf-8"))
    assert match is not None
    program = match[1].replace("7419", str(server.port))
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=SECONDS_MAX, check=False
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "resizing cat.jpg 640\n", "")


def test_what_is_left_open_in_a_transcript_is_open_and_nothing_else() -> None:
    assert fits({"a": ANYTHING, ANYTHING: ANYTHING}, {"a": 1, "b": 2})
    assert not fits({"a": ANYTHING}, {"a": 1, "b": 2})
    assert not fits([1, ANYTHING], [1])
    assert not fits({"a": 1}, {"a": 1.0})
