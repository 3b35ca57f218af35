"""What a result depends on besides the server: versions, the processor, the disk under the data."""

import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

from benchmarks import tools
from benchmarks.errors import BenchmarkError

PROBE_SECONDS_MAX = 20


def facts(servers: list[str]) -> dict[str, str | int | None]:
    """Gather the versions that these servers involve, and the machine; no host name, no path."""
    versions: dict[str, str | int | None] = {
        "kernel": platform.release(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "file_system": _file_system(Path(tempfile.gettempdir())),
        "python": platform.python_version(),
        "go": _first_line("go", "version"),
        "load_program": tools.FAKTORY_VERSION,
    }
    if "faktory" in servers:
        versions["faktory"] = _faktory()
        versions["redis"] = _first_line("redis-server", "--version")
    if any(name.startswith("shopfloor") for name in servers):
        versions["shopfloor"] = _first_line("git", "-C", str(tools.ROOT), "describe", "--always", "--dirty")
    return versions


def _faktory() -> str | None:
    try:
        return _first_line(str(tools.find("faktory")), "-v")
    except BenchmarkError:
        return None


def _first_line(*command: str) -> str | None:
    if shutil.which(command[0]) is None:
        return None
    done = subprocess.run(command, capture_output=True, text=True, timeout=PROBE_SECONDS_MAX, check=False)
    return next(iter(done.stdout.splitlines()), None)


def _processor() -> str | None:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), None)


def _file_system(folder: Path) -> str | None:
    """Name the file system: on one that lives in memory a sync costs, and durability means, nothing."""
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    holding = [(len(point), kind) for point, kind in mounts if folder.resolve().is_relative_to(point)]
    return max(holding)[1] if holding else None
