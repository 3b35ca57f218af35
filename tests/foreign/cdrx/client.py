"""The PyPI package faktory (by cdrx), driven by sub-commands; see ../README.md for what each is told."""

import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

import faktory  # type: ignore[import-not-found]  # it is in an environment of its own

BEAT_SECONDS = 1
LOOK_SECONDS = 0.05


def say(event: str, **fields: Any) -> None:
    sys.stdout.write(json.dumps({"event": event, **fields}) + "\n")
    sys.stdout.flush()


def produce(wanted: list[dict[str, Any]]) -> None:
    with faktory.connection() as client:
        for each in wanted:
            jid = client.random_job_id()
            assert client.queue(
                each["jobtype"],
                args=each["args"],
                queue=each["queue"],
                jid=jid,
                custom=each.get("custom"),
                at=each.get("at"),
            )
            say("pushed", jid=jid)


def echo(jid: str, *args: Any) -> None:
    say("worked", jid=jid, args=args)


def flaky(jid: str, marker: str) -> None:
    if not Path(marker).exists():
        Path(marker).touch()
        raise RuntimeError("the first attempt fails")
    say("worked", jid=jid, args=[marker])


def say_when_quiet(worker: Any, wid: str) -> None:
    while not worker.is_quiet:
        time.sleep(LOOK_SECONDS)
    say("quiet", wid=wid)


def work(wanted: dict[str, Any]) -> None:
    wid = wanted["wid"]
    worker = faktory.Worker(queues=[wanted["queue"]], concurrency=2, use_threads=True, worker_id=wid)
    worker.send_heartbeat_every = BEAT_SECONDS
    worker.register("echo", echo, bind=True)
    worker.register("flaky", flaky, bind=True)
    threading.Thread(target=say_when_quiet, args=(worker, wid), daemon=True).start()
    worker.faktory.connect(worker_id=wid)
    say("ready", wid=wid)
    worker.run()


def main(command: str, *told: str) -> None:
    if command == "work":
        work(json.loads(told[0]))
        return
    try:
        {"produce": produce}[command](json.load(sys.stdin))
    except Exception as error:
        say("refused", message=str(error))
        sys.exit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
