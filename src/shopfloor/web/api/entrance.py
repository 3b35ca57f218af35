"""The way in: who asks, whether they may, what they sent; and the way out, as JSON whatever happened.

The order: page of another site, path, method, token, body. Nothing that a stranger sends is read before the token.
"""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from shopfloor.web.api import problem
from shopfloor.web.api.asked import Asked
from shopfloor.web.api.document import document
from shopfloor.web.api.operations import BEGIN, DOCUMENT_PATH, OPERATIONS, Operation
from shopfloor.web.api.problem import ApiError
from shopfloor.web.api.scopes import ALL
from shopfloor.web.guard import shows
from shopfloor.web.site import Site

JSON: Final = "application/json"
OUR_SITES: Final = ("same-origin", "none")
CHALLENGES: Final = 'Bearer realm="Shopfloor", Basic realm="Shopfloor", charset="UTF-8"'
LETTERS: Final[Mapping[str, str]] = {"jid": "{jid:path}", "wid": "{wid:path}"}
"""Jids and wids are what clients like, slashes and all."""


def routes(site: Site) -> Sequence[Route]:
    """Make a route for each path. Those that go on behind a jid stand before those that end with it."""
    by_path: dict[str, dict[str, Operation]] = {}
    for operation in OPERATIONS:
        by_path.setdefault(operation.path, {})[operation.method] = operation
    paths = sorted(by_path, key=lambda path: (path.endswith("}"), path))
    made = [Route(BEGIN + _with_letters(path), Entrance(site, by_path[path])) for path in paths]
    return [Route(DOCUMENT_PATH, _Document()), *made, Route("/api/{rest:path}", Entrance(site, {}))]


class Entrance:
    """One path: an ASGI application, so that every method comes here and none is refused in HTML."""

    def __init__(self, site: Site, operations: Mapping[str, Operation]) -> None:
        self._site = site
        self._operations = operations

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        request = Request(scope, receive)
        try:
            response = await self._answer(request)
        except ClientDisconnect:
            return
        except Exception as error:
            if problem.is_ours(error):
                self._site.broker.context.log.exception("an operation of the API failed", path=request.url.path)
            response = problem.answer(error, self._headers(error))
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        _check_origin(request)
        if not self._operations:
            raise ApiError("not-found", f"no operation has this path: {DOCUMENT_PATH} lists them")
        operation = self._operations.get(request.method)
        if operation is None:
            raise ApiError("method-not-allowed", f"here one can {self._methods}")
        _check_scope(self._site, request, operation)
        text = await _text(self._site, request, operation)
        body = None if operation.body is None else _decoded(text, operation.body)
        asked = Asked(
            site=self._site,
            names=request.path_params,
            query=_queried(request, operation.query),
            body=body,
            text=text,
        )
        return _good(request, operation, await operation.run(asked))

    @property
    def _methods(self) -> str:
        return ", ".join(sorted(self._operations))

    def _headers(self, error: Exception) -> dict[str, str]:
        if isinstance(error, ApiError) and error.kind == "method-not-allowed":
            return {"allow": self._methods}
        if isinstance(error, ApiError) and error.kind == "unauthorized":
            return {"www-authenticate": CHALLENGES}
        return {}


class _Document:
    """The document, for everybody: it says nothing of this server."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with it."""
        await Response(msgspec.json.encode(document()), media_type=JSON)(scope, receive, send)


def allowed(site: Site, authorization: str) -> frozenset[str]:
    """Say which scopes a request has; raise `ApiError` where it shows nothing that is known.

    Where there is neither a password nor a token everybody may do everything, as on the pages.
    """
    if not authorization and not site.password and not site.tokens:
        return ALL
    if site.password and shows(authorization, site.password):
        return ALL
    scheme, _, shown = authorization.partition(" ")
    token = site.tokens.find(shown.strip()) if scheme.lower() == "bearer" else None
    if token is None:
        raise ApiError("unauthorized", "no token that is known here, and not the password")
    return token.scopes


def _check_scope(site: Site, request: Request, operation: Operation) -> None:
    if operation.scope not in allowed(site, request.headers.get("authorization", "")):
        raise ApiError("forbidden", f"{operation.name} wants the scope {operation.scope}")


def _check_origin(request: Request) -> None:
    """Refuse what a browser says that a page of another site asks: it may send along a password that it knows."""
    where = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    is_elsewhere = origin is not None and urlsplit(origin).netloc != request.headers.get("host", "")
    if is_elsewhere or (where is not None and where not in OUR_SITES):
        raise ApiError("cross-origin", "pages of other sites may not ask here")


async def _text(site: Site, request: Request, operation: Operation) -> bytes:
    """Read the body, as far as it may be large; other types than JSON are what forms of other sites can send."""
    most = 0
    if operation.body is not None:
        most = site.options.line_bytes_max if operation.large else site.options.job_bytes_max
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != JSON:
            raise ApiError("unsupported-media-type", f"content-type: expected {JSON}")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most and operation.body is not None:
            raise ApiError("too-large", f"the limit is {most} bytes")
        if len(body) > site.options.job_bytes_max and operation.body is None:
            raise ApiError("too-large", "this operation takes no body")
    return bytes(body)


def _decoded(text: bytes, shape: type) -> Any:
    try:
        text.decode()
        return msgspec.json.decode(text, type=shape)
    except (UnicodeDecodeError, msgspec.MsgspecError, RecursionError) as error:
        raise ApiError("malformed", f"body: {error}") from error


def _queried(request: Request, shape: type) -> Any:
    try:
        return msgspec.convert(dict(request.query_params), shape, strict=False)
    except msgspec.MsgspecError as error:
        raise ApiError("malformed", f"query: {error}") from error


def _good(request: Request, operation: Operation, told: Any) -> Response:
    body = msgspec.json.encode(told)
    headers: dict[str, str] = {}
    if operation.method == "GET":
        headers = {"etag": f'"{blake2b(body, digest_size=12).hexdigest()}"', "cache-control": "private, no-cache"}
        if request.headers.get("if-none-match") == headers["etag"]:
            return Response(status_code=304, headers=headers)
    return Response(body, operation.status, headers, JSON)


def _with_letters(path: str) -> str:
    for name, letters in LETTERS.items():
        path = path.replace(f"{{{name}}}", letters)
    return path
