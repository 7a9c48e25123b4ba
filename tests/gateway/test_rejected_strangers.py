"""Many credentials that an upstream rejects: callers with working ones lose nothing, and the log stays short."""

import asyncio
import logging
from collections.abc import Mapping, Sequence

import pytest

from gateway.accounts.health import AccountState
from gateway.accounts.pool import ManagedAccount
from gateway.accounts.records import MAX_PASS_THROUGH_RECORDS, MAX_UNKNOWN_RECORDS
from gateway.accounts.trouble_log import SUMMARY_SECONDS
from gateway.core.errors import GatewayError
from gateway.polling.poller import MAX_BATCHERS, MAX_UNKNOWN_BATCHERS
from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.models import ModelCard
from providers.contract.requests import Submission, VideoRequest
from providers.contract.tasks import Phase, TaskState
from tests.gateway_fixture import GatewayFixture, pass_through_caller
from tests.upstream import ScriptedProvider, State, provider_error

GUEST = Account("scripted", "s-guest")
GUEST_CALLER = pass_through_caller(GUEST)
STRANGERS = 300


class RejectsStrangers(ScriptedProvider):
    """Accepts one credential. Lists its models live."""

    async def submit(self, prepared: VideoRequest, account: Account, *, submit_key: str) -> Submission:
        self._check(account)
        return await super().submit(prepared, account, submit_key=submit_key)

    async def query(self, ids: Sequence[str], account: Account) -> Mapping[str, State]:
        self._check(account)
        self.asked.append((account.credential, tuple(ids)))
        return {id: TaskState(id, Phase.PROCESSING) for id in ids}

    async def discover(self, account: Account) -> Sequence[ModelCard]:
        self._check(account)
        return list(self.cards.values())

    def _check(self, account: Account) -> None:
        if account != GUEST:
            raise ProviderError(ErrorKind.INVALID_CREDENTIAL)


def stranger(number: int) -> Account:
    return Account("scripted", f"s-stranger-{number}")


@pytest.fixture
def env() -> GatewayFixture:
    return GatewayFixture(RejectsStrangers())


async def test_guest_keeps_its_record_rate_limit_and_tasks(env: GatewayFixture) -> None:
    submitted = await env.submit(GUEST_CALLER)
    await env.tasks.status(GUEST_CALLER, submitted.id)
    poller, now = env.process.poller, env.clock.monotonic()
    poller.acquire(env.provider, GUEST, 3)
    record, batcher = env.pool.record(GUEST), poller._batcher(env.provider, GUEST)
    for number in range(MAX_PASS_THROUGH_RECORDS + MAX_UNKNOWN_RECORDS):
        rejected = {"t": provider_error(ErrorKind.INVALID_CREDENTIAL)}
        env.pool.on_results(stranger(number), rejected, now)
    for number in range(MAX_BATCHERS + MAX_UNKNOWN_BATCHERS):
        poller._batcher(env.provider, stranger(number))
    assert env.pool.record(GUEST) is record
    assert list(record.running) == [submitted.upstream_id]
    assert poller._batcher(env.provider, GUEST) is batcher
    assert poller._batcher(env.provider, GUEST).limiter is batcher.limiter
    assert poller.fresh(GUEST, submitted.upstream_id, env.clock.monotonic()) is not None


async def test_guest_that_only_polls_keeps_its_rate_limit(env: GatewayFixture) -> None:
    poller = env.process.poller
    await env.tasks.status(GUEST_CALLER, "scripted-7")
    limiter = poller._batcher(env.provider, GUEST).limiter
    for number in range(MAX_BATCHERS + MAX_UNKNOWN_BATCHERS):
        poller._batcher(env.provider, stranger(number))
    assert poller._batcher(env.provider, GUEST).limiter is limiter


async def test_pause_of_a_guest_is_remembered(env: GatewayFixture) -> None:
    await env.submit(GUEST_CALLER)
    env.pool.record_failure(GUEST, provider_error(ErrorKind.RESTRICTED), "", sent_at=env.clock.monotonic())
    for number in range(MAX_PASS_THROUGH_RECORDS + MAX_UNKNOWN_RECORDS):
        env.pool.record_failure(stranger(number), provider_error(ErrorKind.INVALID_CREDENTIAL), "", sent_at=0.0)
    assert env.pool.status(GUEST).state is AccountState.RESTRICTED


async def test_memory_of_strangers_is_limited(env: GatewayFixture) -> None:
    for number in range(MAX_UNKNOWN_RECORDS + 100):
        env.pool.record_failure(stranger(number), provider_error(ErrorKind.INVALID_CREDENTIAL), "", sent_at=0.0)
        env.process.poller._batcher(env.provider, stranger(number))
    assert len(env.pool) == MAX_UNKNOWN_RECORDS
    assert len(env.process.poller._batchers) == len(env.process.poller._limiters) == MAX_UNKNOWN_BATCHERS


async def test_strangers_are_counted_in_one_line_a_minute(
    env: GatewayFixture, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "gateway"):
        for number in range(STRANGERS):
            with pytest.raises(GatewayError) as caught:
                await env.submit(pass_through_caller(stranger(number)))
            assert caught.value.code == "invalid_api_key"
            with pytest.raises(GatewayError):
                await env.tasks.status(pass_through_caller(stranger(-number - 1)), "scripted-7")
    lines = [(record.levelname, record.getMessage(), getattr(record, "fields", {})) for record in caplog.records]
    assert lines == [("INFO", "trouble with accounts of pass-through callers", {"expired": 1})]
    caplog.clear()
    env.clock.move(SUMMARY_SECONDS)
    with caplog.at_level(logging.INFO, "gateway"):
        env.pool.record_failure(
            stranger(-9999), provider_error(ErrorKind.RESTRICTED), "", sent_at=env.clock.monotonic()
        )
    (line,) = caplog.records
    assert getattr(line, "fields", {}) == {"expired": 2 * STRANGERS - 1, "restricted": 1}


async def test_pause_of_a_managed_account_is_a_warning_each(
    env: GatewayFixture, caplog: pytest.LogCaptureFixture
) -> None:
    own = [Account("scripted", f"s-own-{number}", name=f"own-{number}") for number in range(3)]
    env.pool.manage([ManagedAccount(one) for one in own])
    for one in own:
        env.pool.record_failure(one, provider_error(ErrorKind.RESTRICTED), "", sent_at=env.clock.monotonic())
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 3


async def test_proxies_of_strangers_push_out_none_of_a_managed_account(
    env: GatewayFixture, caplog: pytest.LogCaptureFixture
) -> None:
    own = Account("scripted", "s-own", name="own", proxy="http://own:1")
    env.pool.manage([ManagedAccount(own)])
    failed = provider_error(ErrorKind.UNREACHABLE)
    env.pool.proxy_failed(own, failed)
    for number in range(1100):
        env.pool.proxy_failed(Account("scripted", "s-x", proxy=f"http://p{number}:1"), failed)
    assert env.pool.status(own).state is AccountState.UNREACHABLE
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        "proxy unreachable, its accounts are tried last for a minute"
    ]


async def test_model_list_of_a_guest_is_kept(env: GatewayFixture) -> None:
    discovery = env.process.discovery
    await env.submit(GUEST_CALLER)
    entry = discovery._entry(GUEST)
    for number in range(5000):
        discovery._entry(stranger(number))
    assert discovery._entry(GUEST) is entry
    await asyncio.sleep(0)
