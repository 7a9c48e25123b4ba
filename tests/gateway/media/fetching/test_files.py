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
from tests.gateway.media.fetching.fixtures import LIMIT, POLICY, PUBLIC, Names, World, answer, ok


class TestFetchedFiles:
    async def test_file_is_returned_at_its_start(self, world: World) -> None:
        for body in (b"", b"picture", b"x" * SPOOL_BYTES, bytes(range(256)) * 8192):
            world.pages["/a.png"] = ok(body)
            assert await world.fetch(world.url("/a.png")) == body

    async def test_by_ip_address_and_by_name(self, world: World) -> None:
        world.pages["/a"] = ok(b"picture")
        assert await world.fetch(f"https://{PUBLIC}:{world.port}/a") == b"picture"
        assert await world.fetch(f"http://{PUBLIC}:{world.plain}/a") == b"picture"
        assert await world.fetch(f"http://public.example:{world.plain}/a") == b"picture"

    async def test_url_is_sent_unchanged_without_credentials(self, world: World) -> None:
        path = "/a%2Fb%7Ec/..//d?sig=%2b+/=&u=https://x"
        world.pages[path] = ok(b"picture", "Set-Cookie: a=b", "Set-Cookie: c=d; Domain=example")
        fetcher = world.fetcher()
        for _ in range(2):
            (await fetcher.fetch(world.url(path) + "#top", max_bytes=10, param="image")).close()
        heads = [head.decode().lower() for head in world.requests]
        assert world.requests[0].startswith(f"GET {path} HTTP/1.1\r\n".encode())
        assert heads[0] == heads[1]
        assert "accept-encoding: identity\r\n" in heads[0]
        assert f"host: public.example:{world.port}\r\n" in heads[0]
        assert not any(word in heads[0] for word in ("cookie", "authorization", "referer", "aiohttp", "python"))

    async def test_chunked_body_and_body_until_close(self, world: World) -> None:
        world.pages["/chunks"] = answer(200, "Transfer-Encoding: chunked") + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
        world.pages["/end"] = answer(200) + b"abcde"
        assert await world.fetch(world.url("/chunks")) == b"abcde"
        assert await world.fetch(world.url("/end")) == b"abcde"

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    async def test_three_redirects_are_followed(self, world: World, status: int) -> None:
        world.pages["/d/a"] = answer(status, "Location: /d/b", "Content-Length: 0")
        world.pages["/d/b"] = answer(status, "Location: c?x=1", "Content-Length: 4") + b"body"
        world.pages["/d/c?x=1"] = answer(status, f"Location: {world.url('/end#part', 'more.public.example')}")
        world.pages["/end"] = ok(b"picture")
        assert await world.fetch(world.url("/d/a")) == b"picture"
        assert len(world.requests) == 4

    async def test_fourth_redirect_and_loops_fail(self, world: World) -> None:
        world.pages["/end"] = ok(b"picture")
        await world.unfetchable(world.to(*[world.url("/to?")] * 3, world.url("/end")))
        assert len(world.requests) == 4
        world.pages["/circle"] = answer(302, "Location: /circle")
        await world.unfetchable(world.url("/circle"))
        assert len(world.requests) == 8

    async def test_invalid_certificate_fails(self, world: World) -> None:
        world.pages["/a"] = ok(b"picture")
        await world.unfetchable(world.url("/a", "other.example"), POLICY, Names({"other.example": [[PUBLIC]]}))
        await world.unfetchable(world.url("/a"), tls=None)
        assert world.requests == []

    async def test_host_lists_apply_to_redirects(self, world: World) -> None:
        world.pages["/a"] = ok(b"picture")
        there = world.url("/a", "more.public.example")
        only = UrlPolicy(networks=POLICY.networks, hosts=("public.example",))
        denied = UrlPolicy(networks=POLICY.networks, denied_hosts=(".public.example",))
        for url_policy in (only, denied):
            assert await world.fetch(world.url("/a"), url_policy) == b"picture"
            await world.unfetchable(world.to(there), url_policy)
        assert await world.fetch(world.to(there)) == b"picture"

    async def test_concurrent_fetches_and_fetch_after_a_failure(self, world: World) -> None:
        world.pages["/a"] = ok(b"picture")
        fetcher = world.fetcher()
        urls = [world.url("/a"), world.url("/missing"), world.url("/", "127.0.0.1"), world.url("/a")] * 5
        fetches = (fetcher.fetch(url, max_bytes=10, param="image") for url in urls)
        results = await asyncio.gather(*fetches, return_exceptions=True)
        assert [isinstance(result, GatewayError) for result in results] == [False, True, True, False] * 5
        for result in results:
            if not isinstance(result, BaseException):
                assert result.read() == b"picture"
                result.close()


