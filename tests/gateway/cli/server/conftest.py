"""Servers with limits of connections, and raw connections to them."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from gateway.cli.server.background import BackgroundServer
from gateway.cli.server.connection_limits import ConnectionLimits
from gateway.cli.server.http_protocol import LimitedProtocol
from tests.gateway.cli.server.connections import Connect, Start


async def _echo(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


@pytest.fixture
def start() -> Iterator[Start]:
    with ExitStack() as stack:

        def run(app: ASGIApp | None = None, **limits: float) -> tuple[str, int]:
            class Own(LimitedProtocol):
                pass

            Own.limits = ConnectionLimits(**limits)  # type: ignore[arg-type]
            app = app or Starlette(routes=[Route("/", _echo, methods=["GET", "POST"])])
            host, port = stack.enter_context(BackgroundServer(app, protocol=Own)).url.removeprefix("http://").split(":")
            return host, int(port)

        yield run


@pytest.fixture
def connect() -> Iterator[Connect]:
    with ExitStack() as stack:

        def made(place: tuple[str, int]) -> socket.socket:
            return stack.enter_context(socket.create_connection(place, timeout=5))

        yield made
