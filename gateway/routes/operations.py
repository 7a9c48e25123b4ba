"""For operators and people: is it alive, what does it speak, what has it counted."""

from importlib.metadata import version
from ipaddress import ip_address

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from gateway import metrics
from gateway.context import json_answer, parts
from gateway.docs import docs_page
from gateway.errors import refused
from gateway.openapi import document

VERSION = version("video-gateway")


async def healthz(request: Request) -> Response:
    """GET /healthz: the process answers. It asks no upstream."""
    return json_answer({"status": "ok", "version": VERSION})


async def ping(request: Request) -> Response:
    """GET /ping"""
    return PlainTextResponse("pong")


async def openapi(request: Request) -> Response:
    """GET /openapi.json"""
    return json_answer(document())


async def docs(request: Request) -> Response:
    """GET /docs: the same document for people, without anything from elsewhere."""
    return HTMLResponse(docs_page(document()))


async def prometheus(request: Request) -> Response:
    """GET /metrics: for loopback, or for whoever shows the admin key."""
    admin_key = parts(request).settings.admin_key
    if admin_key is not None:
        if not metrics.shows_key(request.headers.get("authorization", ""), admin_key.get_secret_value()):
            raise refused("unknown_key")
    elif not _from_loopback(request):
        raise refused("unknown_key")
    return Response(metrics.exposition(), media_type=CONTENT_TYPE_LATEST)


def _from_loopback(request: Request) -> bool:
    try:
        return request.client is not None and ip_address(request.client.host).is_loopback
    except ValueError:
        return False
