"""A gateway that streams files, and an object store."""

import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.api.error_responses import handle_gateway_error
from gateway.api.file_responses import stream_content
from gateway.api.middleware import BodyLimit, RequestContext, UnhandledErrors
from gateway.api.services import RequestServices
from gateway.cli.server.background import BackgroundServer
from gateway.core.errors import GatewayError
from gateway.core.settings import Settings
from providers.sandbox.files import Files
from providers.sandbox.settings import SandboxSettings
from providers.transport.client import HttpClient
from providers.transport.timeouts import Timeouts
from tests.gateway.api.file_responses.host import READ_TIMEOUT, Gateway


@pytest.fixture(scope="module")
def started() -> Iterator[Gateway]:
    renewals: list[str] = []
    fetch = HttpClient(Timeouts(connect=2, read=READ_TIMEOUT, total=2))

    async def content(request: Request) -> Response:
        async def renew() -> str | None:
            fresh = request.query_params["fresh"]
            renewals.append(fresh)
            if fresh == "refused":
                raise GatewayError("task_not_found")
            return fresh or None

        return await stream_content(
            fetch,
            request.query_params["link"],
            request,
            filename=request.query_params.get("name", "video.mp4"),
            media_type=request.query_params.get("type", "video/mp4"),
            proxy=request.query_params.get("proxy"),
            renew=renew,
        )

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with fetch:
            yield

    app = Starlette(
        routes=[Route("/content", content, methods=["GET"])],
        middleware=[
            Middleware(RequestServices),
            Middleware(RequestContext),
            Middleware(UnhandledErrors),
            Middleware(BodyLimit, limit=1000, upload_limit=1000),
        ],
        exception_handlers={GatewayError: handle_gateway_error},
        lifespan=lifespan,
    )
    app.state.services = SimpleNamespace(settings=Settings.model_construct(language="en"))
    with BackgroundServer(app) as server:
        yield Gateway(server.url, renewals)


@pytest.fixture
def gateway(started: Gateway) -> Gateway:
    started.renewals.clear()
    return started


@pytest.fixture(autouse=True)
def _log_everything(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "gateway")


@pytest.fixture(scope="module")
def store() -> Iterator[Callable[..., str]]:
    """Links into an object store: signed, with ranges, and with an expiry."""
    files = Files(SandboxSettings(), time.time)
    with BackgroundServer(Starlette(routes=files.routes())) as server:

        def link(name: str = "best.mp4", *words: str) -> str:
            return files.link(server.url, "task", name, dict.fromkeys(words, ""))

        yield link
