"""Live events with real clients: httpx-sse, websockets, and nginx in between."""

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import httpx_sse
import pytest
import websockets
from websockets.asyncio.client import ClientConnection

from gateway.app import create_app
from gateway.cli.server.background import BackgroundServer
from gateway.cli.server.http_protocol import LimitedProtocol
from gateway.core.settings import LiveSettings
from providers.sandbox.server import SandboxServer
from tests.e2e.conftest import bearer, settings_for

WAN, SUBMIT = "wan2.6-t2v", "/v1/videos/generations"
SOCKET = "/v1/videos/tasks/ws"
QUERY = "/api/v1/tasks/{id}"
INTERVAL = 0.05


@contextlib.contextmanager
def gateway_of(upstream: SandboxServer, **settings: Any) -> Iterator[str]:
    app = create_app(settings_for(upstream, video_poll_interval=int(INTERVAL * 1000), **settings))
    with BackgroundServer(app, protocol=LimitedProtocol) as server:
        yield server.url


@pytest.fixture(scope="module")
def live(upstream: SandboxServer) -> Iterator[str]:
    with gateway_of(upstream) as url:
        yield url


@pytest.fixture
async def client(live: str, key: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=live, headers=bearer(key) | {"accept-language": "en"}, timeout=10) as made:
        yield made


async def submit(client: httpx.AsyncClient, prompt: str = "a cat") -> str:
    answer = await client.post(SUBMIT, json={"model": WAN, "prompt": prompt})
    return str(answer.json()["task_id"])


async def events(client: httpx.AsyncClient, path: str, **options: Any) -> list[httpx_sse.ServerSentEvent]:
    async with httpx_sse.aconnect_sse(client, "GET", path, **options) as source:
        return [event async for event in source.aiter_sse()]


def socket_url(url: str, query: str = "") -> str:
    return url.replace("http", "ws") + SOCKET + query


async def messages(socket: ClientConnection, until: str) -> list[dict[str, Any]]:
    """The messages up to the first one with this type or status."""
    found: list[dict[str, Any]] = []
    async with asyncio.timeout(10):
        async for text in socket:
            found.append(json.loads(text))
            if until in (found[-1]["type"], found[-1].get("status")):
                return found
    raise AssertionError(found)


async def logged(caplog: pytest.LogCaptureFixture) -> logging.LogRecord:
    """The first line of the access log, which is written when a response has ended."""
    for _ in range(500):
        for record in caplog.records:
            if record.name == "gateway.access":
                return record
        await asyncio.sleep(0.01)
    raise AssertionError("nothing was logged")


