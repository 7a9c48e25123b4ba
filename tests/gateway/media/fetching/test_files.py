"""Fetches of public files, within limits of size and time."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import aclosing
from functools import partial
from typing import IO, Any, cast

import pytest
from aiohttp.abc import ResolveResult

from gateway.core.errors import GatewayError
from gateway.media import fetcher as fetching
from gateway.media import spool
from gateway.media.fetcher import Fetcher
from gateway.media.spool import SPOOL_BYTES
from gateway.media.url_policy import UrlPolicy
from providers import offload
from tests.gateway.media.fetching.fixtures import LIMIT, PUBLIC, URL_POLICY, Names, Network, answer, ok


class TestFetch:
    async def test_file_is_returned_at_its_start(self, network: Network) -> None:
        for body in (b"", b"picture", b"x" * SPOOL_BYTES, bytes(range(256)) * 8192):
            network.pages["/a.png"] = ok(body)
            assert await network.fetch(network.url("/a.png")) == body

    async def test_missing_file_descriptors_are_a_failed_fetch(
        self, network: Network, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The library is imported by the first fetch."""

        async def load(module: str) -> None:
            raise ImportError("cannot open shared object file: Too many open files")

        network.pages["/a"] = ok(b"picture")
        fetcher = network.fetcher()
        monkeypatch.setattr("gateway.media.checked_sessions.load", load)
        with pytest.raises(GatewayError) as caught:
            await fetcher.fetch(network.url("/a"), max_bytes=10, param="image")
        assert caught.value.param == "image"
        monkeypatch.undo()
        assert await network.fetch(network.url("/a")) == b"picture"

    async def test_ip_address_is_fetched_like_a_name(self, network: Network) -> None:
        network.pages["/a"] = ok(b"picture")
        assert await network.fetch(f"https://{PUBLIC}:{network.port}/a") == b"picture"
        assert await network.fetch(f"http://{PUBLIC}:{network.plain}/a") == b"picture"
        assert await network.fetch(f"http://public.example:{network.plain}/a") == b"picture"

    async def test_request_is_sent_unchanged_and_without_credentials(self, network: Network) -> None:
        path = "/a%2Fb%7Ec/..//d?sig=%2b+/=&u=https://x"
        network.pages[path] = ok(b"picture", "Set-Cookie: a=b", "Set-Cookie: c=d; Domain=example")
        fetcher = network.fetcher()
        for _ in range(2):
            (await fetcher.fetch(network.url(path) + "#top", max_bytes=10, param="image")).close()
        heads = [head.decode().lower() for head in network.requests]
        assert network.requests[0].startswith(f"GET {path} HTTP/1.1\r\n".encode())
        assert heads[0] == heads[1]
        assert "accept-encoding: identity\r\n" in heads[0]
        assert f"host: public.example:{network.port}\r\n" in heads[0]
        assert not any(word in heads[0] for word in ("cookie", "authorization", "referer", "aiohttp", "python"))

    async def test_chunked_and_unbounded_bodies_are_read(self, network: Network) -> None:
        network.pages["/chunks"] = answer(200, "Transfer-Encoding: chunked") + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
        network.pages["/end"] = answer(200) + b"abcde"
        assert await network.fetch(network.url("/chunks")) == b"abcde"
        assert await network.fetch(network.url("/end")) == b"abcde"

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    async def test_three_redirects_are_followed(self, network: Network, status: int) -> None:
        network.pages["/d/a"] = answer(status, "Location: /d/b", "Content-Length: 0")
        network.pages["/d/b"] = answer(status, "Location: c?x=1", "Content-Length: 4") + b"body"
        network.pages["/d/c?x=1"] = answer(status, f"Location: {network.url('/end#part', 'more.public.example')}")
        network.pages["/end"] = ok(b"picture")
        assert await network.fetch(network.url("/d/a")) == b"picture"
        assert len(network.requests) == 4

    async def test_four_redirects_and_loops_are_refused(self, network: Network) -> None:
        network.pages["/end"] = ok(b"picture")
        await network.unfetchable(network.to(*[network.url("/to?")] * 3, network.url("/end")))
        assert len(network.requests) == 4
        network.pages["/circle"] = answer(302, "Location: /circle")
        await network.unfetchable(network.url("/circle"))
        assert len(network.requests) == 8

    async def test_invalid_certificate_is_refused(self, network: Network) -> None:
        network.pages["/a"] = ok(b"picture")
        await network.unfetchable(network.url("/a", "other.example"), URL_POLICY, Names({"other.example": [[PUBLIC]]}))
        await network.unfetchable(network.url("/a"), tls=None)
        assert network.requests == []

    async def test_host_lists_apply_to_redirects(self, network: Network) -> None:
        network.pages["/a"] = ok(b"picture")
        there = network.url("/a", "more.public.example")
        only = UrlPolicy(networks=URL_POLICY.networks, hosts=("public.example",))
        denied = UrlPolicy(networks=URL_POLICY.networks, denied_hosts=(".public.example",))
        for url_policy in (only, denied):
            assert await network.fetch(network.url("/a"), url_policy) == b"picture"
            await network.unfetchable(network.to(there), url_policy)
        assert await network.fetch(network.to(there)) == b"picture"

    async def test_concurrent_fetches_and_a_fetch_after_a_failure_work(self, network: Network) -> None:
        network.pages["/a"] = ok(b"picture")
        fetcher = network.fetcher()
        urls = [network.url("/a"), network.url("/missing"), network.url("/", "127.0.0.1"), network.url("/a")] * 5
        fetches = (fetcher.fetch(url, max_bytes=10, param="image") for url in urls)
        results = await asyncio.gather(*fetches, return_exceptions=True)
        assert [isinstance(result, GatewayError) for result in results] == [False, True, True, False] * 5
        for result in results:
            if not isinstance(result, BaseException):
                assert result.read() == b"picture"
                result.close()


