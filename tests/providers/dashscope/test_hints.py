"""Pages of the list as hints: what is sent, what comes back, and what fails."""

from typing import Any

import httpx
import pytest
import respx

from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.provider import CanHint
from providers.contract.tasks import HintPage, Phase, TaskState
from providers.dashscope.provider import HINT_PAGE, DashScope
from tests.providers.dashscope.wire import BASE, HTML, KEY, NOW, REQUEST_ID, error_body, without_key

ROWS = [
    {"task_id": "a", "gmt_create": NOW * 1000, "status": "PENDING", "model_name": "wan2.6-t2v"},
    {"task_id": "b", "gmt_create": NOW * 1000 - 5, "status": "SUCCEEDED", "model_name": "qwen-image"},
    {"task_id": "c", "gmt_create": NOW * 1000 - 6, "status": "UNKNOWN"},
    "no row",
]


async def page_of(provider: DashScope, router: respx.MockRouter, account: Account, **body: Any) -> HintPage:
    router.get(url__startswith=f"{BASE}/tasks").respond(json={"request_id": REQUEST_ID, **body})
    return await provider.hint(account, page=1, size=HINT_PAGE)


async def test_hint_on_the_wire(provider: DashScope, router: respx.MockRouter, account: Account) -> None:
    assert isinstance(provider, CanHint)
    route = router.get(url__startswith=f"{BASE}/tasks").respond(json={"data": ROWS, "page_size": 50, "total_page": 7})
    page = await provider.hint(account, page=3, size=100)
    sent = route.calls.last.request
    assert dict(sent.url.params) == {"page_no": "3", "page_size": "100"}
    assert sent.headers["authorization"] == f"Bearer {KEY}"
    assert "x-dashscope-async" not in sent.headers
    assert (page.size, page.pages, page.newest_first) == (50, 7, True)
    assert page.states[0] == TaskState("a", Phase.QUEUED, created_at=NOW, model="wan2.6-t2v")
    assert [(state.id, state.phase, state.result) for state in page.states[1:]] == [("b", Phase.COMPLETED, None)]


@pytest.mark.parametrize("value", [None, 0, -1, "many", True, [], float("1e400")])
async def test_size_and_pages_that_are_no_numbers_are_unknown(
    provider: DashScope, router: respx.MockRouter, account: Account, value: Any
) -> None:
    told = {} if value == float("inf") else {"page_size": value, "total_page": value}
    page = await page_of(provider, router, account, data=ROWS, **told)
    assert (page.size, page.pages, len(page.states)) == (None, None, 2)


async def test_pages_of_an_ascending_list_tell_their_order(
    provider: DashScope, router: respx.MockRouter, account: Account
) -> None:
    assert not (await page_of(provider, router, account, data=ROWS[1::-1])).newest_first


@pytest.mark.parametrize(("status", "body", "kind"), [
    (400, error_body("InvalidParameter", "page_size must be in [1, 50]"), ErrorKind.INVALID_REQUEST),
    (401, error_body("InvalidApiKey"), ErrorKind.INVALID_CREDENTIAL),
    (403, error_body("AccessDenied"), ErrorKind.NOT_ENTITLED),
    (429, error_body("Throttling.RateQuota"), ErrorKind.RATE_LIMITED),
    (500, error_body("InternalError"), ErrorKind.UPSTREAM_ERROR),
    (200, [], ErrorKind.UPSTREAM_ERROR),
    (200, {}, ErrorKind.UPSTREAM_ERROR),
    (200, error_body("InvalidApiKey"), ErrorKind.INVALID_CREDENTIAL),
])  # fmt: skip
async def test_failed_hint(
    provider: DashScope, router: respx.MockRouter, account: Account, status: int, body: Any, kind: ErrorKind
) -> None:
    router.get(url__startswith=f"{BASE}/tasks").respond(status, json=body)
    with pytest.raises(ProviderError) as caught:
        await provider.hint(account, page=1, size=HINT_PAGE)
    assert without_key(caught.value).kind is kind


@pytest.mark.parametrize("answer", [httpx.Response(502, text=HTML), httpx.Response(200, text="{")])
async def test_hint_that_is_no_json(
    provider: DashScope, router: respx.MockRouter, account: Account, answer: httpx.Response
) -> None:
    router.get(url__startswith=f"{BASE}/tasks").mock(return_value=answer)
    with pytest.raises(ProviderError) as caught:
        await provider.hint(account, page=1, size=HINT_PAGE)
    assert without_key(caught.value).kind is ErrorKind.UPSTREAM_ERROR
