"""A worker in Python: fetch a job, run it, say how it went. `worker.js` does the same in JavaScript.

python worker.py PORT DIARY     works until it is killed, and notes each job it ran in the file DIARY
"""

import sys
import time
from contextlib import suppress
from typing import Any, TextIO

from client import Client, Refused

QUEUES = "mail pictures"
BEAT_SECONDS = 1.0
RECEIPT_SECONDS = 0.01
PICTURE_SECONDS = 0.06


class JobFailed(Exception):
    """The job could not be done this time."""


def run(job: dict[str, Any]) -> None:
    """Do what the job asks for, or raise."""
    subject = job["args"][0]
    if job["jobtype"] == "resize picture":
        time.sleep(PICTURE_SECONDS)
        if subject == "broken.tif":
            raise JobFailed("not an image")
        return
    time.sleep(RECEIPT_SECONDS)
    if subject == "full-mailbox" and "failure" not in job:
        raise JobFailed("mailbox is full, try later")


def settle(server: Client, job: dict[str, Any], diary: TextIO) -> None:
    """Run one job and report it. What is noted in the diary was really done, whatever the server heard of it."""
    jid = job["jid"]
    try:
        run(job)
    except JobFailed as failure:
        print("failed", jid, file=diary, flush=True)
        report = {"jid": jid, "errtype": type(failure).__name__, "message": str(failure)}
        with suppress(Refused):  # where an earlier try of this very FAIL had arrived
            server.ask("FAIL", report)
        return
    print("done", jid, file=diary, flush=True)
    server.ask("ACK", {"jid": jid})


def main(port: int, diary: TextIO) -> None:
    """Work until killed."""
    server = Client(port, worker="python")
    beaten_at = time.monotonic()
    while True:
        job = server.ask("FETCH", QUEUES)
        if job is not None:
            settle(server, job, diary)
        if time.monotonic() - beaten_at > BEAT_SECONDS:
            server.ask("BEAT", {"wid": server.wid})
            beaten_at = time.monotonic()


if __name__ == "__main__":
    with open(sys.argv[2], "a", encoding="utf-8") as notes:
        main(int(sys.argv[1]), notes)
