"""One tiny round of every benchmark against our own server, so that they cannot rot, and the sums in them.

`BENCHMARKED_SERVER=faktory pytest tests/test_benchmarks.py` runs the same against another server.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from benchmarks import process_tree, report, servers, tools, turns
from benchmarks.errors import BenchmarkError
from benchmarks.measurement import Measurement, fact, less, more, percentile
from benchmarks.process_tree import Usage
from benchmarks.servers import ServerSpec, describe
from benchmarks.workload import Workload, option

SERVER = os.environ.get("BENCHMARKED_SERVER", "shopfloor:process")
ROOT = Path(__file__).resolve().parent.parent
RUN_SECONDS_MAX = 150
# The first build on a new machine fetches modules and compiles Go's standard library.
BUILD_SECONDS_MAX = 300


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=RUN_SECONDS_MAX, check=False)


def measure(workload: str, *arguments: str) -> dict[str, Any]:
    """Run a workload's quick form and give its document, whose figures must all be there."""
    done = run(workload, "--server", SERVER, "--quick", "--json", *arguments)
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    assert document["workload"] == workload
    assert document["rounds"]["a"], "no round was run"
    return document


def figures(document: dict[str, Any]) -> dict[str, float]:
    first: dict[str, float] = document["rounds"]["a"][0]
    return first


def test_bulk_runs() -> None:
    measured = figures(measure("bulk"))
    assert measured["jobs_per_second"] > 0
    assert measured["pushb_p50_microseconds"] <= measured["pushb_p99_microseconds"]


def test_batch_runs_and_gives_ratios() -> None:
    measured = figures(measure("batch"))
    assert measured["alone_p50_ratio"] > 0
    assert measured["together_ratio"] > 0


def test_deep_runs_and_nothing_is_missing_after_a_restart() -> None:
    measured = figures(measure("deep"))
    assert measured["jobs_missing_after_restart"] == 0
    assert measured["ratio.pipelined_ack_p50"] > 0


def test_idle_runs_and_the_server_idles() -> None:
    measured = figures(measure("idle"))
    assert measured["fetches_per_second"] > 0
    assert measured["beats_per_second"] > 0
    assert measured["server_cpu_cores"] < 0.2, "twenty parked workers cost next to nothing, unless the server spins"


def test_start_runs_in_turns_and_gives_ratios() -> None:
    document = measure("start", "--against", SERVER, "--rounds", "2")
    assert [len(document["rounds"][side]) for side in "ab"] == [2, 2]
    assert len(document["ratios"]["push_to_start_p50_microseconds"]) == 2
    assert document["median_ratios"]["push_to_start_p50_microseconds"] > 0
    assert "median A/B" in report.table(document)


@pytest.mark.foreign
@pytest.mark.timeout(BUILD_SECONDS_MAX)
def test_load_and_mixed_run_with_their_generators_in_go() -> None:
    tools.build(["load", "generator"])
    assert figures(measure("load"))["c4.jobs_per_second"] > 0
    assert figures(measure("mixed"))["c4.fetch_p50_microseconds"] > 0


def test_a_result_that_was_kept_can_be_shown(tmp_path: Path) -> None:
    kept = tmp_path / "start.json"
    measure("start", "--jobs", "3", "--output", str(kept))
    shown = run("show", str(kept))
    assert "start: jobs 3," in shown.stdout
    assert "push_to_start_p99_microseconds" in shown.stdout


def test_a_command_template_that_does_not_greet_is_an_error_with_its_last_words() -> None:
    template = f"{sys.executable} -c 'raise SystemExit(\"no {{port}} for me\")'"
    done = run("start", "--server", template, "--quick")
    assert done.returncode == 1
    assert "does not greet" in done.stderr
    assert "for me" in done.stderr


def test_a_server_of_an_unknown_name_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(BenchmarkError, match="no such server: shopfloor:sometimes"):
        describe("shopfloor:sometimes")


def test_a_server_of_another_checkout_runs_that_source(tmp_path: Path) -> None:
    spec = describe(f"shopfloor:none@{tmp_path}")
    assert spec.python_path == tmp_path / "src"
    assert spec.command.endswith("--durability none")


def test_every_durability_has_a_name_and_the_default_is_the_servers_own() -> None:
    for variant, flags in servers.SHOPFLOOR_FLAGS.items():
        assert describe(f"shopfloor:{variant}").command.endswith(flags)
    assert describe("shopfloor").command == describe("shopfloor:commit").command


def test_a_command_may_have_a_label() -> None:
    assert describe("ours=serve --port={port}") == ServerSpec(name="ours", command="serve --port={port}")
    assert describe("serve --port={port}").name == "serve --port={port}"


def test_a_percentile_is_a_value_that_was_measured() -> None:
    samples = [30, 10, 20, 40]
    assert [percentile(samples, percent) for percent in (1, 50, 75, 99, 100)] == [10, 20, 30, 40, 40]


@dataclass(frozen=True, slots=True, kw_only=True)
class PretendSettings:
    """Settings of a workload made up for a test."""

    jobs: int = option(1, "jobs")


def test_two_servers_take_turns_and_each_round_has_its_ratio() -> None:
    seen: list[str] = []

    def pretend(spec: ServerSpec, _: object) -> list[Measurement]:
        seen.append(spec.name)
        value = {"a": 6.0, "b": 2.0}[spec.name] + (len(seen) > 2)
        return [more("jobs_per_second", value), less("errors", 0.0), fact("turn", value)]

    pair = [ServerSpec(name=name, command="") for name in "ab"]
    settings = PretendSettings()
    workload = Workload(name="pretend", summary="", settings=settings, quick=settings, run=pretend)
    result = turns.take_turns(workload, settings, pair, 2, lambda _: None)
    assert seen == ["a", "b", "a", "b"]
    assert result.ratios == {"jobs_per_second": [3.0, 7 / 3]}, (
        "no ratio of what B has as zero, nor of what is not judged"
    )
    assert result.median_ratios["jobs_per_second"] == pytest.approx(8 / 3)


def test_the_cpu_of_a_child_is_the_trees() -> None:
    burning = "import time\nwhile time.process_time() < 0.5: pass\nprint(flush=True)\ntime.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", burning], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        try:
            with Usage(os.getpid()) as usage:
                child.stdout.readline()
            assert child.pid in process_tree.process_ids(os.getpid())
            assert 0.2 < usage.server_cpu_seconds < 1.0
            assert process_tree.rss_mib(child.pid) <= process_tree.rss_mib(child.pid, peak=True)
        finally:
            child.kill()