class TestEventStream:
    async def test_status_objects_come_up_to_the_end(self, client: httpx.AsyncClient) -> None:
        id = await submit(client)
        found = await events(client, f"/v1/videos/tasks/{id}/events")
        statuses = [json.loads(event.data)["status"] for event in found if event.event == "status"]
        assert statuses[-1] == "completed"
        assert "completed" not in statuses[:-1]
        assert found[-1].event == "end"
        polled = (await client.get(f"/v1/videos/tasks/{id}")).json()
        assert json.loads(found[-1].data) == polled
        assert [event.id for event in found] == [str(number) for number in range(1, len(found) + 1)]

    @pytest.mark.parametrize("path", ["/v1/videos/{id}/events", "/videos/{id}/events"])
    async def test_videos_api_has_openais_object(self, client: httpx.AsyncClient, path: str) -> None:
        id = await submit(client)
        found = await events(client, path.format(id=id))
        last = json.loads(found[-1].data)
        assert (last["object"], last["status"], last["progress"]) == ("video", "completed", 100)

    async def test_headers_keep_proxies_from_buffering(self, client: httpx.AsyncClient) -> None:
        id = await submit(client)
        async with client.stream("GET", f"/v1/videos/tasks/{id}/events") as answer:
            assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
            assert answer.headers["x-accel-buffering"] == "no"
            assert "no-store" in answer.headers["cache-control"]
            assert answer.headers["x-request-id"]

    async def test_numbers_go_on_after_the_last_event_id(self, client: httpx.AsyncClient) -> None:
        id = await submit(client)
        found = await events(client, f"/v1/videos/tasks/{id}/events", headers={"last-event-id": "41"})
        assert found[0].id == "42"

    @pytest.mark.parametrize("last_id", ["-1", "x", "9" * 30, "0" * 20 + "9" * 4400, "²", ""])
    async def test_invalid_last_event_id_counts_as_none(self, client: httpx.AsyncClient, last_id: str) -> None:
        id = await submit(client)
        headers = {b"last-event-id": last_id.encode("latin-1")}
        assert (await events(client, f"/v1/videos/tasks/{id}/events", headers=headers))[0].id == "1"

    async def test_token_of_the_query_is_accepted_and_not_logged(
        self, live: str, key: str, client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        id = await submit(client)
        async with httpx.AsyncClient(base_url=live, timeout=10) as stranger:
            with caplog.at_level(logging.DEBUG):
                found = await events(stranger, f"/v1/videos/tasks/{id}/events?token={key}")
                await logged(caplog)
            assert found[-1].event == "end"
            refused = await stranger.get(f"/v1/videos/tasks/{id}/events")
        assert refused.status_code == 401
        ours = [record for record in caplog.records if record.name.startswith(("gateway", "uvicorn.error"))]
        assert ours
        assert [record for record in ours if key in record.getMessage() + str(record.__dict__)] == []

    @pytest.mark.parametrize("id", ["nonsense", "gwt_AAAA", "%20", "gwt_" + "A" * 60])
    async def test_unknown_id_is_the_404_of_a_poll(self, client: httpx.AsyncClient, id: str) -> None:
        streamed = await client.get(f"/v1/videos/tasks/{id}/events")
        polled = await client.get(f"/v1/videos/tasks/{id}")
        assert streamed.status_code == polled.status_code == 404
        codes = [answer.json()["error"] | {"request_id": ""} for answer in (streamed, polled)]
        assert codes[0] == codes[1]

    async def test_failure_is_told_in_words(self, client: httpx.AsyncClient) -> None:
        id = await submit(client, "a cat #fail")
        last = json.loads((await events(client, f"/v1/videos/tasks/{id}/events"))[-1].data)
        assert last["status"] == "failed"
        assert last["error"]

    async def test_head_has_headers_only(self, client: httpx.AsyncClient) -> None:
        answer = await client.head(f"/v1/videos/tasks/{await submit(client)}/events")
        assert (answer.status_code, answer.content) == (200, b"")

    async def test_time_limit_is_an_event_and_no_failure(self, upstream: SandboxServer, key: str) -> None:
        with gateway_of(upstream, video_timeout=100) as url:
            async with httpx.AsyncClient(base_url=url, headers=bearer(key), timeout=10) as client:
                id = await submit(client, "a cat #pending")
                found = await events(client, f"/v1/videos/tasks/{id}/events")
        assert found[-1].event == "timeout"
        last = json.loads(found[-1].data)
        assert (last["status"], last["message"]) == ("pending", "生成超时，请重试")

    async def test_stop_of_the_server_asks_to_reconnect(self, upstream: SandboxServer, key: str) -> None:
        with contextlib.ExitStack() as stack:
            url = stack.enter_context(gateway_of(upstream))
            async with httpx.AsyncClient(base_url=url, headers=bearer(key), timeout=10) as client:
                id = await submit(client, "a cat #pending")
                async with httpx_sse.aconnect_sse(client, "GET", f"/v1/videos/tasks/{id}/events") as source:
                    stream = source.aiter_sse()
                    assert (await anext(stream)).event == "status"
                    closing = asyncio.create_task(asyncio.to_thread(stack.close))
                    assert [event.event async for event in stream] == ["reconnect"]
                await closing

    async def test_40_watchers_query_the_upstream_like_one(
        self, upstream: SandboxServer, client: httpx.AsyncClient, key: str
    ) -> None:
        path = f"/v1/videos/tasks/{await submit(client)}/events"
        started = time.monotonic()
        found = await asyncio.gather(*(events(client, path) for _ in range(40)))
        seconds = time.monotonic() - started
        assert all(stream[-1].event == "end" for stream in found)
        # On a busy machine it takes longer. Each watcher alone would need as many.
        assert 0 < upstream.sandbox.calls("dashscope", QUERY, key) <= seconds / (0.8 * INTERVAL) + 3

    async def test_watchers_of_a_caller_are_limited(self, upstream: SandboxServer, key: str) -> None:
        with gateway_of(upstream, live=LiveSettings(watchers_per_caller=1)) as url:
            async with httpx.AsyncClient(base_url=url, headers=bearer(key), timeout=10) as client:
                id = await submit(client, "a cat #pending")
                async with httpx_sse.aconnect_sse(client, "GET", f"/v1/videos/tasks/{id}/events") as source:
                    stream = source.aiter_sse()
                    await anext(stream)
                    refused = await client.get(f"/v1/videos/tasks/{id}/events")
                    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "rate_limit_exceeded")
                async with asyncio.timeout(5):
                    # The place is free again once the server has noticed.
                    while True:
                        async with client.stream("GET", f"/v1/videos/tasks/{id}/events") as answer:
                            if answer.status_code == 200:
                                break


