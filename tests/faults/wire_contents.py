"""Reading everything that a server holds, through the wire."""

from collections.abc import Iterable
from typing import Any

from tests.faults.ledger import Findings, Observed, State
from tests.faults.pipeline import Pipeline, line, read_json

PAGE = 1000
ATTEMPTS = 20
TIMED = ("scheduled", "retries", "dead")


def read_contents(pipe: Pipeline, working: Iterable[str]) -> Findings:
    """Read all jobs; `working` names every job that may be held by a worker, since these cannot be listed.

    Fail where the parts contradict each other: a job in two places, a figure that does not count what is there. Jobs
    that fall due move meanwhile; then all is read anew.
    """
    jids = list(working)
    for _ in range(ATTEMPTS):
        before = pipe.ask_json("INFO")
        try:
            found = _read(pipe, jids, before)
        except AssertionError:
            if _moved(before) == _moved(pipe.ask_json("INFO")):
                raise
        else:
            if _moved(before) == _moved(pipe.ask_json("INFO")):
                return found
    raise AssertionError("the server did not come to rest")


def _moved(info: dict[str, Any]) -> list[int]:
    """Count the jobs that the server has moved by itself."""
    return [info["faktory"]["tasks"][task]["enqueued"] for task in ("Scheduled", "Retries", "Dead")]


def _read(pipe: Pipeline, working: list[str], info: dict[str, Any]) -> Findings:
    figures, server = info["faktory"], info["server"]
    order = {queue: _peek(pipe, queue) for queue in figures["queues"]}
    jobs: dict[str, Observed] = {}
    for queue, queued in order.items():
        assert figures["queues"][queue] == len(queued)
        _add(jobs, (({"place": "queued", "job": job}) for job in queued))
    for place in TIMED:
        listed = list(_listed(pipe, place))
        assert figures["sets"][place] == len(listed)
        _add(jobs, listed)
    held = _held(pipe, [jid for jid in working if jid not in jobs])
    assert figures["sets"]["working"] == len(held), "a job is held that should not be"
    _add(jobs, held)
    return Findings(
        jobs=jobs,
        order={queue: [job["jid"] for job in queued] for queue, queued in order.items()},
        paused=frozenset(server["paused_queues"]),
        processed=figures["total_processed"],
        failures=figures["total_failures"],
    )


def _peek(pipe: Pipeline, queue: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while len(page := pipe.ask_json("QUEUE", f"PEEK {queue} {PAGE} {len(found)}")):
        found += page
    return found


def _listed(pipe: Pipeline, place: str) -> Iterable[dict[str, Any]]:
    wanted = f'LIST {place} {{"count":{PAGE}}}'
    page = pipe.ask_json("JOB", wanted)
    while page["after"] is not None:
        yield from page["jobs"]
        jid_at = f'[{page["after"][0]!r},"{page["after"][1]}"]'
        page = pipe.ask_json("JOB", f'LIST {place} {{"count":{PAGE},"after":{jid_at}}}')
    yield from page["jobs"]


def _held(pipe: Pipeline, jids: list[str]) -> list[dict[str, Any]]:
    """Look the jobs up; those that are not there, or not held, are left out."""
    replies = pipe.ask_many([line("JOB", f"GET {jid}") for jid in jids])
    told = [read_json(reply) for reply in replies if isinstance(reply, bytes)]
    assert all(one["place"] == "working" for one in told), "JOB GET finds what no list shows"
    return told


def _add(jobs: dict[str, Observed], told: Iterable[dict[str, Any]]) -> None:
    for one in told:
        job = one["job"]
        assert job["jid"] not in jobs, f"{job['jid']} is in two places"
        state: State = "cancelled" if one.get("cancelled") else one["place"]
        jobs[job["jid"]] = Observed(state=state, queue=job["queue"], args=job["args"], holder=one.get("wid", ""))
