"""Three steps, one after the other, each with jobs that may run side by side: declared in one command."""

import json
import os
import socket
from typing import Any
from urllib.parse import urlsplit

address = urlsplit(os.environ.get("FAKTORY_URL", "tcp://localhost:7419"))
wire = socket.create_connection((address.hostname or "localhost", address.port or 7419)).makefile("rw")


def ask(command: str) -> str:
    print(command, file=wire, flush=True)
    reply = wire.readline().strip()  # "+OK", or "$94" and then a line of 94 bytes
    return wire.readline().strip() if reply.startswith("$") and reply != "$-1" else reply


def jobs(jobtype: str, *arguments: str) -> list[dict[str, Any]]:
    return [{"jobtype": jobtype, "args": [argument]} for argument in arguments]


wire.readline()
ask('HELLO {"v":2,"wid":"sequence-worker"}')
publish = {"jobtype": "publish", "args": ["album"]}
resize = {"jobs": jobs("resize", "cat.jpg", "dog.jpg"), "success": publish}
fetch = {"jobs": jobs("download", "cat.jpg", "dog.jpg"), "success": resize, "description": "album"}
bid = ask(f"BATCH NEW {json.dumps(fetch)}")

while (reply := ask("FETCH default")) != "$-1":
    job = json.loads(reply)
    print(job["jobtype"], *job["args"])
    ask(f"ACK {json.dumps({'jid': job['jid']})}")

status = json.loads(ask(f"BATCH STATUS {bid}"))
print(f"{status['description']}: {status['total']} jobs, success {status['success_st']}")
wire.close()

# Output:
# download cat.jpg
# download dog.jpg
# resize cat.jpg
# resize dog.jpg
# publish album
# album: 2 jobs, success 2
