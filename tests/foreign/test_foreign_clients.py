"""Clients written by others, as their package managers give them, at work with the server.

Every test runs with every client that can do what it is about. The time limit counts the test alone: the
first test of a session that uses a client also builds it, and the build has a limit of its own.
"""

import json
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.foreign.clients import EVERY_CLIENT
from tests.foreign.conftest import Bench, wait_until
from tests.foreign.raw import Wire

pytestmark = [pytest.mark.foreign, pytest.mark.timeout(180, func_only=True)]

QUEUE = "workshop"
SECRET = "four-by-two"
ARGUMENTS: list[Any] = [
    "plain",
    "naïve ☃ 工場 \U0001f527",
    'quotes " and \\ and <b>&</b>',
    "two\r\nlines\tand a tab",
    "",
    7,
    -2.5,
    9007199254740991,
    True,
    None,
    [],
    {},
    {"deep": {"er": [1, [2, [3]]]}},
]
# The Rust crate cannot read a job that has none, whichever server it comes from.
BY_HAND = {"reserve_for": 600}
CUSTOM = {"locale": "de_CH", "attempt": 3, "trace": {"id": "a b", "parents": ["x", None]}}


def those_who_can(command: str) -> pytest.MarkDecorator:
    able = [client for client in EVERY_CLIENT if command in client.can]
    return pytest.mark.parametrize("client", able, ids=lambda client: client.name, indirect=True)


def echo(*args: Any, **more: Any) -> dict[str, Any]:
    return {"jobtype": "echo", "args": list(args), "queue": QUEUE, **more}


def settled(wire: Wire, processed: int) -> bool:
    """All that was fetched is answered, so many jobs in all."""
    told = wire.info()["faktory"]
    return bool(told["total_processed"] == processed and told["sets"]["working"] == 0)


def test_jobs_pushed_one_by_one_are_worked_and_acknowledged(bench: Bench, wire: Wire) -> None:
    pushed = bench.produce(echo(1, "one"), echo(2, "two"), echo(3, "three"))
    assert wire.size_of_queue(QUEUE) == 3
    worker = bench.work(QUEUE)
    worked = [worker.wait_for("worked") for _ in pushed]
    assert sorted((event["args"], event["jid"]) for event in worked) == [
        ([number, word], jid)
        for (number, word), jid in zip([(1, "one"), (2, "two"), (3, "three")], pushed, strict=True)
    ]
    wait_until(lambda: settled(wire, processed=3))
    assert wire.info()["faktory"]["total_failures"] == 0
    assert wire.workers() == 1


def test_what_the_client_pushes_is_what_anybody_fetches(bench: Bench, wire: Wire) -> None:
    (jid,) = bench.produce(echo(*ARGUMENTS, custom=CUSTOM))
    job = wire.fetch(QUEUE)
    assert job is not None
    assert (job["jid"], job["jobtype"], job["queue"]) == (jid, "echo", QUEUE)
    assert job["args"] == ARGUMENTS
    assert job["custom"] == CUSTOM


def test_what_anybody_pushes_is_what_the_worker_sees(bench: Bench, wire: Wire) -> None:
    wire.push(jid="pushed-by-hand", **BY_HAND, **echo(*ARGUMENTS, custom=CUSTOM))
    worked = bench.work(QUEUE).wait_for("worked")
    assert (worked["jid"], worked["args"]) == ("pushed-by-hand", ARGUMENTS)
    if bench.client.tells_custom:
        assert worked["custom"] == CUSTOM


@those_who_can("produce-bulk")
def test_a_bulk_push_takes_all_jobs(bench: Bench, wire: Wire) -> None:
    pushed = bench.told("produce-bulk", [echo(number) for number in range(100)])
    assert (len(set(pushed["jids"])), pushed["rejected"]) == (100, {})
    assert wire.size_of_queue(QUEUE) == 100


@those_who_can("produce-bulk")
def test_a_bulk_push_names_the_job_that_was_refused(bench: Bench, wire: Wire) -> None:
    pushed = bench.told("produce-bulk", [echo(1), {**echo(2), "queue": "no such name!"}, echo(3)])
    assert list(pushed["rejected"]) == [pushed["jids"][1]]
    assert "queue names must match" in pushed["rejected"][pushed["jids"][1]]
    assert wire.size_of_queue(QUEUE) == 2


def test_a_job_that_fails_waits_among_the_retries_with_its_error(bench: Bench, wire: Wire) -> None:
    (jid,) = bench.produce({**echo(str(bench.folder / "marker")), "jobtype": "flaky"})
    worker = bench.work(QUEUE)
    wait_until(lambda: wire.size_of("retries") == 1)
    assert wire.info()["faktory"]["total_failures"] == 1
    worker.kill()
    # By the time this fetch comes back empty-handed, so has any that the worker left behind.
    assert wire.fetch(QUEUE) is None
    wire.requeue_retries()
    job = wire.fetch(QUEUE)
    assert job is not None
    assert job["jid"] == jid
    assert job["failure"]["retry_count"] == 0
    assert "the first attempt fails" in job["failure"]["message"]
    assert job["failure"]["errtype"]


@those_who_can("requeue")
def test_a_failed_job_that_the_client_requeues_is_worked(bench: Bench, wire: Wire) -> None:
    (jid,) = bench.produce({**echo(str(bench.folder / "marker")), "jobtype": "flaky"})
    worker = bench.work(QUEUE)
    wait_until(lambda: wire.size_of("retries") == 1)
    bench.told("requeue", {"jid": jid})
    assert worker.wait_for("worked")["jid"] == jid
    wait_until(lambda: settled(wire, processed=2))
    assert wire.size_of("retries") == 0


