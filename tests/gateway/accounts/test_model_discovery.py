"""Live model lists: cached for an hour, refreshed in the background, served stale while the upstream is unavailable."""

import asyncio
import logging

import pytest

from gateway.accounts import model_discovery
from gateway.accounts.model_discovery import (
    FRESH_SECONDS,
    REFRESH_SECONDS,
    RETRY_SECONDS,
    Discovery,
    ModelIndex,
    ModelList,
)
from gateway.core.background_tasks import Background
from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind
from providers.contract.models import ModelCard
from providers.contract.provider import CanDiscover
from providers.contract.upstream import Upstream
from tests.clock import TestClock
from tests.upstream import DiscoveringProvider, ScriptedProvider, card, provider_error

ONE, TWO = (Account("scripted", f"s-{number}", region="cn") for number in (1, 2))
ABROAD = Account("scripted", "s-3", region="us")
OLD, NEW = card("old", "scripted"), card("new", "scripted")


def list_of(provider: Upstream) -> ModelList[ModelCard] | None:
    return provider.discover if isinstance(provider, CanDiscover) else None


class Shop:
    def __init__(self) -> None:
        self.clock = TestClock()
        self.provider = DiscoveringProvider({"cn": [OLD], "us": [NEW]})
        self.discovery: Discovery[ModelCard] = Discovery(self.clock, Background(), list_of)

    async def names(self, account: Account = ONE) -> list[str] | None:
        index = await self.discovery.models(self.provider, account)
        return None if index is None else [card.name for card in index]

    async def validated(self, account: Account = ONE) -> list[str] | None:
        """The model names after all background work."""
        await self.names(account)
        for _ in range(10):
            await asyncio.sleep(0)
        return await self.names(account)


@pytest.fixture
def shop() -> Shop:
    return Shop()


async def test_provider_without_a_list_uses_its_table(shop: Shop) -> None:
    assert await shop.discovery.models(ScriptedProvider(), ONE) is None


async def test_first_account_of_a_site_waits_for_its_list(shop: Shop) -> None:
    assert await shop.names() == ["old"]
    assert shop.provider.discovered == ["s-1"]


async def test_list_is_cached_for_an_hour(shop: Shop) -> None:
    await shop.names()
    shop.clock.move(FRESH_SECONDS - 1)
    await shop.validated()
    assert len(shop.provider.discovered) == 1
    shop.clock.move(1)
    shop.provider.listed["cn"] = [NEW]
    # The first request then gets the old list at once, the next one the new list.
    assert await shop.names() == ["old"]
    assert await shop.validated() == ["new"]
    assert len(shop.provider.discovered) == 2


async def test_sites_have_separate_lists(shop: Shop) -> None:
    assert [await shop.names(ONE), await shop.names(ABROAD)] == [["old"], ["new"]]


async def test_another_account_of_the_site_uses_the_cache_and_refreshes_in_the_background(shop: Shop) -> None:
    await shop.names(ONE)
    shop.provider.gate.clear()
    assert await shop.names(TWO) == ["old"]
    shop.provider.listed["cn"] = [OLD, NEW]
    shop.provider.gate.set()
    assert await shop.validated(TWO) == ["old", "new"]
    assert await shop.names(ONE) == ["old"]


async def test_list_read_through_a_proxy_is_used_for_accounts_behind_it_only(shop: Shop) -> None:
    proxied, beside, elsewhere = (
        Account("scripted", f"p-{number}", region="cn", proxy=f"http://{host}:1080")
        for number, host in enumerate(("evil", "evil", "other"))
    )
    shop.provider.listed["cn"] = [NEW]
    assert await shop.names(proxied) == ["new"]
    shop.provider.gate.clear()
    assert await shop.names(beside) == ["new"]
    shop.provider.listed["cn"] = [OLD]
    shop.provider.gate.set()
    assert await shop.names(ONE) == ["old"]
    # A list that was read without a proxy is trusted.
    shop.provider.gate.clear()
    assert await shop.names(elsewhere) == ["old"]
    assert await shop.names(TWO) == ["old"]


async def test_refresh_through_a_proxy_applies_to_accounts_behind_it_only(shop: Shop) -> None:
    proxied, beside = (Account("scripted", f"p-{number}", region="cn", proxy="http://evil:1080") for number in (1, 2))
    # All of them share the same list.
    for account in (ONE, proxied, beside):
        assert await shop.validated(account) == ["old"]
    shop.provider.listed["cn"] = [NEW]
    await shop.discovery.refresh(shop.provider, proxied)
    shop.provider.gate.clear()
    assert [await shop.names(account) for account in (proxied, beside, ONE)] == [["new"], ["new"], ["old"]]


async def test_hanging_proxy_does_not_delay_other_lists(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_discovery, "WAIT_SECONDS", 0.01)
    shop.provider.gate.clear()
    for number in range(10):
        await shop.names(Account("scripted", f"p-{number}", region="cn", proxy="http://slow:1080"))
    waiting = asyncio.create_task(shop.names())
    for _ in range(5):
        await asyncio.sleep(0)
    assert shop.provider.discovered[-1] == "s-1"
    shop.provider.gate.set()
    assert await waiting == ["old"]


