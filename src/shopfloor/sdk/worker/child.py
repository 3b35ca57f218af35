"""A child process: a crew behind a socket, which ends with its parent.

`python -m shopfloor.sdk.worker.child <socket> <board> <threads> <tasks> <module>…` is what the parent starts.
"""

import ctypes
import faulthandler
import logging
import os
import signal
import socket
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from shopfloor.sdk.worker.board import Board
from shopfloor.sdk.worker.crew import Crew, Listener, Shape
from shopfloor.sdk.worker.frames import (
    CancelRun,
    Ended,
    Finish,
    Frame,
    FrameReader,
    Give,
    Interrupt,
    Ready,
    Reported,
    Return,
    Unable,
    encode,
)
from shopfloor.sdk.worker.handlers import load_handlers
from shopfloor.sdk.worker.logs import log_jids
from shopfloor.sdk.worker.outcome import Outcome

READ_BYTES = 262_144
DIE_WITH_THE_PARENT = 1
"""PR_SET_PDEATHSIG of prctl(2)."""
FINISH_SECONDS_MAX = 7 * 86_400.0
"""The parent decides how long it may take, and kills us; this is only an end to everything."""


class Outbox:
    """Carries outcomes and reports to the parent, from a thread of its own: one write for all that have gathered.

    The thread that ended a job may begin the next at once; its outcome leaves however long that one takes.
    """

    def __init__(self, peer: socket.socket) -> None:
        self._peer = peer
        self._gathered: deque[Outcome | Frame] = deque()
        self._wake = threading.Event()
        self._ending = False
        self._thread = threading.Thread(target=self._carry, name="shopfloor-outbox", daemon=True)
        self._thread.start()

    def ended(self, outcome: Outcome) -> None:
        """A run is over."""
        self._gathered.append(outcome)
        self._wake.set()

    def reported(self, jid: str, report: Mapping[str, Any]) -> None:
        """A handler says something about its job."""
        self.send(Reported(jid, dict(report)))

    def send(self, frame: Frame) -> None:
        """Send a frame, after what was told before."""
        self._gathered.append(frame)
        self._wake.set()

    def finish(self) -> None:
        """Send what is left and end."""
        self._ending = True
        self._wake.set()
        self._thread.join()

    def _carry(self) -> None:
        with suppress(OSError):  # the parent is gone, and with it whoever would want to know
            while not self._ending or self._gathered:
                self._wake.wait()
                self._wake.clear()
                self._peer.sendall(self._drained())

    def _drained(self) -> bytes:
        """Take everything that has gathered, in order."""
        data, outcomes = bytearray(), list[Outcome]()
        with suppress(IndexError):
            while True:
                one = self._gathered.popleft()
                if isinstance(one, Outcome):
                    outcomes.append(one)
                    continue
                data += _ended(outcomes) + encode(one)
                outcomes.clear()
        return bytes(data + _ended(outcomes))


def _ended(outcomes: list[Outcome]) -> bytes:
    return encode(Ended(list(outcomes))) if outcomes else b""


def main(arguments: Sequence[str]) -> None:
    """Carry jobs out until the parent says `Finish`, or is gone."""
    descriptor, board, threads, tasks, parent = map(int, arguments[:5])
    _die_with(parent)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGTSTP, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # a terminal sends them to us too; the parent decides
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    log_jids(logging.INFO)
    peer = socket.socket(fileno=descriptor)
    outbox = Outbox(peer)
    shape = Shape(threads=threads, tasks=tasks)
    try:
        handlers = load_handlers(arguments[5:])
    except BaseException as error:
        outbox.send(Unable(f"cannot load {' '.join(arguments[5:])}: {type(error).__name__}: {error}"))
        outbox.finish()
        raise
    listener = Listener(ended=outbox.ended, reported=outbox.reported)
    crew = Crew(handlers, shape, listener, Board(board, shape.slots))
    crew.start()
    functions = handlers.functions
    outbox.send(
        Ready(
            {name: function.is_async for name, function in functions.items()},
            any(function.manner.hard_timeout for function in functions.values()),
        )
    )
    _serve(peer, crew)
    outbox.finish()


def _serve(peer: socket.socket, crew: Crew) -> None:
    """Do what the parent says; return when all is done and nothing more comes."""
    reader = FrameReader()
    finishing: threading.Thread | None = None
    orders: Mapping[type[Any], Callable[[Any], None]] = {
        Give: lambda frame: crew.give(frame.jobs),
        CancelRun: lambda frame: crew.cancel(frame.jid),
        Return: lambda frame: crew.give_back(),
        Interrupt: lambda frame: crew.interrupt(),
    }
    while True:
        data = peer.recv(READ_BYTES)
        if not data:
            _leave(finishing)
            return
        for frame in reader.receive(data):
            if not isinstance(frame, Finish):
                orders[type(frame)](frame)
            elif finishing is None:
                finishing = threading.Thread(target=_finish, args=[crew, peer], daemon=True)
                finishing.start()


def _finish(crew: Crew, peer: socket.socket) -> None:
    crew.finish(FINISH_SECONDS_MAX)
    peer.shutdown(socket.SHUT_RD)


def _leave(finishing: threading.Thread | None) -> None:
    """Nothing more comes. Where that is not because we are done, the parent is gone: its jobs are not ours any more."""
    if finishing is None:
        os._exit(1)
    finishing.join()


def _die_with(parent: int) -> None:
    """Have the kernel kill us when the parent dies, so that no job runs on that the server gives to others."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(DIE_WITH_THE_PARENT, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
