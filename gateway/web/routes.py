"""The pages for people: each page, what it has to know, and the files that it loads."""

from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from gateway.api.context import json_response, language_of, services
from gateway.api.paths import redirect_of_page
from gateway.web.assets import Asset, load_assets
from gateway.web.home import describe_home, home_page
from gateway.web.site import describe_site

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        # Results and covers are links of the upstreams, whose hosts are not known before.
        "img-src 'self' blob: data: https: http:",
        "media-src 'self' blob: https: http:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    )
)
"""No inline code, no other host but for pictures and videos, no HTML made of text."""

_PAGE_HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "referrer-policy": "no-referrer",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "x-content-type-options": "nosniff",
}
_REVALIDATED = "no-cache"
_FOREVER = "public, max-age=31536000, immutable"


async def home(request: Request) -> Response:
    """GET /: a page for browsers, which accept HTML by name, and JSON for programs."""
    root_path: str = request.scope.get("root_path", "")
    headers = {"vary": "accept, accept-language", "cache-control": _REVALIDATED}
    if "text/html" not in request.headers.get("accept", "").lower():
        return json_response(describe_home(root_path), headers=headers)
    return HTMLResponse(home_page(language_of(request), root_path), headers=_PAGE_HEADERS | headers)


async def playground(request: Request) -> Response:
    """GET /playground"""
    headers = _PAGE_HEADERS | {"cache-control": _REVALIDATED}
    return redirect_of_page(request.scope) or _respond(request, load_assets().files["playground.html"], headers)


async def dashboard(request: Request) -> Response:
    """GET /dashboard: the page without its data, which the operator's key gives."""
    headers = _PAGE_HEADERS | {"cache-control": _REVALIDATED}
    return redirect_of_page(request.scope) or _respond(request, load_assets().files["dashboard.html"], headers)


async def site(request: Request) -> Response:
    """GET /playground/site.json"""
    content = describe_site(services(request).settings)
    return json_response(content, headers={"cache-control": "no-store", "x-content-type-options": "nosniff"})


async def asset(request: Request) -> Response:
    """GET /assets/{version}/{path}

    During an update of several replicas, the page may come from one and the file from another: a file under another
    version is served, but not kept.
    """
    assets = load_assets()
    found = assets.files.get(request.path_params["path"])
    if found is None or found.media_type.startswith("text/html"):
        raise HTTPException(404)
    current = request.path_params["version"] == assets.version
    headers = {"cache-control": _FOREVER if current else _REVALIDATED, "x-content-type-options": "nosniff"}
    if found.media_type == "image/svg+xml":
        # A picture that somebody opens as a page runs no code.
        headers["content-security-policy"] = "default-src 'none'; sandbox"
    return _respond(request, found, headers)


def _respond(request: Request, found: Asset, headers: Mapping[str, str]) -> Response:
    """The file, compressed where the client accepts that; 304 where it has it already."""
    headers = {**headers, "etag": found.etag, "vary": "accept-encoding"}
    known = request.headers.get("if-none-match", "")
    if any(tag.strip().removeprefix("W/") in (found.etag, "*") for tag in known.split(",")):
        return Response(status_code=304, headers=headers)
    content = found.content
    if _accepts_gzip(request.headers.get("accept-encoding", "")):
        content, headers = found.compressed, headers | {"content-encoding": "gzip"}
    return Response(content, headers=headers, media_type=found.media_type)


def _accepts_gzip(accept_encoding: str) -> bool:
    for part in accept_encoding.split(","):
        name, _, quality = part.strip().lower().partition(";")
        if name.strip() == "gzip":
            return quality.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
