"""Health checks, the API documentation and the metrics."""

from collections import Counter
from importlib.metadata import version

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from gateway.api.admin_auth import require_operator
from gateway.api.context import json_response, language_of, services
from gateway.api.openapi.document import document
from gateway.api.openapi.page import docs_page
from gateway.api.paths import redirect_of_page
from gateway.core import metrics
from gateway.core.localization import choose_language

VERSION = version("video-gateway")


async def healthz(request: Request) -> Response:
    """GET /healthz: liveness. It queries no upstream."""
    return json_response({"status": "ok", "version": VERSION})


async def ping(request: Request) -> Response:
    """GET /ping"""
    return PlainTextResponse("pong")


async def openapi(request: Request) -> Response:
    """GET /openapi.json"""
    return json_response(document() | {"servers": [{"url": request.scope.get("root_path") or "/"}]})


async def docs(request: Request) -> Response:
    """GET /docs: the document as a web page. `?lang=` chooses its language, else the browser does."""
    asked = request.query_params.get("lang")
    language = choose_language(asked, services(request).settings.language) if asked else language_of(request)
    root = str(request.base_url).rstrip("/")
    page = HTMLResponse(docs_page(document(language), language, root), headers={"vary": "accept-language"})
    return redirect_of_page(request.scope) or page


async def prometheus(request: Request) -> Response:
    """GET /metrics, for the operator."""
    require_operator(request)
    pool = services(request).pool
    states = Counter((managed.account.provider, pool.status(managed.account).state.value) for managed in pool.managed)
    return Response(metrics.exposition(states), media_type=CONTENT_TYPE_LATEST)
