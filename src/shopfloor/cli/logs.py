"""Write the log: one line an event, for people or for machines, with nothing in it that must stay secret.

Text lines keep Faktory's shape, `I 2026-01-31T12:00:00.123Z worker died wid=4qpc2443vpvai`; JSON lines are
objects with `time`, `level`, `event` and the event's own fields. An event is a short fixed sentence and what
varies is a field, so that lines can be counted. The logger is an argument of whoever logs: nothing is
configured globally, and tests give a stream of their own. A log that cannot be written stops nobody.
"""

from __future__ import annotations

import io
import json
import logging
import math
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final, TextIO

from structlog import WriteLogger, make_filtering_bound_logger, wrap_logger
from structlog.processors import ExceptionRenderer
from structlog.typing import FilteringBoundLogger

from shopfloor.config import LogLevel, Secret, Settings, masked
from shopfloor.config.values import MASK

Event = MutableMapping[str, Any]
Clock = Callable[[], datetime]

LEVELS: Final[Mapping[str, int]] = {
    "error": logging.ERROR,
    "warn": logging.WARNING,
    "info": logging.INFO,
    "debug": logging.DEBUG,
}
# What structlog's methods are called, in the words of the setting.
METHODS: Final[Mapping[str, str]] = {"warning": "warn", "exception": "error", "critical": "error"}
COLOURS: Final[Mapping[str, str]] = {"error": "\x1b[31m", "warn": "\x1b[33m", "info": "\x1b[32m"}
DIM = "\x1b[2m"
PLAIN = "\x1b[0m"

# A field called one of these is never written, whatever it holds.
SECRET_FIELDS: Final = frozenset(
    {"password", "pwdhash", "salt", "secret", "token", "authorization", "cookie", "passphrase"}
)
ARGUMENT_FIELDS: Final = frozenset({"args", "arguments", "payload", "body"})

# One event must not fill the disk: a peer chooses the text of some fields, such as a failure's message.
FIELD_CHARACTERS_MAX = 8_192


def open_log(settings: Settings, stream: TextIO, clock: Clock | None = None) -> FilteringBoundLogger:
    """Return a logger that writes to the stream as the settings say.

    Fields named like a secret, secrets themselves and passwords in URLs are written as stars, and so are the
    arguments of jobs unless `log_arguments` is set. Colour is used where text goes to a terminal.
    """
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")  # a terminal of another alphabet is no reason to fail
    is_json = settings.log_format == "json"
    logger: FilteringBoundLogger = wrap_logger(
        WriteLogger(_Forgiving(stream)),  # type: ignore[arg-type]  # it only writes and flushes
        processors=[
            _Stamp(clock or _now),
            ExceptionRenderer(),
            _Veil(settings.log_arguments),
            render_json if is_json else _Text(has_colour=stream.isatty()),
        ],
        wrapper_class=make_filtering_bound_logger(LEVELS[settings.log_level]),
        cache_logger_on_first_use=True,
    )
    return logger


def adopt_standard_logging(logger: FilteringBoundLogger, level: LogLevel) -> logging.Handler:
    """Send what asyncio and other libraries log by the standard module to our log; return the handler.

    Call `logging.getLogger().removeHandler` with it to undo this.
    """
    handler = _Forward(logger)
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(max(LEVELS[level], logging.INFO))  # debug lines of libraries are not about jobs
    return handler


class _Forward(logging.Handler):
    """Write a record of the standard module as an event of ours."""

    def __init__(self, logger: FilteringBoundLogger) -> None:
        super().__init__()
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record. Its text varies, so it is one of the few events that are not a fixed sentence."""
        fields: dict[str, Any] = {"logger": record.name}
        if record.exc_info:
            fields["exc_info"] = record.exc_info
        level = next((known for known in LEVELS.values() if record.levelno >= known), logging.DEBUG)
        self._logger.log(level, record.getMessage(), **fields)


def _now() -> datetime:
    return datetime.now(UTC)


class _Forgiving:
    """Write to a stream, and let it be when that fails: a full disk under the log must not stop the jobs."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        """Write, or do nothing where the stream is full, broken or closed."""
        with suppress(OSError, ValueError):
            self._stream.write(text)

    def flush(self) -> None:
        """Flush, or do nothing where the stream is full, broken or closed."""
        with suppress(OSError, ValueError):
            self._stream.flush()


class _Stamp:
    """Put the level on an event, and the time: UTC with milliseconds."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def __call__(self, logger: object, method: str, event: Event) -> Event:
        event["level"] = METHODS.get(method, method)
        event["time"] = self._clock().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        return event


class _Veil:
    """Take out of an event what must not be written."""

    def __init__(self, shows_arguments: bool) -> None:
        self._hidden = SECRET_FIELDS if shows_arguments else SECRET_FIELDS | ARGUMENT_FIELDS

    def __call__(self, logger: object, method: str, event: Event) -> Event:
        for name, value in event.items():
            event[name] = self._veiled(name, value)
        return event

    def _veiled(self, name: str, value: object) -> object:
        if name.lower() in self._hidden:
            return MASK
        if isinstance(value, Mapping):
            return {str(key): self._veiled(str(key), inner) for key, inner in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._veiled("", inner) for inner in value]
        if value is None or isinstance(value, bool | int):
            return value
        if isinstance(value, float) and math.isfinite(value):  # JSON has no word for the others
            return value
        return _cut(str(value) if isinstance(value, Secret) else masked(str(value)))


def _cut(text: str) -> str:
    """Leave out the middle of a long text: what a traceback is about stands at its end."""
    if len(text) <= FIELD_CHARACTERS_MAX:
        return text
    half = FIELD_CHARACTERS_MAX // 2
    return f"{text[:half]} … {len(text) - 2 * half} characters left out … {text[-half:]}"


def render_json(logger: object, method: str, event: Event) -> str:
    """Write an event as one object on one line, its time and level first."""
    head = {"time": event.pop("time"), "level": event.pop("level"), "event": event.pop("event")}
    return json.dumps(head | dict(event))


class _Text:
    """Write an event for people: letter, time, sentence, fields; a traceback follows on lines of its own."""

    def __init__(self, *, has_colour: bool) -> None:
        self._has_colour = has_colour

    def __call__(self, logger: object, method: str, event: Event) -> str:
        level = event.pop("level")
        letter = level[0].upper()
        time, said = event.pop("time"), _one_line(str(event.pop("event")))
        traceback = str(event.pop("exception", ""))
        fields = "".join(f" {name}={_quoted(value)}" for name, value in event.items())
        if self._has_colour:
            letter = f"{COLOURS.get(level, '')}{letter}{PLAIN}"
            fields = f"{DIM}{fields}{PLAIN}" if fields else ""
        return "\n".join([f"{letter} {time} {said}{fields}", *map(_one_line, traceback.splitlines())])


def _quoted(value: object) -> str:
    """Write a field's value so that its end is plain: text with spaces or quotes stands in quotes."""
    if not isinstance(value, str):
        return json.dumps(value)
    is_plain = value.isprintable() and value and not any(character in value for character in ' "=')
    return value if is_plain else json.dumps(value, ensure_ascii=not value.isprintable())


def _one_line(text: str) -> str:
    """Keep a text on its line: what a peer sent must not look like a line of ours, or move the cursor."""
    return text if text.isprintable() else json.dumps(text)[1:-1]
