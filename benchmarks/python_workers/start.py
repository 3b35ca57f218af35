"""How long an idle worker takes to begin a job after it was pushed: `python -m benchmarks.python_workers.start`.

The job notes the machine's monotonic clock, which all processes share, and its argument is what that clock said before
the push: so everything is in it, the client's part, the server's, the worker's, and the way into the child process.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.servers import ADDRESS, describe, running

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SECONDS_MAX = 60.0


def main() -> None:
    """Push one job after the other to an idle worker and print the percentiles."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.python_workers.start", description=__doc__)
    parser.add_argument("--jobs", type=int, default=500)
    parser.add_argument("--server", default="shopfloor:process")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="start-") as folder, running(describe(chosen.server)) as server:
        notes = Path(folder, "notes")
        notes.touch()
        url = f"tcp://{ADDRESS}:{server.port}"
        path = os.pathsep.join([str(HERE / "apps"), str(ROOT / "src")])
        environment = {**os.environ, "BENCH_FILE": str(notes), "PYTHONPATH": path, "FAKTORY_URL": url}
        worker = subprocess.Popen([sys.executable, "-m", "shopfloor", "work", "app_start"], env=environment, cwd=folder)
        try:
            pushing = [sys.executable, str(HERE / "apps" / "app_start.py"), str(chosen.jobs)]
            subprocess.run(pushing, env=environment, check=True, timeout=SECONDS_MAX + chosen.jobs * 0.1)
            until = time.monotonic() + SECONDS_MAX
            while len(notes.read_text().split()) <= chosen.jobs and time.monotonic() < until:
                time.sleep(0.01)
        finally:
            worker.terminate()
            worker.wait()
        waits = [float(word) * 1e3 for word in notes.read_text().split()[1:]]  # the first one waits for the worker
    cuts = statistics.quantiles(waits, n=100)
    print(f"{chosen.server}: {len(waits)} jobs, push to start: p50 {cuts[49]:.2f} ms, p99 {cuts[98]:.2f} ms")


if __name__ == "__main__":
    main()
