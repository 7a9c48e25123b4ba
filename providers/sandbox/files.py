"""Result files behind signed links that expire, and public sample images.

The images are 640x480 gradients with a cat's head, the same in three formats.
"""

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from providers.sandbox.answers import cut
from providers.sandbox.clips import MEDIA_TYPES, Clips
from providers.sandbox.directives import Directives
from providers.sandbox.settings import SandboxSettings

PICTURES = Path(__file__).parent / "pictures"
PICTURE_TYPES = {"cat.png": "image/png", "cat.jpg": "image/jpeg", "cat.webp": "image/webp"}


def base_of(request: Request) -> str:
    """Scheme and host as the client reached them."""
    return f"{request.url.scheme}://{request.headers.get('host', request.url.netloc)}"


def denied(status: int, code: str, message: str) -> Response:
    """An object store's error: XML with a code and a message."""
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>'
    return Response(body, status, media_type="application/xml")


class Files:
    """Creates links and serves their files, those of `clips`. The signature covers the path and the expiry."""

    def __init__(self, settings: SandboxSettings, clock: Callable[[], float], clips: Clips | None = None) -> None:
        self.clips = clips or Clips()
        self._settings = settings
        self._clock = clock
        self._secret = secrets.token_bytes(16)

    def link(self, base: str, folder: str, name: str, directives: Directives) -> str:
        """A link below `base` (scheme and host the client reached) to `name`, valid for `link_seconds`. It
        settles the clip of the folder."""
        self.clips.of(folder)
        fault = next((directive for directive in ("link-404", "link-500", "link-cut") if directive in directives), "ok")
        path = f"/files/{fault}/{folder}/{name}"
        expires = self.expires_at(directives)
        return f"{base}{path}?{urlencode({'Expires': expires, 'Signature': self._sign(path, str(expires))})}"

    def expires_at(self, directives: Directives) -> int:
        """When a link that is made now expires, in unix seconds."""
        return int(self._clock()) + (-60 if "link-expired" in directives else self._settings.link_seconds)

    def _sign(self, path: str, expires: str) -> str:
        digest = hmac.digest(self._secret, f"{path}\n{expires}".encode(), hashlib.sha256)
        return urlsafe_b64encode(digest[:18]).decode()

    async def serve(self, request: Request) -> ASGIApp:
        """GET and HEAD of a link, with ranges; 403 and an XML body for a wrong or expired signature."""
        expires, signature = (request.query_params.get(key, "") for key in ("Expires", "Signature"))
        if not expires or not signature:
            return denied(403, "AccessDenied", "You have no right to access this object.")
        if not hmac.compare_digest(signature.encode(), self._sign(request.url.path, expires).encode()):
            return denied(403, "SignatureDoesNotMatch", "The request signature does not match.")
        if int(expires) <= self._clock():
            return denied(403, "AccessDenied", "Request has expired.")
        name, fault = request.path_params["name"], request.path_params["trouble"]
        if name not in MEDIA_TYPES or fault == "link-404":
            return denied(404, "NoSuchKey", "The specified key does not exist.")
        if fault == "link-500":
            return denied(500, "InternalError", "Please contact the server administrator.")
        file = self.clips.of(request.path_params["folder"]).files[name]
        if fault == "link-cut" and request.method == "GET":
            return cut(Response(file.read_bytes(), media_type=MEDIA_TYPES[name]))
        return FileResponse(file, media_type=MEDIA_TYPES[name])

    def routes(self) -> list[Route]:
        """The links' own path, and the pictures'."""
        return [
            Route("/files/{trouble}/{folder}/{name}", self.serve, methods=["GET", "HEAD"]),
            Route("/files/pictures/{name}", _picture, methods=["GET", "HEAD"]),
        ]


async def _picture(request: Request) -> Response:
    """GET and HEAD of a sample picture; no signature, no end."""
    name = request.path_params["name"]
    if name not in PICTURE_TYPES:
        return denied(404, "NoSuchKey", "The specified key does not exist.")
    return FileResponse(PICTURES / name, media_type=PICTURE_TYPES[name])
