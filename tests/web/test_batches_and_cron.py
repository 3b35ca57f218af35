"""The pages of batches and of cron entries, and what their forms do."""

import json
from pathlib import Path

from tests.serving import run, until
from tests.stores import EMBEDDED
from tests.web.scene import HOSTILE, Scene, play, play_features
from tests.web.sites import Visit, visiting

SHOWN = HOSTILE.replace("\u202e", "\\u202e")


async def _played(visit: Visit) -> tuple[Scene, str]:
    scene = await play(visit.serving)
    return scene, await play_features(scene)


async def _done(visit: Visit, path: str) -> str:
    """Wait for the end of an operation; give its page."""
    chore = visit.site.chores.find(path.rpartition("/")[2])
    assert chore is not None
    await until(lambda: not chore.running)
    return await visit.read(path)


def test_batches_say_what_they_wait_for(tmp_path: Path) -> None:
    async def test() -> None:
        async with visiting(tmp_path, EMBEDDED) as visit:
            assert "No batch is waiting for anything." in await visit.read("/batches")
            _, outer = await _played(visit)
            text = await visit.read("/batches")
            assert "2 batches not through" in text
            assert SHOWN in text
            assert "1 of 2" not in text
            answer = await visit.get(f"/batches/{outer}")
            assert "<script>document" not in answer.text
            text = await visit.read(f"/batches/{outer}")
            assert "Import of 2023 open" in text
            assert "success waits for member import-row-1 (Import) is retries" in text
            assert "member import-row-2 (Import) is queued in imports" in text
            assert "level 2:" in text
            await visit.get("/batches/nobody", 404)

    run(test())


def test_a_batch_is_cancelled_once_the_word_was_typed(tmp_path: Path) -> None:
    async def test() -> None:
        async with visiting(tmp_path) as visit:
            _, outer = await _played(visit)
            path = f"/batches/{outer}"
            answer = await visit.send(path, {"action": "cancel"})
            assert "Cancel what is not finished of this batch?" in await visit.follow(answer)
            answer = await visit.send(path, {"action": "cancel", "confirmation": "cancel"})
            text = await _done(visit, answer.headers["location"])
            assert f"Cancel batch {outer}" in text
            assert "done" in text
            await visit.get("/jobs?jid=import-row-1", 404)
            await visit.send(path, {"action": "explode"}, status=400)
            await visit.send("/batches/nobody", {"action": "retry"}, page="/queues", status=404)

    run(test())


def test_failed_members_are_retried(tmp_path: Path) -> None:
    async def test() -> None:
        async with visiting(tmp_path) as visit:
            _, outer = await _played(visit)
            answer = await visit.send(f"/batches/{outer}", {"action": "retry"})
            assert "1 job so far." in await _done(visit, answer.headers["location"])
            assert "import-row-1" in await visit.read("/queues/imports")

    run(test())


def test_batches_that_are_through_are_shown_where_they_are_asked_for(tmp_path: Path) -> None:
    async def test() -> None:
        async with visiting(tmp_path) as visit:
            client = await visit.serving.client()
            bids = [(await client.ask('BATCH NEW {"description":"empty"}'))[2:] for _ in range(60)]
            for bid in bids:
                assert await client.ask(f"BATCH COMMIT {bid}") == "+OK"
            assert "No batch is waiting" in await visit.read("/batches")
            first, second = await visit.read("/batches?all=yes"), await visit.read("/batches?all=yes&begin=50")
            assert "60 batches, the newest first" in first
            assert [bid in first or bid in second for bid in bids] == [True] * 60
            assert "succeeded" in first

    run(test())


def test_cron_entries_say_when_they_fire(tmp_path: Path) -> None:
    async def test() -> None:
        async with visiting(tmp_path) as visit:
            assert "There is no cron entry." in await visit.read("/cron")
            await _played(visit)
            text = await visit.read("/cron")
            assert "2 entries" in text
            assert "2023-11-24 05:00:00 UTC" in text
            assert "Europe/Berlin" in text
            assert "2023-11-27 05:00:00 UTC" in text
            assert "paused" in text
            assert SHOWN.replace('"', '\\"') in text

    run(test())


def test_cron_entries_are_run_paused_and_resumed(tmp_path: Path) -> None:
    async def test() -> None:
        async with visiting(tmp_path) as visit:
            scene, _ = await _played(visit)
            answer = await visit.send("/cron", {"name": "report", "action": "run"})
            assert "Fired: its job is in the queue." in await visit.follow(answer)
            assert "fired 1" in await visit.read("/cron")
            await visit.send("/cron", {"name": "report", "action": "pause"})
            await visit.send("/cron", {"name": "tidy", "action": "resume"})
            entries = json.loads((await scene.pusher.ask("CRON LIST"))[2:])["entries"]
            assert {entry["name"]: entry["paused"] for entry in entries} == {"report": True, "tidy": False}
            await visit.send("/cron", {"name": "nobody", "action": "run"}, status=404)
            await visit.send("/cron", {"name": "report", "action": "explode"}, status=400)

    run(test())
