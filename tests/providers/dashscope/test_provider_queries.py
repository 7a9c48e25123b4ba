"""Query and cancel: requests pinned to the wire, and what is made of every kind of answer."""

import asyncio
from typing import Any

import httpx
import orjson
import pytest
import respx

from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.tasks import Phase, TaskState
from providers.dashscope.provider import QUERIES_AT_ONCE, DashScope
from tests.providers.dashscope.wire import (
    BASE,
    HTML,
    ID,
    KEY,
    OTHER_ID,
    RUNNING,
    error_body,
)

# --- query --------------------------------------------------------------------------------------------------------


async def test_query_on_the_wire(provider: DashScope, router: respx.MockRouter, account: Account) -> None:
    route = router.get(f"{BASE}/tasks/{ID}").respond(200, json=RUNNING)
    states = await provider.query([ID, ID], account)
    assert states == {ID: TaskState(ID, Phase.PROCESSING, 50)}
    assert route.call_count == 1
    sent = route.calls.last.request
    assert sent.content == b""
    assert sent.headers["authorization"] == f"Bearer {KEY}"
    assert sent.headers["accept"] == "application/json"
    assert "x-dashscope-async" not in sent.headers
    assert "content-type" not in sent.headers


async def test_no_ids_no_calls(provider: DashScope, router: respx.MockRouter, account: Account) -> None:
    assert await provider.query([], account) == {}
    assert not router.calls


@pytest.mark.parametrize(
    ("status", "content", "kind"),
    [
        (200, orjson.dumps({"output": {"task_status": "UNKNOWN"}}), ErrorKind.TASK_NOT_FOUND),
        # A task that the service does not know is UNKNOWN under 200: a 404 comes from something in front of it.
        (404, b"", ErrorKind.UPSTREAM_ERROR),
        (404, orjson.dumps(error_body("NotFound")), ErrorKind.UPSTREAM_ERROR),
        (200, HTML.encode(), ErrorKind.UPSTREAM_ERROR),
        (200, b'{"output": {"task', ErrorKind.UPSTREAM_ERROR),
        (200, b"null", ErrorKind.UPSTREAM_ERROR),
        (200, b"{}", ErrorKind.UPSTREAM_ERROR),
        (302, b"", ErrorKind.UPSTREAM_ERROR),
        (500, HTML.encode(), ErrorKind.UPSTREAM_ERROR),
        (503, orjson.dumps(error_body("Strange")), ErrorKind.UPSTREAM_ERROR),
        (400, orjson.dumps(error_body("Arrearage")), ErrorKind.NO_CREDITS),
    ],
)
async def test_id_without_a_state(
    provider: DashScope,
    router: respx.MockRouter,
    account: Account,
    status: int,
    content: bytes,
    kind: ErrorKind,
) -> None:
    router.get(f"{BASE}/tasks/{ID}").respond(status, content=content)
    answer = (await provider.query([ID], account))[ID]
    assert isinstance(answer, ProviderError)
    assert answer.kind is kind


async def test_invalid_key_is_raised_for_the_whole_call(
    provider: DashScope, router: respx.MockRouter, account: Account
) -> None:
    router.get(f"{BASE}/tasks/{ID}").respond(200, json=RUNNING)
    router.get(f"{BASE}/tasks/{OTHER_ID}").respond(401, json=error_body("InvalidApiKey"))
    with pytest.raises(ProviderError) as caught:
        await provider.query([ID, OTHER_ID], account)
    assert caught.value.kind is ErrorKind.INVALID_CREDENTIAL


async def test_rate_limit_of_every_id_is_raised(
    provider: DashScope, router: respx.MockRouter, account: Account
) -> None:
    route = router.get(url__startswith=f"{BASE}/tasks/")
    route.respond(429, json=error_body("Throttling.RateQuota"), headers={"retry-after": "3"})
    ids = [f"0385dc79-5ff8-4d82-bcb6-{number:012d}" for number in range(100)]
    with pytest.raises(ProviderError) as caught:
        await provider.query(ids, account)
    assert (caught.value.kind, caught.value.retry_after) == (ErrorKind.RATE_LIMITED, 3.0)
    assert route.call_count <= QUERIES_AT_ONCE


@pytest.mark.parametrize(
    ("trouble", "kind"),
    [
        (httpx.ConnectError("x"), ErrorKind.UNREACHABLE),
        (httpx.ReadTimeout("x"), ErrorKind.ANSWER_LOST),
        (httpx.Response(429, json=error_body("Throttling")), ErrorKind.RATE_LIMITED),
    ],
)
async def test_errors_of_some_ids_are_returned_for_them(
    provider: DashScope, router: respx.MockRouter, account: Account, trouble: Any, kind: ErrorKind
) -> None:
    router.get(f"{BASE}/tasks/{ID}").respond(200, json=RUNNING)
    router.get(f"{BASE}/tasks/{OTHER_ID}").mock(side_effect=[trouble])
    states = await provider.query([ID, OTHER_ID], account)
    assert isinstance(states[ID], TaskState)
    troubled = states[OTHER_ID]
    assert isinstance(troubled, ProviderError)
    assert troubled.kind is kind


