"""The JSON API: what each operation means, and that nothing is changed on the way."""

from pathlib import Path

import httpx
import pytest

from shopfloor.web.api.operations import BEGIN
from tests.serving import run
from tests.stores import EMBEDDED, MEMORY, Kind
from tests.web.programs import asking
from tests.web.scene import HOSTILE, play

ARGS = '[12345678901234567890123, 1.0, {"z":1,"a":2, "z":3}, "\\u00e9", 1e2]'
"""What a program that reads and writes it again would change in five places."""


@pytest.mark.parametrize("kind", [MEMORY, EMBEDDED], ids=lambda kind: kind.name)
def test_arguments_are_kept_byte_for_byte(tmp_path: Path, kind: Kind) -> None:
    async def test() -> None:
        async with asking(tmp_path, kind) as program:
            body = f'{{"jobtype":"Resize","jid":"picture-1","args":{ARGS},"custom":{{"big": 10000000000000000000001}}}}'
            assert await program.post("/jobs", body) == {"jid": "picture-1"}
            bulk = f'{{"jobs":[{{"jobtype":"Resize","jid":"picture-2","args":{ARGS}}}]}}'
            await program.post("/jobs/bulk", bulk)
            for path in ("/jobs/picture-1", "/jobs/picture-2", "/queues/default/jobs"):
                answer = await program.visit.visitor.get(BEGIN + path)
                assert ARGS in answer.text
            worker = await program.visit.serving.client("worker-1")
            fetched = await worker.ask("FETCH default")
            assert ARGS in fetched
            assert '"big": 10000000000000000000001' in fetched

    run(test())


def test_a_push_may_be_repeated(tmp_path: Path) -> None:
    async def test() -> None:
        async with asking(tmp_path) as program:
            job = {"jobtype": "Resize", "jid": "picture-1", "args": [1]}
            for _ in range(3):
                assert await program.post("/jobs", job) == {"jid": "picture-1"}
            assert (await program.get("/stats"))["enqueued"] == 1
            told = await program.post("/jobs", {**job, "args": [2]}, 409)
            assert told["type"] == "urn:shopfloor:problem:refused"
            assert "picture-1" in told["detail"]

    run(test())


def test_a_job_without_a_jid_gets_one(tmp_path: Path) -> None:
    async def test() -> None:
        async with asking(tmp_path) as program:
            jid = (await program.post("/jobs", {"jobtype": "Resize", "args": []}))["jid"]
            assert (await program.get(f"/jobs/{jid}"))["place"] == "queued"

    run(test())


def test_many_jobs_each_for_itself(tmp_path: Path) -> None:
    async def test() -> None:
        async with asking(tmp_path, bulk_jobs_max=3) as program:
            lock = {"unique_for": 60}
            jobs = [{"jobtype": "Resize", "jid": f"picture-{n}", "args": [], "custom": lock} for n in (1, 2)]
            told = await program.post("/jobs/bulk", {"jobs": jobs})
            assert told["jids"] == ["picture-1", "picture-2"]
            assert told["refused"] == {"picture-2": "NOTUNIQUE Job not unique"}
            assert (await program.post("/jobs", {**jobs[1]}, 409))["type"] == "urn:shopfloor:problem:not-unique"
            await program.post("/jobs/bulk", {"jobs": jobs * 2}, 413)

    run(test())


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("", 400),
        ("[]", 400),
        ('{"jobtype":"x"}', 400),
        ('{"jobtype":"x","args":{}}', 422),
        ('{"jobtype":"x","args":[],"jid":"short"}', 400),
        ('{"jobtype":"x","args":[],"colour":"red"}', 400),
        ('{"jobtype":"x","args":[],"at":"tomorrow"}', 422),
        ('{"jobtype":"x","args":[1e999]}', 422),
        ('{"jobtype":"x","args":[' + "[" * 5000, 400),
        (b'{"jobtype":"\xff","args":[]}', 400),
        (b'{"jobtype":"x","args":["\xff"]}', 400),
        ('{"jobtype":"x","args":["' + "x" * 3000 + '"]}', 413),
    ],
)
def test_what_is_no_job(tmp_path: Path, body: str | bytes, status: int) -> None:
    async def test() -> None:
        async with asking(tmp_path, job_bytes_max=2048 if status == 413 else 1 << 20) as program:
            told = await program.ask("POST", "/jobs", body, status)
            assert told["status"] == status
            assert told["type"].startswith("urn:shopfloor:problem:")
            assert (await program.get("/stats"))["enqueued"] == 0

    run(test())


