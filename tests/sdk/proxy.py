"""A proxy between a client and a server that breaks connections on cue."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress

Judge = Callable[[bytes], bool]


class Proxy:
    """Forwards both ways; hangs up on a client whose server's reply the judge condemns, which is then lost."""

    def __init__(self, port: int) -> None:
        self._server_port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._judge: Judge = lambda reply: False
        self.cuts = 0
        self.connections = 0
        self._carriers: list[threading.Thread] = []
        self._listening = threading.Thread(target=self._accept, daemon=True)
        self._listening.start()

    @property
    def url(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    def cut_when(self, judge: Judge) -> None:
        """Lose every reply from now on of which the judge says so."""
        self._judge = judge

    def cut_once(self) -> None:
        """Lose the next reply, and no other."""

        def judge(reply: bytes) -> bool:
            self._judge = lambda later: False
            return True

        self._judge = judge

    def move_to(self, port: int) -> None:
        """Forward new connections to another server."""
        self._server_port = port

    def cut_everything(self) -> None:
        """Hang up on everybody."""
        with self._lock:
            doomed = list(self._open)
        for one in doomed:
            _end(one)

    def close(self) -> None:
        """Stop listening and hang up; threads end with their sockets."""
        _end(self._listener)
        self._listener.close()
        self.cut_everything()
        self._listening.join()
        self.cut_everything()
        for thread in self._carriers:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self._server_port))
            except OSError:  # the server is away
                near.close()
                continue
            self.connections += 1
            with self._lock:
                self._open |= {near, far}
            for source, target, judged in ((near, far, False), (far, near, True)):
                thread = threading.Thread(target=self._carry, args=(source, target, judged), daemon=True)
                self._carriers.append(thread)
                thread.start()

    def _carry(self, source: socket.socket, target: socket.socket, judged: bool) -> None:
        try:
            while data := source.recv(65536):
                if judged and self._judge(data):
                    self.cuts += 1
                    break
                target.sendall(data)
        except OSError:
            pass
        for one in (source, target):
            _end(one)
        with self._lock:
            self._open -= {source, target}
        source.close()


def _end(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
