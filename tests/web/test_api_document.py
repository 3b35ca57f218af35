"""The JSON API against its own document: schemathesis makes up requests, good and bad, and judges the answers."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
import uvloop
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS

from shopfloor.web.api.document import document
from shopfloor.web.api.operations import OPERATIONS, Operation
from tests.serving import serving
from tests.stores import MEMORY
from tests.web.scene import play
from tests.web.sites import web_house

EXAMPLES = 12
"""Made-up requests an operation and mode. They are the same each time, so that nothing fails now and then."""
JUDGES = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
)


class _House(threading.Thread):
    """A server with jobs of every kind in it, in a thread: schemathesis asks without an event loop."""

    def __init__(self, folder: Path) -> None:
        super().__init__(name="house of the document")
        self.port = 0
        self.error: BaseException | None = None
        self._folder = folder
        self._ready = threading.Event()
        self._loop = uvloop.new_event_loop()
        self._end = asyncio.Event()

    def run(self) -> None:
        """Serve until the end."""
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._serve())
        except BaseException as error:
            self.error = error
            raise
        finally:
            self._ready.set()

    def wait(self) -> None:
        """Wait until it serves."""
        assert self._ready.wait(60)
        assert self.error is None

    def end(self) -> None:
        """Let it end, and wait for that."""
        self._loop.call_soon_threadsafe(self._end.set)
        self.join(60)

    async def _serve(self) -> None:
        async with serving(MEMORY, self._folder, reap_seconds=300) as house:
            await play(house)
            web = web_house(house)
            await web.start()
            self.port = web.port
            self._ready.set()
            await self._end.wait()
            await web.stop()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve; give the address."""
    thread = _House(tmp_path_factory.mktemp("house"))
    thread.start()
    thread.wait()
    yield f"http://127.0.0.1:{thread.port}"
    thread.end()


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: str(mode.value))
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: str(operation.name))
def test_every_answer_is_what_the_document_says(house: str, operation: Operation, mode: GenerationMode) -> None:
    schema = schemathesis.openapi.from_dict(document())
    known = schema.find_operation_by_id(operation.name)
    judges = [CHECKS.get_one(name) for name in JUDGES]

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=known.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        case.call_and_validate(base_url=house, checks=judges, timeout=30)

    ask()
