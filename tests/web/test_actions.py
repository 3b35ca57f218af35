"""What forms do, and how pages say what was done."""

import json
import re
from pathlib import Path

import pytest

from shopfloor.broker import mutations
from shopfloor.web import chores
from tests.serving import run, until
from tests.stores import EMBEDDED
from tests.web.scene import play
from tests.web.sites import Visit, visiting


async def _finished(visit: Visit, path: str) -> str:
    """Wait for the end of an operation; give its page."""
    chore = visit.site.chores.find(path.rpartition("/")[2])
    assert chore is not None
    await until(lambda: not chore.running)
    return await visit.read(path)


def test_pausing_and_resuming_a_queue(tmp_path: Path) -> None:
    async def test() -> None:
        async with visiting(tmp_path) as visit:
            await play(visit.serving)
            answer = await visit.send("/queues", {"queue": "default", "action": "pause"})
            assert "Paused." in await visit.follow(answer)
            client = await visit.serving.client()
            told = json.loads((await client.ask("INFO"))[2:])
            assert told["server"]["paused_queues"] == ["default", "mail"]
            answer = await visit.send("/queues/default", {"action": "resume"})
            assert "Resumed." in await visit.follow(answer)
            await visit.send("/queues", {"queue": "nobody", "action": "pause"}, status=404)
            await visit.send("/queues", {"queue": "mail", "action": "explode"}, status=400)

    run(test())


def test_a_queue_is_cleared_once_the_word_was_typed(tmp_path: Path) -> None:
    async def test() -> None:
        async with visiting(tmp_path, EMBEDDED) as visit:
            await play(visit.serving)
            answer = await visit.send("/queues/default", {"action": "clear"})
            assert "Discard 59 jobs of queue default?" in await visit.follow(answer)
            answer = await visit.send("/queues/default", {"action": "clear", "confirmation": "clear"})
            text = await _finished(visit, answer.headers["location"])
            assert "done" in text
            assert "59 jobs so far; 59 of 59 looked at" in text
            await visit.get("/queues/default", 404)

    run(test())


def test_ticked_jobs_of_a_queue_are_cancelled(tmp_path: Path) -> None:
    async def test() -> None:
        async with visiting(tmp_path) as visit:
            await play(visit.serving)
            jids = ["picture-0010", "picture-0011", "gone-meanwhile"]
            answer = await visit.send("/queues/default", {"action": "cancel", "jid": jids})
            text = await visit.follow(answer)
            assert "Cancelled: 2 jobs." in text
            assert "picture-0010" not in text
            assert "picture-0012" in text

    run(test())


def test_ticked_jobs_of_a_place(tmp_path: Path) -> None:
    async def test() -> None:
        async with visiting(tmp_path) as visit:
            await play(visit.serving)
            retry = {"action": "retry", "scope": "selected", "jid": ["retry-0001", "retry-0002"]}
            answer = await visit.send("/retries?type=Letter", retry)
            text = await visit.follow(answer)
            assert "Put into their queues: 2 jobs." in text
            assert "2 jobs found" in text
            answer = await visit.send("/retries", {"action": "kill", "scope": "selected", "jid": "retry-0003"})
            assert "Moved to the dead set: 1 job." in await visit.follow(answer)
            answer = await visit.send("/morgue", {"action": "discard", "scope": "selected", "jid": "dead-00001"})
            assert "Discarded: 1 job." in await visit.follow(answer)
            answer = await visit.send("/morgue", {"action": "discard", "scope": "selected"})
            assert "Discarded: 0 jobs." in await visit.follow(answer)
            await visit.send("/morgue", {"action": "kill", "jid": "dead-00001"}, status=400)

    run(test())


def test_all_that_match_after_a_preview(tmp_path: Path) -> None:
    async def test() -> None:
        async with visiting(tmp_path, EMBEDDED) as visit:
            await play(visit.serving)
            answer = await visit.send("/retries?type=Letter", {"action": "discard", "scope": "matching"})
            text = await visit.follow(answer)
            assert "Discard: 4 jobs?" in text
            assert "Type discard to go on" in text
            sent = {"action": "discard", "scope": "matching", "confirmation": "discard"}
            answer = await visit.send("/retries?type=Letter", sent)
            text = await _finished(visit, answer.headers["location"])
            assert "Discard: the retries with type Letter" in text
            assert "4 jobs so far; 5 of 5 looked at" in text
            assert "1 job in all" in await visit.read("/retries")

    run(test())


def test_everything_of_a_place(tmp_path: Path) -> None:
    async def test() -> None:
        async with visiting(tmp_path) as visit:
            await play(visit.serving)
            assert "Run now: 4 jobs? That is every job" in await visit.read("/morgue?preview=retry")
            sent = {"action": "retry", "scope": "matching", "confirmation": "retry"}
            answer = await visit.send("/morgue", sent)
            assert "4 jobs so far" in await _finished(visit, answer.headers["location"])
            assert "No job is dead." in await visit.read("/morgue")

    run(test())


