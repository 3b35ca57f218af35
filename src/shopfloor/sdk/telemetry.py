"""OpenTelemetry for jobs: a span for every push and every run, and the run's span within the trace of the push.

Needs the extra `shopfloor[otel]`. Names and attributes follow OpenTelemetry's conventions for messaging.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import propagate, trace
from opentelemetry.trace import Link, SpanKind, Status, StatusCode, Tracer

from shopfloor.sdk.middleware import Middleware
from shopfloor.sdk.order import Order
from shopfloor.sdk.running import CurrentJob

CARRIER = "trace"
"""The key in `custom` under which the context of the push travels."""
SYSTEM = "shopfloor"


class Telemetry(Middleware):
    """A layer for both sides. `Telemetry()` uses the tracer provider of the process.

    A run is linked to its push; it is also its child, unless `linked_alone`, which suits jobs that run days later.
    """

    def __init__(self, tracer: Tracer | None = None, *, linked_alone: bool = False) -> None:
        self._tracer = tracer or trace.get_tracer("shopfloor")
        self._linked_alone = linked_alone

    @contextmanager
    def pushing(self, order: Order) -> Iterator[Order]:
        """Surround the push with a span, and send its context along."""
        queue = order.queue or "default"
        attributes = _attributes(order.jid, queue, "send")
        with self._tracer.start_as_current_span(f"send {queue}", kind=SpanKind.PRODUCER, attributes=attributes):
            carrier: dict[str, str] = {}
            propagate.inject(carrier)
            yield order.with_custom({CARRIER: carrier}) if carrier else order

    @contextmanager
    def running(self, job: CurrentJob) -> Iterator[None]:
        """Surround the run with a span that knows the push; what the job raises is noted on it."""
        sent = propagate.extract(job.custom.get(CARRIER, {}))
        origin = trace.get_current_span(sent).get_span_context()
        span = self._tracer.start_span(
            f"process {job.jobtype}",
            context=None if self._linked_alone else sent,
            kind=SpanKind.CONSUMER,
            attributes={
                **_attributes(job.jid, job.queue, "process"),
                "shopfloor.job.type": job.jobtype,
                "shopfloor.job.attempt": job.attempt,
            },
            links=[Link(origin)] if origin.is_valid else [],
        )
        with trace.use_span(span, end_on_exit=True, record_exception=True, set_status_on_exception=True):
            yield
            span.set_status(Status(StatusCode.OK))


def _attributes(jid: str, queue: str, operation: str) -> dict[str, str]:
    return {
        "messaging.system": SYSTEM,
        "messaging.operation.type": operation,
        "messaging.destination.name": queue,
        "messaging.message.id": jid,
    }
