"""The calls about an account itself, pinned to the wire, and what is made of their answers."""

from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import parse_qsl

import httpx
import orjson
import pytest
import respx
from hypothesis import given
from hypothesis import strategies as st

from providers.contract.accounts import Account, Credits
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.provider import CanCheck, CanReadCredits, CanReceiveCredits
from providers.jimeng.credits import parse_alive, parse_credits, parse_received
from providers.jimeng.history import Envelope
from providers.jimeng.provider import CREDITS_PATH, LOGIN_PATH, RECEIVE_PATH, Jimeng
from providers.jimeng.site import session
from providers.jimeng.site.regions import REGIONS, Hosts
from providers.sandbox.server import SandboxServer
from providers.sandbox.settings import SandboxSettings
from providers.transport.client import HttpClient
from tests.upstream import alive as is_alive

NOW = 1757737934
SECRET = "5e55101d0123456789"
PROXY = "http://u:p@proxy:8080"
CREDIT = {"credit": {"gift_credit": 60, "purchase_credit": 7, "vip_credit": 900}}


def account(region: str = "cn", **fields: Any) -> Account:
    return Account("jimeng", SECRET, region=region, **fields)


@pytest.fixture
def router() -> respx.MockRouter:
    return respx.MockRouter(assert_all_called=False)


@pytest.fixture
def proxies() -> list[str | None]:
    """The proxies that were gone through."""
    return []


@pytest.fixture
async def http(router: respx.MockRouter, proxies: list[str | None]) -> AsyncIterator[HttpClient]:
    def transport(proxy: str | None) -> httpx.AsyncBaseTransport:
        proxies.append(proxy)
        return httpx.MockTransport(router.async_handler)

    async with HttpClient(transport=transport) as client:
        yield client


@pytest.fixture
def jimeng(http: HttpClient) -> Jimeng:
    return Jimeng(http, now=lambda: NOW + 0.5)


def answer(data: Any, ret: object = "0") -> httpx.Response:
    return httpx.Response(200, json={"ret": ret, "errmsg": f"about {SECRET}", "data": data})


def test_it_can_do_all_three(jimeng: Jimeng) -> None:
    assert isinstance(jimeng, CanCheck)
    assert isinstance(jimeng, CanReadCredits)
    assert isinstance(jimeng, CanReceiveCredits)
    assert jimeng.regions == {"cn", "us", "hk", "jp", "sg"}


# --- requests -----------------------------------------------------------------------------------------------------

BASES = {
    "cn": "https://jimeng.jianying.com",
    "us": "https://dreamina-api.us.capcut.com",
    "hk": "https://mweb-api-sg.capcut.com",
    "jp": "https://mweb-api-sg.capcut.com",
    "sg": "https://mweb-api-sg.capcut.com",
}
COMMERCE = {
    "cn": "https://jimeng.jianying.com",
    "us": "https://commerce.us.capcut.com",
    "hk": "https://commerce-api-sg.capcut.com",
    "jp": "https://commerce-api-sg.capcut.com",
    "sg": "https://commerce-api-sg.capcut.com",
}
PAGES = dict.fromkeys(BASES, "https://dreamina.capcut.com") | {"cn": "https://jimeng.jianying.com"}
REFERERS: dict[str, Callable[[str], str]] = {
    "check": lambda region: BASES[region],
    "credits": lambda region: PAGES[region] + "/ai-tool/image/generate",
    "receive_credits": lambda region: PAGES[region] + "/ai-tool/home",
}
CALLS = [
    ("check", BASES, LOGIN_PATH, {}, {"user_id": "1"}, None),
    ("credits", COMMERCE, CREDITS_PATH, {}, CREDIT, Credits(60, 7, 900)),
    ("receive_credits", COMMERCE, RECEIVE_PATH, {"time_zone": "Asia/Shanghai"}, {"receive_quota": 66}, 66),
]
every_call = pytest.mark.parametrize(("method", "hosts", "path", "body", "data", "result"), CALLS)


