"""Submits with an idempotency key in processes that see the accounts differently: another one has charged an
account that this one would not, or does so at the same moment."""

import asyncio
from dataclasses import replace

import pytest

from gateway.accounts.pool import ManagedAccount
from gateway.core.errors import GatewayError
from providers.contract.errors import ErrorKind
from tests.gateway.tasks.shared_site import ACCOUNTS, KEYS, Site, order_of, process, submit
from tests.gateway_fixture import REQUEST, GatewayFixture, managed_caller, pass_through_caller
from tests.upstream import provider_error

pytestmark = pytest.mark.usefixtures("short_lookups")

PROXY = "http://127.0.0.1:1"


class TestEarlierSubmits:
    """The key was charged by another process before."""

    @pytest.mark.parametrize("kind", [ErrorKind.NO_CREDITS, ErrorKind.TOO_MANY_RUNNING, ErrorKind.RATE_LIMITED])
    async def test_keys_are_charged_once_where_only_one_process_knows_of_a_pause(self, kind: ErrorKind) -> None:
        site = Site()
        one, two = process(site), process(site)
        paused = ACCOUNTS[0]
        site.trouble[paused.credential] = provider_error(kind)
        with pytest.raises(GatewayError):
            await one.submit(pass_through_caller(paused))
        del site.trouble[paused.credential]
        for key in KEYS:
            assert (await submit(two, key)).upstream_id == (await submit(one, key)).upstream_id
        assert len(site.tasks) == len(KEYS)

    async def test_submission_is_found_on_an_account_that_left_the_rotation(self) -> None:
        site = Site()
        env = process(site)
        made = await submit(env, "k")
        other = process(site)
        other.pool.pause(order_of(other, "k")[0])
        assert (await submit(other, "k")).upstream_id == made.upstream_id
        assert len(site.tasks) == 1

    @pytest.mark.parametrize("max_attempts", [1, 2, 6])
    @pytest.mark.parametrize("paused", [1, 3, 5])
    async def test_submission_is_found_behind_accounts_that_the_other_process_has_paused(
        self, paused: int, max_attempts: int
    ) -> None:
        site = Site()
        other, env = process(site), process(site, max_attempts=max_attempts)
        for account in order_of(other, "k")[:paused]:
            other.pool.pause(account)
        made = await submit(other, "k")
        assert (await submit(env, "k")).upstream_id == made.upstream_id
        assert len(site.tasks) == 1

    @pytest.mark.parametrize("kind", [ErrorKind.NO_CREDITS, ErrorKind.TOO_MANY_RUNNING, ErrorKind.DAILY_LIMIT])
    async def test_submission_of_a_process_that_tries_more_accounts_is_found(self, kind: ErrorKind) -> None:
        site = Site()
        other, env = process(site, max_attempts=3), process(site, max_attempts=1)
        first, second, third = order_of(other, "k")[:3]
        site.submits = [provider_error(kind), provider_error(kind)]
        made = await submit(other, "k")
        assert [credential for credential, _ in site.tasks] == [third.credential]
        assert (await submit(env, "k")).upstream_id == made.upstream_id
        assert [credential for credential, _, _ in site.submitted] == [one.credential for one in (first, second, third)]

    async def test_submission_is_found_on_an_account_whose_weight_is_0_here(self) -> None:
        site = Site()
        other, env = (process(site, max_attempts=1, secret=("a secret of all processes",)) for _ in range(2))
        caller = managed_caller(*ACCOUNTS)
        other.pool.manage([ManagedAccount(one) for one in ACCOUNTS])
        made = await other.submit_with_key(caller, REQUEST, "k")
        ((charged, _),) = site.tasks
        env.pool.manage([ManagedAccount(one, weight=int(one.credential != charged)) for one in ACCOUNTS])
        assert (await env.submit_with_key(caller, REQUEST, "k")).upstream_id == made.upstream_id
        assert len(site.tasks) == 1

    async def test_submission_is_found_behind_an_account_whose_proxy_only_the_other_process_cannot_reach(self) -> None:
        site = Site()
        other, env = process(site, max_attempts=1), process(site, max_attempts=1)
        first, second = order_of(env, "k")[:2]
        proxied = [replace(one, proxy=PROXY) if one == first else one for one in ACCOUNTS]
        site.dead_proxies = {PROXY}
        made = await submit(other, "k", proxied)
        assert [credential for credential, _ in site.tasks] == [second.credential]
        assert (await submit(env, "k")).upstream_id == made.upstream_id


class TestSubmitsAtTheSameMoment:
    async def test_keys_are_charged_once_where_only_one_process_has_paused_an_account(self) -> None:
        site = Site()
        one, two = process(site), process(site)
        one.pool.pause(ACCOUNTS[0])
        let_others_run(one)
        await asyncio.gather(*(submit(env, key) for key in KEYS for env in (one, two)))
        assert len(site.tasks) == len(KEYS)
        assert any(order_of(two, key)[0] == ACCOUNTS[0] for key in KEYS)

    async def test_keys_are_charged_once_where_a_proxy_has_failed_for_one_process_only(self) -> None:
        site = Site()
        one, two = process(site), process(site)
        proxied = [replace(account, proxy=PROXY) if account == ACCOUNTS[0] else account for account in ACCOUNTS]
        one.pool.proxy_failed(proxied[0], provider_error(ErrorKind.UNREACHABLE))
        let_others_run(one)
        await asyncio.gather(*(submit(env, key, proxied) for key in KEYS for env in (one, two)))
        assert len(site.tasks) == len(KEYS)
        assert any(order_of(two, key)[0] == ACCOUNTS[0] for key in KEYS)

    @pytest.mark.parametrize("max_attempts", [1, 3])
    async def test_keys_are_charged_once_where_the_processes_try_other_numbers_of_accounts(
        self, max_attempts: int
    ) -> None:
        site = Site()
        one, two = process(site, max_attempts=max_attempts), process(site)
        await asyncio.gather(*(submit(env, key) for key in KEYS for env in (one, two)))
        assert len(site.tasks) == len(KEYS)


def let_others_run(env: GatewayFixture) -> None:
    """Another process may do a whole submit while this one sleeps."""

    async def sleep(seconds: float) -> None:
        env.clock.move(seconds)
        for _ in range(500):
            await asyncio.sleep(0)

    env.clock.sleep = sleep  # type: ignore[method-assign]
