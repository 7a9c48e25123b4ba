"""The soak sees a leak of a running gateway in what `/metrics` tells."""

import asyncio
import socket
from collections.abc import Iterator

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.app import create_app
from gateway.cli.server.background import BackgroundServer
from providers.sandbox.server import SandboxServer
from tests.e2e.conftest import settings_for
from tests.faults.growth import Sample, held_by, leaks

_held: list[socket.socket | asyncio.Task[bool]] = []


async def leak_a_task(request: Request) -> Response:
    _held.append(asyncio.create_task(asyncio.Event().wait()))
    return Response()


async def leak_a_descriptor(request: Request) -> Response:
    _held.append(socket.socket())
    return Response()


@pytest.fixture(scope="module")
def gateway() -> Iterator[str]:
    leaking = [Route(f"/{leak.__name__}", leak) for leak in (leak_a_task, leak_a_descriptor)]
    with SandboxServer() as upstream:
        app = create_app(settings_for(upstream))
        app.router.routes[:0] = leaking
        with BackgroundServer(app) as server:
            yield server.url


@pytest.mark.parametrize(
    ("path", "found"), [("/leak_a_task", ["tasks"]), ("/leak_a_descriptor", ["descriptors"]), ("/healthz", [])]
)
def test_leak_of_a_running_gateway_is_seen(gateway: str, path: str, found: list[str]) -> None:
    series = []
    with httpx.Client(base_url=gateway, trust_env=False) as client:
        for second in range(40):
            assert client.get(path).status_code == 200
            series.append(Sample(second, 50.0, *held_by(client.get("/metrics").text)))
    for one in _held:
        if isinstance(one, socket.socket):
            one.close()
    assert leaks(series) == found
