"""`/live`: the pulse of the server as server-sent events, for pages that are open."""

from collections.abc import AsyncIterator
from typing import Final

import msgspec
from starlette.responses import Response, StreamingResponse

from shopfloor.web.pages.visit import Visit
from shopfloor.web.pulse import Pulse

RETRY_MILLISECONDS: Final = 3_000
HEADERS: Final = (("x-accel-buffering", "no"),)
"""A proxy that collects an answer before it hands it on would make it stand still."""


async def listen(visit: Visit) -> Response:
    """Answer with a stream of beats."""
    visit.site.pulse.check_room()
    return StreamingResponse(_events(visit.site.pulse), media_type="text/event-stream", headers=dict(HEADERS))


async def _events(pulse: Pulse) -> AsyncIterator[bytes]:
    yield b"retry: %d\n\n" % RETRY_MILLISECONDS
    async for beat in pulse.beats():
        yield b"data: " + msgspec.json.encode(beat) + b"\n\n"