@every_call
@pytest.mark.parametrize("region", REGIONS)
async def test_on_the_wire(
    jimeng: Jimeng,
    router: respx.MockRouter,
    proxies: list[str | None],
    method: str,
    hosts: dict[str, str],
    path: str,
    body: object,
    data: object,
    result: object,
    region: str,
) -> None:
    route = router.post(url__startswith=hosts[region] + path).mock(return_value=answer(data))
    mine = account(region, proxy=PROXY)
    assert await getattr(jimeng, method)(mine) == result
    assert proxies == [PROXY]
    assert route.call_count == 1
    request = route.calls[0].request
    assert str(request.url.copy_with(query=None)) == hosts[region] + path
    assert orjson.loads(request.content) == body
    headers = session.headers(mine, REGIONS[region], path, NOW, REFERERS[method](region))
    assert {name: request.headers[name] for name in headers} == headers
    assert request.headers["Sign"] == session.sign(path, NOW)
    common = {name: str(value) for name, value in session.query(mine, REGIONS[region]).items()}
    assert (
        dict(parse_qsl(request.url.query.decode()))
        == {
            "check": {**common, "account_sdk_source": "web"},
            "credits": {},
            "receive_credits": common,
        }[method]
    )


def test_paths_are_those_of_the_reference() -> None:
    assert LOGIN_PATH == "/passport/account/info/v2"
    assert CREDITS_PATH == "/commerce/v1/benefits/user_credit"
    assert RECEIVE_PATH == "/commerce/v1/benefits/credit_receive"


async def test_replaced_hosts(http: HttpClient, router: respx.MockRouter) -> None:
    jimeng = Jimeng(http, hosts=Hosts("http://here:1", "http://there:2/"))
    router.post(url__startswith=f"http://here:1{LOGIN_PATH}").mock(return_value=answer({"user_id": 1}))
    router.post(f"http://there:2{CREDITS_PATH}").mock(return_value=answer(CREDIT))
    router.post(url__startswith=f"http://there:2{RECEIVE_PATH}").mock(return_value=answer({}))
    assert await is_alive(jimeng, account("us"))
    assert (await jimeng.credits(account("us"))).total == 967
    assert await jimeng.receive_credits(account("us")) == 0


@every_call
async def test_rejected_signature_is_retried_once(
    jimeng: Jimeng,
    router: respx.MockRouter,
    method: str,
    hosts: dict[str, str],
    path: str,
    body: object,
    data: object,
    result: object,
) -> None:
    route = router.post(url__startswith=hosts["us"] + path)
    route.side_effect = [answer(None, "1014"), answer(data)]
    assert await getattr(jimeng, method)(account("us")) == result
    assert route.call_count == 2


# --- answers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "alive"),
    [
        ({"ret": "0", "data": {"user_id": "12"}}, True),
        ({"ret": 0, "data": {"user_id": 12}}, True),
        ({"user_id": "12"}, True),
        ({"message": "success", "data": {"user_id": 12}}, True),
        ({"ret": "0", "data": {}}, False),
        ({"ret": "0", "data": None}, False),
        ({"ret": "0", "data": {"user_id": 0}}, False),
        ({"ret": "0", "data": {"user_id": ""}}, False),
        ({"ret": "1015", "errmsg": "login error"}, False),
        ({"ret": 1015, "data": {"user_id": "12"}}, False),
    ],
)
async def test_whether_the_login_is_alive(jimeng: Jimeng, router: respx.MockRouter, body: object, alive: bool) -> None:
    router.post(url__startswith=BASES["cn"]).respond(json=body)
    assert await is_alive(jimeng, account()) is alive


