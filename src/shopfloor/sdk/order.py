"""An order: a job as it is about to be pushed, and the options that shape it."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypedDict

import msgspec
from msgspec import Raw, Struct

from shopfloor.errors import NotJson

Clock = Callable[[], float]
"""Answers the time, in seconds since 1970."""

JID_BYTES = 12
"""96 random bits: no two of a billion jobs share a jid, and 24 characters are still read out in one breath."""


class Options(TypedDict, total=False):
    """What may be said of one push. Whatever is left out is as the job's definition, or the server, has it."""

    queue: str
    at: datetime
    """When it is due; with a zone."""
    delay: float | timedelta
    """How long from now until it is due; seconds."""
    retry: int
    """How often a failed run is tried again; 0 for a job that leaves with its failure, -1 for one that dies with it."""
    reserve_for: int
    """Seconds that a worker may hold it."""
    unique_for: float | timedelta
    """How long no equal job is taken; seconds."""
    unique_until: Literal["success", "start"]
    expires_in: float | timedelta
    """How long it is worth the work; seconds."""
    expires_at: datetime
    track: bool
    """Whether the server keeps a record of its progress and result."""
    jid: str
    """A name of your own, at least eight characters; pushing the same job twice under it adds nothing."""
    custom: Mapping[str, object]
    """Further keys that are handed on."""


class Order(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A job to be pushed; its fields are those of the protocol, and its JSON is what is sent."""

    jid: str
    jobtype: str
    args: Raw
    queue: str = ""
    at: str = ""
    retry: int | None = None
    reserve_for: int = 0
    custom: Mapping[str, Any] = {}

    def text(self) -> bytes:
        """Write the job as JSON; raise `NotJson` for what is none in `custom`."""
        try:
            return msgspec.json.encode(self)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise NotJson(f"cannot push {self.jobtype}: custom: {str(error).lower()}") from None

    def with_custom(self, keys: Mapping[str, object]) -> "Order":
        """Answer the same order with these keys added to its `custom`."""
        return msgspec.structs.replace(self, custom={**self.custom, **keys})


def make_order(jobtype: str, args: Raw, options: Options, clock: Clock) -> Order:
    """Make an order from options; `by_name` says that the last argument holds those given by name."""
    retry = options.get("retry")
    return Order(
        jid=options.get("jid") or fresh_jid(),
        jobtype=jobtype,
        args=args,
        queue=options.get("queue", ""),
        at=_due(options, clock),
        retry=retry,
        reserve_for=options.get("reserve_for", 0),
        custom=_custom(options),
    )


def fresh_jid() -> str:
    """Draw a jid."""
    return secrets.token_hex(JID_BYTES)


def as_seconds(span: float | timedelta) -> float:
    """Say a span of time in seconds."""
    return span.total_seconds() if isinstance(span, timedelta) else span


def as_text(moment: datetime) -> str:
    """Write a time as the protocol has it; raise `ValueError` for one without a zone."""
    if moment.tzinfo is None:
        raise ValueError(f"a time needs a zone, such as datetime.UTC: {moment.isoformat()}")
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _due(options: Options, clock: Clock) -> str:
    if "at" in options:
        if "delay" in options:
            raise ValueError("say either at or delay")
        return as_text(options["at"])
    if "delay" in options:
        return as_text(datetime.fromtimestamp(clock() + as_seconds(options["delay"]), UTC))
    return ""


_SPANS: Sequence[Literal["unique_for", "expires_in"]] = ("unique_for", "expires_in")


def _custom(options: Options) -> dict[str, object]:
    if options.keys().isdisjoint(_IN_CUSTOM):
        return {}
    custom: dict[str, object] = dict(options.get("custom", {}))
    for key in _SPANS:
        if key in options:
            custom[key] = as_seconds(options[key])
    if "unique_until" in options:
        custom["unique_until"] = options["unique_until"]
    if "expires_at" in options:
        custom["expires_at"] = as_text(options["expires_at"])
    if options.get("track"):
        custom["track"] = 1
    return custom


_IN_CUSTOM = frozenset({"unique_for", "unique_until", "expires_in", "expires_at", "track", "custom"})
