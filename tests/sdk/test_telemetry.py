"""Spans of pushes and runs are linked through the job."""

import asyncio
from collections.abc import Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from shopfloor import job
from shopfloor.sdk.telemetry import Telemetry
from shopfloor.testing import faked


@job(queue="pictures")
def resize(name: str) -> None:
    if name == "broken":
        raise ValueError("not a picture")


@job
async def resize_later(name: str) -> None:
    await asyncio.sleep(0)


class Watched:
    """A layer whose spans are kept."""

    def __init__(self, *, linked_alone: bool = False) -> None:
        self._kept = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self._kept))
        self.layer = Telemetry(provider.get_tracer("test"), linked_alone=linked_alone)

    def spans(self) -> Sequence[ReadableSpan]:
        return self._kept.get_finished_spans()


def test_a_run_is_a_child_of_its_push_and_linked_to_it() -> None:
    watched = Watched()
    with faked(resize, resize_later, middleware=[watched.layer]) as jobs:
        jid = resize.push("a.jpg")
        resize_later.push("b.jpg")
        assert jobs.drain() == 2
    sent, _, run, _ = watched.spans()
    assert (sent.name, sent.kind, run.name, run.kind) == (
        "send pictures",
        SpanKind.PRODUCER,
        "process resize",
        SpanKind.CONSUMER,
    )
    assert run.parent is not None
    assert sent.context is not None
    assert run.parent.span_id == run.links[0].context.span_id == sent.context.span_id
    assert run.attributes is not None
    assert (run.attributes["messaging.message.id"], run.attributes["shopfloor.job.attempt"]) == (jid, 1)
    assert run.status.status_code is StatusCode.OK


def test_a_run_may_begin_a_trace_of_its_own() -> None:
    watched = Watched(linked_alone=True)
    with faked(resize, middleware=[watched.layer]) as jobs:
        resize.push("a.jpg")
        jobs.drain()
    sent, run = watched.spans()
    assert sent.context is not None
    assert run.parent is None
    assert run.links[0].context.trace_id == sent.context.trace_id


def test_what_a_job_raises_is_noted() -> None:
    watched = Watched()
    with faked(resize, middleware=[watched.layer]) as jobs:
        resize.push("broken")
        with pytest.raises(ValueError, match="not a picture"):
            jobs.drain()
    run = watched.spans()[-1]
    assert run.status.status_code is StatusCode.ERROR
    assert run.events[0].name == "exception"


def test_a_job_that_was_pushed_without_telemetry_has_a_span_without_links() -> None:
    watched = Watched()
    with faked(resize) as jobs:
        resize.push("a.jpg")
        orders = list(jobs.orders)
    with faked(resize, middleware=[watched.layer]) as jobs:
        jobs.orders += orders
        jobs.drain()
    (run,) = watched.spans()
    assert run.links == ()
    assert run.parent is None