@pytest.mark.usefixtures("files")
class TestLimits:
    async def test_size_limit_by_content_length(self, world: World) -> None:
        world.pages["/a"] = answer(200, "Content-Length: 1048577")
        refusal = await world.refusal(world.url("/a"), max_bytes=1024 * 1024)
        assert (refusal.code, refusal.shape.status) == ("too_large", 413)
        assert refusal.message("en").startswith("image: the file at the URL is too large: the limit is 1 MB")
        assert refusal.message("zh").startswith("image：链接的文件过大，上限为 1 MB")

    @pytest.mark.parametrize("announced", [(), ("Transfer-Encoding: chunked",)])
    async def test_size_limit_by_received_bytes(self, world: World, announced: tuple[str, ...]) -> None:
        sent = 0

        async def endless(writer: asyncio.StreamWriter) -> None:
            nonlocal sent
            writer.write(answer(200, *announced))
            while True:
                writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n" if announced else b"x" * 0x10000)
                sent += 0x10000
                await writer.drain()

        world.pages["/a"] = endless
        refusal = await world.refusal(world.url("/a"), max_bytes=3 * 1024 * 1024)
        assert refusal.code == "too_large"
        assert sent < 64 * 1024 * 1024

    async def test_size_limit_is_exact(self, world: World) -> None:
        world.pages["/a"] = answer(200) + b"12345"
        with await world.fetcher().fetch(world.url("/a"), max_bytes=5, param="image") as file:
            assert file.read() == b"12345"
        assert (await world.refusal(world.url("/a"), max_bytes=4)).code == "too_large"

    async def test_body_longer_than_content_length_fails(self, world: World) -> None:
        world.pages["/a"] = answer(200, "Content-Length: 3") + b"123456789"
        assert (await world.refusal(world.url("/a"))).code == "invalid_value"

    async def test_body_shorter_than_content_length_fails(self, world: World) -> None:
        for page in (answer(200, "Content-Length: 9"), answer(200, "Transfer-Encoding: chunked") + b"9\r\n"):
            world.pages["/a"] = page + b"secret"
            refusal = await world.refusal(world.url("/a"))
            assert (refusal.code, refusal.message("en")[:44]) == (
                "invalid_value",
                "image: the URL's server closed the connectio",
            )

    @pytest.mark.parametrize(
        "start", [b"", answer(200), answer(200, "Content-Length: 1000"), b"HTTP/1.1 200 OK\r\nA: "]
    )
    async def test_timeout_applies_to_a_slow_body(self, world: World, start: bytes) -> None:
        async def drip(writer: asyncio.StreamWriter) -> None:
            writer.write(start)
            for _ in range(100):
                writer.write(b"H")
                await writer.drain()
                await asyncio.sleep(0.01 if start else 5)

        world.pages["/a"] = drip
        loop = asyncio.get_running_loop()
        begun = loop.time()
        refusal = await world.refusal(world.url("/a"), max_seconds=0.05)
        assert loop.time() - begun < 2
        assert refusal.code == "invalid_value"
        assert "more than 0.05 s" in refusal.message("en")
        assert "0.05 秒" in refusal.message("zh")

    async def test_timeout_covers_all_redirects(self, world: World) -> None:
        async def slowly(writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(0.05)
            writer.write(answer(302, "Location: /a"))

        world.pages["/a"] = slowly
        assert "more than 0.08 s" in (await world.refusal(world.url("/a"), max_seconds=0.08)).message("en")

    async def test_dns_timeout_has_the_error_of_an_unknown_name(self, world: World) -> None:
        class Slow(Names):
            async def resolve(self, *args: Any, **options: Any) -> list[ResolveResult]:
                await asyncio.Event().wait()
                raise AssertionError

        await world.unfetchable(world.url("/a"), POLICY, Slow({}), connect_seconds=0.05)

    @pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "GZIP", "identity, gzip", "x"])
    async def test_compressed_body_is_rejected(self, world: World, encoding: str) -> None:
        world.pages["/a"] = ok(b"bomb", f"Content-Encoding: {encoding}")
        refusal = await world.refusal(world.url("/a"))
        assert (refusal.code, "Content-Encoding" in refusal.message("zh")) == ("invalid_value", True)
        world.pages["/a"] = ok(b"plain", "Content-Encoding: Identity")
        assert await world.fetch(world.url("/a")) == b"plain"

    @pytest.mark.parametrize("status", [201, 204, 206, 300, 304, 400, 401, 403, 404, 410, 429, 500, 503])
    async def test_status_other_than_200_is_reported(self, world: World, status: int) -> None:
        bodiless = status in (204, 304)
        world.pages["/a"] = answer(status, "Location: /b", "X: secret") + (b"" if bodiless else b"secret")
        refusal = await world.refusal(world.url("/a"))
        assert (refusal.code, f"HTTP {status}" in refusal.message("en")) == ("invalid_value", True)
        assert f"HTTP {status}" in refusal.message("zh")

    async def test_redirect_without_location_is_reported_as_status(self, world: World) -> None:
        world.pages["/a"] = answer(302, "Content-Length: 0")
        assert "HTTP 302" in (await world.refusal(world.url("/a"))).message("en")

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
    async def test_invalid_http_fails(self, world: World, page: bytes) -> None:
        world.pages["/a"] = page
        assert (await world.refusal(world.url("/a"))).code == "invalid_value"

    async def test_cancelled_fetch_closes_everything(
        self, world: World, files: list[IO[bytes]], monkeypatch: pytest.MonkeyPatch
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

        world.pages["/a"] = stall
        fetch = asyncio.ensure_future(world.fetcher().fetch(world.url("/a"), max_bytes=LIMIT, param="image"))
        await is_open.wait()
        fetch.cancel()
        with pytest.raises(asyncio.CancelledError):
            await fetch
        assert files[0].closed

    async def test_file_is_not_closed_during_a_write(
        self, world: World, files: list[IO[bytes]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        in_thread = spool._in_thread
        begun, go_on, open_at_the_end = threading.Event(), threading.Event(), []

        async def slowly(call: Callable[[], object]) -> None:
            def write() -> None:
                begun.set()
                go_on.wait(5)
                call()
                open_at_the_end.append(not files[0].closed)

            await in_thread(write)

        monkeypatch.setattr(spool, "_in_thread", slowly)
        world.pages["/a"] = ok(b"x" * 2 * SPOOL_BYTES)
        fetch = asyncio.ensure_future(world.fetcher().fetch(world.url("/a"), max_bytes=LIMIT, param="image"))
        await asyncio.to_thread(partial(begun.wait, 5))
        fetch.cancel()
        await asyncio.sleep(0.01)
        assert not fetch.done()
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await fetch
        assert open_at_the_end == [True]

    async def test_full_disk_is_no_client_error(
        self, world: World, files: list[IO[bytes]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def full(call: Callable[[], object]) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(spool, "_in_thread", full)
        world.pages["/a"] = ok(b"x" * 2 * SPOOL_BYTES)
        with pytest.raises(OSError, match="No space"):
            await world.fetch(world.url("/a"))


async def test_slow_hosts_of_one_caller_do_not_block_others(monkeypatch: pytest.MonkeyPatch, world: World) -> None:
    asked = asyncio.Semaphore(0)

    async def never(writer: asyncio.StreamWriter) -> None:
        asked.release()
        await asyncio.Event().wait()

    monkeypatch.setattr(fetching, "MAX_FETCHES_PER_CALLER", 2)
    world.pages |= {"/slow": never, "/a": ok(b"picture")}
    fetcher = world.fetcher()
    slow = [
        asyncio.create_task(fetcher.fetch(world.url("/slow"), max_bytes=10, param="image", client="a"))
        for _ in range(2)
    ]
    for _ in slow:
        await asked.acquire()
    waiting = asyncio.create_task(fetcher.fetch(world.url("/a"), max_bytes=10, param="image", client="a"))
    with await fetcher.fetch(world.url("/a"), max_bytes=10, param="image", client="b") as file:
        assert file.read() == b"picture"
    assert not waiting.done()
    slow[0].cancel()
    with await waiting as file:
        assert file.read() == b"picture"
    slow[1].cancel()
    await asyncio.gather(*slow, return_exceptions=True)


async def test_wait_for_a_slot_has_a_timeout_and_may_be_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "MAX_FETCHES", 1)
    async with aclosing(Fetcher(UrlPolicy(), max_seconds=0.05)) as fetcher:
        await fetcher._slots.acquire()
        with pytest.raises(GatewayError) as caught:
            await fetcher.fetch("https://example.com/a.png", max_bytes=10, param="image")
    assert (caught.value.code, caught.value.shape.should_retry) == ("upstream_unavailable", True)
