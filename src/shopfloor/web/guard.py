"""What holds for every request: where the site is mounted, who may ask, how long it may take, what a browser may do.

The order: prefix, headers, host, password, time. The tokens of forms are looked at where forms are read (`forms`).
"""

import asyncio
import secrets
from base64 import b64decode
from binascii import Error as Base64Error
from contextlib import suppress
from email.utils import formatdate
from ipaddress import ip_address
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shopfloor.web.limits import ANSWER_SECONDS
from shopfloor.web.prefix import mounted
from shopfloor.web.site import Site

OPEN_PATHS: Final = ("/health",)
OPEN_FOLDER: Final = "/static/"
"""What everybody may read: whoever watches the server, and the style of the pages."""
API_FOLDER: Final = "/api/"
"""What asks for tokens by itself, and says no in JSON."""
LIVE_PATH: Final = "/live"
"""The one answer that has no end of its own."""
LOCAL_NAMES: Final = ("localhost",)
PATIENCE_SECONDS: Final = ANSWER_SECONDS + 10.0
"""Time in which an answer must be made, and taken by the visitor."""

HEADERS: Final = (
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
)
POLICY: Final = (
    "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Nothing from elsewhere, no script but our own files: a text of a job that becomes markup can still do nothing."""


class Guard:
    """Wraps the application."""

    def __init__(self, app: ASGIApp, site: Site) -> None:
        self._app = app
        self._site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] != "http":
            return
        scope = mounted(scope)
        nonce = scope["state"]["nonce"] = secrets.token_urlsafe(16)
        send = self._with_headers(send, nonce)
        refusal = self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        with suppress(TimeoutError):  # uvicorn then ends the connection, and says so in the log
            async with asyncio.timeout(None if scope["path"] == scope["root_path"] + LIVE_PATH else PATIENCE_SECONDS):
                await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> PlainTextResponse | None:
        headers = Headers(scope=scope)
        path = scope["path"][len(scope["root_path"]) :]
        is_open = path in OPEN_PATHS or path.startswith((OPEN_FOLDER, API_FOLDER))
        password = self._site.password
        if not password and not is_local(headers.get("host", "")):
            return PlainTextResponse(
                "This server has no password, so it answers only requests for an address or for localhost:"
                " a name could be made to lead here by any web site. Set web_password, or let the proxy ask for"
                " an address.\n",
                403,
            )
        if password and not is_open and not shows(headers.get("authorization", ""), password):
            challenge = {"www-authenticate": 'Basic realm="Shopfloor", charset="UTF-8"'}
            return PlainTextResponse("The password is wanted; any user name will do.\n", 401, challenge)
        return None

    def _with_headers(self, send: Send, nonce: str) -> Send:
        policy = POLICY.format(nonce=nonce)

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS:
                    headers[name] = value
                headers["content-security-policy"] = policy
                headers["date"] = formatdate(self._site.now, usegmt=True)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        return sending


def is_local(host: str) -> bool:
    """Say whether a Host header cannot be a name that somebody else points at this machine (DNS rebinding)."""
    name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
    if name in LOCAL_NAMES or name.endswith(".localhost"):
        return True
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def shows(authorization: str, password: str) -> bool:
    """Say whether a header of Basic authentication has the password; the user name does not matter, as in Faktory."""
    scheme, _, coded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return False
    try:
        shown = b64decode(coded.strip(), validate=True).partition(b":")[2]
    except (Base64Error, ValueError):
        return False
    return secrets.compare_digest(shown, password.encode())
