"""Find the value of every setting, wherever it was given, and build `Settings` from it.

The first of these that says something wins: flags, `SHOPFLOOR_*` variables, Faktory's variables, the
configuration file, the files in `conf.d`, the `password` file, the default. The environment (development,
staging, production) and the configuration folder are looked for first, because they say where the files are;
so no file can set them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from shopfloor.config.check import validate
from shopfloor.config.document import Document, Given, Tables, merge, read_document
from shopfloor.config.files import Disk, Files
from shopfloor.config.settings import Settings
from shopfloor.config.table import ENTRIES, VARIABLE_PREFIX, Entry, from_text, nearest
from shopfloor.config.values import Secret, StorageUrl
from shopfloor.errors import ConfigError

# Setting -> its default folder, and the one of Faktory that stands in for it.
Folders = Mapping[str, tuple[Path, Path]]

# Those the client end reads, which shares our prefix.
CLIENT_VARIABLES: Final = ("SHOPFLOOR_URL", "SHOPFLOOR_PROVIDER")

# Kubernetes puts SHOPFLOOR_PORT=tcp://10.0.0.1:7419 and its like into every container of a namespace that has
# a service called "shopfloor" or "shopfloor-web". They are not settings; refusing them would stop the server.
_SERVICE_VARIABLE = re.compile(
    r"SHOPFLOOR_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)"
)

_DEVELOPMENT_FOLDERS: Final[Mapping[str, tuple[Path, Path]]] = {
    "config_dir": (Path("~/.shopfloor"), Path("~/.faktory")),
    "storage_dir": (Path("~/.shopfloor/db"), Path("~/.faktory/db")),
}
_SYSTEM_FOLDERS: Final[Mapping[str, tuple[Path, Path]]] = {
    "config_dir": (Path("/etc/shopfloor"), Path("/etc/faktory")),
    "storage_dir": (Path("/var/lib/shopfloor/db"), Path("/var/lib/faktory/db")),
}
DEFAULT = "default"
FAKTORYS = "default, a folder of Faktory's because there is none of ours"
STORE_FILE = "shopfloor.db"
CERTIFICATE_FILE = "public.cert.pem"
KEY_FILE = "private.key.pem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """Settings, and what was learnt on the way to them."""

    settings: Settings
    tables: Tables
    places: Mapping[str, str]  # setting -> where its value came from, for people
    notices: tuple[str, ...]  # worth a line in the log, none of them an error


def load(flags: Mapping[str, object], environment: Mapping[str, str], files: Files | None = None) -> Loaded:
    """Find and check every setting.

    `flags` maps names of settings to what the command line gave; None is "not given". Raise ConfigError with
    the place of whatever is unknown, malformed, contradictory or missing.
    """
    files = files or Disk()
    asked = {
        **_from_faktory_variables(environment),
        **_from_variables(environment),
        **_from_flags(flags),
    }
    is_development = "environment" not in asked or asked["environment"].value == "development"
    folders = _DEVELOPMENT_FOLDERS if is_development else _SYSTEM_FOLDERS
    asked["config_dir"] = _folder(asked, "config_dir", folders, files)
    file, rest = _documents(asked, files)
    given = {**rest.settings, **file.settings, **asked}
    given["storage_dir"] = _folder(given, "storage_dir", folders, files)
    _settle_paths(given, files)
    _settle_storage(given)
    _settle_passwords(given, files, is_development)
    _settle_tls(given, files)
    return _loaded(given, file, rest)


def _loaded(given: Mapping[str, Given], file: Document, rest: Document) -> Loaded:
    values: dict[str, Any] = {name: value.value for name, value in given.items()}
    settings = Settings(**values)
    places = {name: value.place for name, value in given.items()}
    validate(settings, places)
    tables = Tables(
        cron=file.tables.cron + rest.tables.cron,
        throttles={**rest.tables.throttles, **file.tables.throttles},
        statsd={**rest.tables.statsd, **file.tables.statsd},
    )
    return Loaded(
        settings=settings,
        tables=tables,
        places={entry.name: places.get(entry.name, DEFAULT) for entry in ENTRIES},
        notices=file.notices + rest.notices + _faktory_folders(given),
    )


def _read(entry: Entry, text: str, place: str) -> dict[str, Given]:
    """Read one value. An empty one is not given: container files write `NAME=` for "not set"."""
    if not text:
        return {}
    try:
        return {entry.name: Given(from_text(entry, text), place)}
    except ValueError as error:
        raise ConfigError(f"{place}: {error}") from None


def _from_flags(flags: Mapping[str, object]) -> dict[str, Given]:
    known = {entry.name: entry for entry in ENTRIES if entry.row.by_flag}
    found: dict[str, Given] = {}
    for name, value in flags.items():
        if name not in known:
            raise ConfigError(f"--{name.replace('_', '-')}: unknown flag{nearest(name, known)}")
        if value is not None:
            found |= _read(known[name], str(value), known[name].flag)
    return found


def _from_variables(environment: Mapping[str, str]) -> dict[str, Given]:
    known = {entry.variable: entry for entry in ENTRIES}
    found: dict[str, Given] = {}
    for name in sorted(environment):
        if name in known:
            found |= _read(known[name], environment[name], name)
        elif name.startswith(VARIABLE_PREFIX) and not _is_foreign(name):
            raise ConfigError(f"{name}: unknown setting{nearest(name, known)}")
    return found


def _is_foreign(name: str) -> bool:
    return name in CLIENT_VARIABLES or _SERVICE_VARIABLE.fullmatch(name) is not None


def _from_faktory_variables(environment: Mapping[str, str]) -> dict[str, Given]:
    """Read the variables of Faktory that mean something here. Its others, such as the licence, do not."""
    found: dict[str, Given] = {}
    for entry in ENTRIES:
        name = entry.row.faktory_variable
        if name in environment:
            found |= _read(entry, environment[name], name)
    return found


def _folder(given: Mapping[str, Given], name: str, folders: Folders, files: Files) -> Given:
    """Return the folder that was given, or the default one: ours, or Faktory's where only that exists.

    A folder that holds our store goes before one that does not. So Faktory's stays in use when somebody makes
    ours later, and no job is left behind.
    """
    if name in given:
        return Given(files.absolute(Path(str(given[name].value))), given[name].place)
    ours, theirs = (files.absolute(path) for path in folders[name])
    for sign in (STORE_FILE, ".") if name == "storage_dir" else (".",):
        if files.exists(ours / sign):
            return Given(ours, DEFAULT)
        if files.exists(theirs / sign):
            return Given(theirs, FAKTORYS)
    return Given(ours, DEFAULT)


def _faktory_folders(given: Mapping[str, Given]) -> tuple[str, ...]:
    return tuple(f"{name}: {there.value} ({there.place})" for name, there in given.items() if there.place == FAKTORYS)


def _documents(asked: Mapping[str, Given], files: Files) -> tuple[Document, Document]:
    """Read the configuration file, and what stands in `conf.d` as one document."""
    config_dir = Path(str(asked["config_dir"].value))
    path = config_dir / "shopfloor.toml"
    if "config_file" in asked:
        path = files.absolute(Path(str(asked["config_file"].value)))
    text = files.read(path)
    if text is None and "config_file" in asked:
        raise ConfigError(f"{asked['config_file'].place}: no file {path}")
    folder = config_dir / "conf.d"
    others = [folder / name for name in files.names(folder) if name.endswith(".toml")]
    texts = [(other, files.read(other)) for other in others if other != path]
    rest = merge(read_document(other, said) for other, said in texts if said is not None)
    return (read_document(path, text) if text is not None else Document()), rest


def _settle_paths(given: dict[str, Given], files: Files) -> None:
    for name, there in list(given.items()):
        if isinstance(there.value, Path):
            given[name] = Given(files.absolute(there.value), there.place)


def _settle_storage(given: dict[str, Given]) -> None:
    folder = given["storage_dir"].value
    assert isinstance(folder, Path)
    given.setdefault("backup_dir", Given(folder / "backups", DEFAULT))
    given.setdefault("storage", Given(StorageUrl.of_file(folder / STORE_FILE), DEFAULT))


def _settle_passwords(given: dict[str, Given], files: Files, is_development: bool) -> None:
    for name in ("password", "web_password"):
        if name in given:
            given[name] = _password(given[name], files)
    skips = "skip_password" in given and bool(given["skip_password"].value)
    if not (is_development or skips) and not _is_set(given, "password"):
        path = Path(str(given["config_dir"].value)) / "password"
        if (text := files.read(path)) is not None:
            given["password"] = Given(_stripped(text, str(path)), str(path))
    if _is_set(given, "password") and not _is_set(given, "web_password"):
        given["web_password"] = given["password"]


def _is_set(given: Mapping[str, Given], name: str) -> bool:
    return name in given and bool(given[name].value)


def _password(there: Given, files: Files) -> Given:
    """Read the password from the file it names. A password that is no path stays as it is."""
    secret = there.value
    assert isinstance(secret, Secret)
    if not secret.reveal().startswith("/"):
        return there
    text = files.read(Path(secret.reveal()))
    if text is None:
        # The path is not shown: it may be a password that happens to begin with a slash.
        raise ConfigError(f"{there.place}: begins with / and so names a file, but there is no such file")
    return Given(_stripped(text, there.place), there.place)


def _stripped(text: str, place: str) -> Secret:
    """Take the newline off that every editor puts at the end. An empty file would open the server to all."""
    if not text.strip():
        raise ConfigError(f"{place}: the password file is empty")
    return Secret(text.strip())


def _settle_tls(given: dict[str, Given], files: Files) -> None:
    """Take the certificate and key from the configuration folder where both are left to it."""
    if "tls_certificate" in given or "tls_key" in given:
        return
    folder = Path(str(given["config_dir"].value))
    for name, path in (("tls_certificate", folder / CERTIFICATE_FILE), ("tls_key", folder / KEY_FILE)):
        if files.exists(path):
            given[name] = Given(path, str(path))
