"""`/metrics`, read by the library that Prometheus' own clients use."""

from pathlib import Path

import httpx
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_open
from prometheus_client.parser import text_string_to_metric_families as parse

from shopfloor.web.application import make_application
from tests.house.sources import ROOT
from tests.serving import run
from tests.web.scene import HOSTILE, play
from tests.web.sites import Visit, visiting

OPEN_METRICS = "application/openmetrics-text; version=1.0.0"
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


async def _samples(visit: Visit) -> Samples:
    answer = await visit.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in parse(answer.text)
        for sample in family.samples
    }


def test_the_figures_of_a_shop_floor(tmp_path: Path) -> None:
    async def test() -> None:
        async with visiting(tmp_path) as visit:
            await play(visit.serving)
            samples = await _samples(visit)

            def value(name: str, **labels: str) -> float:
                return samples[f"shopfloor_{name}", tuple(sorted(labels.items()))]

            assert value("jobs_pushed_total", queue="default", jobtype="Resize") == 61
            assert value("jobs_started_total", queue="default", jobtype="Resize") == 3
            assert value("jobs_failed_total", queue="letters", jobtype="Letter") == 4
            assert value("jobs_failed_total", queue="letters", jobtype=HOSTILE) == 1
            assert value("jobs_died_total", queue="invoices", jobtype="Invoice") == 3
            assert value("jobs", place="queued") == 60
            assert value("jobs", place="dead") == 4
            assert value("queue_jobs", queue="default") == 59
            assert value("queue_latency_seconds", queue="default") == 200
            assert value("queue_paused", queue="mail") == 1
            assert value("job_wait_seconds_count", queue="default") == 3
            assert value("job_wait_seconds_bucket", queue="default", le="60.0") == 0
            assert value("job_wait_seconds_bucket", queue="default", le="300.0") == 3
            assert value("job_wait_seconds_sum", queue="default") == 600
            assert value("workers", state="running") == 2
            assert value("processed_total") == 62
            assert value("failures_total") == 19
            assert value("upkeep_lag_seconds", place="retries") == 0
            assert value("connections") == 5
            assert value("rounds_total") > 100
            assert value("commit_seconds_count") > 10
            assert value("store_trouble") == 0
            assert value("server_info", version=visit.site.vitals().version, store="memory", durability="none") == 1

    run(test())


def test_open_metrics_where_they_are_asked_for(tmp_path: Path) -> None:
    async def test() -> None:
        async with visiting(tmp_path) as visit:
            await play(visit.serving)
            answer = await visit.get("/metrics", headers={"accept": OPEN_METRICS})
            assert answer.headers["content-type"].startswith("application/openmetrics-text")
            families = parse_open(answer.text)  # type: ignore[no-untyped-call]  # it has no types
            names = {family.name for family in families}
            assert {"shopfloor_jobs_pushed", "shopfloor_job_run_seconds", "shopfloor_queue_latency_seconds"} <= names

    run(test())


def test_figures_want_the_password(tmp_path: Path) -> None:
    async def test() -> None:
        async with visiting(tmp_path, password="secret") as visit:
            await visit.get("/metrics", 401)
            transport = httpx.ASGITransport(make_application(visit.site))
            who = httpx.BasicAuth("prometheus", "secret")
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost", auth=who) as collector:
                assert (await collector.get("/metrics")).status_code == 200

    run(test())


def test_every_metric_is_explained(tmp_path: Path) -> None:
    async def test() -> None:
        async with visiting(tmp_path) as visit:
            text = (await visit.get("/metrics")).text
            page = (ROOT / "docs" / "reference" / "metrics.md").read_text()
            shown = {family.name for family in parse(text)}
            assert [name for name in sorted(shown) if f"`{name}`" not in page and f"`{name}_total`" not in page] == []

    run(test())
