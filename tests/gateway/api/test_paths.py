"""Aliases of paths, their normalisation, and the error for a near miss."""

from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from gateway.api.openapi.document import document
from gateway.api.openapi.page import docs_page
from gateway.api.paths import ALIASES, SUBMIT, NormalizePath, all_paths, normalized, path_error
from gateway.app import all_routes, create_app
from gateway.core.settings import Settings


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(Settings.model_construct(language="en"), reload=False)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as made:
        made.headers["Authorization"] = "Bearer sk-1"
        yield made


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", "/"),
        ("//", "/"),
        ("/v1", "/v1"),
        ("/v1/videos", "/v1/videos"),
        ("/v1/videos/", "/v1/videos"),
        ("/v1/videos//", "/v1/videos"),
        ("//v1/videos", "/v1/videos"),
        ("/v1//videos", "/v1/videos"),
        ("/v1/v1/videos", "/v1/videos"),
        ("/v1/v1/v1/videos/x/", "/v1/videos/x"),
        ("//videos/x", "/videos/x"),
        ("/v1/v1beta/videos", "/v1/v1beta/videos"),
        ("/v1/models/v1/v1/x", "/v1/models/v1/v1/x"),
        ("//metrics", "//metrics"),
        ("/metrics/", "/metrics/"),
        ("/v1/v1/accounts", "/v1/v1/accounts"),
        ("/v1/accounts/main/pause/", "/v1/accounts/main/pause/"),
    ],
)
def test_path_is_normalized(path: str, expected: str) -> None:
    assert normalized(path) == expected


async def test_ordinary_request_keeps_its_scope() -> None:
    seen: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        pass

    ordinary, surplus = {"type": "http", "path": "/v1/videos"}, {"type": "http", "path": "/v1/videos/"}
    for scope in (ordinary, surplus, {"type": "lifespan"}):
        await NormalizePath(app)(scope, receive, send)
    assert seen[0] is ordinary
    assert seen[1] == ordinary
    assert surplus["path"] == "/v1/videos/"


@pytest.mark.parametrize("path", [*all_paths(SUBMIT), f"{SUBMIT}/", f"/v1{SUBMIT}", f"/v1{ALIASES[SUBMIT][0]}/"])
async def test_every_alias_of_a_submit_reads_the_body(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.post(path, json={"prompt": "x", "durations": 5})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "durations")


@pytest.mark.parametrize("path", all_paths(SUBMIT))
async def test_get_on_the_path_of_a_submit_is_no_poll(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize(
    ("method", "path", "named"),
    [
        ("GET", "/v1/video/tasks/x", "GET /v1/videos/tasks/{id}"),
        ("GET", "/v1/videos/task/x", "GET /v1/videos/tasks/{id}"),
        ("GET", "/v1/video/generation/x", "GET /v1/videos/tasks/{id}"),
        ("GET", "/v1/tasks/x", "GET /v1/videos/tasks/{id}"),
        ("GET", "/v1/videos/generations/x/status", "GET /v1/videos/tasks/{id}"),
        ("GET", "/v1/videos/text2video/x", "GET /v1/videos/tasks/{id}"),
        ("GET", "/api/v3/contents/generations/tasks/x", "GET /v1/videos/tasks/{id}"),
        ("POST", "/v1/videos/generation", "POST /v1/videos/generations"),
        ("POST", "/v1/videos/generate", "POST /v1/videos/generations"),
        ("POST", "/v1/video/generation", "POST /v1/videos/generations"),
        ("POST", "/v1/videos/image2video", "POST /v1/videos/generations"),
        (
            "POST",
            "/v1/services/aigc/video-generation/video-synthesis",
            "POST /api/v1/services/aigc/video-generation/video-synthesis",
        ),
        ("POST", "/v1/images/generations", "POST /v1/videos/generations"),
        ("POST", "/v1/video", "POST /v1/videos"),
        ("POST", "/v1/videos/edit", "POST /v1/videos/edits"),
        ("GET", "/v1/model", "GET /v1/models"),
        ("POST", "/token/point", "POST /token/points"),
        ("POST", "/v1/chat/completion", "POST /v1/chat/completions"),
        ("POST", "/v1/embedding", "POST /v1/embeddings"),
        ("POST", "/v1/completions", "POST /v1/completions is not available"),
        ("POST", "/v1/responses", "POST /v1/responses is not available"),
    ],
)
async def test_near_miss_names_the_right_path(client: httpx.AsyncClient, method: str, path: str, named: str) -> None:
    answer = await client.request(method, path)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (404, "not_found")
    assert named in error["message"]
    assert answer.headers["x-should-retry"] == "false"


async def test_near_miss_is_named_in_chinese_too(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/videos/generation", headers={"Accept-Language": "zh"})
    assert "应为 POST /v1/videos/generations" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/favicon.ico", 404),
        ("GET", "/v1/users/me", 404),
        ("GET", f"/v1/videos/{'x/' * 300}y", 404),
        ("POST", "/v1/videos/tasks/video_x", 405),
        ("PUT", "/v1/videos/generations", 405),
        ("POST", "/v1/videos/video_x", 405),
        ("DELETE", "/v1/models", 405),
    ],
)
async def test_other_paths_are_told_as_before(client: httpx.AsyncClient, method: str, path: str, status: int) -> None:
    answer = await client.request(method, path)
    assert answer.status_code == status
    assert "did you mean" not in answer.json()["error"]["message"]


def test_no_path_of_ours_is_a_near_miss_of_another() -> None:
    for route in all_routes():
        for method in (route.methods or set()) - {"HEAD"}:
            assert path_error(method, route.path, all_routes(), exists=True) is None, route.path


def test_document_and_page_name_the_aliases() -> None:
    described, page = document(), docs_page(document())
    for path, aliases in ALIASES.items():
        (operation,) = described["paths"][path].values()
        for alias in aliases:
            assert f"`{alias}`" in operation["description"]
            assert f"<code>{alias}</code>" in page


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", "/v1/videos/x", "DELETE, GET, HEAD"),
        ("PATCH", "/videos/x", "DELETE, GET, HEAD"),
        ("PATCH", "/v1/v1/videos/x/", "DELETE, GET, HEAD"),
        ("DELETE", "/v1/videos/tasks/x", "GET, HEAD"),
        ("DELETE", "/v1/video/generations/x", "GET, HEAD"),
        ("PUT", "/v1/videos", "GET, HEAD, POST"),
        ("GET", "/v1/videos/generations", "POST"),
        ("PATCH", "/v1/videos/generations", "POST"),
        ("PUT", "/video/generations", "POST"),
        ("PUT", "/v1/models", "GET, HEAD"),
    ],
)
def test_allow_names_the_methods_of_every_route_of_a_path(method: str, path: str, allow: str) -> None:
    with TestClient(create_app(Settings())) as client:
        answer = client.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allow)
