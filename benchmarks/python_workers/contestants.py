"""The libraries: which program is their worker, and what each promises of a job whose worker dies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """A library as it is run. `{n}` in the worker's command is how many processes carry jobs out."""

    name: str
    app: str
    store: str
    worker: Sequence[str]
    promise: str
    jobs: int = 20_000
    environment: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    venv: str = "main"
    """In which environment it is installed: arq and the others want different versions of redis-py."""
    workers: bool = False
    """Whether it takes one worker program a process."""


SHOPFLOOR = ("shopfloor", "work", "app_shopfloor:noop", "--threads", "5", "--async", "0", "--processes", "{n}")

CONTESTANTS: Sequence[Contestant] = (
    Contestant(
        name="shopfloor:commit",
        venv="",
        app="app_shopfloor",
        store="shopfloor:commit",
        worker=SHOPFLOOR,
        promise="at least once, on disk before the OK",
        jobs=60_000,
    ),
    Contestant(
        name="shopfloor:process",
        venv="",
        app="app_shopfloor",
        store="shopfloor:process",
        worker=SHOPFLOOR,
        promise="at least once, outlives the server's process",
        jobs=60_000,
    ),
    Contestant(
        name="rq",
        app="app_rq",
        store="redis",
        jobs=3_000,
        workers=True,
        worker=("rq", "worker", "-w", "rq.worker.SimpleWorker", "--quiet", "--url", "{redis}"),
        promise="lost or failed when a worker dies; Redis keeps snapshots",
    ),
    Contestant(
        name="celery",
        app="app_celery",
        store="redis",
        worker=(
            "celery",
            "-A",
            "app_celery",
            "worker",
            "-c",
            "{n}",
            "-l",
            "ERROR",
            "--without-gossip",
            "--without-mingle",
            "--without-heartbeat",
        ),
        promise="at most once (acknowledged before the run); Redis keeps snapshots",
    ),
    Contestant(
        name="dramatiq",
        app="app_dramatiq",
        store="redis",
        worker=("dramatiq", "app_dramatiq", "--processes", "{n}", "--threads", "8"),
        promise="at least once; Redis keeps snapshots",
    ),
    Contestant(
        name="arq",
        venv="arq",
        app="app_arq",
        store="redis",
        worker=("arq", "app_arq.WorkerSettings"),
        workers=True,
        promise="at least once; Redis keeps snapshots",
        jobs=10_000,
    ),
    Contestant(
        name="taskiq:list",
        app="app_taskiq",
        store="redis",
        worker=("taskiq", "worker", "app_taskiq:broker", "--workers", "{n}", "--log-level", "ERROR"),
        promise="at most once; Redis keeps snapshots",
    ),
    Contestant(
        name="taskiq:stream",
        app="app_taskiq",
        store="redis",
        environment={"BENCH_KIND": "stream"},
        worker=("taskiq", "worker", "app_taskiq:broker", "--workers", "{n}", "--log-level", "ERROR"),
        promise="at least once; Redis keeps snapshots",
    ),
    Contestant(
        name="huey",
        app="app_huey",
        store="redis",
        worker=("huey_consumer", "app_huey.huey", "-k", "process", "-w", "{n}", "-q"),
        promise="at most once; Redis keeps snapshots",
    ),
    Contestant(
        name="procrastinate",
        app="app_procrastinate",
        store="postgres",
        jobs=3_000,
        workers=True,
        worker=("procrastinate", "--app=app_procrastinate.app", "worker", "--concurrency", "20"),
        promise="at least once, on disk before the commit (here: fsync off)",
    ),
)
