"""The log: its two formats, its levels, and what must never stand in it."""

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from structlog.typing import FilteringBoundLogger

from shopfloor.cli.logs import FIELD_CHARACTERS_MAX, adopt_standard_logging, open_log
from shopfloor.config import Secret, Settings, StorageUrl

NOON = datetime(2026, 1, 31, 12, 0, 0, 123_999, tzinfo=UTC)
STAMP = "2026-01-31T12:00:00.123Z"


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class FullDisk(io.StringIO):
    """A stream that cannot be written."""

    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")

    def flush(self) -> None:
        raise OSError(28, "No space left on device")


def _text(**changes: Any) -> tuple[FilteringBoundLogger, io.StringIO]:
    stream = io.StringIO()
    return open_log(replace(Settings(), **changes), stream, lambda: NOON), stream


def _written(**fields: Any) -> dict[str, Any]:
    log, stream = _text(log_format="json")
    log.info("job pushed", **fields)
    found: dict[str, Any] = json.loads(stream.getvalue())
    return found


def test_a_text_line_is_letter_time_sentence_and_fields() -> None:
    log, stream = _text()
    log.info("worker died", wid="4qpc2443", jobs=3, seconds=1.5, quiet=False, labels=["a", "b"])
    said = f'I {STAMP} worker died wid=4qpc2443 jobs=3 seconds=1.5 quiet=false labels=["a", "b"]\n'
    assert stream.getvalue() == said


def test_a_json_line_is_one_object_with_time_level_and_event_first() -> None:
    log, stream = _text(log_format="json")
    log.bind(wid="4qpc").warning("worker died", jobs=3)
    assert stream.getvalue() == (
        f'{{"time": "{STAMP}", "level": "warn", "event": "worker died", "wid": "4qpc", "jobs": 3}}\n'
    )


def test_time_is_utc_whatever_clock_is_asked() -> None:
    stream = io.StringIO()
    local = NOON.astimezone(timezone(timedelta(hours=5)))
    open_log(Settings(), stream, lambda: local).info("started")
    assert stream.getvalue() == f"I {STAMP} started\n"


def test_without_a_clock_the_time_is_now() -> None:
    stream = io.StringIO()
    open_log(Settings(), stream).info("started")
    written = datetime.fromisoformat(stream.getvalue().split()[1])
    assert abs(datetime.now(UTC) - written) < timedelta(minutes=1)


@pytest.mark.parametrize(("level", "letters"), [("error", "E"), ("warn", "WE"), ("info", "IWE"), ("debug", "DIWE")])
def test_a_level_lets_through_itself_and_what_is_more_severe(level: str, letters: str) -> None:
    log, stream = _text(log_level=level)
    for write in (log.debug, log.info, log.warning, log.error):
        write("said")
    assert "".join(line[0] for line in stream.getvalue().splitlines()) == letters


def test_colour_is_for_terminals_and_text_alone() -> None:
    for settings, stream, is_coloured in [
        (Settings(), Terminal(), True),
        (Settings(log_format="json"), Terminal(), False),
        (Settings(), io.StringIO(), False),
    ]:
        open_log(settings, stream).warning("said", queue="q")
        assert ("\x1b[33mW\x1b[0m" in stream.getvalue()) is is_coloured


@pytest.mark.parametrize(
    "fields",
    [
        {"password": "hush"},
        {"pwdhash": "hush"},
        {"Authorization": "Basic hush"},
        {"given": Secret("hush")},
        {"given": [Secret("hush")]},
        {"storage": StorageUrl("redis://:hush@host")},
        {"reason": "cannot reach redis://ada:hush@host:6379/0"},
        {"hello": {"wid": "w", "pwdhash": "hush"}},
        {"settings": Settings(password=Secret("hush"))},
        {"args": ["hush"]},
        {"job": {"jid": "j", "args": ["hush"]}},
    ],
)
@pytest.mark.parametrize("form", ["text", "json"])
def test_nothing_secret_is_written(fields: dict[str, Any], form: str) -> None:
    log, stream = _text(log_format=form)
    log.error("refused", **fields)
    assert "refused" in stream.getvalue()
    assert "hush" not in stream.getvalue()


def test_a_secret_in_a_traceback_is_masked() -> None:
    log, stream = _text()
    try:
        raise ConnectionError("redis://:hush@host is away")
    except ConnectionError:
        log.exception("store lost")
    lines = stream.getvalue().splitlines()
    assert lines[0] == f"E {STAMP} store lost"
    assert lines[1].startswith("Traceback")
    assert lines[-1] == "ConnectionError: redis://:********@host is away"


def test_arguments_are_written_when_asked_for_and_secrets_still_are_not() -> None:
    log, stream = _text(log_arguments=True)
    log.info("pushed", args=["hello"], password="hush")
    assert "hello" in stream.getvalue()
    assert "hush" not in stream.getvalue()


@pytest.mark.parametrize("peer_text", ["a\nI 2026 forged", "a\r\x1b[2J", "a\u2028b", "\ud800", 'say "x" = y', ""])
def test_what_a_peer_sent_stays_on_its_line(peer_text: str) -> None:
    log, stream = _text()
    log.info("refused", queue=peer_text)
    log.info(peer_text)
    assert len(stream.getvalue().splitlines()) == 2
    assert "\x1b" not in stream.getvalue()
    stream.getvalue().encode()
    assert _written(queue=peer_text)["queue"] == peer_text


def test_a_long_field_keeps_its_beginning_and_its_end() -> None:
    text = "a" + "x" * (FIELD_CHARACTERS_MAX * 3) + "z"
    found = _written(reason=text)["reason"]
    assert len(found) < FIELD_CHARACTERS_MAX + 100
    assert (found[0], found[-1]) == ("a", "z")
    assert "characters left out" in found


def test_what_json_has_no_word_for_is_written_as_text() -> None:
    assert _written(took=float("nan"), at=NOON, none=None)["took"] == "nan"


def test_a_log_that_cannot_be_written_stops_nobody() -> None:
    open_log(Settings(), FullDisk()).error("said")
    closed = io.StringIO()
    log = open_log(Settings(), closed)
    closed.close()
    log.error("said")


def test_a_stream_of_another_alphabet_gets_escapes() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    open_log(Settings(), stream, lambda: NOON).info("refused", queue="caf\u00e9")
    assert raw.getvalue() == f"I {STAMP} refused queue=caf\\xe9\n".encode()


@contextmanager
def _adopted(log: FilteringBoundLogger, level: Any) -> Iterator[None]:
    root = logging.getLogger()
    before = root.level
    handler = adopt_standard_logging(log, level)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(before)


def test_what_libraries_log_is_written_too() -> None:
    log, stream = _text(log_level="debug")
    with _adopted(log, "debug"):
        logging.getLogger("asyncio").critical("loop %s", "stuck")
        logging.getLogger("asyncio").debug("not about jobs")
        try:
            raise ValueError("lost")
        except ValueError:
            logging.getLogger("asyncio").log(31, "task failed", exc_info=True)
    lines = stream.getvalue().splitlines()
    assert lines[0] == f"E {STAMP} loop stuck logger=asyncio"
    assert lines[1] == f"W {STAMP} task failed logger=asyncio"
    assert lines[-1] == "ValueError: lost"
