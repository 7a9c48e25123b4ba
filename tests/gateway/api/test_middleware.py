"""Error responses to requests that the server cancels."""

import asyncio
from types import SimpleNamespace

import orjson
import pytest
from starlette.types import Message, Receive, Scope, Send

from gateway.api.middleware import UnhandledErrors
from gateway.core.settings import Settings

SERVICES = SimpleNamespace(settings=Settings.model_construct(language="zh"))
SCOPE = {
    "type": "http",
    "gateway.services": SERVICES,
    "headers": [(b"accept-language", b"en")],
    "gateway.request_id": "req_1",
}


async def run(*, begun: bool) -> list[Message]:
    """The messages of a request that is cancelled before or after its response has started."""
    sent: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if begun:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.Event().wait()

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    request = asyncio.create_task(UnhandledErrors(app)(dict(SCOPE), receive, send))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    request.cancel()
    await request
    return sent


async def test_request_that_outlasts_the_stop_is_answered_with_retry() -> None:
    start, body = await run(begun=False)
    headers = dict(start["headers"])
    assert (start["status"], headers[b"x-should-retry"]) == (502, b"true")
    assert int(headers[b"retry-after"]) >= 1
    error = orjson.loads(body["body"])["error"]
    assert (error["code"], error["request_id"]) == ("upstream_unavailable", "req_1")
    assert "is shutting down" in error["message"]


async def test_response_that_has_begun_is_aborted() -> None:
    with pytest.raises(asyncio.CancelledError):
        await run(begun=True)