class TestPassportWithoutUser:
    """The credits tell whether the login is alive."""

    NOTHING = (
        httpx.Response(404, text="<html>TLB"),
        httpx.Response(404),
        httpx.Response(403, text="<html>"),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json={}),
        httpx.Response(200, json={"message": "error", "data": {"description": "busy"}}),
    )
    nothing = pytest.mark.parametrize("passport", NOTHING)

    @pytest.fixture
    def routes(self, router: respx.MockRouter) -> tuple[respx.Route, respx.Route]:
        return (
            router.post(url__startswith=BASES["sg"] + LOGIN_PATH),
            router.post(url__startswith=COMMERCE["sg"] + CREDITS_PATH),
        )

    @nothing
    @pytest.mark.parametrize("data", [CREDIT, {}, None])
    async def test_ret_0_is_alive(
        self, jimeng: Jimeng, routes: tuple[respx.Route, respx.Route], passport: httpx.Response, data: object
    ) -> None:
        routes[0].side_effect, routes[1].side_effect = [passport], [answer(data)]
        assert await is_alive(jimeng, account("sg"))

    @nothing
    @pytest.mark.parametrize("ret", ["1015", "34010105"])
    async def test_rejected_login_is_invalid(
        self, jimeng: Jimeng, routes: tuple[respx.Route, respx.Route], passport: httpx.Response, ret: str
    ) -> None:
        routes[0].side_effect, routes[1].side_effect = [passport], [answer(None, ret)]
        assert not await is_alive(jimeng, account("sg"))

    @pytest.mark.parametrize(
        ("credits", "kind"),
        [
            (answer(None, "1019"), ErrorKind.RESTRICTED),
            (httpx.Response(404), ErrorKind.UPSTREAM_ERROR),
            (httpx.Response(200, json={}), ErrorKind.UPSTREAM_ERROR),
            (httpx.ReadTimeout("x"), ErrorKind.ANSWER_LOST),
        ],
    )
    async def test_any_other_response_does_not_decide_on_the_login(
        self,
        jimeng: Jimeng,
        routes: tuple[respx.Route, respx.Route],
        credits: httpx.Response | Exception,
        kind: ErrorKind,
    ) -> None:
        routes[0].side_effect, routes[1].side_effect = [httpx.Response(404)], [credits]
        with pytest.raises(ProviderError) as caught:
            await jimeng.check(account("sg"))
        assert caught.value.kind is kind

    @pytest.mark.parametrize("passport", [httpx.Response(500), httpx.Response(503, text="<html>")])
    async def test_passport_error_is_raised(
        self, jimeng: Jimeng, routes: tuple[respx.Route, respx.Route], passport: httpx.Response
    ) -> None:
        routes[0].side_effect = [passport]
        with pytest.raises(ProviderError):
            await jimeng.check(account("sg"))
        assert not routes[1].called


async def test_credits_as_text(jimeng: Jimeng, router: respx.MockRouter) -> None:
    body = {"ret": "0", "errmsg": "success", "response": orjson.dumps(CREDIT).decode(), "sign": "x"}
    router.post(url__startswith=COMMERCE["us"]).respond(json=body)
    assert await jimeng.credits(account("us")) == Credits(60, 7, 900)


TROUBLES = [
    (httpx.Response(500), ErrorKind.UPSTREAM_ERROR),
    (httpx.Response(403, text="<html>"), ErrorKind.UPSTREAM_ERROR),
    (httpx.Response(200, text="<html>"), ErrorKind.UPSTREAM_ERROR),
    (httpx.Response(200, json={}), ErrorKind.UPSTREAM_ERROR),
    (httpx.Response(200, json={"message": "error", "data": {"description": "busy"}}), ErrorKind.UPSTREAM_ERROR),
    (answer(None, "1019"), ErrorKind.RESTRICTED),
    (answer(None, 1057), ErrorKind.RATE_LIMITED),
    (answer(None, "987654"), ErrorKind.UPSTREAM_ERROR),
    (httpx.Response(429, headers={"retry-after": "7"}), ErrorKind.RATE_LIMITED),
    (httpx.ReadTimeout("x"), ErrorKind.ANSWER_LOST),
    (httpx.ConnectError("x"), ErrorKind.UNREACHABLE),
]


@pytest.mark.parametrize("method", ["check", "credits", "receive_credits"])
@pytest.mark.parametrize(("trouble", "kind"), TROUBLES)
async def test_other_errors_are_raised(
    jimeng: Jimeng, router: respx.MockRouter, method: str, trouble: httpx.Response | Exception, kind: ErrorKind
) -> None:
    # Of a check it may be the passport's, and then the credits are asked.
    router.post(url__startswith=BASES["cn"]).mock(side_effect=[trouble, trouble])
    with pytest.raises(ProviderError) as caught:
        await getattr(jimeng, method)(account())
    assert caught.value.kind is kind
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("method", ["credits", "receive_credits"])
async def test_expired_login_has_no_credits(jimeng: Jimeng, router: respx.MockRouter, method: str) -> None:
    router.post(url__startswith=BASES["cn"]).mock(return_value=answer(None, 1015))
    with pytest.raises(ProviderError) as caught:
        await getattr(jimeng, method)(account())
    assert caught.value.kind is ErrorKind.INVALID_CREDENTIAL