def test_cancelling_and_requeueing(tmp_path: Path) -> None:
    async def test() -> None:
        async with asking(tmp_path) as program:
            await play(program.visit.serving)
            await program.post("/jobs/later-0001/requeue")
            assert (await program.get("/jobs/later-0001"))["place"] == "queued"
            await program.post("/jobs/later-0001/requeue", status=409)
            await program.post("/jobs/later-0001/cancel")
            assert (await program.get("/jobs/later-0001", 404))["type"] == "urn:shopfloor:problem:not-found"
            await program.post("/jobs/nobody-0001/cancel", status=404)
            strange = "hostile/../jid?x=1&y=%2f#z " + HOSTILE
            quoted = httpx.QueryParams({"": strange}).__str__()[1:].replace("+", "%20").replace("..", "%2e%2e")
            assert (await program.get(f"/jobs/{quoted}"))["job"]["jid"] == strange

    run(test())


def test_queues(tmp_path: Path) -> None:
    async def test() -> None:
        async with asking(tmp_path) as program:
            await play(program.visit.serving)
            seen = [queue["name"] async for page in program.pages("/queues", count=2) for queue in page["queues"]]
            assert seen == sorted(set(seen))
            assert "mail" in seen
            assert (await program.get("/queues/mail"))["paused"]
            assert (await program.get("/queues/mail"))["latency_seconds"] >= 200
            await program.post("/queues/mail/resume")
            assert not (await program.get("/queues/mail"))["paused"]
            await program.post("/queues/mail/pause")
            assert (await program.get("/queues/mail"))["paused"]
            for path in ("", "/jobs"):
                await program.get(f"/queues/nobody{path}", 404)
            chore = await program.chore(await program.ask("DELETE", "/queues/default"))
            assert chore["moved"] == chore["looked"] > 50
            await program.get("/queues/default", 404)

    run(test())


@pytest.mark.parametrize("kind", [MEMORY, EMBEDDED], ids=lambda kind: kind.name)
def test_peeking_misses_and_repeats_nothing_while_workers_fetch(tmp_path: Path, kind: Kind) -> None:
    async def test() -> None:
        async with asking(tmp_path, kind) as program:
            jobs = [{"jobtype": "Resize", "jid": f"picture-{n:02}", "args": [n]} for n in range(40)]
            await program.post("/jobs/bulk", {"jobs": jobs})
            worker = await program.visit.serving.client("worker-1")
            seen = []
            async for page in program.pages("/queues/default/jobs", count=7):
                seen += [job["jid"] for job in page["jobs"]]
                assert page["more"] == (page["next"] is not None)
                await worker.ask("FETCH default")
                await worker.ask("FETCH default")
            assert seen == [job["jid"] for job in jobs]

    run(test())


def test_looking_through_sets(tmp_path: Path) -> None:
    async def test() -> None:
        async with asking(tmp_path) as program:
            await play(program.visit.serving)
            pages = program.pages("/sets/retries", count=2, jobtype="Letter")
            seen = [held["job"]["jid"] async for page in pages for held in page["jobs"]]
            assert sorted(seen) == [f"retry-000{n}" for n in range(4)]
            page = await program.get("/sets/retries", params={"error": "HOST 2 DID"})
            assert [held["job"]["jid"] for held in page["jobs"]] == ["retry-0002"]
            assert page["jobs"][0]["job"]["failure"]["errtype"] == "ConnectionError"
            assert len((await program.get("/sets/dead"))["jobs"]) == (await program.get("/stats"))["dead"]
            await program.get("/sets/working", 404)
            for query in ({"count": 0}, {"count": 1001}, {"count": "x"}, {"cursor": "!"}, {"cursor": "e30"}, {"a": 1}):
                told = await program.get("/sets/retries", 400, params=query)
                assert told["type"] == "urn:shopfloor:problem:malformed"

    run(test())


def test_acting_on_sets(tmp_path: Path) -> None:
    async def test() -> None:
        async with asking(tmp_path) as program:
            await play(program.visit.serving)
            path, before = "/sets/retries/actions", await program.get("/stats")
            meant = {"action": "kill", "filter": {"jobtype": "Letter"}}
            assert await program.post(path, {**meant, "dry_run": True}) == {"meant": 4, "counted_all": True}
            named = {"action": "discard", "jids": ["retry-0000", "nobody", "dead-00001"]}
            assert await program.post(path, {**named, "dry_run": True}) == {"meant": 1, "counted_all": True}
            everything = {"action": "requeue", "everything": True}
            told = await program.post(path, {**everything, "dry_run": True})
            assert told == {"meant": before["retries"], "counted_all": True}
            assert await program.get("/stats") == before
            assert await program.post(path, named) == {"moved": 1}
            assert (await program.chore(await program.post(path, meant)))["moved"] == 3
            assert (await program.get("/stats"))["dead"] == before["dead"] + 3
            assert (await program.chore(await program.post(path, everything)))["error"] == ""
            assert (await program.get("/stats"))["retries"] == 0
            for wrong in ("", ',"everything":true,"jids":["x"]', ',"filter":{}', ',"jids":[]'):
                await program.post(path, f'{{"action":"kill"{wrong}}}', 400)
            await program.get("/chores/nobody", 404)
            chore = await program.post(path, meant)
            await program.post(f"/chores/{chore['chore']}/stop")

    run(test())


