"""Transcripts: conversations with the server, written down line by line.

    == A title begins a scenario, with a server and clients of its own
    # a remark
    @ throttle scrape = { concurrency = 2 }   a row of `[throttles]`, for this scenario
    @ password foobar                a setting of this scenario; `@ setting name = number` is another
    C: <hello>                       connect and say HELLO; `<hello w1>` gives a wid. `<connect>` only connects
    C: PUSH {"jid":…}                the client sends a line; several in a row go in one packet
    S: +OK                           the server answers
    S: $ {"retry":25,…}              a bulk reply; its length is checked and not written
    S: <closed>                      the server hangs up without another word
    C1: …  S1: …                     another connection
    @ 61 seconds pass                the server's clock moves, and every periodic task runs once; otherwise neither
                                     happens. Where somebody waits for a job meanwhile, `fetch_seconds` has to be
                                     longer than that; a worker that says nothing for 60 s is dead then
    @ the fetch gives up             somebody waits for a job, and the clock moves until it is over
    @ 2 fetchers wait                go on as soon as so many wait for a job
    @ C1 hangs up                    and the server has noticed
    @ the server stops               as on SIGTERM

In what the server says, `<time>`, `<number>`, `<hex>` and `<any>` stand for parts that vary. In what a client says,
`<lf>` at the end sends LF instead of CR LF, `<byte 0d>` is a byte, `<hash foobar>` the answer to the greeting's
challenge and `<hash once foobar>` that of a client that hashes once.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

LINE = re.compile(r"([CS])(\d*): ?(.*)")
PLACEHOLDERS = {
    "time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z",
    "number": r"-?\d+(?:\.\d+)?(?:e-?\d+)?",
    "any": r".*",
    "hex": r"[0-9a-f]{1,16}",
}
PLACEHOLDER = re.compile(r"<(" + "|".join(PLACEHOLDERS) + r")>")


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a scenario: what is done by whom. `by` is C, S or @."""

    by: str
    connection: str
    text: str
    line: int


@dataclass(slots=True)
class Scenario:
    """A conversation with a server of its own."""

    file: str
    title: str
    steps: list[Step] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.file}: {self.title}"


def scenarios(folder: Path) -> Iterator[Scenario]:
    """Read every transcript of a folder."""
    for file in sorted(folder.glob("*.txt")):
        yield from _parsed(file)


def _parsed(file: Path) -> Iterator[Scenario]:
    scenario: Scenario | None = None
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        if line.startswith("== "):
            if scenario is not None:
                yield scenario
            scenario = Scenario(file.stem, line[3:])
        elif line and not line.startswith("#"):
            assert scenario is not None, f"{file.name}:{number}: no scenario has begun"
            scenario.steps.append(_step(line, f"{file.name}:{number}", number))
    assert scenario is not None, f"{file.name} is empty"
    yield scenario


def _step(line: str, where: str, number: int) -> Step:
    if line.startswith("@ "):
        return Step("@", "", line[2:], number)
    match = LINE.fullmatch(line)
    assert match is not None, f"{where}: neither C:, S: nor @: {line}"
    return Step(match[1], match[2], match[3], number)


def fits(expected: str, said: str) -> bool:
    """Say whether a reply is what was expected, placeholders filled."""
    parts = PLACEHOLDER.split(expected)
    pattern = "".join(PLACEHOLDERS[part] if at % 2 else re.escape(part) for at, part in enumerate(parts))
    return re.fullmatch(pattern, said) is not None
