"""Every setting once, and where its value may come from.

`Settings` is the table, `load` fills it from flags, variables and files, `validate` judges it, and `flags`
tells the command line about it. `python -m shopfloor.config` writes the reference page and the sample file.
"""

from shopfloor.config.check import validate
from shopfloor.config.document import Given, Tables
from shopfloor.config.files import Disk, Files
from shopfloor.config.flag import Flag, flags
from shopfloor.config.settings import Durability, Environment, LogFormat, LogLevel, Settings
from shopfloor.config.sources import Loaded, load
from shopfloor.config.table import ENTRIES, Entry, nearest
from shopfloor.config.values import Binding, Secret, StorageUrl, masked

__all__ = [
    "ENTRIES",
    "Binding",
    "Disk",
    "Durability",
    "Entry",
    "Environment",
    "Files",
    "Flag",
    "Given",
    "Loaded",
    "LogFormat",
    "LogLevel",
    "Secret",
    "Settings",
    "StorageUrl",
    "Tables",
    "flags",
    "load",
    "masked",
    "nearest",
    "validate",
]
