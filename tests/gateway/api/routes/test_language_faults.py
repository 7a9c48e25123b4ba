"""What an upstream of language models may answer beside a proper answer, and what the client gets."""

import asyncio
import gzip

import httpx
import orjson
import pytest

from gateway.core.settings import TimeoutSettings
from tests.gateway.api.routes.raw_language import BODY, SSE, Answer, Upstream, chat, chunk, running, whole

ANSWER = b'{"choices":[]}'
TOKEN_ERROR = b'{"errors":{"message":"bad token"}}'


def in_pieces(*pieces: bytes, cut: bool = True) -> Answer:
    async def answer(writer: asyncio.StreamWriter) -> None:
        for piece in pieces[:-1]:
            writer.write(piece)
            await asyncio.sleep(0.02)
        writer.write(pieces[-1])
        if cut:
            await asyncio.sleep(0.02)
            writer.transport.abort()

    return answer


@pytest.mark.parametrize("encoding", ["gzip", "GZIP"])
async def test_compressed_answer_that_nobody_asked_for_is_decompressed(encoding: str) -> None:
    async with running(Upstream([whole(gzip.compress(ANSWER), "200 OK", f"Content-Encoding: {encoding}")])) as client:
        request = client.build_request("POST", "/v1/chat/completions", content=BODY)
        found = await client.send(request, stream=True)
        body = b"".join([piece async for piece in found.aiter_raw()])
    assert (found.status_code, body, found.headers["content-length"]) == (200, ANSWER, str(len(ANSWER)))
    assert "content-encoding" not in found.headers


async def test_compressed_error_is_read_and_the_next_account_answers() -> None:
    refusal = whole(gzip.compress(TOKEN_ERROR), "401 X", "Content-Encoding: gzip")
    async with running(Upstream([refusal, whole(ANSWER)])) as client:
        found = await chat(client, headers={"Authorization": "Bearer ms-one,ms-two"})
    assert (found.status_code, found.content) == (200, ANSWER)