@pytest.mark.parametrize("data", [None, [], "x", {}, {"credit": None}, {"credit": []}, {"gift_credit": 5}])
async def test_answer_without_credits_is_not_read_as_none_left(
    jimeng: Jimeng, router: respx.MockRouter, data: object
) -> None:
    router.post(url__startswith=BASES["cn"]).mock(return_value=answer(data))
    with pytest.raises(ProviderError) as caught:
        await jimeng.credits(account())
    assert caught.value.kind is ErrorKind.UPSTREAM_ERROR


@pytest.mark.parametrize(
    ("credit", "found"),
    [
        ({}, Credits()),
        ({"gift_credit": "60", "vip_credit": 5.0}, Credits(gift=60, vip=5)),
        ({"gift_credit": None, "purchase_credit": True, "vip_credit": {}}, Credits()),
        ({"gift_credit": -3, "purchase_credit": "many", "vip_credit": " 4 "}, Credits(vip=4)),
    ],
)
def test_odd_credits_are_none(credit: object, found: Credits) -> None:
    assert parse_credits({"credit": credit}) == found


@pytest.mark.parametrize(
    ("data", "received"),
    [
        ({"receive_quota": 66}, 66),
        ({"receive_quota": "66"}, 66),
        ({"receive_quota": 0}, 0),
        ({}, 0),
        (None, 0),
        ({"receive_quota": None}, 0),
        ({"receive_quota": -1}, 0),
        ([], 0),
    ],
)
def test_what_was_received(data: object, received: int) -> None:
    assert parse_received(Envelope("0", "", data)) == received


def test_bare_response_must_name_the_received_credits() -> None:
    assert parse_received(Envelope("0", "", {"receive_quota": 5}, bare=True)) == 5
    assert parse_received(Envelope("0", "", {"message": "busy"}, bare=True)) is None


NAMES = ["credit", "gift_credit", "purchase_credit", "vip_credit", "receive_quota", "user_id", "data"]
FOREIGN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.from_regex(r"-?\d{1,30}"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6),
    max_leaves=12,
)


@given(FOREIGN)
def test_credits_are_non_negative_integers(data: Any) -> None:
    found = parse_credits(data)
    assert (found is None) == (not isinstance(data, dict) or not isinstance(data.get("credit"), dict))
    if found is not None:
        amounts = (found.gift, found.purchase, found.vip)
        assert all(type(amount) is int and amount >= 0 for amount in amounts)
        assert found.total == sum(amounts)


@given(FOREIGN, st.booleans())
def test_received_credits_are_a_non_negative_integer(data: Any, bare: bool) -> None:
    received = parse_received(Envelope("0", "", data, bare=bare))
    assert received is None or (type(received) is int and received >= 0)
    assert bare or received is not None


@given(FOREIGN, st.booleans())
def test_login_is_valid_only_with_a_user(data: Any, bare: bool) -> None:
    alive = parse_alive(Envelope("0", "", data, bare=bare))
    if alive:
        assert "user_id" in data or "user_id" in data["data"]
    assert alive is not None or bare
    assert alive is not False or not bare


# --- the sandbox --------------------------------------------------------------------------------------------------


async def test_against_the_sandbox() -> None:
    with SandboxServer(SandboxSettings(credits=66)) as upstream:
        async with HttpClient() as http:
            jimeng = Jimeng(http, hosts=Hosts(upstream.jimeng_url))
            for region in REGIONS:
                mine = Account("jimeng", f"session-of-{region}", region=region)
                assert await is_alive(jimeng, mine) is True
                before = (await jimeng.credits(mine)).total
                received = await jimeng.receive_credits(mine)
                assert received > 0
                assert (await jimeng.credits(mine)).total == before + received
                assert await jimeng.receive_credits(mine) == 0
            assert await is_alive(jimeng, Account("jimeng", "expired-session", region="cn")) is False
