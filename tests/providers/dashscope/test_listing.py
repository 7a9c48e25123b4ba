"""Lists of an account's tasks: windows, pages, order and trouble."""

from collections.abc import Callable, Sequence
from typing import Any

import httpx
import pytest
import respx

from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.models import ModelCard
from providers.contract.tasks import ListedTask, Phase, TaskState
from providers.dashscope.provider import LIST_CALLS, LIST_PAGE, DashScope
from providers.sandbox.server import SandboxServer
from providers.sandbox.settings import SandboxSettings
from providers.transport.client import HttpClient
from tests.providers.dashscope.wire import BASE, HTML, KEY, NOW, error_body, submitted, without_key


def row(number: int, **fields: Any) -> dict[str, Any]:
    """One of the list, as many seconds old as its number."""
    made = {"task_id": f"task-{number}", "gmt_create": (NOW - number) * 1000}
    return {**made, "status": "RUNNING", "model_name": "wan2.6-t2v", **fields}


def numbers(tasks: Sequence[ListedTask]) -> list[int]:
    return [int(task.state.id.removeprefix("task-")) for task in tasks]


def list_of(rows: list[Any], at_most: int = LIST_PAGE) -> Callable[[httpx.Request], httpx.Response]:
    """A service with these rows, in this order; it ignores the window."""

    def answer(request: httpx.Request) -> httpx.Response:
        number = int(request.url.params["page_no"])
        size = min(int(request.url.params["page_size"]), at_most)
        data = rows[(number - 1) * size : number * size]
        pages = -(-len(rows) // size)
        return httpx.Response(200, json={"total": len(rows), "data": data, "total_page": pages, "page_no": number})

    return answer


async def test_list_on_the_wire(provider: DashScope, router: respx.MockRouter, account: Account) -> None:
    rows = [row(1, status="SUCCEEDED", end_time=NOW * 1000), row(2)]
    route = router.get(url__startswith=f"{BASE}/tasks").mock(side_effect=list_of(rows))
    first, second = await provider.list(account, before=None, limit=20)
    assert first == ListedTask(
        TaskState("task-1", Phase.COMPLETED, 100, created_at=NOW - 1, ended_at=NOW, model="wan2.6-t2v")
    )
    assert (second.state.id, second.submit_key) == ("task-2", "")
    sent = route.calls.last.request
    assert sent.url.path == "/api/v1/tasks"
    assert dict(sent.url.params) == {"page_no": "1", "page_size": str(LIST_PAGE)}
    assert sent.headers["authorization"] == f"Bearer {KEY}"
    assert "x-dashscope-async" not in sent.headers
    assert route.call_count == 1


async def test_list_of_an_earlier_day_on_the_wire(
    provider: DashScope, router: respx.MockRouter, account: Account
) -> None:
    route = router.get(url__startswith=f"{BASE}/tasks").mock(side_effect=list_of([row(0), row(8), row(9), row(10)]))
    assert numbers(await provider.list(account, before=NOW - 9, limit=20)) == [9, 10]
    assert dict(route.calls.last.request.url.params) == {
        "start_time": "20240229173816",
        "end_time": "20240301173816",
        "page_no": "1",
        "page_size": str(LIST_PAGE),
    }


async def test_before_includes_its_whole_second(
    provider: DashScope, router: respx.MockRouter, account: Account
) -> None:
    rows = [row(8), row(9, gmt_create=(NOW - 9) * 1000 + 999), row(10)]
    router.get(url__startswith=f"{BASE}/tasks").mock(side_effect=list_of(rows))
    assert numbers(await provider.list(account, before=NOW - 9, limit=20)) == [9, 10]
    assert numbers(await provider.list(account, before=NOW - 9.5, limit=20)) == [10]


async def test_time_that_has_not_come_is_now(provider: DashScope, router: respx.MockRouter, account: Account) -> None:
    route = router.get(url__startswith=f"{BASE}/tasks").mock(side_effect=list_of([row(0)]))
    assert numbers(await provider.list(account, before=NOW + 1e12, limit=20)) == [0]
    assert "end_time" not in route.calls.last.request.url.params


async def test_pages_until_there_is_enough(provider: DashScope, router: respx.MockRouter, account: Account) -> None:
    rows = [row(number) for number in range(120)]
    route = router.get(url__startswith=f"{BASE}/tasks").mock(side_effect=list_of(rows))
    assert numbers(await provider.list(account, before=None, limit=LIST_PAGE + 1)) == list(range(2 * LIST_PAGE))
    assert [call.request.url.params["page_no"] for call in route.calls] == ["1", "2"]
    assert numbers(await provider.list(account, before=None, limit=500)) == list(range(120))
    assert route.call_count == 2 + 3


async def test_smaller_pages_than_asked_for(provider: DashScope, router: respx.MockRouter, account: Account) -> None:
    rows = [row(number) for number in range(25)]
    router.get(url__startswith=f"{BASE}/tasks").mock(side_effect=list_of(rows, at_most=10))
    assert numbers(await provider.list(account, before=None, limit=30)) == list(range(25))


async def test_ascending_list_is_read_to_its_end(
    provider: DashScope, router: respx.MockRouter, account: Account
) -> None:
    rows = [row(number) for number in reversed(range(9))]
    router.get(url__startswith=f"{BASE}/tasks").mock(side_effect=list_of(rows, at_most=3))
    assert numbers(await provider.list(account, before=None, limit=2)) == list(range(9))


async def test_only_videos_are_listed(http: HttpClient, router: respx.MockRouter, account: Account) -> None:
    names = ["wan2.6-t2v", "qwen-image", "wan2.5-t2i-preview", None, "", "paraformer-v2", "wan9.0-video", "house-model"]
    rows = [row(number, model_name=name) for number, name in enumerate(names)]
    router.get(url__startswith=f"{BASE}/tasks").mock(side_effect=list_of(rows))
    ours = ModelCard("our-name", "dashscope", key="house-model")
    found = await DashScope(http, cards=[ours]).list(account, before=None, limit=20)
    assert [task.state.model for task in found] == ["wan2.6-t2v", "wan9.0-video", "house-model"]


async def test_repeated_page_is_the_last(provider: DashScope, router: respx.MockRouter, account: Account) -> None:
    answer = {"data": [row(1), None, {}, row(2, status="UNKNOWN"), row(3, gmt_create=None)]}
    route = router.get(url__startswith=f"{BASE}/tasks").respond(200, json=answer)
    assert numbers(await provider.list(account, before=None, limit=20)) == [1]
    assert route.call_count == 2


async def test_endless_list_is_limited(provider: DashScope, router: respx.MockRouter, account: Account) -> None:
    route = router.get(url__startswith=f"{BASE}/tasks")
    route.mock(side_effect=lambda _: httpx.Response(200, json={"data": [row(route.call_count)], "total_page": 10**9}))
    assert len(await provider.list(account, before=None, limit=1000)) == LIST_CALLS
    assert route.call_count == LIST_CALLS


@pytest.mark.parametrize(
    "answer",
    [
        {"request_id": "r"},
        {"request_id": "r", "data": None, "total": 0},
        {"data": [], "total_page": 0},
        {"request_id": "r", "data": {"a": 1}},
    ],
)
async def test_empty_list(
    provider: DashScope, router: respx.MockRouter, account: Account, answer: dict[str, Any]
) -> None:
    route = router.get(url__startswith=f"{BASE}/tasks").respond(200, json=answer)
    assert await provider.list(account, before=None, limit=20) == []
    assert route.call_count == 1


@pytest.mark.parametrize("status", [200, 204, 401, 403, 404, 407, 408])
@pytest.mark.parametrize("content", [b"", b"{}", b'{"status":"ok"}', b"<html>", b'{"code":403,"message":"blocked"}'])
async def test_answer_of_something_in_between_is_neither_a_list_nor_a_word_on_the_key(
    provider: DashScope, router: respx.MockRouter, account: Account, status: int, content: bytes
) -> None:
    router.get(url__startswith=f"{BASE}/tasks").respond(status, content=content)
    for call in (provider.list(account, before=None, limit=20), provider.check(account)):
        with pytest.raises(ProviderError) as caught:
            await call
        assert caught.value.kind is ErrorKind.UPSTREAM_ERROR


@pytest.mark.parametrize(
    ("trouble", "kind"),
    [
        (httpx.Response(400, json=error_body("InvalidParameter")), ErrorKind.INVALID_REQUEST),
        (httpx.Response(401, json=error_body("InvalidApiKey", f"no {KEY}")), ErrorKind.INVALID_CREDENTIAL),
        (httpx.Response(429, json=error_body("Throttling.RateQuota")), ErrorKind.RATE_LIMITED),
        (httpx.Response(200, json=error_body("Throttling.RateQuota")), ErrorKind.RATE_LIMITED),
        (httpx.Response(200, text=HTML), ErrorKind.UPSTREAM_ERROR),
        (httpx.Response(200, json=[]), ErrorKind.UPSTREAM_ERROR),
        (httpx.Response(302), ErrorKind.UPSTREAM_ERROR),
        (httpx.Response(404), ErrorKind.UPSTREAM_ERROR),
        (httpx.Response(500, text=HTML), ErrorKind.UPSTREAM_ERROR),
        (httpx.ConnectError("x"), ErrorKind.UNREACHABLE),
        (httpx.ReadTimeout("x"), ErrorKind.ANSWER_LOST),
    ],
)
async def test_error_on_any_page_of_a_list_is_raised(
    provider: DashScope, router: respx.MockRouter, account: Account, trouble: Any, kind: ErrorKind
) -> None:
    page = httpx.Response(200, json={"data": [row(1)], "total_page": 2})
    router.get(url__startswith=f"{BASE}/tasks").mock(side_effect=[page, trouble])
    with pytest.raises(ProviderError) as caught:
        await provider.list(account, before=None, limit=20)
    assert without_key(caught.value).kind is kind


async def test_list_of_the_sandbox(account: Account) -> None:
    count = LIST_PAGE + 5
    settings = SandboxSettings(task_seconds=0.001, queries_per_second=0)
    with SandboxServer(settings) as upstream:
        async with HttpClient() as protocol:
            provider = DashScope(protocol, upstream.dashscope_url)
            ids = [await submitted(provider, account) for _ in range(count)]
            found = await provider.list(account, before=None, limit=count)
            assert [task.state.id for task in found] == ids[::-1]
            assert {task.state.model for task in found} == {"wan2.6-t2v"}
            newest = found[0].state.created_at
            assert newest is not None
            assert len(await provider.list(account, before=int(newest), limit=count)) == count
            assert await provider.list(account, before=int(newest) - 60, limit=count) == []
            assert await provider.list(Account("dashscope", "sk-another"), before=None, limit=9) == []
