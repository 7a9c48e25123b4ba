"""Chat and embeddings through a gateway on a port, over an upstream that sends whatever bytes a test likes."""

import asyncio
import gc
import logging
import time

import httpx
import orjson
import pytest
from starlette.requests import Request

from gateway.core.settings import LimitSettings, TimeoutSettings
from tests.gateway.api.routes.raw_language import BODY, SSE, Answer, Upstream, chat, chunk, running, serving, whole


async def test_request_and_answer_pass_through_byte_by_byte() -> None:
    answer = b'{"id":1.00, "x":"\\u4e2d\xe4\xb8\xad" ,"choices":[]}'
    upstream = Upstream([whole(answer, "200 OK", "X-Request-Id: up", "Set-Cookie: a=b", "X-RateLimit-Left: 3")])
    async with running(upstream) as client:
        found = await chat(client)
    assert (found.status_code, found.content, upstream.bodies) == (200, answer, [BODY])
    head = upstream.heads[0].lower()
    assert head.startswith(b"post /v1/chat/completions ")
    assert b"authorization: bearer ms-secret-1\r\n" in head
    assert (found.headers["x-upstream-request-id"], found.headers["x-ratelimit-left"]) == ("up", "3")
    assert found.headers["x-request-id"].startswith("req_")
    assert "set-cookie" not in found.headers


async def test_large_answer_passes_through_whole() -> None:
    answer = b'{"x":"' + b"y" * 3_000_000 + b'"}'
    upstream = Upstream([whole(answer)])
    async with running(upstream) as client:
        found = await chat(client)
    assert found.content == answer
    assert found.headers["content-length"] == str(len(answer))


@pytest.mark.parametrize("prefix", ["/v1", "", "/compatible-mode/v1"])
@pytest.mark.parametrize("name", ["chat/completions", "embeddings"])
async def test_every_path_leads_to_its_endpoint(prefix: str, name: str) -> None:
    upstream = Upstream([whole(b"{}")])
    async with running(upstream) as client:
        assert (await client.post(f"{prefix}/{name}", content=b'{"model": "a/b"}')).status_code == 200
    assert upstream.heads[0].split(b" ")[1] == f"/v1/{name}".encode()


async def test_chunks_arrive_as_they_are_sent() -> None:
    events = [b'data: {"a": 1}\n\n', b": comment\n\n", b"data: [DONE]\n\n"]
    proceed = asyncio.Semaphore(0)

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(SSE)
        for event in events:
            writer.write(chunk(event))
            await proceed.acquire()
        writer.write(b"0\r\n\r\n")

    seen = []
    async with (
        running(Upstream([answer])) as client,
        client.stream("POST", "/v1/chat/completions", content=BODY) as found,
    ):
        assert found.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert found.headers["x-accel-buffering"] == "no"
        async for piece in found.aiter_raw():
            seen.append(piece)
            proceed.release()
    assert seen == events


@pytest.mark.parametrize("when", ["before the first byte", "after it"])
async def test_client_that_leaves_ends_the_upstream_call(when: str) -> None:
    asked = asyncio.Event()

    async def answer(writer: asyncio.StreamWriter) -> None:
        if when == "after it":
            writer.write(SSE + chunk(b"data: 1\n\n"))
        asked.set()
        await asyncio.Event().wait()

    async def ask(client: httpx.AsyncClient) -> None:
        async with client.stream("POST", "/v1/chat/completions", content=BODY) as found:
            async for _ in found.aiter_raw():
                pass

    upstream = Upstream([answer])
    async with running(upstream) as client:
        asking = asyncio.create_task(ask(client))
        await asked.wait()
        await asyncio.sleep(0.05)
        began = time.monotonic()
        asking.cancel()
        await asyncio.wait({asking})
        await asyncio.wait_for(upstream.gone.wait(), 1)
        assert time.monotonic() - began < 1


