"""Log lines that say which job they are about."""

import logging

from shopfloor.sdk.running import CURRENT_JOB

FORMAT = "%(asctime)s %(levelname)s %(name)s%(jid)s: %(message)s"


class JidFilter(logging.Filter):
    """Adds `jid` to every record: a blank and the jid where a job is running, nothing elsewhere."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the jid; let every record pass."""
        job = CURRENT_JOB.get()
        record.jid = f" {job.jid}" if job is not None else ""
        return True


def log_jids(level: int) -> None:
    """Log to stderr with jids, unless the program has set up its logging already."""
    root = logging.getLogger()
    if root.handlers:
        return
    handler = logging.StreamHandler()
    handler.addFilter(JidFilter())
    handler.setFormatter(logging.Formatter(FORMAT))
    root.addHandler(handler)
    root.setLevel(level)