def test_a_job_for_later_is_scheduled_and_one_for_earlier_is_not(bench: Bench, wire: Wire) -> None:
    now = datetime.now(UTC)
    later, earlier = (f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in (now + timedelta(hours=1), now - timedelta(hours=1)))
    _, jid = bench.produce(echo("later", at=later), echo("earlier", at=earlier))
    assert wire.size_of("scheduled") == 1
    job = wire.fetch(QUEUE)
    assert job is not None
    assert (job["jid"], job["args"]) == (jid, ["earlier"])


def test_a_worker_told_to_be_quiet_takes_no_more_and_told_to_terminate_ends(bench: Bench, wire: Wire) -> None:
    wid = f"{bench.client.name}-worker-to-stop"
    worker = bench.work(QUEUE, wid=wid)
    wire.push(jid="before-it-was-quiet", **BY_HAND, **echo())
    worker.wait_for("worked")
    connections = connected(wire)
    wire.set_state(wid, "quiet")
    if bench.client.tells_quiet:
        worker.wait_for("quiet")
    else:
        # This library keeps it to itself, and gives up the connection that it fetched with.
        wait_until(lambda: connected(wire) < connections)
    # Its last fetch, begun before it was quiet, may still be waiting; it is over when this one is.
    assert wire.fetch(QUEUE) is None
    wire.push(jid="after-it-was-quiet", **BY_HAND, **echo())
    wire.set_state(wid, "terminate")
    worker.wait_for_the_end()
    assert wire.size_of_queue(QUEUE) == 1


def connected(wire: Wire) -> int:
    return int(wire.info()["server"]["connections"])


@pytest.mark.parametrize("settings", [{"password": SECRET}], indirect=True)
def test_the_right_password_opens(bench: Bench) -> None:
    (jid,) = bench.produce(echo("let me in"))
    assert bench.work(QUEUE).wait_for("worked")["jid"] == jid


@pytest.mark.parametrize("settings", [{"password": SECRET}], indirect=True)
def test_a_wrong_password_is_refused(bench: Bench, wire: Wire) -> None:
    code, events = bench.run("produce", [echo("let me in")], password="five-by-three")
    assert code != 0
    assert [event["event"] for event in events] == ["refused"]
    assert "password" in events[0]["message"]
    assert wire.size_of_queue(QUEUE) == 0


@pytest.mark.parametrize("settings", [{"with_tls": True}], indirect=True)
def test_everything_goes_over_tls(bench: Bench) -> None:
    if bench.client.name == "cdrx" and sys.version_info >= (3, 12):
        pytest.skip("this client calls ssl.wrap_socket, which Python 3.12 took away")
    (jid,) = bench.produce(echo(*ARGUMENTS))
    worked = bench.work(QUEUE).wait_for("worked")
    assert (worked["jid"], worked["args"]) == (jid, ARGUMENTS)


@those_who_can("info")
def test_the_client_understands_what_the_server_says_of_itself(bench: Bench) -> None:
    bench.produce(echo(1), echo(2))
    told = bench.told("info")["info"]
    assert told["faktory"]["queues"] == {QUEUE: 2}
    assert told["faktory"]["total_enqueued"] == 2
    assert told["server"]["faktory_version"]


@those_who_can("pause")
def test_a_queue_that_the_client_paused_gives_nothing_until_it_is_resumed(bench: Bench, wire: Wire) -> None:
    (jid,) = bench.produce(echo())
    bench.told("pause", {"queue": QUEUE})
    assert wire.fetch(QUEUE) is None
    bench.told("resume", {"queue": QUEUE})
    job = wire.fetch(QUEUE)
    assert job is not None
    assert job["jid"] == jid


@those_who_can("batch")
def test_the_callbacks_of_a_batch_come_in_their_order(bench: Bench, wire: Wire) -> None:
    told = bench.told("batch", {"queue": QUEUE})
    assert (told["status"]["total"], told["status"]["pending"], told["status"]["description"]) == (3, 3, "three of us")
    worker = bench.work(QUEUE)
    worked = [worker.wait_for("worked")["args"] for _ in range(5)]
    assert sorted(worked[:3]) == [[1], [2], [3]]
    assert worked[3:] == [["complete"], ["success"]]
    wait_until(lambda: status(wire, told["bid"])["success_st"] == "2")
    assert status(wire, told["bid"])["complete_st"] == "2"


@those_who_can("sequence")
def test_a_sequence_whose_callbacks_open_their_parent_and_add_the_next_step(bench: Bench, wire: Wire) -> None:
    bid = bench.told("sequence", {"queue": QUEUE})["bid"]
    worker = bench.work(QUEUE)
    worked = [worker.wait_for("worked")["args"] for _ in range(10)]
    steps = [[["step", number], ["step", number], ["next", QUEUE, bid, number]] for number in (1, 2, 3)]
    assert worked == [*steps[0], *steps[1], *steps[2], ["end"]]
    wait_until(lambda: status(wire, bid)["success_st"] == "2")
    assert wire.info()["server"]["batches_repaired"] == 0


def status(wire: Wire, bid: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(wire.ask(f"BATCH STATUS {bid}"))
    return told
