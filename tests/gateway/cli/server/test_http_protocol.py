"""Limits of connections and requests before a caller is known, on a real server."""

import contextlib
import time
from typing import Any

import orjson
import pytest

from gateway.cli.server import http_protocol
from gateway.cli.server.http_protocol import LimitedProtocol
from tests.gateway.cli.server.connections import Connect, Start, answer, ends

GET = b"GET / HTTP/1.1\r\nHost: h\r\n"


def code_of(body: bytes) -> str:
    """The code of an error in the form of every API: of those with an object `error`, and of those without."""
    error: dict[str, Any] = orjson.loads(body)
    nested = error.pop("error")
    assert error == {"code": nested["code"], "message": nested["message"], "request_id": ""}
    return str(nested["code"])


def test_ordinary_requests_share_a_connection(start: Start, connect: Connect) -> None:
    connection = connect(start(head_bytes=200, headers=5))
    for _ in range(20):
        connection.sendall(GET + b"\r\n")
        assert answer(connection) == (200, b"0")
        connection.sendall(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc")
        assert answer(connection) == (200, b"3")


def test_large_body_in_the_same_packet_does_not_count_as_head(start: Start, connect: Connect) -> None:
    connection = connect(start(head_bytes=200))
    connection.sendall(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 50000\r\n\r\n" + b"x" * 50_000)
    assert answer(connection) == (200, b"50000")
    connection.sendall(GET + b"\r\n")
    assert answer(connection)[0] == 200


CHUNKED = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("flood", [b"x: a\r\n" * 50_000, b"x: " + b"a" * 300_000], ids=["many", "one long"])
def test_trailers_have_the_limit_of_a_head(start: Start, connect: Connect, flood: bytes) -> None:
    connection = connect(start(head_bytes=2000))
    connection.sendall(CHUNKED + b"1\r\n{\r\n0\r\n")
    with contextlib.suppress(ConnectionError):
        for begin in range(0, len(flood), 20_000):
            connection.sendall(flood[begin : begin + 20_000])
    assert answer(connection)[0] == 431


def test_few_trailers_are_dropped(start: Start, connect: Connect) -> None:
    connection = connect(start(head_bytes=2000))
    for _ in range(3):
        connection.sendall(CHUNKED + b"3\r\nabc\r\n0\r\nx-check: 1\r\n\r\n")
        assert answer(connection) == (200, b"3")


def test_request_behind_a_rejected_one_is_not_run(
    start: Start, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[object] = []
    monkeypatch.setattr(LimitedProtocol, "_start_asgi_task", lambda self, cycle, app: started.append(cycle))
    connection = connect(start(headers=5))
    connection.sendall(GET + b"x: 1\r\n" * 10 + b"\r\n" + GET + b"\r\n")
    assert answer(connection)[0] == 431
    assert ends(connection)
    assert started == []


def test_response_before_the_end_of_a_body_leaves_the_rest_a_body(start: Start, connect: Connect) -> None:
    connection = connect(start(head_bytes=200))
    connection.sendall(b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n" + b"x" * 1000)
    assert answer(connection)[0] == 405
    connection.sendall(b"x" * 99_000 + GET + b"\r\n")
    assert answer(connection)[0] == 200


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\nHost: h\r\n\r\n",
        GET + b"X: " + b"a" * 5000 + b"\r\n\r\n",
        GET + b"X: " + b"a" * 500_000,
        GET + b"".join(b"X%d: 1\r\n" % number for number in range(200)) + b"\r\n",
        GET + b"".join(b"X%d: 1\r\n" % number for number in range(60)) + b"\r\n",
    ],
    ids=["long path", "long header", "endless header", "many bytes of headers", "many headers"],
)
def test_head_over_a_limit_is_431_and_closes(start: Start, connect: Connect, head: bytes) -> None:
    connection = connect(start(head_bytes=1024, headers=50))
    try:
        connection.sendall(head)
    except ConnectionError:
        return
    status, body = answer(connection)
    assert (status, code_of(body)) == (431, "headers_too_large")
    assert ends(connection)


@pytest.mark.parametrize(
    "sent",
    [b"", b"GET / HT", GET, b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n"],
    ids=["nothing", "half a line", "half a head", "no body"],
)
def test_request_that_does_not_arrive_is_408(start: Start, connect: Connect, sent: bytes) -> None:
    connection = connect(start(head_seconds=0.1))
    connection.sendall(sent)
    status, body = answer(connection)
    assert (status, code_of(body)) == (408, "request_timeout")
    assert ends(connection)


def test_second_request_of_a_connection_has_a_time_of_its_own(start: Start, connect: Connect) -> None:
    connection = connect(start(head_seconds=0.2))
    for _ in range(3):
        connection.sendall(GET + b"\r\n")
        assert answer(connection)[0] == 200
        time.sleep(0.15)
    connection.sendall(b"GET /")
    assert answer(connection)[0] == 408


def test_body_slower_than_the_floor_is_408(start: Start, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "_RATE_SECONDS", 0.1)
    connection = connect(start(body_bytes_per_second=1000))
    connection.sendall(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\nabc")
    assert answer(connection)[0] == 408


def test_body_faster_than_the_floor_arrives(start: Start, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "_RATE_SECONDS", 0.1)
    connection = connect(start(body_bytes_per_second=100))
    connection.sendall(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 600\r\n\r\n")
    for _ in range(6):
        connection.sendall(b"x" * 100)
        time.sleep(0.06)
    assert answer(connection) == (200, b"600")


def test_connection_that_waits_longest_makes_room(start: Start, connect: Connect) -> None:
    place = start(connections=5)
    halves = [connect(place) for _ in range(5)]
    for half in halves:
        half.sendall(b"GET / HT")
    for _ in range(3):
        connection = connect(place)
        connection.sendall(GET + b"\r\n")
        assert answer(connection)[0] == 200
    assert [answer(half)[0] for half in halves[:3]] == [503] * 3


def test_new_connection_is_503_where_all_are_busy(start: Start, connect: Connect) -> None:
    place = start(connections=2)
    busy = [connect(place) for _ in range(2)]
    for one in busy:
        one.sendall(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\na")
    time.sleep(0.1)
    connection = connect(place)
    status, body = answer(connection)
    assert (status, code_of(body)) == (503, "too_many_connections")
    for one in busy:
        one.sendall(b"bc")
        assert answer(one) == (200, b"3")


def test_connections_of_one_address_are_limited(start: Start, connect: Connect) -> None:
    place = start(connections_per_address=1)
    busy = connect(place)
    busy.sendall(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\na")
    time.sleep(0.1)
    assert answer(connect(place))[0] == 503
    busy.sendall(b"bc")
    assert answer(busy) == (200, b"3")
