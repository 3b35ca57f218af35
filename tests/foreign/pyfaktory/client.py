"""The PyPI package pyfaktory, driven by sub-commands; see ../README.md for what each is told."""

import json
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pyfaktory import (  # type: ignore[import-not-found]  # it is in an environment of its own
    Client,
    Consumer,
    Job,
    JobFilter,
    MutateOperation,
    Producer,
)

BEAT_SECONDS = 5  # the least that the client's documentation allows
LOOK_SECONDS = 0.05


def say(event: str, **fields: Any) -> None:
    sys.stdout.write(json.dumps({"event": event, **fields}) + "\n")
    sys.stdout.flush()


def produce(wanted: list[dict[str, Any]]) -> None:
    with Client(role="producer") as client:
        producer = Producer(client=client)
        for each in wanted:
            job = Job(**each)
            producer.push(job)
            say("pushed", jid=job.jid)


def produce_bulk(wanted: list[dict[str, Any]]) -> None:
    jobs = [Job(**each) for each in wanted]
    with Client(role="producer") as client:
        rejected = Producer(client=client).push_bulk(jobs)
    say("pushed", jids=[job.jid for job in jobs], rejected=rejected)


def requeue(wanted: dict[str, Any]) -> None:
    only = JobFilter(jids=[wanted["jid"]], regexp=None, jobtype=None)
    with Client() as client:
        client.mutate(MutateOperation(cmd="requeue", target="retries", filter=only))
    say("requeued", jid=wanted["jid"])


def info(_: Any) -> None:
    with Client() as client:
        say("info", info=client.info())


def pause(wanted: dict[str, Any]) -> None:
    with Client() as client:
        client.queue_pause(queues=[wanted["queue"]])
    say("paused", queue=wanted["queue"])


def resume(wanted: dict[str, Any]) -> None:
    with Client() as client:
        client.queue_unpause(queues=[wanted["queue"]])
    say("resumed", queue=wanted["queue"])


def echo(jid: str, *args: Any) -> None:
    say("worked", jid=jid, args=args)


def flaky(jid: str, marker: str) -> None:
    if not Path(marker).exists():
        Path(marker).touch()
        raise RuntimeError("the first attempt fails")
    say("worked", jid=jid, args=[marker])


def say_when_quiet(client: Any, wid: str) -> None:
    while client.state.name != "QUIET":
        time.sleep(LOOK_SECONDS)
    say("quiet", wid=wid)


def work(wanted: dict[str, Any]) -> None:
    wid = wanted["wid"]
    with Client(role="consumer", worker_id=wid, beat_period=BEAT_SECONDS) as client:
        consumer = Consumer(client=client, queues=[wanted["queue"]], concurrency=2, grace_period=5)
        consumer.register("echo", echo, bind=True)
        consumer.register("flaky", flaky, bind=True)
        threading.Thread(target=say_when_quiet, args=(client, wid), daemon=True).start()
        say("ready", wid=wid)
        consumer.run()


def main(command: str, *told: str) -> None:
    if command == "work":
        work(json.loads(told[0]))
        return
    commands: dict[str, Callable[[Any], None]] = {
        "produce": produce,
        "produce-bulk": produce_bulk,
        "requeue": requeue,
        "info": info,
        "pause": pause,
        "resume": resume,
    }
    try:
        commands[command](json.load(sys.stdin))
    except Exception as error:
        say("refused", message=str(error))
        sys.exit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
