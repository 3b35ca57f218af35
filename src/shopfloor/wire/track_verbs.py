"""Reading TRACK's subcommands."""

import msgspec
from msgspec import Raw, Struct

from shopfloor.core.job import NOTHING
from shopfloor.core.leniency import known_keys, valid_utf8, without_lone_surrogates
from shopfloor.core.timestamps import parse_timestamp
from shopfloor.core.tracking import Report
from shopfloor.errors import Refused
from shopfloor.wire.commands import TrackGet, TrackSet


class _ReportText(Struct, kw_only=True):
    jid: str | None = None
    percent: int | float | None = None
    desc: str | None = None
    reserve_until: str | None = None
    result: Raw = NOTHING


def read_track(argument: bytes, job_bytes_max: int) -> TrackSet | TrackGet:
    """Read what follows `TRACK`; a report may be as large as a job."""
    word, _, rest = argument.partition(b" ")
    subcommand = word.decode(errors="replace").upper()
    if subcommand == "GET":
        jid = rest.decode(errors="replace").strip()
        if not jid:
            raise Refused("TRACK GET needs a jid")
        return TrackGet(jid)
    if subcommand != "SET":
        raise Refused(f"no such TRACK subcommand: {subcommand}")
    if len(rest) > job_bytes_max:
        raise Refused(f"report is too large: {len(rest)} bytes, the limit is {job_bytes_max}")
    return TrackSet(_report(rest))


def _report(text: bytes) -> Report:
    said = _decoded(text)
    if not said.jid:
        raise Refused("missing JID")
    return Report(
        jid=said.jid,
        percent=None if said.percent is None else int(max(0, min(said.percent, 100))),
        desc=said.desc,
        result=_result(said.result),
        reserve_until=_moment(said.reserve_until) if said.reserve_until else 0.0,
    )


def _decoded(text: bytes) -> _ReportText:
    """Keys may be in any case, and unknown ones are ignored, as with every verb that Faktory has."""
    strict = without_lone_surrogates(valid_utf8(text))
    try:
        known = known_keys(strict, _ReportText.__struct_fields__)
        return msgspec.json.decode(msgspec.json.encode(known), type=_ReportText)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise Refused(f"invalid TRACK SET {text.decode(errors='replace')}") from error


def _result(text: Raw) -> Raw:
    """Keep a result on its own: a Raw holds the whole line it was cut from. Null is none; a reply has no CR."""
    value = bytes(text)
    return NOTHING if value in (b"", b"null") else Raw(value.replace(b"\r", b" "))


def _moment(text: str) -> float:
    try:
        return parse_timestamp(text)
    except (ValueError, OverflowError) as error:
        raise Refused(f"invalid timestamp for 'reserve_until': \"{text}\": {error}") from error
