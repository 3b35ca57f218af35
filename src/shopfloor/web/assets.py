"""The style and the scripts of the pages: read once, named with a digest, so that browsers may keep them."""

import hashlib
from collections.abc import Mapping
from importlib.resources import files
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

KINDS: Final[Mapping[str, str]] = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
CACHE: Final = "public, max-age=3600"
"""An hour, as Faktory; the digest in the address changes with the files."""


class Assets:
    """All files of the folder `static`."""

    def __init__(self) -> None:
        folder = files("shopfloor.web") / "static"
        self._files = {file.name: file.read_bytes() for file in folder.iterdir() if file.name.split(".")[-1] in KINDS}
        joined = b"".join(self._files[name] for name in sorted(self._files))
        self.digest = hashlib.sha256(joined).hexdigest()[:12]

    async def serve(self, request: Request) -> Response:
        """Answer one file."""
        name = request.path_params["name"]
        if name not in self._files:
            raise HTTPException(404, f"there is no file {name}")
        etag = f'"{self.digest}"'
        headers = {"cache-control": CACHE, "etag": etag}
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers=headers)
        return Response(self._files[name], media_type=KINDS[name.rsplit(".", 1)[-1]], headers=headers)
