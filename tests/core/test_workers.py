"""The life of a worker process as the server sees it."""

import msgspec
import pytest

from shopfloor.core import workers
from shopfloor.core.workers import Worker
from tests.jobs import NOW

WORKER = Worker(wid="w1", hostname="h", pid=7, labels=("python",), started_at=NOW, beat_at=NOW)

PATIENCE = workers.Patience(silence_seconds=60, grace_seconds=15)


def test_the_first_hello_makes_the_worker() -> None:
    assert workers.joined(None, WORKER) is WORKER


def test_a_later_hello_joins_the_worker_and_counts_as_a_sign_of_life() -> None:
    gone = workers.left(WORKER, NOW + 5)
    arriving = Worker(wid="w1", hostname="other", started_at=NOW + 9, beat_at=NOW + 9)
    joined = workers.joined(gone, arriving)
    assert (joined.hostname, joined.started_at, joined.beat_at, joined.left_at) == ("h", NOW, NOW + 9, 0.0)


@pytest.mark.parametrize(
    ("states", "last"),
    [
        ([""], "running"),
        (["running"], "running"),
        (["nonsense"], "running"),
        (["quiet"], "quiet"),
        (["terminate"], "terminate"),
        (["quiet", "running"], "quiet"),
        (["quiet", ""], "quiet"),
        (["quiet", "terminate"], "terminate"),
        (["terminate", "quiet"], "terminate"),
    ],
)
def test_states_only_move_forward(states: list[str], last: str) -> None:
    worker = WORKER
    for state in states:
        worker = workers.beaten(worker, state, 0, NOW)
    assert worker.state == last


def test_a_beat_replaces_the_memory_figure_and_ends_an_absence() -> None:
    beaten = workers.beaten(workers.left(WORKER, NOW + 1), "", 512, NOW + 2)
    assert (beaten.rss_kb, beaten.beat_at, beaten.left_at) == (512, NOW + 2, 0.0)
    assert workers.beaten(beaten, "", 0, NOW + 3).rss_kb == 0


def test_a_worker_is_told_of_each_job_to_cancel_once() -> None:
    worker = workers.told_to_cancel(workers.told_to_cancel(WORKER, "job-0001"), "job-0002")
    assert worker.cancels == ("job-0001", "job-0002")
    assert workers.told(worker).cancels == ()


@pytest.mark.parametrize(
    ("silent", "absent", "dead"),
    [(0, None, False), (60, None, False), (61, None, True), (30, 15, False), (30, 16, True), (61, 1, True)],
)
def test_a_worker_dies_of_silence_or_of_a_long_absence(silent: float, absent: float | None, dead: bool) -> None:
    now = NOW + 100
    left_at = 0.0 if absent is None else now - absent
    worker = Worker(wid="w1", started_at=NOW, beat_at=now - silent, left_at=left_at)
    assert workers.is_dead(worker, now, PATIENCE) is dead


@pytest.mark.parametrize(("heard_for", "dead"), [(60, False), (61, True), (15, False)])
def test_silence_counts_from_when_it_could_be_heard(heard_for: float, dead: bool) -> None:
    now = NOW + 1000
    patience = msgspec.structs.replace(PATIENCE, heard_since=now - heard_for)
    assert workers.is_dead(WORKER, now, patience) is dead
    if heard_for == 15:
        assert not workers.is_dead(workers.left(WORKER, NOW), now, patience)


def test_a_worker_that_another_server_has_a_connection_of_did_not_leave() -> None:
    assert workers.stayed(workers.left(WORKER, NOW + 5)) == WORKER


def test_a_worker_is_read_back_as_it_was_written() -> None:
    assert workers.decode(workers.encode(WORKER)) == WORKER


def test_being_asked_moves_a_worker_forward_too() -> None:
    quiet = workers.asked(WORKER, "quiet")
    assert quiet.state == "quiet"
    assert workers.asked(workers.asked(quiet, "terminate"), "quiet").state == "terminate"
    assert workers.beaten(quiet, "running", 0, NOW).state == "quiet"
