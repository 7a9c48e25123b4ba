"""Where an account's calls go, and whether its key is alive."""

import httpx
import pytest
import respx

from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.provider import CanCheck, CanReadCredits, CanReceiveCredits
from providers.dashscope.provider import BASE_URL, DashScope
from providers.sandbox.server import SandboxServer
from providers.transport.client import HttpClient
from tests.providers.dashscope.wire import (
    ACCEPTED,
    BASE,
    HTML,
    ID,
    KEY,
    error_body,
    submitted,
    without_key,
)
from tests.upstream import alive as is_alive

HOSTS = {
    "cn-beijing": "https://dashscope.aliyuncs.com",
    "ap-southeast-1": "https://dashscope-intl.aliyuncs.com",
    "us-east-1": "https://dashscope-us.aliyuncs.com",
    "cn-hongkong": "https://cn-hongkong.dashscope.aliyuncs.com",
}
EMPTY = {"total": 0, "data": [], "total_page": 0, "page_no": 1, "page_size": 1, "request_id": "r"}


def test_what_it_can_do_for_an_account(provider: DashScope) -> None:
    assert isinstance(provider, CanCheck)
    assert not isinstance(provider, CanReadCredits)
    assert not isinstance(provider, CanReceiveCredits)
    assert provider.regions == set(HOSTS)


# --- regions ------------------------------------------------------------------------------------------------------


async def all_calls(provider: DashScope, account: Account) -> None:
    await submitted(provider, account)
    await provider.query([ID], account)
    await provider.cancel(ID, account)
    await provider.list(account, before=None, limit=1)
    await provider.check(account)


def everything(router: respx.MockRouter, base: str) -> list[respx.Route]:
    return [
        router.post(url__startswith=f"{base}/services/").respond(json=ACCEPTED),
        router.get(f"{base}/tasks/{ID}").respond(json=ACCEPTED),
        router.post(f"{base}/tasks/{ID}/cancel").respond(json={"request_id": "r"}),
        router.get(f"{base}/tasks").respond(json=EMPTY),
    ]


@pytest.mark.parametrize("region", HOSTS)
async def test_every_call_goes_to_the_host_of_the_region(
    provider: DashScope, router: respx.MockRouter, region: str
) -> None:
    routes = everything(router, f"{HOSTS[region]}/api/v1")
    await all_calls(provider, Account("dashscope", KEY, region=region))
    assert [route.call_count for route in routes] == [1, 1, 1, 2]


async def test_account_without_a_region_takes_the_base_url(
    http: HttpClient, router: respx.MockRouter, provider: DashScope
) -> None:
    account = Account("dashscope", KEY)
    assert BASE_URL == BASE
    for served, base in ((provider, BASE), (DashScope(http, "http://here/api/v1/"), "http://here/api/v1")):
        routes = everything(router, base)
        await all_calls(served, account)
        assert [route.call_count for route in routes] == [1, 1, 1, 2]


@pytest.mark.parametrize("region", HOSTS)
async def test_replaced_base_url_counts_for_every_region(
    http: HttpClient, router: respx.MockRouter, region: str
) -> None:
    routes = everything(router, "http://here/api/v1")
    await all_calls(DashScope(http, "http://here/api/v1"), Account("dashscope", KEY, region=region))
    assert [route.call_count for route in routes] == [1, 1, 1, 2]


async def test_same_base_url_spelt_otherwise_is_not_replaced(http: HttpClient, router: respx.MockRouter) -> None:
    route = router.get(f"{HOSTS['us-east-1']}/api/v1/tasks").respond(json=EMPTY)
    assert await is_alive(DashScope(http, BASE_URL + "/"), Account("dashscope", KEY, region="us-east-1"))
    assert route.called


# --- check --------------------------------------------------------------------------------------------------------


async def test_check_on_the_wire(router: respx.MockRouter) -> None:
    proxies: list[str | None] = []

    def transport(proxy: str | None) -> httpx.AsyncBaseTransport:
        proxies.append(proxy)
        return httpx.MockTransport(router.async_handler)

    route = router.get(f"{BASE}/tasks").respond(json=EMPTY)
    async with HttpClient(transport=transport) as http:
        assert await is_alive(DashScope(http), Account("dashscope", KEY, proxy="socks5://h:1")) is True
    assert proxies == ["socks5://h:1"]
    request = route.calls[0].request
    assert str(request.url) == f"{BASE}/tasks?page_no=1&page_size=1"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.content == b""
    assert route.call_count == 1


@pytest.mark.parametrize(
    ("answer", "alive"),
    [
        (httpx.Response(200, json=EMPTY), True),
        (httpx.Response(200, json=EMPTY | {"data": [{"task_id": ID, "status": "RUNNING"}]}), True),
        (httpx.Response(401, json=error_body("InvalidApiKey", "Invalid API-key provided.")), False),
        (httpx.Response(200, json=error_body("InvalidApiKey")), False),
        (httpx.Response(400, json=error_body("Arrearage", "Access denied, …")), True),
        (httpx.Response(403, json=error_body("AllocationQuota.FreeTierOnly")), True),
    ],
)
async def test_whether_the_key_is_alive(
    provider: DashScope, router: respx.MockRouter, account: Account, answer: httpx.Response, alive: bool
) -> None:
    router.get(f"{BASE}/tasks").mock(return_value=answer)
    assert await is_alive(provider, account) is alive


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (httpx.Response(429, json=error_body("Throttling.RateQuota")), ErrorKind.RATE_LIMITED),
        (httpx.Response(403, json=error_body("AccessDenied")), ErrorKind.NOT_ENTITLED),
        (httpx.Response(404, text=HTML), ErrorKind.UPSTREAM_ERROR),
        (httpx.Response(500, json=error_body("InternalError")), ErrorKind.UPSTREAM_ERROR),
        (httpx.Response(502, text=HTML), ErrorKind.UPSTREAM_ERROR),
        (httpx.Response(200, text=HTML), ErrorKind.UPSTREAM_ERROR),
        (httpx.Response(200, json=[]), ErrorKind.UPSTREAM_ERROR),
        (httpx.ReadTimeout("x"), ErrorKind.ANSWER_LOST),
        (httpx.ConnectError("x"), ErrorKind.UNREACHABLE),
    ],
)
async def test_other_errors_are_raised(
    provider: DashScope,
    router: respx.MockRouter,
    account: Account,
    answer: httpx.Response | Exception,
    kind: ErrorKind,
) -> None:
    router.get(f"{BASE}/tasks").mock(side_effect=[answer])
    with pytest.raises(ProviderError) as caught:
        await provider.check(account)
    assert without_key(caught.value).kind is kind


async def test_key_invalid_in_a_header_fails_the_check(provider: DashScope, router: respx.MockRouter) -> None:
    route = router.get(f"{BASE}/tasks").respond(json=EMPTY)
    assert await is_alive(provider, Account("dashscope", "sk-a\nb")) is False
    assert not route.called


async def test_against_the_sandbox() -> None:
    with SandboxServer() as upstream:
        async with HttpClient() as http:
            provider = DashScope(http, upstream.dashscope_url)
            assert await is_alive(provider, Account("dashscope", "sk-alive-1")) is True
            assert await is_alive(provider, Account("dashscope", "sk-expired-1")) is False
            poor = Account("dashscope", "sk-poor-1")
            with pytest.raises(ProviderError) as caught:
                await submitted(provider, poor)
            assert caught.value.kind is ErrorKind.NO_CREDITS
            assert await is_alive(provider, poor) is True
