"""Reading forms: bounded in size, and only from our own pages.

Another site can make a browser send a form here, with the password that the browser knows. Two things stop it, each by
itself: the browser says where a request comes from (`Sec-Fetch-Site`, or `Origin`), and a form must repeat the text of
a cookie that no other site can read.
"""

import secrets
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import parse_qs, urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from shopfloor.web.limits import BODY_BYTES_MAX, FIELDS_MAX

COOKIE: Final = "shopfloor_form"
FIELD: Final = "form_token"
OUR_SITES: Final = ("same-origin", "none")
TOKEN_BYTES: Final = 24
FOREIGN: Final = "this form was not sent by a page of this server"


class Form:
    """The fields of a form."""

    def __init__(self, fields: Mapping[str, Sequence[str]]) -> None:
        self._fields = fields

    def text(self, name: str) -> str:
        """Give a field that occurs once; empty where it is missing."""
        return self._fields.get(name, ("",))[0]

    def texts(self, name: str) -> Sequence[str]:
        """Give all values of a field."""
        return self._fields.get(name, ())


def token(request: Request) -> str:
    """Give the text that forms of this visitor carry; made once for a page, and then kept in a cookie."""
    known = request.cookies.get(COOKIE, "")
    if len(known) >= TOKEN_BYTES:
        return known
    made: str | None = getattr(request.state, "form_token", None)
    if made is None:
        made = request.state.form_token = secrets.token_urlsafe(TOKEN_BYTES)
    return made


def give_cookie(request: Request, response: Response) -> None:
    """Let the browser keep the token, where it was just made."""
    made: str | None = getattr(request.state, "form_token", None)
    if made is not None:
        path = request.scope["root_path"] or "/"
        is_secure = request.url.scheme == "https"
        response.set_cookie(COOKIE, made, path=path, secure=is_secure, httponly=True, samesite="strict")


async def read_form(request: Request) -> Form:
    """Read a form that one of our pages sent; raise `HTTPException` for any other."""
    _check_origin(request)
    body = await read_body(request)
    try:
        fields = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=FIELDS_MAX)
    except ValueError as error:
        raise HTTPException(400, "this is not a form that can be read") from error
    form = Form(fields)
    known = request.cookies.get(COOKIE, "")
    if not known or not secrets.compare_digest(known.encode(), form.text(FIELD).encode()):
        raise HTTPException(403, f"{FOREIGN}, or it was open for too long: load it again")
    return form


async def read_body(request: Request) -> bytes:
    """Read what was sent, as far as it may be large."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            raise HTTPException(413, f"too much was sent: the limit is {BODY_BYTES_MAX} bytes")
    return bytes(body)


def _check_origin(request: Request) -> None:
    """Believe the browser where it says who asks. Programs say nothing; they still need the token."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        if site not in OUR_SITES:
            raise HTTPException(403, FOREIGN)
        return
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host", ""):
        raise HTTPException(403, FOREIGN)
