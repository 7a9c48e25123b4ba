"""The server tells an application whether the client of a POST has disconnected."""

import socket
import threading

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from gateway.api.context import IS_DISCONNECTED
from tests.gateway.cli.server.connections import Connect, Start

POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi"


class Application:
    """Notes what it is told when a request begins, and when its client has disconnected."""

    def __init__(self) -> None:
        self.begun, self.ended = threading.Event(), threading.Event()
        self.seen: list[bool] = []
        self.app = Starlette(routes=[Route("/", self._answer, methods=["GET", "POST"])])

    async def _answer(self, request: Request) -> Response:
        if request.method == "GET":
            return PlainTextResponse(str(IS_DISCONNECTED in request.scope))
        await request.body()
        is_disconnected = request.scope[IS_DISCONNECTED]
        self.seen.append(is_disconnected())
        self.begun.set()
        message = await request.receive()
        self.seen.append((message["type"] == "http.disconnect") == is_disconnected())
        self.seen.append(is_disconnected())
        self.ended.set()
        return PlainTextResponse("x")


def test_client_that_disconnects_is_known_at_once(start: Start, connect: Connect) -> None:
    application = Application()
    connection = connect(start(application.app))
    connection.sendall(POST)
    assert application.begun.wait(5)
    connection.shutdown(socket.SHUT_RDWR)
    connection.close()
    assert application.ended.wait(5)
    assert application.seen == [False, True, True]


def test_polls_do_without(start: Start, connect: Connect) -> None:
    connection = connect(start(Application().app))
    connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    answer = b""
    while piece := connection.recv(4096):
        answer += piece
    assert answer.endswith(b"False")
