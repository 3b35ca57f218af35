"""What the server is told of runs, as command lines: with the commands that it has beyond Faktory's, or without."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from msgspec import Raw

from shopfloor.sdk.worker.outcome import Outcome
from shopfloor.wire.client import command, json_command

News = Outcome | tuple[str, Mapping[str, Any]]
"""How a run ended, or what a handler says of a job."""

GIVEN_BACK = "WorkerStopped"


def lines_of(news: Sequence[News], extensions: Collection[str]) -> list[bytes]:
    """Write the commands for what happened; each of them may be sent twice."""
    lines: list[bytes] = []
    done: list[str] = []
    for one in news:
        if not isinstance(one, Outcome):
            jid, report = one
            lines.append(json_command("TRACK SET", {"jid": jid, **report}))
            continue
        if one.result:
            lines.append(json_command("TRACK SET", {"jid": one.jid, "result": Raw(one.result)}))
        if one.fate == "done":
            done.append(one.jid)
        else:
            lines += _WRITERS[one.fate](one, extensions)
    return lines + _acknowledged(done, extensions)


def _acknowledged(jids: Sequence[str], extensions: Collection[str]) -> list[bytes]:
    if len(jids) > 1 and "ACKB" in extensions:
        return [json_command("ACKB", {"jids": jids})]
    return [json_command("ACK", {"jid": jid}) for jid in jids]


def _failed(outcome: Outcome, extensions: Collection[str]) -> list[bytes]:
    said: dict[str, object] = {"jid": outcome.jid, "errtype": outcome.errtype, "message": outcome.message}
    if outcome.backtrace:
        said["backtrace"] = outcome.backtrace
    if outcome.retry_in is not None:
        said["retry_in"] = outcome.retry_in  # a Faktory ignores it, and waits as long as it always does
    return [json_command("FAIL", said)]


def _dead(outcome: Outcome, extensions: Collection[str]) -> list[bytes]:
    kill = {"cmd": "kill", "target": "retries", "filter": {"jids": [outcome.jid]}}
    return [*_failed(outcome, extensions), json_command("MUTATE", kill)]


def _discarded(outcome: Outcome, extensions: Collection[str]) -> list[bytes]:
    if "JOB CANCEL" in extensions:  # what was cancelled does not come back when it fails, and is lost to its batch
        return [command("JOB CANCEL", outcome.jid.encode()), *_failed(outcome, extensions)]
    return [json_command("ACK", {"jid": outcome.jid})]


def _returned(outcome: Outcome, extensions: Collection[str]) -> list[bytes]:
    if "REQUEUE" in extensions:
        return [json_command("REQUEUE", {"jid": outcome.jid})]
    said = {"jid": outcome.jid, "errtype": GIVEN_BACK, "message": "the worker stopped before the job was done"}
    return [json_command("FAIL", said)]


_WRITERS: Mapping[str, Callable[[Outcome, Collection[str]], list[bytes]]] = {
    "failed": _failed,
    "dead": _dead,
    "discarded": _discarded,
    "returned": _returned,
}
