"""How much memory the server process uses."""

import os
import resource
from pathlib import Path

_STATM = Path("/proc/self/statm")


def memory_megabytes() -> int:
    """Answer the resident memory in MB; where the system does not tell, the largest it ever was."""
    try:
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
