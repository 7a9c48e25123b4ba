"""Health checks, the API documentation and the metrics."""

import asyncio
from collections import Counter

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from gateway.accounts.health import AccountState
from gateway.api.admin_auth import require_operator
from gateway.api.context import json_response, language_of, services
from gateway.api.metric_series import VERSION
from gateway.api.paths import redirect_of_page
from gateway.core.exposition import exposition
from gateway.core.localization import choose_language
from gateway.core.metrics import ASYNCIO_TASKS
from providers import registry
from providers.on_demand import load

_DOCUMENTATION = "gateway.api.openapi.page"


async def healthz(request: Request) -> Response:
    """GET /healthz: liveness. It queries no upstream."""
    return json_response({"status": "ok", "version": VERSION})


async def readyz(request: Request) -> Response:
    """GET /readyz: readiness. 503 once the process has begun to stop: it is for load balancers, which then send no more
    requests. It queries no upstream."""
    if services(request).streams.is_stopping:
        return json_response({"status": "stopping", "version": VERSION}, 503)
    return json_response({"status": "ready", "version": VERSION})


async def ping(request: Request) -> Response:
    """GET /ping"""
    return PlainTextResponse("pong")


async def openapi(request: Request) -> Response:
    """GET /openapi.json"""
    await load(_DOCUMENTATION)
    from gateway.api.openapi.document import document

    return json_response(document() | {"servers": [{"url": request.scope.get("root_path") or "/"}]})


async def docs(request: Request) -> Response:
    """GET /docs: the document as a web page. `?lang=` chooses its language, else the browser does."""
    await load(_DOCUMENTATION)
    from gateway.api.openapi.document import document
    from gateway.api.openapi.page import docs_page

    asked = request.query_params.get("lang")
    language = choose_language(asked, services(request).settings.language) if asked else language_of(request)
    root = str(request.base_url).rstrip("/")
    page = HTMLResponse(docs_page(document(language), language, root), headers={"vary": "accept-language"})
    return redirect_of_page(request.scope) or page


async def prometheus(request: Request) -> Response:
    """GET /metrics, for the operator."""
    require_operator(request)
    pool = services(request).pool
    states = dict.fromkeys(((spec.name, state.value) for spec in registry.PROVIDERS for state in AccountState), 0)
    states |= Counter((managed.account.provider, pool.status(managed.account).state.value) for managed in pool.managed)
    names = {managed.account.label for managed in pool.managed}
    ASYNCIO_TASKS.set(len(asyncio.all_tasks()))
    return Response(exposition(states, names), media_type=CONTENT_TYPE_LATEST)
