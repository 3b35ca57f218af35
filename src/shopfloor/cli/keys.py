"""Reading single keys from a terminal, which is put back as it was afterwards."""

import select
import sys
import termios
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager


class Keys:
    """Waits, and says which key ended the waiting."""

    def __init__(self, *, is_terminal: bool) -> None:
        self._is_terminal = is_terminal

    def wait(self, seconds: float) -> str:
        """Wait so long, or until a key is pressed; the empty text is no key."""
        if not self._is_terminal:
            time.sleep(seconds)
            return ""
        ready, _, _ = select.select([sys.stdin], [], [], seconds)
        return sys.stdin.read(1) if ready else ""


@contextmanager
def reading_keys() -> Iterator[Keys]:
    """Let keys be read one by one, without echo, where standard input is a terminal."""
    if not sys.stdin.isatty():
        yield Keys(is_terminal=False)
        return
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    try:
        tty.setcbreak(terminal)
        yield Keys(is_terminal=True)
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