def test_an_operation_can_be_watched_and_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mutations, "MUTATE_STEP", 2)  # so that it is under way for a thousand rounds and more

    async def test() -> None:
        async with visiting(tmp_path) as visit:
            client = await visit.serving.client()
            jobs = [
                {"jid": f"later-{number:05}", "jobtype": "T", "args": [], "at": "2033-01-01T00:00:00Z"}
                for number in range(3000)
            ]
            assert await client.ask(f"PUSHB {json.dumps(jobs)}") == "$ {}"
            sent = {"action": "discard", "scope": "matching", "confirmation": "discard"}
            answer = await visit.send("/scheduled", sent)
            path = answer.headers["location"]
            chore = visit.site.chores.find(path.rpartition("/")[2])
            assert chore is not None
            await visit.send(path, {})
            assert chore.progress.stopped
            text = await _finished(visit, path)
            assert "stopped" in text
            assert 0 < chore.progress.moved < 3000

    run(test())


def test_only_so_many_operations_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        async with visiting(tmp_path) as visit:
            await play(visit.serving)
            monkeypatch.setattr(chores, "RUNNING_MAX", 0)
            sent = {"action": "discard", "scope": "matching", "confirmation": "discard"}
            answer = await visit.send("/scheduled", sent, status=409)
            assert "operations are under way" in answer.text
            monkeypatch.setattr(chores, "RUNNING_MAX", 5)
            monkeypatch.setattr(chores, "KEPT_MAX", 1)
            first = (await visit.send("/scheduled", sent)).headers["location"]
            await _finished(visit, first)
            second = (await visit.send("/morgue", sent)).headers["location"]
            await _finished(visit, second)
            await visit.get(first, 404)

    run(test())


def test_an_operation_that_fails_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        async with visiting(tmp_path) as visit:
            await play(visit.serving)

            async def full(*_: object) -> None:
                raise OSError("no space left")

            monkeypatch.setattr(visit.site.broker.context.store, "browse", full)
            sent = {"action": "discard", "scope": "matching", "confirmation": "discard"}
            answer = await visit.send("/scheduled", sent, page="/queues")
            text = await _finished(visit, answer.headers["location"])
            assert "failed the store refused it" in text

    run(test())


def test_workers_are_told(tmp_path: Path) -> None:
    async def test() -> None:
        async with visiting(tmp_path) as visit:
            scene = await play(visit.serving)
            answer = await visit.send("/busy", {"wid": "resizer-1", "signal": "quiet"})
            assert "Told to take no more jobs" in await visit.follow(answer)
            assert await scene.worker.ask('BEAT {"wid":"resizer-1"}') == '$ {"state":"quiet"}'
            answer = await visit.send("/busy", {"wid": "all", "signal": "terminate"})
            assert "Told to stop" in await visit.follow(answer)
            assert await scene.worker.ask('BEAT {"wid":"resizer-1"}') == '$ {"state":"terminate"}'
            await visit.send("/busy", {"wid": "nobody", "signal": "quiet"}, status=404)
            await visit.send("/busy", {"wid": "resizer-1", "signal": "explode"}, status=400)

    run(test())


def test_a_running_job_is_cancelled(tmp_path: Path) -> None:
    async def test() -> None:
        async with visiting(tmp_path) as visit:
            await play(visit.serving)
            answer = await visit.send("/busy", {"jid": "picture-0001"})
            assert "cancelled" in await visit.follow(answer)
            assert "It is to be cancelled" in await visit.read("/jobs?jid=picture-0001")
            await visit.send("/busy", {"jid": "gone-meanwhile"}, status=404)

    run(test())


@pytest.mark.parametrize(
    ("jid", "action", "place"),
    [
        ("retry-0001", "retry", "in its queue"),
        ("retry-0001", "kill", "dead"),
        ("retry-0001", "discard", None),
        ("later-0001", "retry", "in its queue"),
        ("dead-00001", "retry", "in its queue"),
        ("picture-0040", "cancel", None),
        ("picture-0001", "cancel", "working"),
    ],
)
def test_what_can_be_done_with_one_job(tmp_path: Path, jid: str, action: str, place: str | None) -> None:
    async def test() -> None:
        async with visiting(tmp_path) as visit:
            await play(visit.serving)
            path = f"/jobs?jid={jid}"
            page = (await visit.get(path)).text
            assert re.search(rf'name="action" value="{action}"', page)
            answer = await visit.send(path, {"action": action})
            text = await visit.follow(answer)
            if place is None:
                await visit.get(path, 404)
            else:
                assert place in text

    run(test())


def test_what_cannot_be_done_with_a_job_is_refused(tmp_path: Path) -> None:
    async def test() -> None:
        async with visiting(tmp_path) as visit:
            await play(visit.serving)
            answer = await visit.send("/jobs?jid=picture-0040", {"action": "kill"}, status=409)
            assert "cannot kill job picture-0040" in answer.text.lower()
            await visit.send("/jobs?jid=picture-0040", {"action": "explode"}, status=400)
            await visit.send("/jobs?jid=gone-meanwhile", {"action": "retry"}, page="/queues", status=404)

    run(test())


def test_the_colours_are_kept_in_a_cookie(tmp_path: Path) -> None:
    async def test() -> None:
        async with visiting(tmp_path) as visit:
            answer = await visit.send("/theme", {"theme": "dark", "here": "/queues?name=a"}, page="/queues")
            assert answer.headers["location"] == "/queues?name=a"
            assert 'data-theme="dark"' in (await visit.get("/queues")).text
            for elsewhere in ("//evil.example/", "https://evil.example/", "/\\evil.example"):
                answer = await visit.send("/theme", {"theme": "pink", "here": elsewhere}, page="/queues")
                assert answer.headers["location"] == "/"
            assert 'data-theme="dark"' in (await visit.get("/queues")).text

    run(test())
