"""Where a Redis is and how to be let in: the storage URL taken apart."""

import re
import ssl
from typing import Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from msgspec import Struct

from shopfloor.config import Secret, StorageUrl
from shopfloor.errors import ConfigError

REDIS_PORT: Final = 6379
SENTINEL_PORT: Final = 26379
PREFIX: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}")
"""What may stand between the braces of a key."""
OPTIONS: Final = ("prefix", "database", "replicas", "unchecked", "tls_ca", "tls_certificate", "tls_key")
FORMS: Final = (
    "redis://[user:password@]host[:port][/database], redis:///path/to/socket or redis+sentinel://host,host/master"
)


class Address(Struct, frozen=True, kw_only=True):
    """Everything that the storage URL says."""

    hosts: tuple[tuple[str, int], ...] = ()
    socket: str = ""
    master: str = ""
    """The name under which the sentinels (then `hosts`) know the master."""
    database: int = 0
    user: str = ""
    password: Secret = Secret("")
    prefix: str = "shopfloor"
    replicas: int = 0
    """How many replicas must have a commit before its OK."""
    unchecked: bool = False
    """Whether to believe that Redis keeps what the durability setting promises where it does not let us look."""
    tls: ssl.SSLContext | None = None

    def __str__(self) -> str:
        """Name the place, without user and password."""
        if self.socket:
            return self.socket
        hosts = ",".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.hosts)
        return f"{hosts}/{self.master}" if self.master else hosts


def read_address(url: StorageUrl) -> Address:
    """Take a storage URL apart; raise `ConfigError` where it cannot be understood."""
    text = url.reveal()
    scheme, _, rest = text.partition("://")
    try:
        parts = urlsplit(f"redis://{rest}")
        options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
        unknown = [name for name in options if name not in OPTIONS]
        if unknown or parts.fragment:
            raise ValueError(f"{unknown[0]!r} is none of {', '.join(OPTIONS)}" if unknown else "there is a '#'")
        return _address(scheme, parts, options)
    except (ValueError, OSError) as error:
        raise ConfigError(f"storage: {url}: {error} (the forms are {FORMS})") from None


def _address(scheme: str, parts: SplitResult, options: dict[str, str]) -> Address:
    login, _, hosts = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    by_sentinel = scheme.endswith("+sentinel")
    steps = [unquote(step) for step in parts.path.split("/") if step]
    master, socket = "", ""
    if by_sentinel:
        if not hosts or not steps:
            raise ValueError("a name of the master is missing")
        master = steps.pop(0)
    elif not hosts and steps and not steps[0].isdigit():
        socket, steps = unquote(parts.path), []
    if len(steps) > 1:
        raise ValueError("there is more behind the database")
    prefix = options.get("prefix", "shopfloor")
    if not PREFIX.fullmatch(prefix):
        raise ValueError(f"prefix {prefix!r} must match {PREFIX.pattern}")
    return Address(
        hosts=() if socket else _hosts(hosts, SENTINEL_PORT if by_sentinel else REDIS_PORT),
        socket=socket,
        master=master,
        database=_number(steps[0] if steps else options.get("database", "0"), "database"),
        user=unquote(user),
        password=Secret(unquote(password)),
        prefix=prefix,
        replicas=_number(options.get("replicas", "0"), "replicas"),
        unchecked=options.get("unchecked", "no") in ("yes", "true", "1"),
        tls=_tls(options) if scheme.partition("+")[0] in ("rediss", "valkeys") else None,
    )


def _hosts(text: str, port: int) -> tuple[tuple[str, int], ...]:
    found = []
    for one in text.split(",") if text else ["localhost"]:
        host, _, own_port = one.partition("]:") if one.startswith("[") else one.partition(":")
        found.append((unquote(host.strip("[]")) or "localhost", _number(own_port, "port") if own_port else port))
    return tuple(found)


def _number(text: str, name: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"{name} must be a number, not {text!r}")
    return int(text)


def _tls(options: dict[str, str]) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=options.get("tls_ca"))
    if "tls_certificate" in options:
        context.load_cert_chain(options["tls_certificate"], options.get("tls_key"))
    return context
