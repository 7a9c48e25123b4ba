"""Authentication of callers, with gateway keys and with pass-through credentials."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.accounts.callers import MAX_CREDENTIALS, NO_OWNER, Callers, GatewayKey, parse_key
from gateway.core.errors import GatewayError
from providers.contract.accounts import Account, CallerProxy, public_tag
from providers.dashscope.provider import DashScope
from providers.jimeng.provider import Jimeng
from providers.registry import Registry
from providers.transport.client import HttpClient

HTTP = HttpClient()
REGISTRY = Registry([DashScope(HTTP), Jimeng(HTTP)])
ACCOUNTS = (Account("jimeng", "managed-session", region="cn"),)
OPEN = Callers(REGISTRY)
CLOSED = Callers(REGISTRY, keys=[GatewayKey("gw-one", "alice"), GatewayKey("gw-two")], accounts=ACCOUNTS)
BOTH = Callers(REGISTRY, keys=[GatewayKey("gw-one", "alice")], accounts=ACCOUNTS, pass_through=True)


def error_of(callers: Callers, authorization: str) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        callers.identify(authorization)
    assert caught.value.spec.status == 401
    return caught.value


@pytest.mark.parametrize("proxy", ["http://10.0.0.1:3128", "socks5://u:p@h:1"])
def test_proxy_of_a_caller_is_refused_if_disabled(proxy: str) -> None:
    closed = Callers(REGISTRY, proxies=False)
    assert closed.identify("Bearer us-session").accounts[0].region == "us"
    error = error_of(closed, f"Bearer us-session,{proxy}@us-other")
    assert (error.code, "prefix" in error.message("en")) == ("invalid_api_key", True)
    assert OPEN.identify(f"Bearer {proxy}@us-other").accounts[0].proxy == CallerProxy(proxy)


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer  ", "Basic abc", "abc", "bearer"])
@pytest.mark.parametrize("callers", [OPEN, CLOSED, BOTH])
def test_missing_credential_is_refused(callers: Callers, authorization: str) -> None:
    assert error_of(callers, authorization).message("zh") == "未提供认证令牌"


@pytest.mark.parametrize(
    ("bearer", "providers"),
    [
        ("abc", ["jimeng"]),
        ("sk-abc", ["dashscope"]),
        ("sk-abc,abc,us-def", ["dashscope", "jimeng", "jimeng"]),
        (" abc , , def ", ["jimeng", "jimeng"]),
        ("abc,abc", ["jimeng"]),
        ("ms-abc,abc", ["jimeng"]),
        ("dashscope:abc", ["dashscope"]),
    ],
)
def test_pass_through_credentials(bearer: str, providers: list[str]) -> None:
    caller = OPEN.identify(f"Bearer {bearer}")
    assert [account.provider for account in caller.accounts] == providers
    assert (caller.managed, caller.owner) == (False, NO_OWNER)


@pytest.mark.parametrize("bearer", ["ms-abc", ",", "a b", "日本語"])
def test_credential_of_no_provider_is_refused(bearer: str) -> None:
    assert "sk-" in error_of(OPEN, f"Bearer {bearer}").message("en")


def test_too_many_credentials_are_refused_and_long_headers_are_not_cached() -> None:
    error = error_of(OPEN, "Bearer " + ",".join(f"session{number}" for number in range(MAX_CREDENTIALS + 1)))
    assert str(MAX_CREDENTIALS) in error.message("en")
    callers = Callers(REGISTRY)
    callers.identify("Bearer " + "a" * 4000 + "," + "b" * 4000)
    assert not callers._cached


def test_gateway_key_is_never_taken_for_a_session() -> None:
    error_of(OPEN, "Bearer gw-unknown")
    error_of(BOTH, "Bearer gw-unknown")


def test_managed_key_uses_the_gateways_accounts() -> None:
    caller = CLOSED.identify("bearer gw-one")
    assert (caller.accounts, caller.managed, caller.name) == (ACCOUNTS, True, "alice")
    assert caller.owner != CLOSED.identify("Bearer gw-two").owner


def test_with_keys_other_credentials_are_refused_unless_pass_through() -> None:
    for bearer in ("abc", "sk-abc", "gw-on", "gw-onee", "GW-ONE"):
        error_of(CLOSED, f"Bearer {bearer}")
    assert BOTH.identify("Bearer sk-abc").managed is False
    assert BOTH.identify("Bearer gw-one").managed is True


def test_named_key_keeps_its_owner_when_it_is_replaced() -> None:
    assert parse_key("alice:gw-1").owner == parse_key("alice:gw-2").owner
    assert parse_key("gw-1").owner != parse_key("gw-2").owner
    assert parse_key("bob:gw-1") == GatewayKey("gw-1", "bob")


def test_caller_of_an_earlier_configuration_gets_the_accounts_of_now() -> None:
    accounts = (Account("jimeng", "new", region="cn"),)
    now = Callers(REGISTRY, keys=[GatewayKey("gw-one", "alice")], accounts=accounts, pass_through=True)
    managed, own = CLOSED.identify("Bearer gw-one"), OPEN.identify("Bearer us-session")
    assert now.current(managed) == now.identify("Bearer gw-one")
    assert now.current(own) is own


def test_caller_that_is_no_longer_accepted_is_an_error() -> None:
    now = Callers(REGISTRY, keys=[GatewayKey("gw-two", "bob")])
    for caller in (CLOSED.identify("Bearer gw-one"), OPEN.identify("Bearer us-session")):
        with pytest.raises(GatewayError) as caught:
            now.current(caller)
        assert caught.value.code == "invalid_api_key"


def test_holders_stay_the_same_beside_a_proxy_or_another_credential() -> None:
    one = OPEN.identify("Bearer us-session")
    assert set(one.holders) < set(OPEN.identify("Bearer us-session,us-other").holders)
    assert one.holders == OPEN.identify("Bearer http://proxy.example:1@us-session").holders


def test_repr_of_keys_and_callers_shows_no_secret() -> None:
    assert "gw-one" not in repr(GatewayKey("gw-one", "alice"))
    assert "s3cret-session" not in repr(OPEN.identify("Bearer s3cret-session"))


def test_accounts_differ_by_provider_and_tag() -> None:
    caller = OPEN.identify("Bearer sk-abc,abc,us-def,jp-ghi")
    assert [account.region for account in caller.accounts_of("jimeng")] == ["cn", "us", "jp"]
    assert len(caller.accounts_of("dashscope")) == 1
    assert caller.account(public_tag(caller.accounts[1])) is caller.accounts[1]
    assert caller.account("0" * 12) is None


@given(st.text())
def test_any_header_is_a_caller_or_401(authorization: str) -> None:
    for callers in (OPEN, CLOSED, BOTH):
        try:
            assert callers.identify(authorization).accounts
        except GatewayError as error:
            status = error.spec.status
            assert status == 401
