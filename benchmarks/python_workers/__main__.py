"""Runs the libraries in turns and prints a table; `--json FILE` keeps the figures."""

import argparse
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.process_tree import cpu_seconds, process_ids
from benchmarks.python_workers.contestants import CONTESTANTS, Contestant
from benchmarks.servers import ADDRESS, describe, running
from tests.postgres import Cluster

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
WARM_SHARE = 0.1
"""Timing begins when so much is done: how long a program takes to start is not measured."""
SECONDS_MAX = 120.0

Figures = dict[str, float]


class Arena:
    """A library's programs, and the store that they share, for one round."""

    def __init__(self, contestant: Contestant, venvs: Path, folder: Path) -> None:
        self.contestant = contestant
        self.python = Path(sys.executable) if not contestant.venv else venvs / contestant.venv / "bin" / "python"
        self.file = folder / "tally"
        path = os.pathsep.join([str(HERE / "apps"), str(ROOT / "src")])
        self.environment = {**os.environ, "BENCH_FILE": str(self.file), "PYTHONPATH": path, **contestant.environment}

    @contextmanager
    def store(self) -> Iterator[None]:
        """Run an empty store for the block."""
        with ExitStack() as stack:
            if self.contestant.store == "redis":
                port = stack.enter_context(redis_server(self.file.parent))
                self.environment["BENCH_REDIS"] = f"redis://{ADDRESS}:{port}/0"
            elif self.contestant.store == "postgres":
                cluster = Cluster()
                stack.callback(cluster.remove)
                cluster.start()
                url = f"postgresql://shopfloor@{ADDRESS}:{cluster.port}/postgres"
                self.environment["BENCH_POSTGRES"] = url
                self.run("procrastinate", "--app=app_procrastinate.app", "schema", "--apply")
            else:
                server = stack.enter_context(running(describe(self.contestant.store)))
                self.environment["FAKTORY_URL"] = f"tcp://{ADDRESS}:{server.port}"
            yield

    def command(self, *words: str) -> list[str]:
        """Fill in a command; programs are those beside the library's Python."""
        filled = [word.format(n="{n}", redis=self.environment.get("BENCH_REDIS", "")) for word in words]
        if filled[0] == "shopfloor":
            return [str(self.python), "-m", *filled]
        return [str(self.python.parent / filled[0]), *filled[1:]]

    def run(self, *words: str) -> str:
        """Run a command to its end; answer what it printed."""
        done = subprocess.run(
            self.command(*words), env=self.environment, cwd=HERE / "apps", capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(f"{words}: {done.stdout}{done.stderr}")
        return done.stdout

    def enqueue(self, how: str, count: int) -> float:
        """Enqueue jobs, `one` by one or in `bulk`; answer the jobs per second."""
        printed = self.run("python", "push.py", self.contestant.app, how, str(count))
        return count / float(printed.split()[-1])

    def work(self, processes: int, expected: int) -> Figures:
        """Have so many jobs worked; answer jobs per second, and CPU microseconds of the worker per job."""
        self.file.write_bytes(b"")
        programs = processes if self.contestant.workers else 1
        words = [word.replace("{n}", str(processes)) for word in self.command(*self.contestant.worker)]
        with (self.file.parent / "worker.log").open("ab") as log:
            workers = [
                subprocess.Popen(words, env=self.environment, cwd=HERE / "apps", stdout=log, stderr=log)
                for _ in range(programs)
            ]
        try:
            begun, at, cpu = self._reached(int(expected * WARM_SHARE), workers)
            done, end, cpu_after = self._reached(expected, workers)
        finally:
            end_all(workers)
        return {"per_second": (done - begun) / (end - at), "cpu_us": (cpu_after - cpu) / (done - begun) * 1e6}

    def _reached(self, count: int, workers: Sequence["subprocess.Popen[bytes]"]) -> tuple[int, float, float]:
        until = time.monotonic() + SECONDS_MAX
        while (size := self.file.stat().st_size) < count:
            if time.monotonic() > until or all(worker.poll() is not None for worker in workers):
                log = (self.file.parent / "worker.log").read_text(errors="replace")[-2000:]
                raise SystemExit(f"{self.contestant.name}: {size} of {count} jobs were done\n{log}")
            time.sleep(0.002)
        return size, time.perf_counter(), sum(cpu_seconds(worker.pid) for worker in workers)


@contextmanager
def redis_server(folder: Path) -> Iterator[int]:
    """Run a Redis that keeps nothing on disk: the fastest that it can be."""
    with socket.create_server((ADDRESS, 0)) as probe:
        port = int(probe.getsockname()[1])
    program = shutil.which("redis-server") or "redis-server"
    server = subprocess.Popen(
        [program, "--port", str(port), "--bind", ADDRESS, "--save", "", "--appendonly", "no", "--dir", str(folder)],
        stdout=subprocess.DEVNULL,
    )
    try:
        until = time.monotonic() + 10
        while time.monotonic() < until:
            try:
                socket.create_connection((ADDRESS, port)).close()
                break
            except OSError:
                time.sleep(0.01)
        yield port
    finally:
        server.terminate()
        server.wait()


def end_all(workers: Sequence["subprocess.Popen[bytes]"]) -> None:
    """Kill workers and what they started."""
    for worker in workers:
        for process in reversed(process_ids(worker.pid)):
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue
    for worker in workers:
        worker.wait()


def compete(arena: Arena, jobs: int, processes: int) -> Figures:
    """Enqueue a tenth of the jobs one by one and the rest in bulk, then have them worked."""
    arena.file.write_bytes(b"")
    single = max(100, jobs // 10)
    figures = {"one_by_one": arena.enqueue("one", single), "bulk": arena.enqueue("bulk", jobs - single)}
    return figures | arena.work(processes, jobs)


def measure(contestant: Contestant, venvs: Path, scale: float) -> Figures:
    """Measure one library once."""
    figures: Figures = {}
    jobs = max(200, int(contestant.jobs * scale))
    for processes in (1, 2):
        with tempfile.TemporaryDirectory(prefix="python-workers-") as folder:
            arena = Arena(contestant, venvs, Path(folder))
            with arena.store():
                found = compete(arena, jobs, processes)
        figures |= {f"{name}.{processes}": value for name, value in found.items()}
    return figures


def main() -> None:
    """Take turns, then print medians."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.python_workers", description=__doc__)
    parser.add_argument("--venvs", type=Path, required=True, help="the folder that ./install was given")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="how many jobs, relative to the usual")
    parser.add_argument("--only", action="append", help="name of a library; may be given again")
    parser.add_argument("--json", type=Path, help="write all figures there")
    chosen = parser.parse_args()
    field = [one for one in CONTESTANTS if not chosen.only or one.name in chosen.only]
    rounds: dict[str, list[Figures]] = {one.name: [] for one in field}
    for number in range(chosen.rounds):
        for one in field:
            rounds[one.name].append(measure(one, chosen.venvs, chosen.scale))
            print(f"round {number + 1}: {one.name}", file=sys.stderr, flush=True)
        if chosen.json:
            chosen.json.write_text(json.dumps(rounds, indent=1) + "\n")
    print_medians(rounds)


def print_medians(rounds: Mapping[str, Sequence[Figures]]) -> None:
    """Print a line for each library."""
    keys = ("one_by_one.1", "bulk.1", "per_second.1", "per_second.2", "cpu_us.1")
    print(f"{'':<18} {'one by one':>11} {'in bulk':>9} {'1 process':>10} {'2 processes':>12} {'CPU us/job':>11}")
    for name, measured in rounds.items():
        medians = [statistics.median(one[key] for one in measured) for key in keys]
        print("{:<18} {:>11,.0f} {:>9,.0f} {:>10,.0f} {:>12,.0f} {:>11,.0f}".format(name, *medians))


if __name__ == "__main__":
    main()
