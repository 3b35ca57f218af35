"""The jobs of a small shop: pictures are resized, receipts are sent, and at night there is a report.

The worker is started with `shopfloor work shop`. What the jobs make goes into the folder that SHOP_FOLDER names.
"""

import asyncio
import json
import os
import random
from pathlib import Path

from shopfloor import Retry, Workflow, chain, current_job, group, job

FOLDER = Path(os.environ.get("SHOP_FOLDER", "."))
SIDE = 96
"""Pictures are squares of so many pixels, in shades of grey."""
THUMBNAIL_SIDE = 24
BUSY_SECONDS = 1.0


@job(queue="pictures", timeout=30, dead_on=(ValueError,))
def resize(name: str) -> None:
    """Make a thumbnail: the mean of each square of pixels."""
    header, _, pixels = (FOLDER / "pictures" / name).read_bytes().partition(b"255\n")
    if not header.startswith(b"P5"):
        raise ValueError(f"{name} is no picture")
    step = SIDE // THUMBNAIL_SIDE
    thumbnail = bytearray()
    for top in range(0, SIDE, step):
        for left in range(0, SIDE, step):
            square = [pixels[(top + y) * SIDE + left + x] for y in range(step) for x in range(step)]
            thumbnail.append(sum(square) // len(square))
    target = FOLDER / "thumbnails" / name
    target.write_bytes(f"P5\n{THUMBNAIL_SIDE} {THUMBNAIL_SIDE}\n255\n".encode() + thumbnail)


@job(queue="mail", retry=5)
async def send_receipt(customer: int, total: float, *, mailbox_is_full: bool = False) -> None:
    """Write the mail; a mailbox that is full has room at the second attempt."""
    await asyncio.sleep(0.02)
    if mailbox_is_full and current_job().attempt == 1:
        raise Retry(in_=BUSY_SECONDS, reason="the mailbox is full")
    (FOLDER / "mail" / f"{customer}.txt").write_text(f"Thank you for shopping! You paid {total:.2f}.\n")


@job(queue="reports")
def count(what: str) -> None:
    """Count what the day has brought."""
    files = len(list((FOLDER / what).iterdir()))
    (FOLDER / "reports" / f"{what}.json").write_text(json.dumps({what: files}))


@job(queue="reports", track=True)
def summarize() -> dict[str, int]:
    """Put the counts together; they are the result of the job as well."""
    counts: dict[str, int] = {}
    for path in sorted((FOLDER / "reports").glob("*.json")):
        counts |= json.loads(path.read_text())
    current_job().progress(100, "all counted")
    return counts


@job(queue="reports")
def mail_report(to: str) -> None:
    """Tell whoever has to know."""
    (FOLDER / "mail" / f"report to {to}.txt").write_text("See the reports.\n")


def nightly_report(summary_jid: str) -> Workflow:
    """Count everything at once, then summarize, then tell."""
    counting = group(count.order("thumbnails"), count.order("mail"))
    return chain(counting, summarize.options(jid=summary_jid).order(), mail_report.order("the owner"))


def take_pictures(names: list[str]) -> None:
    """Make pictures to resize."""
    dice = random.Random(7)
    for folder in ("pictures", "thumbnails", "mail", "reports"):
        (FOLDER / folder).mkdir(exist_ok=True)
    for name in names:
        (FOLDER / "pictures" / name).write_bytes(f"P5\n{SIDE} {SIDE}\n255\n".encode() + dice.randbytes(SIDE * SIDE))