@pytest.mark.usefixtures("files")
class TestLimits:
    async def test_announced_size_over_the_limit_is_refused(self, network: Network) -> None:
        network.pages["/a"] = answer(200, "Content-Length: 1048577")
        error = await network.fetch_error(network.url("/a"), max_bytes=1024 * 1024)
        assert (error.code, error.spec.status) == ("too_large", 413)
        assert error.message("en").startswith("image: the file at the URL is too large: the limit is 1 MB")
        assert error.message("zh").startswith("image：链接的文件过大，上限为 1 MB")

    @pytest.mark.parametrize("announced", [(), ("Transfer-Encoding: chunked",)])
    async def test_actual_size_over_the_limit_is_refused(self, network: Network, announced: tuple[str, ...]) -> None:
        sent = 0

        async def endless(writer: asyncio.StreamWriter) -> None:
            nonlocal sent
            writer.write(answer(200, *announced))
            while True:
                writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n" if announced else b"x" * 0x10000)
                sent += 0x10000
                await writer.drain()
                # Over TLS, `drain` of a connection that was reset neither waits nor raises before the loop runs.
                await asyncio.sleep(0)

        network.pages["/a"] = endless
        error = await network.fetch_error(network.url("/a"), max_bytes=3 * 1024 * 1024)
        assert error.code == "too_large"
        assert sent < 64 * 1024 * 1024

    async def test_file_of_exactly_the_limit_is_accepted(self, network: Network) -> None:
        network.pages["/a"] = answer(200) + b"12345"
        with await network.fetcher().fetch(network.url("/a"), max_bytes=5, param="image") as file:
            assert file.read() == b"12345"
        assert (await network.fetch_error(network.url("/a"), max_bytes=4)).code == "too_large"

    async def test_longer_body_than_announced_is_refused(self, network: Network) -> None:
        network.pages["/a"] = answer(200, "Content-Length: 3") + b"123456789"
        assert (await network.fetch_error(network.url("/a"))).code == "invalid_value"

    async def test_shorter_body_than_announced_is_refused(self, network: Network) -> None:
        for page in (answer(200, "Content-Length: 9"), answer(200, "Transfer-Encoding: chunked") + b"9\r\n"):
            network.pages["/a"] = page + b"secret"
            error = await network.fetch_error(network.url("/a"))
            assert (error.code, error.message("en")[:44]) == (
                "invalid_value",
                "image: the URL's server closed the connectio",
            )

    @pytest.mark.parametrize(
        "start", [b"", answer(200), answer(200, "Content-Length: 1000"), b"HTTP/1.1 200 OK\r\nA: "]
    )
    async def test_time_limit_holds_for_a_slow_body(self, network: Network, start: bytes) -> None:
        async def drip(writer: asyncio.StreamWriter) -> None:
            writer.write(start)
            for _ in range(100):
                writer.write(b"H")
                await writer.drain()
                await asyncio.sleep(0.01 if start else 5)

        network.pages["/a"] = drip
        loop = asyncio.get_running_loop()
        begun = loop.time()
        error = await network.fetch_error(network.url("/a"), max_seconds=0.05)
        assert loop.time() - begun < 2
        assert error.code == "invalid_value"
        assert "more than 0.05 s" in error.message("en")
        assert "0.05 秒" in error.message("zh")

    async def test_time_limit_covers_all_redirects(self, network: Network) -> None:
        async def slowly(writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(0.05)
            writer.write(answer(302, "Location: /a"))

        network.pages["/a"] = slowly
        assert "more than 0.08 s" in (await network.fetch_error(network.url("/a"), max_seconds=0.08)).message("en")

    async def test_slow_name_lookup_is_reported_like_an_unknown_name(self, network: Network) -> None:
        class Slow(Names):
            async def resolve(self, *args: Any, **options: Any) -> list[ResolveResult]:
                await asyncio.Event().wait()
                raise AssertionError

        await network.unfetchable(network.url("/a"), URL_POLICY, Slow({}), connect_seconds=0.05)

    @pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "GZIP", "identity, gzip", "x"])
    async def test_compressed_body_is_refused(self, network: Network, encoding: str) -> None:
        network.pages["/a"] = ok(b"bomb", f"Content-Encoding: {encoding}")
        error = await network.fetch_error(network.url("/a"))
        assert (error.code, "Content-Encoding" in error.message("zh")) == ("invalid_value", True)
        network.pages["/a"] = ok(b"plain", "Content-Encoding: Identity")
        assert await network.fetch(network.url("/a")) == b"plain"

    @pytest.mark.parametrize("status", [201, 204, 206, 300, 304, 400, 401, 403, 404, 410, 429, 500, 503])
    async def test_status_other_than_200_is_reported(self, network: Network, status: int) -> None:
        bodiless = status in (204, 304)
        network.pages["/a"] = answer(status, "Location: /b", "X: secret") + (b"" if bodiless else b"secret")
        error = await network.fetch_error(network.url("/a"))
        assert (error.code, f"HTTP {status}" in error.message("en")) == ("invalid_value", True)
        assert f"HTTP {status}" in error.message("zh")

    async def test_redirect_without_a_location_is_reported_as_its_status(self, network: Network) -> None:
        network.pages["/a"] = answer(302, "Content-Length: 0")
        assert "HTTP 302" in (await network.fetch_error(network.url("/a"))).message("en")

    @pytest.mark.parametrize(
        "page",
        [
            b"",
            b"secret\r\n\r\n",
            b"HTTP/9.9 200 OK\r\n\r\n",
            b"HTTP/1.1 99999 OK\r\n\r\n",
            b"SSH-2.0-secret\r\n",
            b"220 secret ESMTP\r\n",
            answer(200, "Content-Length: -1"),
            answer(200, "Content-Length: 1", "Content-Length: 2") + b"ab",
            answer(200, "Content-Length: 1", "Transfer-Encoding: chunked") + b"zz",
            answer(200, "A: " + "x" * 100_000),
            answer(200, *["A: x"] * 10_000),
            answer(200, "A\x00: x"),
            answer(100) * 1000,
            answer(101, "Upgrade: websocket", "Connection: upgrade"),
            answer(200, "Transfer-Encoding: chunked") + b"secret\r\n",
            answer(200, "Transfer-Encoding: chunked") + b"fffffffffffffffffff\r\n",
            answer(302, "Location: " + "x" * 8000),
        ],
    )
    async def test_invalid_http_is_refused(self, network: Network, page: bytes) -> None:
        network.pages["/a"] = page
        assert (await network.fetch_error(network.url("/a"))).code == "invalid_value"

    async def test_cancelled_fetch_leaves_no_connection_open(
        self, network: Network, files: list[IO[bytes]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        is_open, make = asyncio.Event(), vars(spool)["SpooledTemporaryFile"]

        def make_and_tell(max_size: int) -> IO[bytes]:
            is_open.set()
            return cast(IO[bytes], make(max_size))

        async def stall(writer: asyncio.StreamWriter) -> None:
            writer.write(answer(200) + b"x" * 100)
            await writer.drain()
            await asyncio.Event().wait()

        monkeypatch.setattr(spool, "SpooledTemporaryFile", make_and_tell)

        network.pages["/a"] = stall
        fetch = asyncio.ensure_future(network.fetcher().fetch(network.url("/a"), max_bytes=LIMIT, param="image"))
        await is_open.wait()
        fetch.cancel()
        with pytest.raises(asyncio.CancelledError):
            await fetch
        assert files[0].closed

    async def test_file_is_not_closed_while_it_is_written(
        self, network: Network, files: list[IO[bytes]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        in_thread = offload.in_thread
        begun, go_on, open_at_the_end = threading.Event(), threading.Event(), []

        async def slowly(call: Callable[[], object]) -> None:
            def write() -> None:
                begun.set()
                go_on.wait(5)
                call()
                open_at_the_end.append(not files[0].closed)

            await in_thread(write)

        monkeypatch.setattr(spool, "in_thread", slowly)
        network.pages["/a"] = ok(b"x" * 2 * SPOOL_BYTES)
        fetch = asyncio.ensure_future(network.fetcher().fetch(network.url("/a"), max_bytes=LIMIT, param="image"))
        await asyncio.to_thread(partial(begun.wait, 5))
        fetch.cancel()
        await asyncio.sleep(0.01)
        assert not fetch.done()
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await fetch
        # The last call closes it.
        assert open_at_the_end == [True, False]

    async def test_full_disk_is_not_a_client_error(
        self, network: Network, files: list[IO[bytes]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def full(call: Callable[[], object]) -> None:
            if isinstance(call, partial):
                raise OSError(28, "No space left on device")
            call()

        monkeypatch.setattr(spool, "in_thread", full)
        network.pages["/a"] = ok(b"x" * 2 * SPOOL_BYTES)
        with pytest.raises(OSError, match="No space"):
            await network.fetch(network.url("/a"))


async def test_slow_urls_of_one_caller_do_not_delay_others(monkeypatch: pytest.MonkeyPatch, network: Network) -> None:
    asked = asyncio.Semaphore(0)

    async def never(writer: asyncio.StreamWriter) -> None:
        asked.release()
        await asyncio.Event().wait()

    monkeypatch.setattr(fetching, "MAX_FETCHES_PER_CALLER", 2)
    network.pages |= {"/slow": never, "/a": ok(b"picture")}
    fetcher = network.fetcher()
    slow = [
        asyncio.create_task(fetcher.fetch(network.url("/slow"), max_bytes=10, param="image", client="a"))
        for _ in range(2)
    ]
    for _ in slow:
        await asked.acquire()
    waiting = asyncio.create_task(fetcher.fetch(network.url("/a"), max_bytes=10, param="image", client="a"))
    with await fetcher.fetch(network.url("/a"), max_bytes=10, param="image", client="b") as file:
        assert file.read() == b"picture"
    assert not waiting.done()
    slow[0].cancel()
    with await waiting as file:
        assert file.read() == b"picture"
    slow[1].cancel()
    await asyncio.gather(*slow, return_exceptions=True)


async def test_long_wait_for_a_slot_is_answered_with_retry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "MAX_FETCHES", 1)
    async with aclosing(Fetcher(UrlPolicy(), max_seconds=0.05)) as fetcher:
        await fetcher._slots.acquire()
        with pytest.raises(GatewayError) as caught:
            await fetcher.fetch("https://example.com/a.png", max_bytes=10, param="image")
    assert (caught.value.code, caught.value.spec.should_retry) == ("upstream_unavailable", True)
