"""A day of a small shop: a server, a worker, two hundred jobs of which some fail, and the report of the night.

    python run.py      takes some seconds and ends by itself; 0 when every job did what it should

The jobs are in `shop.py`; this program starts `shopfloor serve` and `shopfloor work shop`, pushes, and watches.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
FOLDER = Path(tempfile.mkdtemp(prefix="shopfloor-shop-"))
os.environ["SHOP_FOLDER"] = str(FOLDER)  # for the jobs, here and in the worker

import shop  # noqa: E402  # it reads the variable above
from rich.console import Console  # noqa: E402
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn  # noqa: E402
from rich.table import Table  # noqa: E402

from shopfloor import Client, ServerUnreachable, connect  # noqa: E402

PICTURES, RECEIPTS, FULL_MAILBOXES = 120, 80, 6
BROKEN = "holiday.tif"
WAIT_SECONDS_MAX = 90.0
LOOK_SECONDS = 0.05
SUMMARY = "the-nightly-summary"
BROKEN_JID = "the-broken-picture"

console = Console()


class ShopFailed(Exception):
    """Something is not as it should be."""


@contextmanager
def program(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run `shopfloor` with these arguments for the block, and stop it in the orderly way."""
    command = [sys.executable, "-m", "shopfloor", *arguments]
    with (FOLDER / f"{arguments[0]}.log").open("ab") as log:
        running = subprocess.Popen(command, stdout=log, stderr=log, cwd=HERE)
    try:
        yield running
    finally:
        running.terminate()
        code = running.wait(30)
    if code != 0:
        raise ShopFailed(f"shopfloor {arguments[0]} ended with code {code}\n{said_by(arguments[0])}")


def said_by(name: str) -> str:
    return (FOLDER / f"{name}.log").read_text(errors="replace")[-2000:]


def wait_for(what: str, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while not condition():
        if time.monotonic() > deadline:
            raise ShopFailed(f"not within {WAIT_SECONDS_MAX:.0f} s: {what}\n{said_by('work')}")
        time.sleep(LOOK_SECONDS)


def is_up(client: Client) -> bool:
    try:
        return bool(client.info())
    except ServerUnreachable:
        return False


def place_of(client: Client, jid: str) -> str:
    told = client.get(jid)
    return "" if told is None else str(told["place"])


def made(folder: str) -> int:
    return len(list((FOLDER / folder).iterdir()))


def push(client: Client) -> int:
    """Push the day's jobs: pictures in one go, receipts one by one as customers leave."""
    names = [f"{number:03}.pgm" for number in range(PICTURES)]
    shop.take_pictures(names)
    (FOLDER / "pictures" / BROKEN).write_text("not a picture")
    client.push_bulk([shop.resize.order(name) for name in names])
    shop.resize.options(jid=BROKEN_JID).push(BROKEN)
    for customer in range(RECEIPTS):
        shop.send_receipt.push(customer, 9.99 + customer, mailbox_is_full=customer < FULL_MAILBOXES)
    return PICTURES + RECEIPTS + 1


def watch() -> None:
    """Show how far it is: bars on a terminal, a line at the end elsewhere."""
    columns = TextColumn("{task.description:<10}"), BarColumn(40), MofNCompleteColumn()
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bars = {
            "thumbnails": progress.add_task("pictures", total=PICTURES),
            "mail": progress.add_task("receipts", total=RECEIPTS),
        }

        def all_done() -> bool:
            for folder, bar in bars.items():
                progress.update(bar, completed=made(folder))
            return made("thumbnails") == PICTURES and made("mail") == RECEIPTS

        wait_for("every picture is resized and every receipt sent", all_done)
    if not console.is_terminal:
        console.print(f"pictures {made('thumbnails')} of {PICTURES}, receipts {made('mail')} of {RECEIPTS}")


def close_the_day(client: Client) -> dict[str, int]:
    """Have the report made, as a workflow; answer what it says."""
    shop.nightly_report(SUMMARY).push()
    wait_for("the report is mailed", lambda: (FOLDER / "mail" / "report to the owner.txt").exists())
    told: dict[str, int] = client.wait(SUMMARY, 10).result
    return told


def settle(client: Client, pushed: int, told: dict[str, int]) -> bool:
    """Print what became of everything; answer whether it is as it should be."""
    info = client.info()["faktory"]
    broken = client.get(BROKEN_JID)
    why = broken["job"]["failure"]["message"] if broken else "it is gone"
    rows = [
        ("pushed", pushed, "jobs, and four of the nightly report"),
        ("pictures", told["thumbnails"], "resized, in child processes"),
        ("receipts", told["mail"], f"sent, of which {FULL_MAILBOXES} at the second attempt"),
        ("failures", info["total_failures"], "runs that failed; all but one were tried again"),
        ("dead", info["sets"]["dead"], f"no use in trying again: {why}"),
    ]
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, number, meaning in rows:
        table.add_row(name, str(number), meaning)
    console.print(table)
    wanted = [pushed, PICTURES, RECEIPTS, FULL_MAILBOXES + 1, 1]
    return [number for _, number, _ in rows] == wanted and why == f"{BROKEN} is no picture"


def main() -> int:
    """Open the shop, let the day go by, close it."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    url = f"tcp://127.0.0.1:{port}"
    client = connect(url)
    serve = ("serve", "-b", f"127.0.0.1:{port}", "-w", ":0", "-d", str(FOLDER), "-c", str(FOLDER))
    work = ("work", "shop", "--url", url, "--processes", "2", "--queue", "reports=3", "--queue", "mail=2")
    try:
        with program(*serve, "--schedule-seconds", "0.2"), client:
            wait_for("the server is up", lambda: is_up(client))
            with program(*work, "--queue", "pictures=1"):
                pushed = push(client)
                console.print(f"{pushed} jobs are pushed; a worker with two child processes carries them out")
                watch()
                wait_for("the broken picture has failed", lambda: place_of(client, BROKEN_JID) == "dead")
                told = close_the_day(client)
            is_well = settle(client, pushed, told)
    except (ShopFailed, ServerUnreachable, TimeoutError) as failure:
        console.print(f"The shop failed: {failure}")
        return 1
    console.print("A good day." if is_well else "This is not as it should be.")
    return 0 if is_well else 1


if __name__ == "__main__":
    try:
        code = main()
    finally:
        shutil.rmtree(FOLDER, ignore_errors=True)
    sys.exit(code)
