"""An upstream's own API, here DashScope's: its answers and its errors, whatever the path."""

import re
from typing import Any

import pytest

from gateway.core.errors import GatewayError
from providers.contract.tasks import Phase
from tests.gateway.api.routes.conftest import Api, completed, task

SUBMIT = "/api/v1/services/aigc/video-generation/video-synthesis"
PAGE = {"Origin": "https://page.example"}
"""The header with which a poll takes the route instead of the shortcut."""
BOTH = pytest.mark.parametrize("headers", [{}, PAGE], ids=["shortcut", "route"])


def error_of(body: Any) -> str:
    assert body.keys() == {"code", "message", "request_id"}
    return str(body["code"])


@BOTH
async def test_poll_has_the_words_of_the_service_and_its_own_request_id(api: Api, headers: dict[str, str]) -> None:
    api.tasks.found["one"] = completed(created=1_700_000_000)
    answers = [await api.get("/api/v1/tasks/one", **headers) for _ in range(3)]
    for answer in answers:
        body = answer.json()
        assert body["request_id"] == answer.headers["x-request-id"]
        assert body["output"] == {
            "task_id": "one",
            "task_status": "SUCCEEDED",
            "submit_time": "2023-11-15 06:13:20.000",
            "video_url": "https://files.example/v.mp4",
        }
        assert len(answer.content) == int(answer.headers["content-length"])
    assert len({answer.json()["request_id"] for answer in answers}) == 3


@BOTH
@pytest.mark.parametrize("path", ["/api/v1/tasks/one", "/api/v1/tasks/one/"])
async def test_slash_at_the_end_is_the_same(api: Api, headers: dict[str, str], path: str) -> None:
    api.tasks.found["one"] = task()
    answer = await api.get(path, **headers)
    assert (answer.status_code, answer.json()["output"]["task_status"]) == (200, "RUNNING")


@BOTH
async def test_unknown_task_is_answered_with_its_state(
    api: Api, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def status(*args: Any, **options: Any) -> None:
        raise GatewayError("task_not_found")

    monkeypatch.setattr(api.tasks, "status", status)
    answer = await api.get("/api/v1/tasks/no-such-task", **headers)
    body = answer.json()
    assert answer.status_code == 200
    assert body.pop("request_id") == answer.headers["x-request-id"]
    assert body == {"output": {"task_id": "no-such-task", "task_status": "UNKNOWN"}}


@BOTH
async def test_error_of_a_poll_has_the_form_of_the_service(
    api: Api, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def status(*args: Any, **options: Any) -> None:
        raise GatewayError("upstream_unavailable")

    monkeypatch.setattr(api.tasks, "status", status)
    answer = await api.get("/api/v1/tasks/one", **headers)
    assert (answer.status_code, error_of(answer.json())) == (503, "ModelUnavailable")
    assert answer.headers["x-should-retry"] == "true"
    assert (await api.get("/v1/videos/tasks/one", **headers)).json()["error"]["code"] == "upstream_unavailable"


@pytest.mark.parametrize("path", ["/api/v1/tasks/one/cancel", "/api/v1/tasks/one/cancel/"])
async def test_cancel_answers_the_request_id_alone(api: Api, path: str) -> None:
    api.tasks.found["one"] = task()
    answer = await api.post(path)
    assert (answer.status_code, answer.json()) == (200, {"request_id": answer.headers["x-request-id"]})
    assert api.tasks.cancelled == ["one"]


async def test_cancel_that_comes_too_late_is_unsupported(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def cancel(*args: Any) -> None:
        raise GatewayError("not_cancellable", upstream_code="UnsupportedOperation", detail="Failed to cancel")

    monkeypatch.setattr(api.tasks, "cancel", cancel)
    answer = await api.post("/api/v1/tasks/one/cancel")
    assert answer.status_code == 400
    assert answer.json()["message"] == "Failed to cancel"
    assert error_of(answer.json()) == "UnsupportedOperation"


async def test_list_has_the_rows_of_the_callers_tasks(api: Api) -> None:
    api.tasks.found = {"one": task(created=1), "two": task("two", Phase.QUEUED, created=2)}
    answer = await api.get("/api/v1/tasks?start_time=19700101080000&page_size=1")
    body = answer.json()
    assert (body["total"], body["total_page"], body["request_id"]) == (2, 2, answer.headers["x-request-id"])
    assert [row["task_id"] for row in body["data"]] == ["one"]
    assert api.tasks.listed["native"] is True


async def test_bad_parameter_of_a_list_is_named(api: Api) -> None:
    answer = await api.get("/api/v1/tasks?page_no=0")
    assert (answer.status_code, error_of(answer.json())) == (400, "InvalidParameter")
    assert answer.json()["message"] == "page_no must be a positive integer"


async def test_submit_that_waits_for_no_task_is_refused_as_the_service_does(api: Api) -> None:
    body = {"model": "wan2.6-t2v", "input": {"prompt": "a"}}
    answer = await api.post(SUBMIT, body)
    assert (answer.status_code, error_of(answer.json())) == (403, "AccessDenied")
    assert answer.json()["message"] == "current user api does not support synchronous calls."
    assert api.tasks.orders == []


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff", b'"x"'])
async def test_body_that_is_no_object_is_refused(api: Api, content: bytes) -> None:
    answer = await api.client.post(SUBMIT, content=content, headers={"X-DashScope-Async": "enable"})
    assert (answer.status_code, error_of(answer.json())) == (400, "InvalidParameter")


@pytest.mark.parametrize(
    ("path", "allowed"), [(SUBMIT, "POST"), ("/api/v1/tasks/one/cancel", "POST"), ("/api/v1/tasks/one/cancel/", "POST")]
)
async def test_method_that_is_not_allowed_is_answered_with_those_that_are(api: Api, path: str, allowed: str) -> None:
    answer = await api.get(path, **{"Accept-Language": "en"})
    assert (answer.status_code, error_of(answer.json()), answer.headers["allow"]) == (405, "MethodNotAllowed", allowed)
    assert f"use {allowed}" in answer.json()["message"]
    assert api.tasks.cancelled == []


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("POST", "/api/v1/services/aigc/text2image/image-synthesis", 404, "NotFound"),
        ("GET", "/api/v1/nothing", 404, "NotFound"),
        ("GET", SUBMIT, 405, "MethodNotAllowed"),
        ("DELETE", "/api/v1/tasks/one", 405, "MethodNotAllowed"),
        ("POST", "/api/v1/uploads", 405, "MethodNotAllowed"),
    ],
)
async def test_other_paths_are_refused_in_the_form_of_the_service(
    api: Api, method: str, path: str, status: int, code: str
) -> None:
    answer = await api.client.request(method, path)
    assert (answer.status_code, error_of(answer.json())) == (status, code)
    if status == 404:
        named = re.findall(r"(?:GET|POST) /api/v1/\S+(?=,|$)", answer.json()["message"])
        assert f"POST {SUBMIT}" in named
        assert len(named) == 6


@pytest.mark.parametrize("path", ["/api/v1/tasks/one", "/api/v1/tasks", "/api/v1/uploads?action=getPolicy&model=m"])
async def test_request_without_a_key_is_refused_in_the_form_of_the_service(api: Api, path: str) -> None:
    answer = await api.client.get(path, headers={"Authorization": ""})
    assert (answer.status_code, error_of(answer.json())) == (401, "InvalidApiKey")


async def test_paths_beside_the_prefix_keep_the_form_of_the_gateway(api: Api) -> None:
    for path in ("/api/v2/tasks/one", "/api/v10/x", "/api"):
        assert "error" in (await api.get(path)).json()
