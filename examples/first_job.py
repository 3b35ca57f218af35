"""Push a job and work it, with nothing but a socket: the whole protocol in a dozen lines."""

import json
import os
import socket
from urllib.parse import urlsplit

address = urlsplit(os.environ.get("FAKTORY_URL", "tcp://localhost:7419"))
wire = socket.create_connection((address.hostname or "localhost", address.port or 7419)).makefile("rw")


def ask(command: str) -> str:
    print(command, file=wire, flush=True)
    reply = wire.readline().strip()  # "+OK", or "$94" and then a line of 94 bytes
    return wire.readline().strip() if reply.startswith("$") else reply


print(wire.readline().strip())
print(ask('HELLO {"v":2,"wid":"my-first-worker"}'))
print(ask('PUSH {"jid":"picture-1","jobtype":"resize","args":["cat.jpg",640]}'))
job = json.loads(ask("FETCH default"))
print(job["jobtype"], *job["args"])
print(ask('ACK {"jid":"picture-1"}'))
wire.close()

# Output:
# +HI {"v":2}
# +OK
# +OK
# resize cat.jpg 640
# +OK
