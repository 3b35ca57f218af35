"""Every setting of the server, once: name with its unit, type, default, help, and the reason for its bounds.

To add a setting, add a field here and run `python -m shopfloor.config`. The flag (`--name-with-dashes`), the
environment variable (`SHOPFLOOR_NAME`), the key of the configuration file (`[table] name`, where a name that
begins with its table's name drops that part), the sample file and the reference page follow. Names end in
their unit; a bound ends in `max`. Zero means "no bound" only where the help says so.

A `Settings()` built by hand rests on `memory://` and in the current folder, which suits tests; `load` in
`sources.py` derives the real places from the environment the server runs in.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from shopfloor.config.row import Row
from shopfloor.config.values import Binding, Secret, StorageUrl

Environment = Literal["development", "staging", "production"]
Durability = Literal["commit", "process", "none"]
LogLevel = Literal["error", "warn", "info", "debug"]
LogFormat = Literal["text", "json"]
BatchesReopen = Literal["strict", "lenient"]

BYTES_HIGH = 1 << 30
JOBS_HIGH = 1_000_000_000
DAY_SECONDS = 86_400

COMMAND_BINDING = Binding("localhost", 7419)
WEB_BINDING = Binding("localhost", 7420)
MEMORY = StorageUrl("memory://")
NO_PASSWORD = Secret("")


# One argument a line would make this table three times as long and hide its columns.
# fmt: off
@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Carry every setting of one server. Built by `load`, or by hand in tests."""

    environment: Annotated[Environment, Row(
        table="server", short="-e", by_file=False, faktory_variable="FAKTORY_ENV",
        help="What the server is for. Staging and production refuse to start without a password.",
        why="It decides which configuration folder is read, so no file in that folder can set it.",
    )] = "development"
    config_dir: Annotated[Path, Row(
        table="server", short="-c", by_file=False,
        help="Folder with `shopfloor.toml`, `conf.d/*.toml`, `password` and the TLS files.",
        derived="`~/.shopfloor` in development, otherwise `/etc/shopfloor`; Faktory's folder "
        "where only that exists",
    )] = Path()
    config_file: Annotated[Path | None, Row(
        table="server", by_file=False,
        help="Configuration file. A file named here must exist.",
        derived="`shopfloor.toml` in the configuration folder, if it exists",
    )] = None
    command_binding: Annotated[Binding, Row(
        table="command", short="-b", faktory_key="faktory.binding",
        help="Address of the command port. Port 0 takes any free port; an empty host is every interface.",
        why="Only this machine may connect until you say otherwise.",
    )] = COMMAND_BINDING
    web_binding: Annotated[Binding, Row(
        table="web", short="-w",
        help="Address of the web pages. `:0` switches them off.",
        why="Only this machine may connect until you say otherwise.",
    )] = WEB_BINDING

    storage: Annotated[StorageUrl, Row(
        table="storage",
        help="Where jobs rest: `sqlite:///path`, `memory://`, `postgresql://…`, `redis://…` or `rediss://…`.",
        derived="`sqlite://<storage_dir>/shopfloor.db`",
    )] = MEMORY
    storage_dir: Annotated[Path, Row(
        table="storage", short="-d",
        help="Folder of the embedded store and of the backups.",
        derived="`~/.shopfloor/db` in development, otherwise `/var/lib/shopfloor/db`; "
        "Faktory's folder where only that exists",
    )] = Path()
    backup_dir: Annotated[Path, Row(
        table="storage", help="Folder that backups of the embedded store are written to.",
        derived="`<storage_dir>/backups`",
    )] = Path("backups")
    durability: Annotated[Durability, Row(
        table="storage",
        help="What an acknowledged command survives: `commit` the loss of the machine's power, `process` the "
        "death of the server process, `none` a clean stop only.",
        why="A job that was acknowledged should not be lost; give that up knowingly, for speed.",
    )] = "commit"
    store_seconds: Annotated[float, Row(
        table="storage", low=0.1, high=60,
        help="Time a command may wait for a store behind a network. Then it is refused, and may be sent again.",
        why="Clients stop reading after 5 seconds; a refusal that they read tells them what to do.",
    )] = 4.0
    hot_jobs_max: Annotated[int, Row(
        table="storage", low=1_000, high=100_000_000,
        help="Jobs whose bodies the embedded store keeps in memory. Others are read when needed.",
        why="200,000 jobs of 1 KB are 200 MB; a deep backlog must not need memory for every body.",
    )] = 200_000
    memory_megabytes_max: Annotated[int, Row(
        table="storage", low=0, high=16_777_216,
        help="Memory of the process above which pushes are refused. 0 is no bound.",
        why="Refused pushes can be retried; a server killed for its memory helps nobody.",
    )] = 0

    password: Annotated[Secret, Row(
        table="server", by_flag=False, faktory_variable="FAKTORY_PASSWORD", faktory_key="faktory.password",
        help="Password of both ports. A value that begins with `/` is the path of a file that holds it.",
        why="There is no flag for it because every user of the machine can read the flags of a process.",
        derived="what the file `password` in the configuration folder holds; in development, none",
    )] = NO_PASSWORD
    skip_password: Annotated[bool, Row(
        table="server", faktory_variable="FAKTORY_SKIP_PASSWORD",
        help="Start without a password in staging and production too.",
        why="For servers that only a trusted network can reach.",
    )] = False
    web_password: Annotated[Secret, Row(
        table="web", by_flag=False,
        help="Password of the web pages alone. A value that begins with `/` is the path of a file.",
        why="There is no flag for it because every user of the machine can read the flags of a process.",
        derived="the value of `password`",
    )] = NO_PASSWORD
    web_hide_arguments: Annotated[bool, Row(
        table="web", help="Leave the arguments of jobs out of the web pages.",
        why="Whoever looks after the queues need not see what is in the jobs.",
    )] = False
    web_tokens: Annotated[Path | None, Row(
        table="web",
        help="File of the tokens of the JSON API: on each line a name, scopes, and the digest of the token.",
        why="A digest cannot be used to come in, so a copy of the file gives nothing away.",
        derived="no file, and so no tokens",
    )] = None
    tls_certificate: Annotated[Path | None, Row(
        table="tls", help="Certificate chain (PEM) for both ports.",
        derived="`public.cert.pem` in the configuration folder, if it exists",
    )] = None
    tls_key: Annotated[Path | None, Row(
        table="tls", help="Private key (PEM, not encrypted) of the certificate.",
        derived="`private.key.pem` in the configuration folder, if it exists",
    )] = None

    log_level: Annotated[LogLevel, Row(
        table="log", short="-l", help="The least severe log lines that are written.",
    )] = "info"
    log_format: Annotated[LogFormat, Row(
        table="log", help="Log lines for people (`text`) or for machines (`json`, one object a line).",
    )] = "text"
    log_arguments: Annotated[bool, Row(
        table="log", help="Write the arguments of jobs to the log.",
        why="Arguments often hold personal data, so they stay out unless asked for.",
    )] = False

    connections_max: Annotated[int, Row(
        table="limits", low=1, high=1_000_000,
        help="Command connections served at once. The next one is told so and closed.",
        why="Each takes a file descriptor and some KB; raise `ulimit -n` together with it.",
    )] = 10_000
    handshake_seconds: Annotated[float, Row(
        table="limits", low=0.1, high=60,
        help="Time a new connection has for its HELLO.",
        why="Faktory's 2 seconds, which every client keeps.",
    )] = 2.0
    line_bytes_max: Annotated[int, Row(
        table="limits", low=1_024, high=BYTES_HIGH,
        help="Length of one command line. A longer one ends the connection.",
        why="A PUSHB of some thousand jobs is one line; without a bound one peer could fill the memory.",
    )] = 64 << 20
    output_bytes_max: Annotated[int, Row(
        table="limits", low=65_536, high=BYTES_HIGH,
        help="Replies that may wait for a peer that does not read. Above it the peer counts as slow.",
        why="Room for one reply as large as the longest command line.",
    )] = 64 << 20
    slow_peer_seconds: Annotated[float, Row(
        table="limits", low=1, high=3_600,
        help="Time a slow peer has to catch up before its connection is closed.",
        why="Clients give up on a reply after 5 to 10 seconds; three times that forgives a stalled network.",
    )] = 30.0
    job_bytes_max: Annotated[int, Row(
        table="limits", low=1_024, high=BYTES_HIGH,
        help="Size of one job. A larger one is refused.",
        why="Faktory advises less than 64 KB; 4 MiB leaves room for those who do not, and stops accidents.",
    )] = 4 << 20
    bulk_jobs_max: Annotated[int, Row(
        table="limits", low=1, high=1_000_000,
        help="Jobs in one PUSHB, FETCHB or ACKB.",
        why="A command is one step of the store; ten thousand jobs keep everybody else waiting some 100 ms.",
    )] = 10_000
    queues_max: Annotated[int, Row(
        table="limits", low=1, high=1_000_000,
        help="Queues that exist at once. A push that needs one more is refused.",
        why="Queue names made from data (one a customer, one a day) should be noticed early.",
    )] = 10_000
    queue_jobs_max: Annotated[int, Row(
        table="limits", low=0, high=JOBS_HIGH,
        help="Jobs waiting in one queue above which pushes into it are refused. 0 is no bound.",
        why="Backpressure is a choice: most producers would rather queue than fail.",
    )] = 0
    queue_name_bytes_max: Annotated[int, Row(
        table="limits", low=1, high=1_024,
        help="Length of a queue's name.",
        why="Names stand in keys, indexes, URLs and log lines; 255 is what file systems take.",
    )] = 255
    queues_per_fetch_max: Annotated[int, Row(
        table="limits", low=1, high=10_000,
        help="Queues one FETCH may name.",
        why="A waiting fetch is looked up under every queue it named.",
    )] = 100
    latency_queues_max: Annotated[int, Row(
        table="limits", low=1, high=10_000,
        help="Queues one QUEUE LATENCY may name.",
        why="Each is a read of the queue's oldest job.",
    )] = 100
    latency_calls_per_second_max: Annotated[int, Row(
        table="limits", low=1, high=1_000_000,
        help="QUEUE LATENCY commands answered a second, over all connections.",
        why="An autoscaler that asks in a loop must not take the store's time from the jobs.",
    )] = 1_000
    peek_jobs_max: Annotated[int, Row(
        table="limits", low=1, high=10_000,
        help="Jobs one QUEUE PEEK or one page of the web pages shows.",
        why="A reply is built in memory, and nobody reads more at once.",
    )] = 1_000

    batches_reopen: Annotated[BatchesReopen, Row(
        table="batches",
        help="Whether a committed batch takes more: `strict` wants it opened again, and not after its first "
        "callback was enqueued; `lenient` allows everything at any time, as Faktory Enterprise does.",
        why="Jobs added after the callback are followed by no callback, which `lenient` does not tell you.",
    )] = "strict"
    batch_open_seconds: Annotated[float, Row(
        table="batches", low=1, high=30 * DAY_SECONDS,
        help="Time after its last change at which a batch that is not committed is forgotten.",
        why="Faktory's 30 minutes: whoever made it has died or forgotten it.",
    )] = 1_800.0
    batch_kept_seconds: Annotated[float, Row(
        table="batches", low=0, high=365 * DAY_SECONDS,
        help="Time a batch is kept after it is through.",
        why="Long enough to look at what happened; its record is some hundred bytes.",
    )] = 86_400.0
    batch_seconds: Annotated[float, Row(
        table="batches", low=0.1, high=3_600,
        help="Time between two looks at every batch: deadlines, forgotten ones, and the search for stranded ones.",
        why="A deadline is met this late at most; a look costs microseconds a batch.",
    )] = 10.0

    reserve_seconds_default: Annotated[int, Row(
        table="lifecycle", low=1, high=DAY_SECONDS,
        help="Time a worker has for a job that does not say `reserve_for`.",
        why="Faktory's 30 minutes; workers written for it rely on that.",
    )] = 1_800
    fetch_seconds: Annotated[float, Row(
        table="lifecycle", low=0.0, high=4.5,
        help="Time a FETCH waits for a job before it is answered with nothing.",
        why="Clients stop reading after 5 seconds, some after 2.",
    )] = 2.0
    worker_seconds: Annotated[float, Row(
        table="lifecycle", low=1, high=3_600,
        help="Silence after which a worker counts as dead and its jobs are given back.",
        why="Workers beat every 10 to 20 seconds; 60 forgives two missed beats.",
    )] = 60.0
    worker_grace_seconds: Annotated[float, Row(
        table="lifecycle", low=0, high=3_600,
        help="Time a worker has to come back after its last connection broke; then its jobs are given back.",
        why="A client reconnects within seconds; a process that was killed does not.",
    )] = 15.0
    crashes_max: Annotated[int, Row(
        table="lifecycle", low=0, high=100,
        help="Workers that may die on a job before it goes to the dead set instead of back to its queue.",
        why="A job that kills its worker would otherwise kill one after another.",
    )] = 3
    dead_days_max: Annotated[int, Row(
        table="lifecycle", low=1, high=36_500,
        help="Time a dead job is kept.",
        why="Faktory's 180 days.",
    )] = 180
    dead_jobs_max: Annotated[int, Row(
        table="lifecycle", low=0, high=JOBS_HIGH,
        help="Dead jobs kept; beyond it the oldest leave first.",
        why="Without a bound, one broken deployment could fill the disk over 180 days.",
    )] = 1_000_000
    track_seconds: Annotated[float, Row(
        table="lifecycle", low=1, high=30 * DAY_SECONDS,
        help="Time that the record of a tracked job is kept after its last change.",
        why="Faktory's 30 minutes: long enough for whoever waits for the job, short enough to need no cleaning up.",
    )] = 1_800.0
    schedule_seconds: Annotated[float, Row(
        table="lifecycle", low=0.01, high=60,
        help="Time between two looks for scheduled jobs and retries that are due.",
        why="A scheduled job starts on average half of this late; an idle look costs little.",
    )] = 0.25
    cron_seconds: Annotated[float, Row(
        table="lifecycle", low=0.05, high=60,
        help="Time between two looks for cron entries that are due.",
        why="Schedules are written in minutes; a job that comes a second late is on time.",
    )] = 1.0
    reap_seconds: Annotated[float, Row(
        table="lifecycle", low=0.1, high=300,
        help="Time between two looks for dead workers, ended reservations and dead jobs past their time.",
        why="What it looks for is measured in minutes, so 5 seconds late does not matter.",
    )] = 5.0
    drain_seconds: Annotated[float, Row(
        table="lifecycle", low=0, high=600,
        help="Time a stopping server gives to commands that have begun.",
        why="Commands take milliseconds; service managers kill after 10 to 90 seconds.",
    )] = 10.0

    @property
    def web_enabled(self) -> bool:
        """Whether the web pages are served: the binding `:0` switches them off, as in Faktory."""
        return self.web_binding != Binding("", 0)

    @property
    def tls_enabled(self) -> bool:
        """Whether both ports speak TLS."""
        return self.tls_certificate is not None