async def test_number_of_waiting_accounts_is_limited(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_discovery, "WAIT_SECONDS", 0.01)
    monkeypatch.setattr(model_discovery, "_MAX_PENDING", 5)
    shop.provider.gate.clear()
    for number in range(10):
        await shop.names(Account("scripted", f"x-{number}", region="cn"))
    shop.provider.gate.set()
    assert await shop.validated(Account("scripted", "x-0", region="cn")) == ["old"]
    assert len(shop.provider.discovered) == 5
    assert await shop.validated() == ["old"]
    assert shop.provider.discovered[-1] == "s-1"


async def test_concurrent_requests_read_the_list_once(shop: Shop) -> None:
    assert await asyncio.gather(*(shop.names() for _ in range(20))) == [["old"]] * 20
    assert len(shop.provider.discovered) == 1


async def test_list_is_kept_while_the_site_is_unreachable_and_the_error_is_logged_once(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "gateway")
    await shop.names()
    shop.provider.listed["cn"] = provider_error(ErrorKind.UNREACHABLE, detail="s-1 is away")
    for _ in range(3):
        shop.clock.move(FRESH_SECONDS)
        assert await shop.validated() == ["old"]
    assert [record.getMessage() for record in caplog.records] == [
        f"scripted: cannot read the model list of {ONE.label} (unreachable s-1 is away); using the previous list"
    ]


async def test_without_a_list_the_table_is_used_and_the_site_is_retried_later(shop: Shop) -> None:
    shop.provider.listed["cn"] = provider_error(ErrorKind.UPSTREAM_ERROR, "404")
    assert await shop.validated() is None
    shop.clock.move(RETRY_SECONDS - 1)
    assert await shop.validated() is None
    assert len(shop.provider.discovered) == 1
    shop.clock.move(1)
    shop.provider.listed["cn"] = [OLD]
    assert await shop.validated() == ["old"]


async def test_hanging_site_is_waited_for_once(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_discovery, "WAIT_SECONDS", 0.01)
    shop.provider.gate.clear()
    assert await shop.names() is None
    monkeypatch.setattr(model_discovery, "WAIT_SECONDS", 60)
    assert await asyncio.wait_for(shop.names(), 1) is None
    shop.provider.gate.set()
    assert await shop.validated() == ["old"]


async def test_model_error_refreshes_the_list_but_not_at_every_submit(shop: Shop) -> None:
    await shop.names()
    shop.provider.listed["cn"] = [NEW]
    await shop.discovery.refresh(shop.provider, ONE)
    assert await shop.names() == ["new"]
    shop.clock.move(REFRESH_SECONDS - 1)
    await shop.discovery.refresh(shop.provider, ONE)
    assert len(shop.provider.discovered) == 2
    shop.clock.move(1)
    await shop.discovery.refresh(shop.provider, ONE)
    assert len(shop.provider.discovered) == 3


async def test_reload_refreshes_the_list_and_serves_the_old_one_meanwhile(shop: Shop) -> None:
    await shop.names()
    shop.discovery.expire()
    shop.provider.listed["cn"] = [NEW]
    assert await shop.names() == ["old"]
    assert await shop.validated() == ["new"]


async def test_named_account_that_changes_its_site_uses_that_sites_list(shop: Shop) -> None:
    before, after = (Account("scripted", "s-4", name="main", region=region) for region in ("cn", "us"))
    assert await shop.names(before) == ["old"]
    shop.discovery.expire()
    assert await shop.names(after) == ["new"]


def test_model_is_found_by_name_key_and_title_in_any_case() -> None:
    model = ModelCard("jimeng-video-seedance-2.5", "jimeng", key="dreamina_45", title="即梦 Seedance 2.5")
    index = ModelIndex([model], live=True)
    for name in (model.name, model.key, model.title, "Jimeng-Video-Seedance-2.5", "即梦  SEEDANCE 2.5 "):
        assert index.get(name) is model
    assert index.get("") is None


def test_name_takes_precedence_over_the_title_of_another_model() -> None:
    one, other = ModelCard("a", "jimeng", title="b"), ModelCard("b", "jimeng")
    assert ModelIndex([one, other], live=True).get("b") is other


async def test_refresh_of_one_account_applies_to_all_with_the_same_list(shop: Shop) -> None:
    own = Account("scripted", "s-own", region="cn")
    for account in (ONE, TWO):
        await shop.validated(account)
    shop.provider.listed["cn"] = [OLD, NEW]
    assert await shop.validated(own) == ["old", "new"]
    shop.provider.listed["cn"] = [NEW]
    await shop.discovery.refresh(shop.provider, ONE)
    assert [await shop.names(account) for account in (ONE, TWO)] == [["new"], ["new"]]
    # A different list of an account is not changed.
    assert await shop.names(own) == ["old", "new"]
    assert shop.provider.discovered.count("s-2") == 1


async def test_refresh_begun_before_the_model_error_does_not_count(shop: Shop) -> None:
    shop.provider.gate.clear()
    before = asyncio.create_task(shop.names())
    await asyncio.sleep(0)
    after = asyncio.create_task(shop.discovery.refresh(shop.provider, ONE))
    await asyncio.sleep(0)
    shop.provider.gate.set()
    await before
    shop.provider.listed["cn"] = [NEW]
    await after
    assert await shop.names() == ["new"]
    assert len(shop.provider.discovered) == 2
