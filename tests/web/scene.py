"""A shop floor in the middle of its day: queues, workers, failures of every kind, and names that strangers chose."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.serving import Client, Serving

HOSTILE = (
    "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">'\"&{{7*7}}\u202egnp.exe"
)
"""A text that would do something wherever a page forgot what it is."""
BACKTRACE = [f'  File "pictures.py", line {number}, in step_{number}' for number in range(20)]
DAY = 86_400


@dataclass
class Scene:
    """The clients that play in it."""

    pusher: Client
    worker: Client

    async def push(self, jid: str, jobtype: str, queue: str = "default", **more: Any) -> None:
        """Push a job."""
        job = {"jid": jid, "jobtype": jobtype, "queue": queue, "args": ["cat.jpg", 640], **more}
        assert await self.pusher.ask(f"PUSH {json.dumps(job)}") == "+OK"

    async def fail(self, queue: str, errtype: str, message: str, backtrace: Sequence[str] = ()) -> None:
        """Fetch the next job of a queue, and fail."""
        jid = json.loads((await self.worker.ask(f"FETCH {queue}"))[2:])["jid"]
        failure = {"jid": jid, "errtype": errtype, "message": message, "backtrace": list(backtrace)}
        assert await self.worker.ask(f"FAIL {json.dumps(failure)}") == "+OK"


async def play(house: Serving) -> Scene:
    """Fill a server."""
    await _history(house, Scene(await house.client(), await house.client()))
    scene = Scene(await house.client(), await _worker(house, "resizer-1", ["python", "resize"]))
    await _worker(house, "mailer-1", ["ruby"])
    await _waiting(scene)
    house.clock.now += 200
    await _failures(scene)
    for _ in range(3):
        await scene.worker.ask("FETCH default")
    assert await scene.worker.ask('BEAT {"wid":"resizer-1","rss_kb":48128}') == "+OK"
    return scene


async def _waiting(scene: Scene) -> None:
    """Push jobs that wait."""
    for number in range(60):
        args = [f"cat-{number}.jpg", 640, 1.0, 12345678901234567890123]
        await scene.push(f"picture-{number:04}", "Resize", args=args)
    await scene.push("hostile-job-1", HOSTILE, args=[HOSTILE], custom={"note": HOSTILE})
    await scene.push("hostile/../jid?x=1&y=%2f#z " + HOSTILE, "Resize")
    await scene.push("letter-0001", "Letter", "mail")
    assert await scene.pusher.ask("QUEUE PAUSE mail") == "+OK"
    await scene.push("later-0001", "Report", "reports", at="2033-11-15T06:00:00Z", args=[{"year": 2023}])
    await scene.push("later-0002", HOSTILE, "reports", at="2033-11-16T06:00:00Z")


async def _worker(house: Serving, wid: str, labels: Sequence[str]) -> Client:
    client = await house.connect()
    await client.reply()
    hello = {"v": 2, "wid": wid, "hostname": f"{wid}.example", "pid": 4711, "labels": labels}
    assert await client.ask(f"HELLO {json.dumps(hello)}") == "+OK"
    return client


async def _history(house: Serving, scene: Scene) -> None:
    """Work for some days."""
    for day in range(9):
        for number in range(3 + day * 5 % 7):
            await scene.push(f"done-{day}-{number}", "Resize", "history", retry=0)
            if number % 4 == 3:
                await scene.fail("history", "IOError", "no such picture")
            else:
                jid = json.loads((await scene.worker.ask("FETCH history"))[2:])["jid"]
                assert await scene.worker.ask(f'ACK {{"jid":"{jid}"}}') == "+OK"
        house.clock.now += DAY


async def _failures(scene: Scene) -> None:
    """Let jobs fail: some wait for another try, some are dead."""
    for number in range(4):
        await scene.push(f"retry-{number:04}", "Letter", "letters", backtrace=20)
        await scene.fail("letters", "ConnectionError", f"mail host {number} did not answer", BACKTRACE)
    for number in range(3):
        await scene.push(f"dead-{number:05}", "Invoice", "invoices", retry=-1, backtrace=20)
        await scene.fail("invoices", "ValueError", "amount must not be negative", BACKTRACE)
    await scene.push("dead-thumbs-1", "Thumbnail", "thumbs", retry=-1)
    await scene.fail("thumbs", HOSTILE[:60], HOSTILE)
    await scene.push("hostile-retry-1", HOSTILE, "letters", args=[HOSTILE])
    await scene.fail("letters", HOSTILE, HOSTILE, [HOSTILE])


async def play_features(scene: Scene) -> str:
    """Add batches that wait for something and cron entries; give the batch that another one is nested in."""
    outer = await _new_batch(scene, {"description": "Import of 2023", "complete": {"jobtype": "Done", "args": []}})
    inner = await _new_batch(
        scene, {"description": HOSTILE, "parent_bid": outer, "success": {"jobtype": "Tell", "args": []}}
    )
    await scene.push("import-row-1", "Import", "imports", custom={"bid": outer})
    await scene.push("import-row-2", "Import", "imports", custom={"bid": inner})
    await scene.push("import-row-3", "Import", "imports", custom={"bid": inner})
    await scene.fail("imports", "ValueError", "no such row")
    for bid in (inner, outer):
        assert await scene.pusher.ask(f"BATCH COMMIT {bid}") == "+OK"
    for entry in (
        {
            "name": "report",
            "schedule": "0 6 * * mon-fri",
            "zone": "Europe/Berlin",
            "job": {"type": "Report", "args": []},
        },
        {"name": "tidy", "schedule": "@daily", "paused": True, "job": {"type": HOSTILE, "args": [HOSTILE]}},
    ):
        assert (await scene.pusher.ask(f"CRON PUT {json.dumps(entry)}")).startswith("$ ")
    return outer


async def _new_batch(scene: Scene, definition: dict[str, Any]) -> str:
    return (await scene.pusher.ask(f"BATCH NEW {json.dumps(definition)}"))[2:]
