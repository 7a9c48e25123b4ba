"""A browser's own clients of live events, without the playground's code."""

import json

import httpx
import pytest

from tests.e2e.conftest import bearer
from tests.gateway.web.conftest import OpenPage, new_key

pytestmark = pytest.mark.asyncio(loop_scope="session")

_EVENT_SOURCE = """url => new Promise(done => {
    const source = new EventSource(url), heard = [];
    for (const type of ["status", "end", "timeout", "reconnect"])
        source.addEventListener(type, event => {
            heard.push([type, JSON.parse(event.data).status]);
            if (type === "end") { source.close(); done(heard); }
        });
})"""

_WEB_SOCKET = """([url, token, id]) => new Promise(done => {
    const socket = new WebSocket(url), heard = [];
    socket.onopen = () => socket.send(JSON.stringify({authorization: `Bearer ${token}`, subscribe: [id]}));
    socket.onmessage = message => {
        const {type, status} = JSON.parse(message.data);
        heard.push([type, status]);
        if (status === "completed") { socket.close(); done(heard); }
    };
})"""


def submitted(url: str, token: str) -> str:
    body = {"model": "wan2.6-t2v", "prompt": "a cat"}
    answer = httpx.post(f"{url}/v1/videos/generations", json=body, headers=bearer(token), timeout=10)
    return str(answer.json()["task_id"])


async def test_event_source_hears_a_task_to_its_end(open_page: OpenPage, gateway_url: str) -> None:
    token = new_key().split(",")[1]
    id = submitted(gateway_url, token)
    async with open_page() as page:
        heard = await page.evaluate(_EVENT_SOURCE, f"/v1/videos/tasks/{id}/events?token={token}")
    assert heard[-2:] == [["status", "completed"], ["end", "completed"]]


async def test_web_socket_hears_a_task_to_its_end(open_page: OpenPage, gateway_url: str) -> None:
    token = new_key().split(",")[1]
    id = submitted(gateway_url, token)
    async with open_page() as page:
        url = gateway_url.replace("http", "ws") + "/v1/videos/tasks/ws"
        heard = await page.evaluate(_WEB_SOCKET, [url, token, id])
    assert heard[-1] == ["video.status_update", "completed"], json.dumps(heard)
