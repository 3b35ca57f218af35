"""The kinds of value for which a plain string is not safe or clear enough: secret, storage URL, binding."""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from urllib.parse import quote, unquote, urlsplit

MASK = "********"

# What stands between "scheme://user:" and the last "@" is taken for a password, also where it should have
# been quoted and was not: hiding too much of an odd address is better than showing half a password. Passwords
# in a query (`?password=`, `?sslpassword=`, `?sentinel_password=`) are masked too.
_URL_PASSWORD = re.compile(
    r"""(?<=://)([^/?#\s:@"']*):[^\s"'<>]*@|(?<=[?&])([^=&#\s"']*(?:password|passwd|secret|token)=)[^&#\s"']*""",
    re.IGNORECASE,
)


def masked(text: str) -> str:
    """Return the text with the password of every URL in it replaced by stars."""
    return _URL_PASSWORD.sub(lambda m: f"{m[2]}{MASK}" if m[2] else f"{m[1]}:{MASK}@", text)


class Secret:
    """Hold a text that no log, traceback or settings dump may show; `reveal` is the one way to it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text itself. Do not keep it longer than the comparison or the connection needs it."""
        return self._text

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __str__(self) -> str:
        return MASK if self._text else ""

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash((type(self).__name__, self._text))

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled: a pickle shows the text to whoever reads the file."""
        raise TypeError(f"{type(self).__name__} cannot be pickled")


class StorageUrl(Secret):
    """Name the place where jobs rest. Only its password is hidden when it is shown."""

    __slots__ = ()

    @classmethod
    def of_file(cls, path: Path) -> StorageUrl:
        """Return the URL of an embedded store in that file."""
        return cls("sqlite://" + quote(str(path)))

    def __str__(self) -> str:
        return masked(self._text)

    @property
    def scheme(self) -> str:
        """The word before the colon: which kind of store this is."""
        return self._text.partition(":")[0]

    @property
    def path(self) -> Path:
        """The file of an embedded store: what follows `sqlite://`, so absolute paths make three slashes."""
        return Path(unquote(urlsplit(self._text).path))


@dataclass(frozen=True, slots=True)
class Binding:
    """Name the address a port listens on. An empty host is every interface; port 0 is any free port."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Binding:
        """Read `host:port`, `:port` or `[v6 address]:port`; raise ValueError with the reason otherwise."""
        host, colon, port = text.rpartition(":")
        if not colon or not (port.isascii() and port.isdigit()) or int(port) > 65535:
            raise ValueError("expected host:port with a port from 0 to 65535")
        bracketed = host.startswith("[") and host.endswith("]")
        if ":" in host and not bracketed:
            raise ValueError("an IPv6 address stands in brackets, as in [::1]:7419")
        return cls(host[1:-1] if bracketed else host, int(port))

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"
