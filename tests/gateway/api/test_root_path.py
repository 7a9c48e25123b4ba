"""A path prefix of a reverse proxy: requests with and without it, and links that have it."""

from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.testclient import TestClient

from gateway.app import all_routes, create_app
from gateway.core.settings import Settings, SettingsError

PREFIX = "/video/eu"


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(Settings.model_construct(language="en", root_path=PREFIX), reload=False)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as made:
        yield made


@pytest.mark.parametrize("path", ["/ping", "/ping/", "/v1/videos/tasks/x", "/v1/v1/videos/tasks/x", "/v1/models"])
async def test_request_is_answered_with_and_without_the_prefix(client: httpx.AsyncClient, path: str) -> None:
    plain, prefixed = await client.get(path), await client.get(PREFIX + path)
    assert plain.status_code == prefixed.status_code != 404
    assert plain.headers["content-type"] == prefixed.headers["content-type"]


@pytest.mark.parametrize("path", ["/video/us/ping", "/video", f"{PREFIX}ping", f"/v1{PREFIX}/ping"])
async def test_prefix_is_taken_off_once_and_only_as_whole_segments(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 404


def test_socket_is_opened_with_the_prefix() -> None:
    app = create_app(Settings.model_construct(root_path=PREFIX), reload=False)
    with (
        TestClient(app) as client,
        client.websocket_connect(f"{PREFIX}/v1/videos/tasks/ws", headers={"Authorization": "Bearer sk-1"}) as socket,
    ):
        socket.send_text('{"type": "ping"}')
        assert socket.receive_json() == {"type": "pong"}


@pytest.mark.parametrize("root_path", ["/v1", "/v1/videos", "/videos", "/docs", "/api", "/assets"])
def test_prefix_that_begins_a_path_of_the_gateway_is_refused(root_path: str) -> None:
    assert any(f"{route.path}/".startswith(f"{root_path}/") for route in all_routes())
    with pytest.raises(SettingsError, match=rf"^root_path: {root_path} "):
        create_app(Settings.model_construct(root_path=root_path), reload=False)


@pytest.mark.parametrize("value", ["video", "/a//b", "/a b", "/../x", "https://x/y", "/a?b", "/ä"])
def test_prefix_that_is_no_path_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="must be a path such as"):
        Settings(root_path=value)


@pytest.mark.parametrize(("value", "expected"), [("", ""), ("/", ""), ("/video/", "/video"), ("/a/b", "/a/b")])
def test_slash_at_the_end_of_the_prefix_is_dropped(value: str, expected: str) -> None:
    assert Settings(root_path=value).root_path == expected
