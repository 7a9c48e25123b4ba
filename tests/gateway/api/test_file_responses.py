"""Files from a host to a client, every one of the three a real server or a real socket."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from urllib.parse import urlencode

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.api.error_responses import handle_gateway_error
from gateway.api.file_responses import MAX_NAME, safe_name, stream_content
from gateway.api.middleware import BodyLimit, Failures, RequestContext
from gateway.api.services import RequestServices
from gateway.cli.server.background import BackgroundServer
from gateway.core.errors import GatewayError
from gateway.core.settings import Settings
from gateway.task_ids.links import EXPIRED_STATUSES
from providers.sandbox.files import CLIPS, Files
from providers.sandbox.settings import SandboxSettings
from providers.transport.client import HttpClient
from providers.transport.transports import Timeouts

VIDEO = (CLIPS / "best.mp4").read_bytes()
READ_TIMEOUT = 0.2

# --- the host ---------------------------------------------------------------------------------------------------


@dataclass
class Host:
    """A file host that answers as `answer` says, and knows what it was asked and who is still connected."""

    url: str = ""
    heads: list[bytes] = field(default_factory=list)
    connections: int = 0
    sent: int = 0

    @property
    def methods(self) -> list[bytes]:
        return [head.partition(b" ")[0] for head in self.heads]

    async def until_left(self) -> float:
        """Seconds until the last connection is gone."""
        started = time.monotonic()
        await until(lambda: not self.connections)
        return time.monotonic() - started


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(400):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it never came to that")


Answer = Callable[[Host, bytes, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def running(answer: Answer) -> AsyncIterator[Host]:
    host = Host()
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host.connections += 1
        writers.append(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                host.heads.append(head)
                await answer(host, head, writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            host.connections -= 1
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v.mp4"
    try:
        yield host
    finally:
        server.close()
        for writer in writers:
            writer.close()


def says(*answers: bytes) -> Answer:
    """Each request gets the next of these, the last one over and over."""
    left = list(answers)

    async def answer(host: Host, head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(left.pop(0) if len(left) > 1 else left[0])

    return answer


def http(status: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


# --- the gateway ------------------------------------------------------------------------------------------------


@dataclass
class Gateway:
    url: str
    renewals: list[str]

    def address(self, link: str, fresh: str = "", **more: str) -> str:
        return f"{self.url}/content?{urlencode({'link': link, 'fresh': fresh, **more})}"

    async def ask(
        self, link: str, fresh: str = "", *, method: str = "GET", headers: dict[str, str] | None = None, **more: str
    ) -> httpx.Response:
        async with httpx.AsyncClient(timeout=5) as client:
            asked = {"Accept-Encoding": "identity", **(headers or {})}
            return await client.request(method, self.address(link, fresh, **more), headers=asked)


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
            Middleware(Failures),
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
    """Makes links into an object store: they are signed, honour ranges, and expire."""
    files = Files(SandboxSettings(), time.time)
    with BackgroundServer(Starlette(routes=files.routes())) as server:

        def link(name: str = "best.mp4", *words: str) -> str:
            return files.link(server.url, "task", name, dict.fromkeys(words, ""))

        yield link


Link = Callable[..., str]


class TestAFileOfAnObjectStore:
    async def test_whole(self, gateway: Gateway, store: Link) -> None:
        answer = await gateway.ask(store())
        assert (answer.status_code, answer.content) == (200, VIDEO)
        assert answer.headers["content-type"] == "video/mp4"
        assert answer.headers["content-length"] == str(len(VIDEO))
        assert answer.headers["accept-ranges"] == "bytes"
        assert answer.headers["content-disposition"] == 'attachment; filename="video.mp4"'
        assert answer.headers["cache-control"] == "private, max-age=3600"
        assert answer.headers["etag"]
        assert answer.headers["last-modified"]
        assert gateway.renewals == []

    @pytest.mark.parametrize(
        ("wanted", "part"),
        [("bytes=0-99", slice(0, 100)), ("bytes=50000-", slice(50000, None)), ("bytes=-7", slice(-7, None))],
    )
    async def test_a_part(self, gateway: Gateway, store: Link, wanted: str, part: slice) -> None:
        answer = await gateway.ask(store(), headers={"Range": wanted})
        first, last, _ = part.indices(len(VIDEO))
        assert (answer.status_code, answer.content) == (206, VIDEO[part])
        assert answer.headers["content-range"] == f"bytes {first}-{last - 1}/{len(VIDEO)}"
        assert answer.headers["content-length"] == str(last - first)

    async def test_several_parts_keep_the_type_that_separates_them(self, gateway: Gateway, store: Link) -> None:
        answer = await gateway.ask(store(), headers={"Range": "bytes=0-3, 100-103"})
        assert answer.status_code == 206
        assert answer.headers["content-type"].startswith("multipart/byteranges; boundary=")
        assert VIDEO[100:104] in answer.content

    async def test_a_part_beyond_the_end(self, gateway: Gateway, store: Link) -> None:
        answer = await gateway.ask(store(), headers={"Range": f"bytes={len(VIDEO)}-"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (416, "range_not_satisfiable")
        assert answer.headers["content-range"] == f"bytes */{len(VIDEO)}"

    async def test_a_part_only_if_nothing_changed(self, gateway: Gateway, store: Link) -> None:
        etag = (await gateway.ask(store(), method="HEAD")).headers["etag"]
        same = await gateway.ask(store(), headers={"Range": "bytes=0-9", "If-Range": etag})
        other = await gateway.ask(store(), headers={"Range": "bytes=0-9", "If-Range": '"other"'})
        assert (same.status_code, same.content) == (206, VIDEO[:10])
        assert (other.status_code, other.content) == (200, VIDEO)

    @pytest.mark.parametrize("wanted", ["seconds=1-2", "bytes=a-b", "bytes=" + "0-1," * 200])
    async def test_a_range_nobody_can_read_is_the_whole(self, gateway: Gateway, store: Link, wanted: str) -> None:
        answer = await gateway.ask(store(), headers={"Range": wanted})
        assert (answer.status_code, answer.content) == (200, VIDEO)

    async def test_head(self, gateway: Gateway, store: Link) -> None:
        answer = await gateway.ask(store(), method="HEAD")
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["content-length"] == str(len(VIDEO))
        assert answer.headers["content-type"] == "video/mp4"

    async def test_a_cover(self, gateway: Gateway, store: Link) -> None:
        answer = await gateway.ask(store("cover.jpg"), type="image/jpeg", name="cover.jpg")
        assert answer.headers["content-type"] == "image/jpeg"
        assert answer.content == (CLIPS / "cover.jpg").read_bytes()


class TestAnExpiredLink:
    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    async def test_is_renewed_once(self, gateway: Gateway, store: Link, method: str) -> None:
        fresh = store()
        answer = await gateway.ask(store("best.mp4", "link-expired"), fresh, method=method)
        assert (answer.status_code, answer.headers["content-length"]) == (200, str(len(VIDEO)))
        assert gateway.renewals == [fresh]

    @pytest.mark.parametrize("status", sorted(EXPIRED_STATUSES))
    async def test_is_told_by_each_status_that_means_it(self, gateway: Gateway, store: Link, status: int) -> None:
        async with running(says(http(f"{status} No", b"<Error/>"))) as host:
            assert (await gateway.ask(host.url, store())).status_code == 200
        assert len(gateway.renewals) == 1

    async def test_is_renewed_with_the_range_of_the_client(self, gateway: Gateway, store: Link) -> None:
        answer = await gateway.ask(store("best.mp4", "link-404"), store(), headers={"Range": "bytes=5-6"})
        assert (answer.status_code, answer.content) == (206, VIDEO[5:7])

    @pytest.mark.parametrize(
        ("word", "status", "code"), [("link-expired", 502, "upstream_error"), ("link-404", 404, "not_found")]
    )
    async def test_that_cannot_be_renewed(
        self, gateway: Gateway, store: Link, word: str, status: int, code: str
    ) -> None:
        answer = await gateway.ask(store("best.mp4", word), store("best.mp4", word))
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
        assert answer.headers["x-should-retry"] == "false"
        assert len(gateway.renewals) == 1

    async def test_without_another_link(self, gateway: Gateway, store: Link) -> None:
        answer = await gateway.ask(store("best.mp4", "link-expired"))
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
        assert "expired" in answer.json()["error"]["message"]

    async def test_of_a_task_that_is_gone(self, gateway: Gateway, store: Link) -> None:
        answer = await gateway.ask(store("best.mp4", "link-expired"), "refused")
        assert answer.json()["error"]["code"] == "task_not_found"

    async def test_leaves_no_connection_open(self, gateway: Gateway, store: Link) -> None:
        async with running(says(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 100000\r\n\r\n<Error>")) as host:
            assert (await gateway.ask(host.url, store())).status_code == 200
            await host.until_left()


class TestHostsOfTheirOwnKind:
    async def test_one_that_knows_no_ranges(self, gateway: Gateway) -> None:
        async with running(says(http("200 OK", b"whole"))) as host:
            answer = await gateway.ask(host.url, headers={"Range": "bytes=1-2"})
        assert b"range: bytes=1-2\r\n" in host.heads[0].lower()
        assert (answer.status_code, answer.content) == (200, b"whole")
        assert "content-range" not in answer.headers
        assert "accept-ranges" not in answer.headers

    @pytest.mark.parametrize("refusal", ["405 Method Not Allowed", "403 Forbidden", "501 Not Implemented"])
    @pytest.mark.parametrize(
        ("first_byte", "length"),
        [
            (http("206 Partial Content", b"x", "Content-Range: bytes 0-0/12345", 'ETag: "e"'), "12345"),
            (http("206 Partial Content", b"x", "Content-Range: bytes 0-0/*", 'ETag: "e"'), None),
            (http("200 OK", b"whole", 'ETag: "e"'), "5"),
            (http("416 Range Not Satisfiable", b"<Error/>", "Content-Range: bytes */0", 'ETag: "e"'), "0"),
        ],
    )
    async def test_one_that_refuses_head(
        self, gateway: Gateway, refusal: str, first_byte: bytes, length: str | None
    ) -> None:
        async with running(says(f"HTTP/1.1 {refusal}\r\nContent-Length: 3\r\n\r\n".encode(), first_byte)) as host:
            answer = await gateway.ask(host.url, method="HEAD", headers={"Range": "bytes=5-6"})
            assert host.methods == [b"HEAD", b"GET"]
            assert b"range: bytes=0-0\r\n" in host.heads[1].lower()
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers.get("content-length") == length
        assert answer.headers["etag"] == '"e"'
        assert "content-range" not in answer.headers

    async def test_one_that_points_elsewhere(self, gateway: Gateway, store: Link) -> None:
        async with running(says(http("302 Found", b"moved", f"Location: {store()}"))) as host:
            answer = await gateway.ask(host.url, headers={"Range": "bytes=0-9", "Authorization": "Bearer key"})
            assert b"uthorization" not in host.heads[0]
        assert (answer.status_code, answer.content) == (206, VIDEO[:10])

    async def test_one_that_points_at_itself(self, gateway: Gateway) -> None:
        async with running(says(http("302 Found", b"", "Location: /v.mp4"))) as host:
            answer = await gateway.ask(host.url)
            assert len(host.heads) == 4
        assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_error")

    async def test_one_that_announces_no_length(self, gateway: Gateway) -> None:
        body = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nvide\r\n1\r\no\r\n0\r\n\r\n"
        async with running(says(body)) as host:
            answer = await gateway.ask(host.url)
        assert (answer.status_code, answer.content) == (200, b"video")
        assert "content-length" not in answer.headers

    async def test_one_that_compresses_unasked(self, gateway: Gateway) -> None:
        async with running(says(http("200 OK", b"squeezed", "Content-Encoding: x-squeezed"))) as host:
            answer = await gateway.ask(host.url, headers={"Accept-Encoding": "gzip"})
        assert b"accept-encoding: identity\r\n" in host.heads[0].lower()
        assert (answer.headers["content-encoding"], answer.content) == ("x-squeezed", b"squeezed")

    async def test_an_empty_file(self, gateway: Gateway) -> None:
        async with running(says(http("200 OK"))) as host:
            answer = await gateway.ask(host.url)
        assert (answer.status_code, answer.headers["content-length"]) == (200, "0")

    @pytest.mark.parametrize(
        ("given", "wanted", "told"),
        [
            ("binary/octet-stream", "video/mp4", "video/mp4"),
            ("image/webp", "video/mp4", "video/mp4"),
            ("Image/WebP; q=1", "image/jpeg", "image/webp"),
            ("application/octet-stream", "image/jpeg", "image/jpeg"),
        ],
    )
    async def test_one_with_its_own_idea_of_types(self, gateway: Gateway, given: str, wanted: str, told: str) -> None:
        async with running(says(http("200 OK", b"x", f"Content-Type: {given}"))) as host:
            answer = await gateway.ask(host.url, type=wanted)
        assert answer.headers["content-type"] == told

    async def test_headers_that_cannot_be_passed_on_are_left_out(self, gateway: Gateway) -> None:
        odd = http("200 OK", b"x", 'ETag: "视频"', "Set-Cookie: a=b", "Access-Control-Allow-Origin: *", "Server: s")
        async with running(says(odd)) as host:
            answer = await gateway.ask(host.url)
        assert (answer.status_code, answer.content) == (200, b"x")
        assert not {"etag", "set-cookie", "access-control-allow-origin"} & set(answer.headers)

    async def test_connections_are_kept(self, gateway: Gateway) -> None:
        async with running(says(http("200 OK", b"x"))) as host:
            for _ in range(3):
                await gateway.ask(host.url)
                assert host.connections == 1

    async def test_the_proxy_of_the_account_is_used(self, gateway: Gateway) -> None:
        async with running(says(http("200 OK", b"by proxy"))) as host:
            answer = await gateway.ask("http://files.invalid/v%2F.mp4", proxy=host.url.removesuffix("/v.mp4"))
        assert answer.content == b"by proxy"
        assert host.heads[0].startswith(b"GET http://files.invalid/v%2F.mp4 ")


class TestTroubleBeforeTheFirstByte:
    @pytest.mark.parametrize(
        ("said", "status", "code"),
        [
            (http("500 Internal Server Error", b"<Error/>"), 502, "upstream_unavailable"),
            (http("503 Slow Down", b"", "Retry-After: 9"), 502, "upstream_unavailable"),
            (http("400 Bad Request", b"<Error/>"), 502, "upstream_error"),
            (http("204 No Content"), 502, "upstream_error"),
            (http("302 Found"), 502, "upstream_error"),
            (b"\x00nonsense\r\n\r\n", 502, "upstream_unavailable"),
            (b"", 502, "upstream_unavailable"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 502, "upstream_unavailable"),
        ],
        ids=["500", "503", "400", "204", "302", "nonsense", "silence", "head only"],
    )
    async def test_is_told(self, gateway: Gateway, said: bytes, status: int, code: str) -> None:
        async with running(says(said)) as host:
            answer = await gateway.ask(host.url)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
        assert answer.headers["x-should-retry"] == ("true" if code == "upstream_unavailable" else "false")
        assert answer.headers.get("retry-after") == {b"HTTP/1.1 503": "9"}.get(
            said[:12], "5" if code == "upstream_unavailable" else None
        )
        assert host.url not in answer.text

    async def test_nobody_there(self, gateway: Gateway) -> None:
        answer = await gateway.ask("http://127.0.0.1:1/v.mp4")
        assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_unavailable")
        assert gateway.renewals == []

    @pytest.mark.parametrize("link", ["", "ftp://h/v.mp4", "http://", "//h/v", "http://h:99999/"])
    async def test_a_link_that_is_none(self, gateway: Gateway, link: str) -> None:
        assert (await gateway.ask(link)).status_code == 502


async def collect(answer: httpx.Response, received: bytearray) -> None:
    async for piece in answer.aiter_raw():
        received += piece


class TestTroubleInTheMiddle:
    @pytest.mark.parametrize(
        "start",
        [
            b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 100,
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n" + b"x" * 100 + b"\r\n",
        ],
        ids=["length", "chunked"],
    )
    @pytest.mark.parametrize("way", ["close", "reset", "silence"])
    async def test_breaks_the_client_off(
        self, gateway: Gateway, caplog: pytest.LogCaptureFixture, start: bytes, way: str
    ) -> None:
        async def break_off(host: Host, head: bytes, writer: asyncio.StreamWriter) -> None:
            writer.write(start)
            await writer.drain()
            await asyncio.sleep(0.02)
            if way == "close":
                writer.close()
            elif way == "reset":
                writer.transport.abort()

        received = bytearray()
        async with running(break_off) as host, httpx.AsyncClient() as client:
            async with client.stream("GET", gateway.address(host.url)) as answer:
                assert answer.status_code == 200
                with pytest.raises(httpx.RemoteProtocolError, match="complet"):
                    await collect(answer, received)
            await host.until_left()
        assert bytes(received) == b"x" * 100
        # The thread of the server writes its line just after the connection is closed.
        await until(lambda: any(record.name == "gateway.access" for record in caplog.records))
        told = [record for record in caplog.records if record.levelno >= logging.WARNING and record.name == "gateway"]
        assert len(told) == 1
        assert told[0].getMessage() == "file download interrupted"
        assert not any(record.exc_info for record in caplog.records)
        assert host.url not in caplog.text


class TestClientsOfTheirOwnKind:
    @pytest.mark.parametrize("pause", [0.01, 0.15], ids=["dripping host", "nearly silent host"])
    async def test_one_that_leaves_ends_the_fetch(
        self, gateway: Gateway, caplog: pytest.LogCaptureFixture, pause: float
    ) -> None:
        async def drip(host: Host, head: bytes, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            for _ in range(1000):
                writer.write(b"x" * 100)
                await writer.drain()
                await asyncio.sleep(pause)

        async with running(drip) as host, httpx.AsyncClient() as client:
            async with client.stream("GET", gateway.address(host.url)) as answer:
                await anext(answer.aiter_raw())
                assert host.connections == 1
            assert await host.until_left() < 0.4
        assert not [record for record in caplog.records if record.levelno >= logging.WARNING]

    async def test_one_that_leaves_while_it_reads_nothing(self, gateway: Gateway) -> None:
        async with running(endless) as host:
            reader, writer = await connected(gateway, host)
            await reader.readuntil(b"\r\n\r\n")
            writer.transport.abort()
            assert await host.until_left() < 0.4

    async def test_one_that_is_slow_holds_the_host_up_and_still_gets_everything(self, gateway: Gateway) -> None:
        size = 48 * 1024 * 1024

        async def send(host: Host, head: bytes, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
            while host.sent < size:
                writer.write(bytes(65536))
                await writer.drain()
                host.sent += 65536

        async with running(send) as host:
            reader, writer = await connected(gateway, host)
            await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(READ_TIMEOUT + 0.1)
            # What lies in the kernel's buffers is not the gateway's.
            assert host.sent < size * 2 // 3
            received = 0
            while received < size:
                piece = await reader.read(1 << 20)
                assert piece, f"broken off after {received} bytes"
                received += len(piece)
            writer.close()

    async def test_one_that_announces_a_body_it_never_sends_is_served_all_the_same(self, gateway: Gateway) -> None:
        async with running(endless) as host:
            reader, writer = await connected(gateway, host, "Content-Length: 99999999")
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
            writer.close()
            assert await host.until_left() < 0.4


async def endless(host: Host, head: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n")
    while True:
        writer.write(bytes(65536))
        await writer.drain()


async def connected(gateway: Gateway, host: Host, *headers: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A client that has asked and reads no more than a little. Returns once the host was asked."""
    address = httpx.URL(gateway.address(host.url))
    reader, writer = await asyncio.open_connection(address.host, address.port, limit=65536)
    lines = [f"GET {address.raw_path.decode()} HTTP/1.1", "Host: h", *headers]
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n")
    await until(lambda: bool(host.heads))
    return reader, writer


@pytest.mark.parametrize(
    ("given", "safe"),
    [
        ("video.mp4", "video.mp4"),
        ('a "b"\r\nX: y/../c.mp4', "a_b_X_y_.._c.mp4"),
        ("即梦.mp4", "mp4"),
        ("../../etc/passwd", "etc_passwd"),
        ("", "file"),
        ("视频", "file"),
        ("x" * 200 + ".mp4", "x" * 60 + ".mp4"),
        ("x." + "y" * 200, "x." + "y" * 62),
    ],
)
def test_names_are_short_and_need_no_quoting(given: str, safe: str) -> None:
    assert safe_name(given) == safe
    assert len(safe_name(given)) <= MAX_NAME