async def test_slow_client_holds_the_upstream_back() -> None:
    sent = 0

    async def answer(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(SSE)
        while True:
            writer.write(chunk(b"data: " + b"x" * 65_536 + b"\n\n"))
            await writer.drain()
            sent += 1

    async with running(Upstream([answer])) as client, client.stream("POST", "/v1/chat/completions", content=BODY):
        before = -1
        while before != sent:
            before = sent
            await asyncio.sleep(0.1)
        assert sent < 400, "the gateway reads what its client does not take"


async def test_stream_that_breaks_after_an_event_ends_with_an_error_event(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "gateway.access")

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(SSE + chunk(b'data: {"a":1}\n\n'))
        await writer.drain()
        writer.transport.abort()

    async with running(Upstream([answer])) as client:
        found = await chat(client, BODY.replace(b"{ ", b'{ "stream":true,', 1))
    first, last, rest = found.text.split("\n\n")
    assert (first, rest) == ('data: {"a":1}', "")
    error = orjson.loads(last.removeprefix("data: "))["error"]
    assert error["code"] == "upstream_unavailable"
    assert "incomplete" in error["message"]
    fields = next(record.fields for record in caplog.records if record.name == "gateway.access")  # type: ignore[attr-defined]
    assert (fields["status"], fields["code"], fields["stream"]) == (200, "upstream_unavailable", "true")


async def test_stream_that_breaks_in_an_event_closes_the_connection() -> None:
    """An error event would be read as the end of the half one."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(SSE + chunk(b'data: {"a":1}\n\ndata: {"b'))
        await writer.drain()
        writer.transport.abort()

    async with running(Upstream([answer])) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await chat(client)


@pytest.mark.parametrize(
    ("answer", "status", "code", "retry"),
    [
        (whole(b'{"errors":{"message":"bad ms-secret-1"}}', "401 X"), 401, "invalid_api_key", "false"),
        (whole(b'{"error":{"message":"m is wrong"}}', "400 X"), 400, "invalid_value", "false"),
        (
            whole(b'{"errors":{"message":"slow"}}', "429 X", "Retry-After: 90"),
            429,
            "rate_limit_exceeded",
            "true",
        ),
        (whole(b'{"errors":{"message":"today\'s quota for model x"}}', "429 X"), 429, "insufficient_quota", "false"),
        (whole(b'{"error":{"message":"no provider supported"}}', "400 X"), 404, "model_not_found", "false"),
        (whole(b"<html>", "502 X"), 502, "upstream_unavailable", "true"),
    ],
    ids=["token", "field", "rate", "quota", "model", "proxy"],
)
async def test_error_before_the_first_chunk_has_openais_form(
    answer: Answer, status: int, code: str, retry: str
) -> None:
    async with running(Upstream([answer])) as client:
        found = await chat(client)
    error = found.json()["error"]
    assert (found.status_code, error["code"], found.headers["x-should-retry"]) == (status, code, retry)
    assert "ms-secret-1" not in found.text
    if retry == "true" and status == 429:
        # A pause has jitter, which only lengthens it.
        assert 90 <= int(found.headers["retry-after"]) <= 110


async def test_silence_is_an_error_after_the_timeout_for_answers() -> None:
    async def silent(writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async with running(Upstream([silent]), timeouts=TimeoutSettings(answer=0.2)) as client:
        found = await chat(client)
    assert (found.status_code, found.json()["error"]["code"]) == (502, "upstream_unavailable")


async def test_next_account_answers_where_one_is_refused() -> None:
    refusal = whole(b'{"errors":{"message":"bad"}}', "401 X")
    upstream = Upstream([refusal, whole(b"{}")])
    async with running(upstream) as client:
        found = await chat(client, headers={"Authorization": "Bearer ms-one,ms-two"})
    assert found.status_code == 200
    assert [head.lower().count(b"bearer ms-") for head in upstream.heads] == [1, 1]
    assert upstream.heads[0] != upstream.heads[1]


async def test_access_log_names_model_provider_account_and_stream(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "gateway.access")
    async with running(Upstream([whole(b"{}")])) as client:
        await chat(client)
    fields = next(record.fields for record in caplog.records if record.name == "gateway.access")  # type: ignore[attr-defined]
    assert (fields["model"], fields["provider"], fields["stream"]) == ("Qwen/Qwen3-8B", "modelscope", "false")
    assert fields["account"]


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"model": 5}'])
async def test_invalid_body_is_refused_without_a_call(body: bytes) -> None:
    upstream = Upstream()
    async with running(upstream) as client:
        found = await chat(client, body)
    assert (found.status_code, found.json()["error"]["code"]) == (400, "invalid_value")
    assert upstream.heads == []


@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=x", "application/x-www-form-urlencoded", "image/png"])
async def test_json_is_read_whatever_the_content_type_says_within_the_limit_of_a_body(kind: str) -> None:
    """A form with files has a higher limit, since its files go to disk. This body stays in memory."""
    limits = LimitSettings(body_bytes=2000, upload_bytes=100_000)
    upstream = Upstream([whole(b"{}")])
    async with running(upstream, limits=limits) as client:
        small = await chat(client, headers={"Content-Type": kind})
        large = await chat(client, BODY + b" " * 2000, headers={"Content-Type": kind})
    assert (small.status_code, upstream.bodies) == (200, [BODY])
    assert b"content-type: application/json\r\n" in upstream.heads[0].lower()
    assert (large.status_code, large.json()["error"]["code"]) == (413, "too_large")


@pytest.mark.parametrize(("method", "status"), [("GET", 405), ("HEAD", 405), ("PUT", 405), ("OPTIONS", 405)])
async def test_other_method_is_refused_without_a_call(method: str, status: int) -> None:
    upstream = Upstream()
    async with running(upstream) as client:
        found = await client.request(method, "/v1/chat/completions", content=BODY)
    assert (found.status_code, found.headers["allow"], upstream.heads) == (status, "POST", [])


async def test_caller_without_a_language_credential_is_refused() -> None:
    async with running(Upstream()) as client:
        found = await chat(client, headers={"Authorization": "Bearer sessionid0123456789"})
        missing = await client.post("/v1/chat/completions", content=BODY, headers={"Authorization": ""})
    assert (found.status_code, found.json()["error"]["code"]) == (401, "invalid_api_key")
    assert missing.status_code == 401


async def test_request_is_not_kept_while_its_answer_is_streamed() -> None:
    """It may have 20 MB of pictures, and its answer may take minutes."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(SSE + chunk(b"data: 1\n\n"))
        await asyncio.Event().wait()

    async with running(Upstream([answer])) as client, client.stream("POST", "/v1/chat/completions", content=BODY):
        kept = [one for one in gc.get_objects() if isinstance(one, Request) and hasattr(one, "_body")]
        assert kept == []


@pytest.mark.parametrize("rest", [b"", b"data: half"])
async def test_stop_of_the_gateway_ends_a_stream(rest: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """With an error event, or without one where an event is not complete."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(SSE + chunk(b"data: 1\n\n") + (chunk(rest) if rest else b""))
        await asyncio.Event().wait()

    read: list[bytes] = []

    async def read_all(client: httpx.AsyncClient, begun: asyncio.Event) -> None:
        async with client.stream("POST", "/v1/chat/completions", content=BODY) as found:
            async for piece in found.aiter_raw():
                read.append(piece)
                if b"".join(read) == b"data: 1\n\n" + rest:
                    begun.set()

    begun = asyncio.Event()
    async with serving(Upstream([answer]), 0.05) as (gateway, client):
        reading = asyncio.create_task(read_all(client, begun))
        await asyncio.wait_for(begun.wait(), 5)
        await asyncio.to_thread(gateway.__exit__, None, None, None)
        await asyncio.wait({reading}, timeout=5)
    text = b"".join(read).decode()
    if rest:
        assert isinstance(reading.exception(), httpx.RemoteProtocolError)
        assert text == "data: 1\n\ndata: half"
    else:
        event, last, end = text.split("\n\n")
        error = orjson.loads(last.removeprefix("data: "))["error"]
        assert (event, error["code"], end) == ("data: 1", "upstream_unavailable", "")
        assert "shutting down" in error["message"]
    assert not any("Exception" in record.message for record in caplog.records)


async def test_upstream_gets_its_own_credential_and_no_header_of_the_client() -> None:
    upstream = Upstream([whole(b"{}")])
    headers = {
        "Authorization": "Bearer sk-of-another-upstream,ms-secret-1,0123456789abcdef0123456789abcdef",
        "Cookie": "session=client-cookie",
        "X-Api-Key": "client-key",
        "X-DashScope-DataInspection": "client-filter",
        "X-DashScope-WorkSpace": "client-space",
        "X-Forwarded-For": "client-address",
        "User-Agent": "client-agent",
        "Connection": "keep-alive, X-Api-Key",
    }
    async with running(upstream) as client:
        assert (await chat(client, headers=headers)).status_code == 200
    head = upstream.heads[0].lower()
    assert head.count(b"authorization:") == 1
    assert b"authorization: bearer ms-secret-1\r\n" in head
    for foreign in (b"sk-of-another", b"0123456789abcdef", b"client-"):
        assert foreign not in head


async def test_errors_and_logs_show_neither_credentials_nor_prompts(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "ms-0123456789abcdef"
    quote = b'{"errors":{"message":"token %s of Bearer %s"}}' % (secret.encode(), secret.encode())
    upstream = Upstream([whole(quote, "401 X"), whole(quote, "500 X"), whole(quote)])
    async with running(upstream) as client:
        for _ in range(3):
            found = await chat(
                client, BODY.replace(b"top_p", b"a-private-prompt"), headers={"Authorization": f"Bearer {secret}"}
            )
            assert found.status_code >= 400
            assert secret not in found.text
            assert secret[:12] not in found.text
    shown = "\n".join(f"{record.getMessage()} {getattr(record, 'fields', '')}" for record in caplog.records)
    assert "gateway.access" in {record.name for record in caplog.records}
    assert secret not in shown
    assert "a-private-prompt" not in shown