async def test_few_queries_at_a_time(provider: DashScope, router: respx.MockRouter, account: Account) -> None:
    now = most = 0

    async def answer(request: httpx.Request) -> httpx.Response:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)
        now -= 1
        return httpx.Response(200, json=RUNNING)

    router.route().mock(side_effect=answer)
    ids = [f"{number:08d}-0000-4000-8000-000000000000" for number in range(40)]
    states = await provider.query(ids, account)
    assert list(states) == ids
    assert 1 < most <= QUERIES_AT_ONCE


@pytest.mark.parametrize(
    ("id", "path"),
    [
        ("task-ok", b"/api/v1/tasks/task-ok"),
        ("../a?b#c", b"/api/v1/tasks/..%2Fa%3Fb%23c"),
        ("a b\r\n", b"/api/v1/tasks/a%20b%0D%0A"),
        ("任", b"/api/v1/tasks/%E4%BB%BB"),
        ("\ud800", b"/api/v1/tasks/%3F"),
    ],
)
async def test_ids_stay_inside_their_place(
    provider: DashScope, router: respx.MockRouter, account: Account, id: str, path: bytes
) -> None:
    route = router.route().respond(200, json=RUNNING)
    await provider.query([id], account)
    assert route.calls.last.request.url.raw_path == path
    await provider.cancel(id, account)
    assert route.calls.last.request.url.raw_path == path + b"/cancel"


@pytest.mark.parametrize("id", ["", ".", ".."])
async def test_invalid_id_is_not_queried(
    provider: DashScope, router: respx.MockRouter, account: Account, id: str
) -> None:
    answer = (await provider.query([id], account))[id]
    assert isinstance(answer, ProviderError)
    assert answer.kind is ErrorKind.TASK_NOT_FOUND
    with pytest.raises(ProviderError) as caught:
        await provider.cancel(id, account)
    assert caught.value.kind is ErrorKind.TASK_NOT_FOUND
    assert not router.calls


@pytest.mark.parametrize("status", [302, 401, 403, 404, 408, 413, 425, 499])
@pytest.mark.parametrize("text", [HTML, ""])
async def test_server_in_between_is_no_verdict_on_a_query_or_a_cancel(
    provider: DashScope, router: respx.MockRouter, account: Account, status: int, text: str
) -> None:
    router.get(f"{BASE}/tasks/{ID}").respond(status, text=text)
    router.post(f"{BASE}/tasks/{ID}/cancel").respond(status, text=text)
    found = (await provider.query([ID], account))[ID]
    assert isinstance(found, ProviderError)
    with pytest.raises(ProviderError) as caught:
        await provider.cancel(ID, account)
    for error in (found, caught.value):
        assert error.kind is ErrorKind.UPSTREAM_ERROR
        assert error.message is not None
        assert (error.detail, "proxy" in error.message.en) == (f"HTTP {status}", True)


# --- cancel -------------------------------------------------------------------------------------------------------


async def test_cancel_on_the_wire(provider: DashScope, router: respx.MockRouter, account: Account) -> None:
    route = router.post(f"{BASE}/tasks/{ID}/cancel").respond(200, json={"request_id": "r"})
    await provider.cancel(ID, account)
    sent = route.calls.last.request
    assert sent.content == b""
    assert sent.headers["authorization"] == f"Bearer {KEY}"
    assert "x-dashscope-async" not in sent.headers


@pytest.mark.parametrize(
    ("status", "content", "kind"),
    [
        (400, orjson.dumps(error_body("UnsupportedOperation")), ErrorKind.NOT_CANCELLABLE),
        (401, orjson.dumps(error_body("InvalidApiKey")), ErrorKind.INVALID_CREDENTIAL),
        (404, orjson.dumps(error_body("NotFound")), ErrorKind.TASK_NOT_FOUND),
        (429, b"slow down", ErrorKind.RATE_LIMITED),
        # Without one of the service's codes or its request id, something in between has answered.
        (200, b"", ErrorKind.UPSTREAM_ERROR),
        (204, b"", ErrorKind.UPSTREAM_ERROR),
        (200, b"{}", ErrorKind.UPSTREAM_ERROR),
        (200, b'{"status":"ok"}', ErrorKind.UPSTREAM_ERROR),
        *(
            (status, HTML.encode(), ErrorKind.UPSTREAM_ERROR)
            for status in (400, 401, 403, 404, 407, 408, 410, 413, 499)
        ),
        (403, b'{"code":403,"message":"blocked"}', ErrorKind.UPSTREAM_ERROR),
        (429, orjson.dumps(error_body("Throttling.RateQuota")), ErrorKind.RATE_LIMITED),
        (200, orjson.dumps(error_body("Throttling.RateQuota")), ErrorKind.RATE_LIMITED),
        (200, HTML.encode(), ErrorKind.UPSTREAM_ERROR),
        (302, b"", ErrorKind.UPSTREAM_ERROR),
        (500, HTML.encode(), ErrorKind.UPSTREAM_ERROR),
    ],
)
async def test_cancel_that_did_not_work(
    provider: DashScope,
    router: respx.MockRouter,
    account: Account,
    status: int,
    content: bytes,
    kind: ErrorKind,
) -> None:
    router.post(f"{BASE}/tasks/{ID}/cancel").respond(status, content=content)
    with pytest.raises(ProviderError) as caught:
        await provider.cancel(ID, account)
    assert caught.value.kind is kind
    if kind is ErrorKind.NOT_CANCELLABLE:
        assert caught.value.message is not None
        assert caught.value.code == "UnsupportedOperation"
