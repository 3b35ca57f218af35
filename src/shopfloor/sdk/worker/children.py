"""A child process, as its parent sees it: started, fed, watched, and killed."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from shopfloor.sdk.worker.board import Board
from shopfloor.sdk.worker.crew import Shape
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
from shopfloor.sdk.worker.hand import Hand, Superior

PAGE_KILOBYTES = os.sysconf("SC_PAGE_SIZE") // 1024 if hasattr(os, "sysconf") else 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How to start a child."""

    targets: Sequence[str]
    shape: Shape
    environment: Mapping[str, str]


class Child(Hand, asyncio.Protocol):
    """A crew in a process of its own."""

    def __init__(self, recipe: Recipe, superior: Superior) -> None:
        super().__init__(recipe.shape, superior)
        self._recipe = recipe
        self._board = Board.make(recipe.shape.slots)
        self._reader = FrameReader()
        self._transport: asyncio.Transport | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._has_hard_timeouts = False
        self._is_over = False
        self._overdue: list[str] = []
        self._dead_ticks = 0

    async def start(self) -> None:
        """Start the process; it says by itself when it is ready."""
        ours, theirs = socket.socketpair()
        shape = self._recipe.shape
        numbers = (theirs.fileno(), self._board.descriptor, shape.threads, shape.tasks, os.getpid())
        command = [sys.executable, "-m", "shopfloor.sdk.worker.child", *map(str, numbers), *self._recipe.targets]
        with theirs:
            # Our own module, with arguments that are ours; it blocks for some milliseconds, once in a child's life.
            self._process = subprocess.Popen(  # noqa: S603, ASYNC220
                command,
                pass_fds=(theirs.fileno(), self._board.descriptor),
                env=dict(self._recipe.environment),
                stdin=subprocess.DEVNULL,
            )
        await asyncio.get_running_loop().connect_accepted_socket(lambda: self, ours)

    @property
    def process_id(self) -> int:
        """The child's process."""
        assert self._process is not None, "start it first"
        return self._process.pid

    @property
    def is_over(self) -> bool:
        """Whether the process is gone and everything that it told was heard."""
        return self._is_over

    def megabytes(self) -> int:
        """How much memory it has resident; 0 where the system does not tell."""
        with suppress(OSError, ValueError, IndexError):
            return int(Path(f"/proc/{self.process_id}/statm").read_text().split()[1]) * PAGE_KILOBYTES // 1024
        return 0

    def give(self, jobs: Sequence[bytes]) -> None:
        """Carry these out."""
        self._send(Give(list(jobs)))

    def cancel(self, jid: str) -> None:
        """Tell a job's handler that it is not wanted any more."""
        self._send(CancelRun(jid))

    def give_back(self) -> None:
        """Give back what has not begun."""
        self._send(Return())

    def interrupt(self) -> None:
        """Break off what runs."""
        self._send(Interrupt())

    def finish(self) -> None:
        """End when everything is done."""
        self._send(Finish())

    def dump_stacks(self) -> None:
        """Have the child write the stacks of its threads to stderr."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGUSR1)

    def kill(self) -> bool:
        """Kill the process. `lost` follows when it is dead."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
        return True

    def tick(self, seconds: float) -> None:
        """Kill the process when a job is overdue; notice its death even where others hold its socket open."""
        super().tick(seconds)
        if self._has_hard_timeouts:
            now = time.monotonic()
            late = [note for note in self._board.notes() if note.deadline and note.deadline < now]
            overdue = [jid for jid in self.in_hand if any(note.is_of(jid) for note in late)]
            if overdue and not self._overdue:
                self._overdue = overdue
                self.kill()
        if self._process is not None and self._process.poll() is not None:
            self._dead_ticks += 1
            if self._dead_ticks > 1 and self._transport is not None:
                self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note where to write."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Hear what the child says."""
        for frame in self._reader.receive(data):
            self._hear(frame)

    def connection_lost(self, error: Exception | None) -> None:
        """The child is gone, or as good as: make sure that it is dead before its jobs are given to others."""
        assert self._process is not None
        if self._process.poll() is None and self.in_hand:
            self._process.kill()
        asyncio.get_running_loop().create_task(self._bury())

    async def _bury(self) -> None:
        assert self._process is not None
        while self._process.poll() is None:  # noqa: ASYNC110  # nothing tells an event loop of a death everywhere
            await asyncio.sleep(0.005)
        notes = self._board.notes()
        started = [jid for jid in self.in_hand if any(note.is_of(jid) for note in notes)]
        self._board.close()
        self.is_ready = False
        self._is_over = True
        self.superior.lost(self, started, self._overdue)

    def _hear(self, frame: Frame) -> None:
        match frame:
            case Ended():
                self.superior.ended(self, frame.outcomes)
            case Reported():
                self.superior.reported(frame.jid, frame.report)
            case Ready():
                self._has_hard_timeouts = frame.has_hard_timeouts
                self.ready(frame.is_async)
            case Unable():
                self.superior.unable(frame.reason)
            case _:
                raise AssertionError(f"a child does not say {frame}")

    def _send(self, frame: Frame) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(encode(frame))