@pytest.mark.parametrize(
    "answer",
    [
        whole(b""),
        whole(b"", "204 No Content"),
        whole(b"<html>welcome</html>"),
        whole(b"notgzip", "200 OK", "Content-Encoding: gzip"),
        whole(b"{}", "200 OK", "Content-Encoding: unheard-of"),
        in_pieces(SSE, b"0\r\n\r\n", cut=False),
        in_pieces(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n" + ANSWER),
        in_pieces(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
        in_pieces(b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * 20_000 + b"\r\n\r\n"),
        in_pieces(b"\x00\x01nonsense\r\n\r\n"),
        whole(b"", "302 Found", "Location: http://127.0.0.1:1/"),
    ],
    ids=["empty", "204", "page", "broken gzip", "encoding", "stream", "cut", "101", "header", "nonsense", "redirect"],
)
async def test_response_that_is_no_answer_is_an_error_to_retry(answer: Answer) -> None:
    async with running(Upstream([answer])) as client:
        found = await chat(client)
    error = found.json()["error"]
    assert (found.status_code, error["code"], found.headers["x-should-retry"]) == (502, "upstream_unavailable", "true")


@pytest.mark.parametrize("value", [b"\xff\xfe", b"\xe4\xb8\xad", b"a", b""])
async def test_header_of_any_bytes_is_no_error(value: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\nX-RateLimit-A: " + value + b"\r\nx-b: " + value + b"\r\nContent-Length: 14\r\n\r\n"
    async with running(Upstream([in_pieces(head + ANSWER, cut=False)])) as client:
        found = await chat(client)
    assert (found.status_code, found.content) == (200, ANSWER)


@pytest.mark.parametrize("interim", [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"])
async def test_interim_response_is_skipped(interim: bytes) -> None:
    final = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 14\r\n\r\n" + ANSWER
    async with running(Upstream([in_pieces(interim, final, cut=False)])) as client:
        assert (await chat(client)).content == ANSWER


async def test_chunks_with_trailers_pass_through_without_them() -> None:
    answer = in_pieces(SSE, chunk(b"data: 1\r\n\r\n"), b"0\r\nx-trailer: 1\r\n\r\n", cut=False)
    async with running(Upstream([answer])) as client:
        found = await chat(client)
    assert found.content == b"data: 1\r\n\r\n"
    assert "x-trailer" not in found.headers


ERROR = b'{"error":{"message":"m","code":"401"}}'


@pytest.mark.parametrize(
    "answer",
    [
        whole(b'{"errors":{"message":"bad token","code":401}}'),
        in_pieces(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(ERROR),
            ERROR[:9],
            ERROR[9:],
            cut=False,
        ),
        in_pieces(SSE, chunk(b"event: error\r\ndata: " + ERROR + b"\r\n\r\n"), cut=False),
        in_pieces(SSE, chunk(b": hello\n\ndata: " + ERROR + b"\n\n"), cut=False),
        in_pieces(SSE, chunk(b"data: " + ERROR[:12]), chunk(ERROR[12:]), chunk(b"\n\n"), cut=False),
        in_pieces(SSE, chunk(b'data: {"code":"401","message":"m"}\n\n'), cut=False),
    ],
    ids=["body", "body in pieces", "event", "after a comment", "event in pieces", "flat"],
)
async def test_error_under_a_status_of_success_leads_to_the_next_account(answer: Answer) -> None:
    upstream = Upstream([answer, whole(ANSWER)])
    async with running(upstream) as client:
        found = await chat(client, headers={"Authorization": "Bearer ms-one,ms-two"})
    assert (found.status_code, found.content) == (200, ANSWER)


@pytest.mark.parametrize("cut", [True, False])
async def test_status_of_an_error_counts_without_the_rest_of_its_body(cut: bool) -> None:
    head = b"HTTP/1.1 401 X\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n" + TOKEN_ERROR
    timeouts = TimeoutSettings(read=0.2, answer=5)
    async with running(Upstream([in_pieces(head, cut=cut)] * 2 + [whole(ANSWER)]), timeouts=timeouts) as client:
        found = await chat(client, headers={"Authorization": "Bearer ms-one,ms-two,ms-three"})
    assert (found.status_code, found.content) == (200, ANSWER)


async def test_stream_that_breaks_after_an_event_in_pieces_ends_with_an_error_event() -> None:
    async with running(Upstream([in_pieces(SSE, chunk(b"data: 1\n\n"), chunk(b"data: 2\n"), chunk(b"\n"))])) as client:
        found = await chat(client)
    *events, last, end = found.text.split("\n\n")
    assert (events, end) == (["data: 1", "data: 2"], "")
    assert orjson.loads(last.removeprefix("data: "))["error"]["code"] == "upstream_unavailable"


async def test_stream_with_a_length_may_break_too() -> None:
    head = SSE.replace(b"Transfer-Encoding: chunked", b"Content-Length: 100")
    async with running(Upstream([in_pieces(head, b"data: 1\n\n")])) as client:
        found = await chat(client)
    assert found.text.startswith("data: 1\n\ndata: ")
    assert "content-length" not in found.headers


async def test_stream_that_breaks_in_a_character_closes_the_connection() -> None:
    async with running(Upstream([in_pieces(SSE, chunk(b"data: 1\n\n"), chunk(b'data: "\xe4\xb8'))])) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await chat(client)


@pytest.mark.parametrize("stream", [True, False])
async def test_credential_in_an_answer_is_masked(stream: bool) -> None:
    secret = "ms-0123456789abcdef"
    quote = b'{"error":{"message":"bad key %s"},"choices":[]}' % secret.encode()
    events = in_pieces(SSE, chunk(b"data: 1\n\n"), chunk(b"data: " + quote + b"\n\n"), b"0\r\n\r\n", cut=False)
    answer = events if stream else whole(quote, "200 OK", f"X-RateLimit-Key: {secret}", f"X-Request-Id: {secret}")
    async with running(Upstream([answer])) as client:
        found = await chat(client, headers={"Authorization": f"Bearer {secret}"})
    assert found.status_code == 200
    assert "bad key *****" in found.text
    assert secret not in found.text
    assert secret not in str(found.headers)


async def test_call_on_a_connection_that_closes_is_not_sent_twice() -> None:
    """The upstream may have acted on it. The client may send it again."""

    async def close(writer: asyncio.StreamWriter) -> None:
        writer.close()

    upstream = Upstream([whole(ANSWER), close])
    async with running(upstream) as client:
        assert (await chat(client)).status_code == 200
        found = await chat(client)
    assert (found.status_code, found.headers["x-should-retry"], len(upstream.heads)) == (502, "true", 2)


async def test_connection_that_closed_between_two_calls_is_not_used() -> None:
    async def answer_and_close(writer: asyncio.StreamWriter) -> None:
        await whole(ANSWER)(writer)
        await writer.drain()
        writer.close()

    upstream = Upstream([answer_and_close, whole(ANSWER)])
    async with running(upstream) as client:
        assert (await chat(client)).status_code == 200
        await asyncio.wait_for(upstream.gone.wait(), 1)
        await asyncio.sleep(0.05)
        assert (await chat(client)).status_code == 200
