"""What is known of a failed call: whether something was sent, which limit ended it, and what a 407 means."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from providers.contract.errors import MAX_CODE, MAX_DETAIL, ErrorKind, ProviderError
from providers.transport.client import HttpClient
from providers.transport.timeouts import Timeouts
from providers.transport.transports import MAX_ANSWER_BYTES, MAX_ERROR_BYTES
from tests.providers.raw import upstream

ROOT = Path(__file__).parent.parent.parent.parent

WITHOUT_DESCRIPTORS = """
import asyncio, os, resource, sys
import encodings.idna
from providers.contract.errors import ProviderError
from providers.transport.client import HttpClient

proxy, once, warm = (None if sys.argv[1] == "-" else sys.argv[1]), sys.argv[2] == "once", sys.argv[3] == "warm"

async def kind(http):
    try:
        await http.send("POST", "http://127.0.0.1:9/", headers={}, json={}, proxy=proxy, once=once)
    except ProviderError as error:
        return error.kind

async def main():
    async with HttpClient() as http:
        if warm:
            await kind(http)
        resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))
        taken = []
        try:
            while True:
                taken.append(os.open(os.devnull, os.O_RDONLY))
        except OSError:
            pass
        found = await kind(http)
        for one in taken:
            os.close(one)
    print(found)

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limit of descriptors")
@pytest.mark.parametrize("proxy", ["-", "http://127.0.0.1:9", "socks5://127.0.0.1:9"])
@pytest.mark.parametrize(("once", "warm"), [("once", "cold"), ("kept", "cold"), ("once", "warm")])
async def test_call_without_file_descriptors_sent_nothing(proxy: str, once: str, warm: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", WITHOUT_DESCRIPTORS, proxy, once, warm), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert out.decode().strip() == "unreachable"


async def silent(head: bytes, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(0)


async def half(head: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx")


async def drip(head: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(100):
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)


async def error_of(url: str, timeouts: Timeouts, how: str) -> ProviderError:
    async with HttpClient(timeouts) as http:
        with pytest.raises(ProviderError) as caught:
            await (fetched(http, url) if how == "file" else sent(http, url, url if how == "proxy" else None))
    return caught.value


async def fetched(http: HttpClient, url: str) -> None:
    async with http.stream("GET", url, headers={}) as download:
        async for _ in download.pieces:
            pass


async def sent(http: HttpClient, url: str, proxy: str | None) -> None:
    await http.send("GET", url, headers={}, proxy=proxy)


@pytest.mark.parametrize("how", ["direct", "proxy", "file"])
@pytest.mark.parametrize("answer", [silent, half])
async def test_read_timeout_is_named_as_configured(how: str, answer: Any) -> None:
    async with upstream(answer) as url:
        error = await error_of(url, Timeouts(read=0.12, total=7), how)
    assert (error.kind, error.detail) == (ErrorKind.ANSWER_LOST, "no data for 0.12 s")


@pytest.mark.parametrize(("how", "answer"), [("direct", drip), ("proxy", drip), ("file", silent), ("direct", silent)])
async def test_total_timeout_is_named_as_configured(how: str, answer: Any) -> None:
    async with upstream(answer) as url:
        error = await error_of(url, Timeouts(read=7, total=0.13), how)
    assert (error.kind, error.detail) == (ErrorKind.ANSWER_LOST, "no answer within 0.13 s")


async def test_connection_that_closes_without_an_answer_is_named_so() -> None:
    async def close(head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with upstream(close) as url:
        error = await error_of(url, Timeouts(), "direct")
    assert (error.kind, error.detail) == (ErrorKind.ANSWER_LOST, "the connection was closed")


async def refuse(head: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n")


async def answer_407(head: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n")


@pytest.mark.parametrize(
    ("answer", "once", "kind"),
    [
        (refuse, False, ErrorKind.UNREACHABLE),
        (refuse, True, ErrorKind.UNREACHABLE),
        (answer_407, False, ErrorKind.UNREACHABLE),
        (answer_407, True, ErrorKind.ANSWER_LOST),
    ],
)
async def test_407_without_a_challenge_may_follow_a_charge(answer: Any, once: bool, kind: ErrorKind) -> None:
    """Without a tunnel nothing else proves that the proxy did not pass the request on."""
    async with upstream(answer) as proxy, HttpClient() as http:
        with pytest.raises(ProviderError) as caught:
            await http.send("POST", "http://h.invalid/", headers={}, proxy=proxy, once=once)
    assert caught.value.kind is kind


async def test_file_that_breaks_while_chunks_wait_is_a_lost_answer() -> None:
    async def broken(head: bytes, writer: asyncio.StreamWriter) -> None:
        chunk = b"x" * 50_000
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        writer.write(b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for _ in range(8)) + b"zz\r\n")

    async def read(http: HttpClient, url: str) -> None:
        async with http.stream("GET", url, headers={}) as answer:
            # Let the break arrive before the first chunk is read.
            await asyncio.sleep(0.05)
            async for _ in answer.pieces:
                await asyncio.sleep(0)

    async with upstream(broken) as url, HttpClient() as http:
        with pytest.raises(ProviderError) as caught:
            await read(http, url)
    assert caught.value.kind is ErrorKind.ANSWER_LOST


@pytest.mark.parametrize("once", [False, True])
async def test_407_instead_of_a_tunnel_sent_nothing(once: bool) -> None:
    async with upstream(refuse) as proxy, HttpClient() as http:
        with pytest.raises(ProviderError) as caught:
            await http.send("POST", "https://h.invalid/", headers={}, proxy=proxy, once=once)
    assert caught.value.kind is ErrorKind.UNREACHABLE


@pytest.mark.parametrize("once", [False, True])
async def test_407_of_the_upstream_itself_is_an_answer(once: bool) -> None:
    async with upstream(refuse) as url, HttpClient() as http:
        assert (await http.send("POST", url, headers={}, once=once)).status == 407


@pytest.mark.parametrize("proxied", [False, True])
@pytest.mark.parametrize("length", [True, False])
async def test_large_body_of_an_error_is_cut_and_its_status_kept(proxied: bool, length: bool) -> None:
    size = 4 * MAX_ERROR_BYTES

    async def large(head: bytes, writer: asyncio.StreamWriter) -> None:
        lines = b"Content-Length: %d\r\n\r\n" % size if length else b"Connection: close\r\n\r\n"
        writer.write(b"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\n" + lines + b"x" * size)
        await writer.drain()
        writer.close()

    async with upstream(large) as url, HttpClient() as http:
        reply = await http.send("GET", url, headers={}, proxy=url if proxied else None)
    assert (reply.status, reply.body, reply.retry_after) == (503, b"x" * MAX_ERROR_BYTES, 7.0)


@pytest.mark.parametrize("proxied", [False, True])
async def test_largest_answer_is_read_whole(proxied: bool) -> None:
    body = b"[" + b" " * (MAX_ANSWER_BYTES - 2) + b"]"

    async def large(head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    async with upstream(large) as url, HttpClient() as http:
        assert (await http.send("GET", url, headers={}, proxy=url if proxied else None)).json() == []


def test_error_keeps_a_part_of_what_an_upstream_says() -> None:
    error = ProviderError(ErrorKind.UPSTREAM_ERROR, code="c" * 10**6, detail="d" * 10**6)
    assert (len(error.code), len(error.detail)) == (MAX_CODE, MAX_DETAIL)
    assert len(str(error.args)) < MAX_CODE + MAX_DETAIL + 200
