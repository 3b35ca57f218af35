"""`/metrics`: the figures of the server for Prometheus, and whoever reads its format."""

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.responses import Response

from shopfloor.web.limits import METRIC_QUEUES
from shopfloor.web.metrics import Reading, ServerCollector
from shopfloor.web.pages.visit import Visit


async def show(visit: Visit) -> Response:
    """Answer in the format that is asked for."""
    site = visit.site
    broker = site.broker
    watched = await visit.ask(broker.glances.watched(METRIC_QUEUES))
    broker.context.counts.fold()
    reading = Reading(
        counts=broker.context.counts,
        commits=broker.ticks.commits,
        rounds=broker.ticks.rounds,
        watched=watched,
        vitals=site.vitals(),
        tally=broker.upkeep.tally,
    )
    registry = CollectorRegistry(auto_describe=False)
    registry.register(ServerCollector(reading))
    encode, content_type = choose_encoder(visit.request.headers.get("accept", ""))
    return Response(encode(registry), headers={"content-type": content_type})