class TestSocket:
    async def test_tasks_are_watched_up_to_their_end(self, live: str, key: str, client: httpx.AsyncClient) -> None:
        ids = [await submit(client), await submit(client)]
        async with websockets.connect(socket_url(live), additional_headers=bearer(key)) as socket:
            await socket.send(json.dumps({"subscribe": ids}))
            ended: set[str] = set()
            async with asyncio.timeout(10):
                while ended != set(ids):
                    message = json.loads(await socket.recv())
                    assert message["type"] == "video.status_update"
                    if message["status"] == "completed":
                        assert message["result"]["url"]
                        ended.add(message["task_id"])

    async def test_first_message_may_authenticate(self, live: str, key: str, client: httpx.AsyncClient) -> None:
        id = await submit(client)
        async with websockets.connect(socket_url(live)) as socket:
            await socket.send(json.dumps({"authorization": f"Bearer {key}", "subscribe": [id]}))
            assert (await messages(socket, "completed"))[-1]["task_id"] == id

    async def test_token_of_the_query_authenticates(self, live: str, key: str, client: httpx.AsyncClient) -> None:
        id = await submit(client)
        async with websockets.connect(socket_url(live, f"?token={key}")) as socket:
            await socket.send(json.dumps({"subscribe": id}))
            await messages(socket, "completed")

    async def test_unknown_id_is_an_error_and_the_others_go_on(
        self, live: str, key: str, client: httpx.AsyncClient
    ) -> None:
        id = await submit(client)
        async with websockets.connect(socket_url(live), additional_headers=bearer(key)) as socket:
            await socket.send(json.dumps({"subscribe": ["nonsense", id]}))
            found = await messages(socket, "completed")
            (error,) = [message for message in found if message["type"] == "error"]
            assert (error["task_id"], error["error"]["code"]) == ("nonsense", "task_not_found")

    async def test_unsubscribed_task_is_not_told_any_more(self, live: str, key: str, client: httpx.AsyncClient) -> None:
        id, other = await submit(client, "a cat #pending"), await submit(client, "a cat #seconds=0.6")
        async with websockets.connect(socket_url(live), additional_headers=bearer(key)) as socket:
            await socket.send(json.dumps({"subscribe": [id, other]}))
            await messages(socket, "video.status_update")
            await socket.send(json.dumps({"unsubscribe": [id], "type": "ping"}))
            await messages(socket, "pong")
            found = await messages(socket, "completed")
            assert {message["task_id"] for message in found} == {other}

    @pytest.mark.parametrize(
        "text", ["", "x", "[]", "{}", '{"subscribe": 1}', '{"subscribe": [1]}', '{"subscribe": [""]}']
    )
    async def test_invalid_message_is_an_error_and_the_connection_stays(self, live: str, key: str, text: str) -> None:
        async with websockets.connect(socket_url(live), additional_headers=bearer(key)) as socket:
            await socket.send(text)
            assert (await messages(socket, "error"))[0]["error"]["code"] == "invalid_value"
            await socket.send('{"type": "ping"}')
            await messages(socket, "pong")

    async def test_message_without_a_credential_closes_the_connection(self, live: str) -> None:
        async with websockets.connect(socket_url(live)) as socket:
            await socket.send('{"subscribe": ["one"]}')
            assert (await messages(socket, "error"))[0]["error"]["code"] == "invalid_api_key"
            with pytest.raises(websockets.ConnectionClosed):
                await socket.recv()
            assert socket.close_code == 1008

    async def test_handshake_with_an_invalid_credential_is_401(self, live: str) -> None:
        with pytest.raises(websockets.InvalidStatus) as caught:
            await websockets.connect(socket_url(live), additional_headers={"authorization": "Basic x"}).__aenter__()
        assert caught.value.response.status_code == 401
        assert json.loads(caught.value.response.body or b"")["error"]["code"] == "invalid_api_key"

    async def test_too_many_tasks_of_a_connection_are_refused(self, live: str, key: str) -> None:
        async with websockets.connect(socket_url(live), additional_headers=bearer(key)) as socket:
            await socket.send(json.dumps({"subscribe": [f"id-{number}" for number in range(501)]}))
            (error,) = await messages(socket, "error")
            assert error["error"]["code"] == "rate_limit_exceeded"
            assert "task_id" not in error

    async def test_handshake_is_logged_with_its_status_and_caller(
        self, live: str, key: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.INFO, "gateway.access"):
            async with websockets.connect(socket_url(live, f"?token={key}")) as socket:
                await socket.send('{"type": "ping"}')
                await messages(socket, "pong")
            fields = (await logged(caplog)).fields  # type: ignore[attr-defined]
        assert (fields["path"], fields["status"], fields["caller"]) == (SOCKET, 101, "pass-through")

    async def test_plain_get_is_426(self, client: httpx.AsyncClient) -> None:
        answer = await client.get(SOCKET)
        assert (answer.status_code, answer.headers["upgrade"]) == (426, "websocket")

    async def test_stop_of_the_server_asks_to_reconnect(self, upstream: SandboxServer, key: str) -> None:
        with contextlib.ExitStack() as stack:
            url = stack.enter_context(gateway_of(upstream))
            async with (
                websockets.connect(socket_url(url), additional_headers=bearer(key)) as socket,
                httpx.AsyncClient(base_url=url, headers=bearer(key), timeout=10) as client,
            ):
                await socket.send(json.dumps({"subscribe": [await submit(client, "a cat #pending")]}))
                await messages(socket, "pending")
                closing = asyncio.create_task(asyncio.to_thread(stack.close))
                assert (await messages(socket, "reconnect"))[-1] == {"type": "reconnect"}
                with pytest.raises(websockets.ConnectionClosed):
                    await socket.recv()
                assert socket.close_code == 1012
                await closing


