"""What went wrong, as `application/problem+json` (RFC 9457); programs tell problems apart by their type."""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec
from msgspec import Struct
from starlette.exceptions import HTTPException
from starlette.responses import Response

from shopfloor.errors import Refused, StoreError

MEDIA_TYPE: Final = "application/problem+json"
TYPE_BEGINS: Final = "urn:shopfloor:problem:"

Kind = Literal[
    "malformed",
    "unauthorized",
    "forbidden",
    "cross-origin",
    "not-found",
    "method-not-allowed",
    "refused",
    "not-unique",
    "too-large",
    "unsupported-media-type",
    "invalid",
    "internal",
    "unavailable",
]
KINDS: Final[Mapping[Kind, tuple[int, str]]] = {
    "malformed": (400, "The request is not what the document says"),
    "unauthorized": (401, "A token, or the password, is wanted"),
    "forbidden": (403, "The token does not allow this"),
    "cross-origin": (403, "A page of another site asked"),
    "not-found": (404, "There is no such thing"),
    "method-not-allowed": (405, "This cannot be done here"),
    "refused": (409, "The state of things does not allow it"),
    "not-unique": (409, "Another job has the lock of this one"),
    "too-large": (413, "Too much was sent"),
    "unsupported-media-type": (415, "Bodies are JSON"),
    "invalid": (422, "The server cannot take this"),
    "internal": (500, "Something went wrong in the server"),
    "unavailable": (503, "The server cannot do this at present"),
}
"""Each type with its status and its title. They are part of the interface: none changes its meaning."""

ABSENT: Final = ("Job not found", "unknown worker", "no such batch", "Cron entry not found")
"""How refusals of the broker begin that say that a thing is not there."""
INVALID: Final = ("invalid ", "jobs must ", "jobs cannot ", "cannot get ", "pattern is too long", "queue name is ")
"""How those begin that no other state of the server would change."""


class Problem(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every answer but a good one holds."""

    type: str
    title: str
    status: int
    detail: str


class ApiError(HTTPException):
    """A problem on its way to the answer."""

    def __init__(self, kind: Kind, detail: str) -> None:
        status, _ = KINDS[kind]
        super().__init__(status, detail)
        self.kind = kind


def answer(error: Exception, headers: Mapping[str, str] | None = None) -> Response:
    """Answer an error; what is ours is not told to strangers."""
    kind, detail = _judged(error)
    status, title = KINDS[kind]
    problem = Problem(type=TYPE_BEGINS + kind, title=title, status=status, detail=detail)
    return Response(msgspec.json.encode(problem), status, headers, MEDIA_TYPE)


def is_ours(error: Exception) -> bool:
    """Say whether an error is a defect of the server, which belongs into its log."""
    return _judged(error)[0] == "internal"


def _judged(error: Exception) -> tuple[Kind, str]:
    if isinstance(error, ApiError):
        return error.kind, error.detail
    if isinstance(error, Refused):
        return _refusal(error), error.message
    if isinstance(error, StoreError):
        return "unavailable", f"the store did not answer: {error}"
    if isinstance(error, TimeoutError):
        return "unavailable", "the answer took too long; what was begun goes on"
    return "internal", "the log of the server has more"


def _refusal(refused: Refused) -> Kind:
    if refused.code == "NOTUNIQUE":
        return "not-unique"
    if refused.message.startswith(ABSENT):
        return "not-found"
    return "invalid" if refused.message.startswith(INVALID) else "refused"
