"""What parent and child tell each other: frames of MessagePack behind a length, without a socket."""

import struct
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from shopfloor.sdk.worker.outcome import Outcome

_LENGTH = struct.Struct("<I")


class Give(Struct, frozen=True, tag=True, array_like=True):
    """To the child: carry these jobs out. Each is as the server sent it."""

    jobs: list[bytes]


class CancelRun(Struct, frozen=True, tag=True, array_like=True):
    """To the child: this job is not wanted any more."""

    jid: str


class Return(Struct, frozen=True, tag=True, array_like=True):
    """To the child: give back what has not begun."""


class Interrupt(Struct, frozen=True, tag=True, array_like=True):
    """To the child: the time is over, break off what runs."""


class Finish(Struct, frozen=True, tag=True, array_like=True):
    """To the child: end when everything is done; nothing comes any more."""


class Ready(Struct, frozen=True, tag=True, array_like=True):
    """From the child: it can begin. Whether jobs of a type are coroutines, by type."""

    is_async: Mapping[str, bool]
    has_hard_timeouts: bool


class Unable(Struct, frozen=True, tag=True, array_like=True):
    """From the child: it cannot begin, and why."""

    reason: str


class Ended(Struct, frozen=True, tag=True, array_like=True):
    """From the child: these runs are over."""

    outcomes: list[Outcome]


class Reported(Struct, frozen=True, tag=True, array_like=True):
    """From the child: what a handler says of its job."""

    jid: str
    report: dict[str, Any]


Frame = Give | CancelRun | Return | Interrupt | Finish | Ready | Unable | Ended | Reported

_encoder = msgspec.msgpack.Encoder()
_decoder: "msgspec.msgpack.Decoder[Frame]" = msgspec.msgpack.Decoder(Frame)


def encode(frame: Frame) -> bytes:
    """Write a frame."""
    body = _encoder.encode(frame)
    return _LENGTH.pack(len(body)) + body


class FrameReader:
    """Collects bytes and cuts frames off them."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    def receive(self, data: bytes) -> list[Frame]:
        """Take what arrived; answer the frames that are complete now."""
        buffer = self._buffer
        buffer += data
        frames: list[Frame] = []
        start = 0
        while len(buffer) - start >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(buffer, start)
            end = start + _LENGTH.size + length
            if len(buffer) < end:
                break
            frames.append(_decoder.decode(memoryview(buffer)[start + _LENGTH.size : end].tobytes()))
            start = end
        del buffer[:start]
        return frames
