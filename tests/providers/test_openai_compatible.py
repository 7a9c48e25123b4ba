"""A body passes through byte by byte, the response chunk by chunk, and every failure before the first is an error."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from providers.openai_compatible import CompatibleApi, Failure
from providers.transport.client import HttpClient
from providers.transport.timeouts import Timeouts
from tests.providers.raw import upstream

ACCOUNT = Account("one", "k-secret")
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def error_of(failed: Failure) -> ProviderError:
    return ProviderError(ErrorKind.INVALID_REQUEST, code=f"{failed.status} {failed.code}", detail=failed.message)


def api(http: HttpClient) -> CompatibleApi:
    return CompatibleApi(http, error_of, "agent")


def answering(response: httpx.Response) -> CompatibleApi:
    return api(HttpClient(transport=lambda proxy: httpx.MockTransport(lambda request: response)))


def chunk(text: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(text), text)


async def test_body_and_headers_arrive_as_they_are() -> None:
    seen: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, content=b'{"a":1.0}', headers={"x-request-id": "abc", "set-cookie": "a=b"})

    client = api(HttpClient(transport=lambda proxy: httpx.MockTransport(handle)))
    body = b'{ "model":"x",\n "n": 1.00, "t":"\xe4\xb8\xad\\u4e2d" }'
    response = await client.post("http://h/v1/chat/completions", body, ACCOUNT)
    assert (response.status, response.first) == (200, b'{"a":1.0}')
    assert response.headers == {"content-length": "9", "x-upstream-request-id": "abc"}
    await response.close()
    assert (seen[0].content, seen[0].headers["authorization"]) == (body, "Bearer k-secret")


async def test_chunks_arrive_one_by_one() -> None:
    proceed = asyncio.Event()

    async def answer(head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + chunk(b"data: 1\n\n"))
        await proceed.wait()
        writer.write(chunk(b"data: 2\n\n") + b"0\r\n\r\n")

    async with upstream(answer) as url, HttpClient() as http:
        response = await api(http).post(url, b"{}", ACCOUNT)
        assert (response.first, response.is_event_stream) == (b"data: 1\n\n", True)
        proceed.set()
        assert [piece async for piece in response.chunks] == [b"data: 2\n\n"]
        await response.close()


async def test_close_ends_the_call_at_the_upstream() -> None:
    closed = asyncio.Event()

    async def answer(head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + chunk(b"data: 1\n\n"))
        try:
            while True:
                writer.write(chunk(b"data: x\n\n"))
                await writer.drain()
                await asyncio.sleep(0.01)
        finally:
            closed.set()

    async with upstream(answer) as url, HttpClient() as http:
        response = await api(http).post(url, b"{}", ACCOUNT)
        await response.close()
        await asyncio.wait_for(closed.wait(), 1)


async def test_broken_stream_raises_after_its_chunks() -> None:
    async def answer(head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + chunk(b"data: 1\n\n"))
        await writer.drain()
        writer.close()

    async with upstream(answer) as url, HttpClient() as http:
        response = await api(http).post(url, b"{}", ACCOUNT)
        with pytest.raises(ProviderError) as caught:
            await anext(response.chunks)
        assert caught.value.kind is ErrorKind.ANSWER_LOST
        await response.close()


@pytest.mark.parametrize("first", [b"", HEAD, HEAD + chunk(b"data: 1\n\n")], ids=["head", "first byte", "chunk"])
async def test_silence_ends_after_the_timeout_for_answers(first: bytes) -> None:
    async def silent(head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(first)

    async with upstream(silent) as url, HttpClient(Timeouts(read=0.01, total=0.02, answer=0.15)) as http:

        async def read() -> None:
            response = await api(http).post(url, b"{}", ACCOUNT)
            try:
                await anext(response.chunks)
            finally:
                await response.close()

        with pytest.raises(ProviderError) as caught:
            await asyncio.wait_for(read(), 2)
    assert caught.value.kind is ErrorKind.ANSWER_LOST
    assert "0.15 s" in caught.value.detail


@pytest.mark.parametrize("status", [b"502 X", b"204 X", b"304 X", b"200 X"])
async def test_each_empty_body_of_a_process_ends(status: bytes) -> None:
    async def empty(head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")

    async with upstream(empty) as url, HttpClient() as http:
        for _ in range(3):
            with pytest.raises(ProviderError) as caught:
                await api(http).post(url, b"{}", ACCOUNT)
            assert caught.value.kind is ErrorKind.UPSTREAM_ERROR


@pytest.mark.parametrize("close", [True, False])
async def test_no_response_or_no_connection_is_told_apart(close: bool) -> None:
    async def hang_up(head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with upstream(hang_up) as url, HttpClient() as http:
        with pytest.raises(ProviderError) as caught:
            await api(http).post(url if close else "http://127.0.0.1:1", b"{}", ACCOUNT)
    assert caught.value.kind is (ErrorKind.ANSWER_LOST if close else ErrorKind.UNREACHABLE)


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        (b'{"error": {"code": "c", "message": "m k-secret"}}', "400 c", "m ***"),
        (b'{"errors": {"message": "m"}}', "400 ", "m"),
        (b'{"code": "c", "message": "m", "request_id": "r"}', "400 c", "m"),
        (b'{"error": "m"}', "400 ", "m"),
        (b'{"error": {"code": 7, "message": null}}', "400 7", ""),
    ],
)
async def test_error_response_is_read_in_every_form(body: bytes, code: str, message: str) -> None:
    with pytest.raises(ProviderError) as caught:
        await answering(httpx.Response(400, content=body)).post("http://h", b"{}", ACCOUNT)
    assert (caught.value.code, caught.value.detail) == (code, message)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, b"<html>Forbidden by k-secret</html>", ErrorKind.UPSTREAM_ERROR),
        (403, b"no k-secret", ErrorKind.UPSTREAM_ERROR),
        (502, b"", ErrorKind.UPSTREAM_ERROR),
        (302, b"{}", ErrorKind.UPSTREAM_ERROR),
        (429, b"slow down", ErrorKind.RATE_LIMITED),
    ],
)
async def test_response_of_something_in_between_is_not_the_account_s_error(
    status: int, body: bytes, kind: ErrorKind
) -> None:
    with pytest.raises(ProviderError) as caught:
        await answering(httpx.Response(status, content=body)).post("http://h", b"{}", ACCOUNT)
    assert caught.value.kind is kind
    assert "secret" not in str(caught.value)
    assert "html" not in str(caught.value)


async def test_error_event_at_the_beginning_is_an_error() -> None:
    async def events() -> AsyncIterator[bytes]:
        yield b'data: {"error": {"code": "c", "message": "m"}}\n\n'

    response = httpx.Response(200, content=events(), headers={"content-type": "text/event-stream"})
    with pytest.raises(ProviderError) as caught:
        await answering(response).post("http://h", b"{}", ACCOUNT)
    assert caught.value.code == "500 c"


async def test_credential_that_no_header_can_have_is_invalid() -> None:
    with pytest.raises(ProviderError) as caught:
        await answering(httpx.Response(200)).post("http://h", b"{}", Account("one", "a\nb"))
    assert caught.value.kind is ErrorKind.INVALID_CREDENTIAL