def test_batches(tmp_path: Path) -> None:
    async def test() -> None:
        async with asking(tmp_path) as program:
            callback = {"jobtype": "Done", "args": []}
            bids = []
            for _ in range(5):
                bids.append((await program.post("/batches", {"description": "letters", "success": callback}))["bid"])
                program.visit.serving.clock.now += 1
            bid = bids[0]
            job = {"jobtype": "Letter", "jid": "letter-0001", "args": [], "custom": {"bid": bid}}
            await program.post("/jobs", job)
            await program.post(f"/batches/{bid}/commit")
            shown = await program.get(f"/batches/{bid}")
            assert (shown["total"], shown["committed"]) == (1, True)
            assert shown["waits_for"] == ["member letter-0001 (Letter) is queued in default"]
            await program.post(f"/batches/{bid}/open")
            await program.post(f"/batches/{bid}/commit")
            assert await program.post(f"/batches/{bid}/retry") == {"jobs": 0}
            assert await program.post(f"/batches/{bid}/cancel") == {"jobs": 1}
            first = await program.get("/batches", params={"count": 3})
            second = await program.get("/batches", params={"count": 3, "cursor": first["next"]})
            assert [one["bid"] for one in first["batches"] + second["batches"]] == bids[::-1]
            assert second["next"] is None
            whole = {"complete": callback, "jobs": [{"jobtype": "Letter", "args": [1.0]}]}
            assert (await program.get(f"/batches/{(await program.post('/batches', whole))['bid']}"))["total"] == 1
            await program.get("/batches/b-nobody", 404)
            await program.post("/batches", {"success": callback, "colour": "red"}, 400)

    run(test())


def test_cron(tmp_path: Path) -> None:
    async def test() -> None:
        async with asking(tmp_path) as program:
            entry = f'{{"name":"report","schedule":"0 6 * * *","job":{{"jobtype":"Report","args":{ARGS}}}}}'
            assert await program.post("/cron", entry) == {"name": "report"}
            answer = await program.visit.visitor.get(f"{BEGIN}/cron")
            assert ARGS in answer.text
            jid = (await program.post("/cron/report/run"))["jid"]
            assert ARGS in (await program.visit.visitor.get(f"{BEGIN}/jobs/{jid}")).text
            await program.post("/cron/report/pause")
            assert (await program.get("/cron"))["entries"][0]["paused"]
            await program.post("/cron/report/resume")
            assert not (await program.get("/cron"))["entries"][0]["paused"]
            await program.ask("DELETE", "/cron/report")
            assert (await program.get("/cron"))["entries"] == []
            await program.ask("DELETE", "/cron/report", status=404)
            await program.post("/cron/report/run", status=404)
            told = await program.post("/cron", {"schedule": "at dawn", "job": {"jobtype": "Report"}}, 422)
            assert "at dawn" in told["detail"]

    run(test())


def test_workers_tracking_throttles_and_locks(tmp_path: Path) -> None:
    async def test() -> None:
        async with asking(tmp_path) as program:
            await play(program.visit.serving)
            page = await program.get("/workers", params={"count": 1})
            rest = await program.get("/workers", params={"cursor": page["next"]})
            wids = [one["wid"] for one in page["workers"] + rest["workers"]]
            assert wids == sorted(wids)
            assert {"mailer-1", "resizer-1"} <= set(wids)
            await program.post("/workers/mailer-1/quiet")
            await program.post("/workers/resizer-1/stop")
            states = {one["wid"]: one["state"] for one in (await program.get("/workers"))["workers"]}
            assert (states["mailer-1"], states["resizer-1"]) == ("quiet", "terminate")
            await program.post("/workers/nobody/stop", status=404)
            job = {"jobtype": "Report", "jid": "report-0001", "args": [], "custom": {"track": 1, "unique_for": 60}}
            await program.post("/jobs", job)
            assert (await program.get("/tracking/report-0001"))["state"] == "enqueued"
            assert (await program.get("/tracking/nobody"))["state"] == "unknown"
            assert (await program.get("/locks"))["locks"][0]["jid"] == "report-0001"
            assert (await program.get("/throttles")) == {"throttles": []}
            assert (await program.get("/info"))["faktory"]["sets"]["dead"] == (await program.get("/stats"))["dead"]

    run(test())
