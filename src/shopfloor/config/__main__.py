"""Write the reference page and the sample file: `python -m shopfloor.config [folder]`."""

import sys
from pathlib import Path

from shopfloor.config.reference import write_reference

if __name__ == "__main__":
    write_reference(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/reference"))