class TestWait:
    async def test_stop_of_the_server_answers_with_the_current_status(self, upstream: SandboxServer, key: str) -> None:
        with contextlib.ExitStack() as stack:
            url = stack.enter_context(gateway_of(upstream))
            async with httpx.AsyncClient(base_url=url, headers=bearer(key), timeout=10) as client:
                id = await submit(client, "a cat #pending")
                waiting = asyncio.create_task(client.get(f"/v1/videos/tasks/{id}?wait=60"))
                await asyncio.sleep(0.2)
                await asyncio.to_thread(stack.close)
                assert (await waiting).json()["status"] == "pending"

    async def test_poll_waits_for_the_next_change(self, client: httpx.AsyncClient) -> None:
        id = await submit(client)
        answer = await client.get(f"/v1/videos/tasks/{id}?wait=5")
        assert answer.json()["status"] != "pending" or answer.json()["progress"] > 0

    async def test_poll_of_an_ended_task_does_not_wait(self, client: httpx.AsyncClient) -> None:
        id = await submit(client)
        await events(client, f"/v1/videos/tasks/{id}/events")
        async with asyncio.timeout(2):
            answer = await client.get(f"/v1/videos/{id}?wait=60")
        assert answer.json()["status"] == "completed"

    @pytest.mark.parametrize("wait", ["-5", "x", "nan", "1,5", "5s"])
    async def test_invalid_wait_is_an_error_at_its_field(self, client: httpx.AsyncClient, wait: str) -> None:
        id = await submit(client, "a cat #pending")
        answer = await client.get(f"/v1/videos/tasks/{id}?wait={wait}")
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "wait")

    @pytest.mark.parametrize("wait", ["0", ""])
    async def test_no_time_to_wait_is_a_poll(self, client: httpx.AsyncClient, wait: str) -> None:
        id = await submit(client, "a cat #pending")
        async with asyncio.timeout(2):
            assert (await client.get(f"/v1/videos/tasks/{id}?wait={wait}")).status_code == 200
