"""The owner of an upstream id among several credentials."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from gateway.accounts.health import AccountState
from gateway.core.background_tasks import Background
from gateway.core.errors import GatewayError
from gateway.polling.poller import Poller
from gateway.task_ids.owner_lookup import NOBODY_SECONDS, OwnerLookup
from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.tasks import Phase, TaskState
from tests.clock import TestClock
from tests.gateway_fixture import ONE, THREE, TWO, GatewayFixture, managed, pass_through
from tests.upstream import ScriptedProvider, State, trouble

TASK = "scripted-1"
CALLER = pass_through(ONE, TWO, THREE)


class SeveralAccounts(ScriptedProvider):
    """Each account has its own tasks only."""

    def __init__(self) -> None:
        super().__init__()
        self.tasks: dict[str, set[str]] = {}
        self.troubles: dict[str, ProviderError] = {}

    async def query(self, ids: Sequence[str], account: Account) -> Mapping[str, State]:
        self.asked.append((account.credential, tuple(ids)))
        if account.credential in self.troubles:
            raise self.troubles[account.credential]
        own = self.tasks.get(account.credential, set())
        return {
            id: TaskState(id, Phase.PROCESSING) if id in own else ProviderError(ErrorKind.TASK_NOT_FOUND) for id in ids
        }


@pytest.fixture
def provider() -> SeveralAccounts:
    found = SeveralAccounts()
    found.tasks[TWO.credential] = {TASK, "scripted-2"}
    return found


@pytest.fixture
def env(provider: SeveralAccounts) -> GatewayFixture:
    return GatewayFixture(provider)


def asked(provider: ScriptedProvider) -> list[str]:
    return [credential for credential, _ in provider.asked]


async def test_each_account_is_queried_once_then_only_the_owner(env: GatewayFixture, provider: SeveralAccounts) -> None:
    assert (await env.tasks.status(CALLER, TASK)).state.phase is Phase.PROCESSING
    assert sorted(asked(provider)) == sorted([ONE.credential, TWO.credential, THREE.credential])
    provider.asked.clear()
    for _ in range(3):
        env.clock.move(5)
        await env.tasks.status(CALLER, TASK)
    assert asked(provider) == [TWO.credential] * 3


async def test_many_ids_are_one_query_per_account(env: GatewayFixture, provider: SeveralAccounts) -> None:
    found = await env.tasks.statuses(CALLER, [TASK, "scripted-2", "scripted-9"])
    assert [found[id] is None for id in (TASK, "scripted-2", "scripted-9")] == [False, False, True]
    assert len(provider.asked) == 3


async def test_lookup_counts_its_calls_against_the_rate_limit(provider: SeveralAccounts) -> None:
    clock, background = TestClock(), Background()
    poller = Poller(clock, 1.0, background, per_second={provider.name: 1.0})
    others = [f"scripted-{number}" for number in range(10, 10 + 2 * provider.query_batch)]
    await OwnerLookup(clock, poller, background).find(CALLER, provider, [TASK, *others])
    provider.asked.clear()
    clock.move(1.5)
    await poller.observe(provider, TWO, {TASK: None}, submitted_at={})
    assert asked(provider) == []
    clock.move(3.0)
    await poller.observe(provider, TWO, {TASK: None}, submitted_at={})
    assert asked(provider) == [TWO.credential]


async def test_concurrent_lookups_share_one_search(env: GatewayFixture, provider: SeveralAccounts) -> None:
    tasks = await asyncio.gather(*(env.tasks.status(CALLER, TASK) for _ in range(10)))
    assert {task.state.phase for task in tasks} == {Phase.PROCESSING}
    assert len(provider.asked) == 3


async def test_task_submitted_here_needs_no_lookup(env: GatewayFixture, provider: SeveralAccounts) -> None:
    provider.submits = [TASK]
    await env.submit(CALLER)
    env.clock.move(5)
    await env.tasks.status(CALLER, TASK)
    assert asked(provider) == [ONE.credential]


@pytest.mark.parametrize("kind", [ErrorKind.RESTRICTED, ErrorKind.NOT_ENTITLED])
async def test_persistent_account_error_counts_as_unknown(
    env: GatewayFixture, provider: SeveralAccounts, kind: ErrorKind
) -> None:
    provider.troubles[ONE.credential] = trouble(kind)
    await env.no_such_task(CALLER, "scripted-9")
    assert (env.pool.status(ONE).state is AccountState.RESTRICTED) == (kind is ErrorKind.RESTRICTED)


async def test_unknown_task_is_404_and_cached(env: GatewayFixture, provider: SeveralAccounts) -> None:
    for _ in range(3):
        await env.no_such_task(CALLER, "scripted-9")
    assert len(provider.asked) == 3
    env.clock.move(NOBODY_SECONDS)
    provider.tasks[ONE.credential] = {"scripted-9"}
    assert await env.tasks.status(CALLER, "scripted-9")


async def test_other_caller_needs_the_owners_credential(env: GatewayFixture, provider: SeveralAccounts) -> None:
    await env.tasks.status(CALLER, TASK)
    await env.no_such_task(pass_through(ONE, THREE), TASK)


async def test_unavailable_account_may_be_the_owner(env: GatewayFixture, provider: SeveralAccounts) -> None:
    provider.troubles[TWO.credential] = trouble(ErrorKind.UNREACHABLE)
    task = await env.tasks.status(CALLER, TASK)
    assert (task.state.phase, task.query_error is not None, task.provider) == (Phase.PROCESSING, True, "scripted")
    provider.troubles.clear()
    assert (await env.tasks.status(CALLER, TASK)).query_error is None


async def test_rejected_credentials_are_skipped_unless_all_are(env: GatewayFixture, provider: SeveralAccounts) -> None:
    provider.troubles[ONE.credential] = trouble(ErrorKind.INVALID_CREDENTIAL)
    assert await env.tasks.status(CALLER, TASK)
    provider.troubles = dict.fromkeys(
        (ONE.credential, TWO.credential, THREE.credential), trouble(ErrorKind.INVALID_CREDENTIAL)
    )
    with pytest.raises(GatewayError) as caught:
        await GatewayFixture(provider).tasks.status(CALLER, TASK)
    assert caught.value.code == "invalid_api_key"


async def test_task_too_new_for_all_accounts_is_queued(env: GatewayFixture, provider: SeveralAccounts) -> None:
    class Dated(SeveralAccounts):
        def submitted_at(self, native_id: str) -> float | None:
            return env.clock.now() - 5

    new = GatewayFixture(Dated())
    for _ in range(3):
        assert (await new.tasks.status(CALLER, TASK)).state.phase is Phase.QUEUED
        new.clock.move(2)
    # No account is queried for it.
    assert [asked(new.provider).count(one.credential) for one in (ONE, TWO, THREE)] == [3, 3, 3]


async def test_gateway_key_cannot_use_upstream_ids(env: GatewayFixture, provider: SeveralAccounts) -> None:
    await env.no_such_task(managed(ONE, TWO), TASK)
    assert provider.asked == []
