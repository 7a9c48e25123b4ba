"""The owner of an upstream id among several credentials."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from gateway.accounts.health import AccountState
from gateway.core.errors import GatewayError
from gateway.task_ids.owner_lookup import NOBODY_SECONDS
from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.tasks import Phase, TaskState
from tests.gateway_fixture import ONE, THREE, TWO, GatewayFixture, managed_caller, pass_through_caller
from tests.upstream import ScriptedProvider, State, provider_error

TASK = "scripted-1"
CALLER = pass_through_caller(ONE, TWO, THREE)


class SeveralAccounts(ScriptedProvider):
    """Each account has its own tasks only."""

    def __init__(self) -> None:
        super().__init__()
        self.tasks: dict[str, set[str]] = {}
        self.errors: dict[str, ProviderError] = {}

    async def query(self, ids: Sequence[str], account: Account) -> Mapping[str, State]:
        self.asked.append((account.credential, tuple(ids)))
        if account.credential in self.errors:
            raise self.errors[account.credential]
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


async def test_every_account_is_queried_once_and_then_only_the_owner(
    env: GatewayFixture, provider: SeveralAccounts
) -> None:
    assert (await env.tasks.status(CALLER, TASK)).state.phase is Phase.PROCESSING
    assert sorted(asked(provider)) == sorted([ONE.credential, TWO.credential, THREE.credential])
    provider.asked.clear()
    for _ in range(3):
        env.clock.move(5)
        await env.tasks.status(CALLER, TASK)
    assert asked(provider) == [TWO.credential] * 3


async def test_several_ids_are_one_query_of_each_account(env: GatewayFixture, provider: SeveralAccounts) -> None:
    found = await env.tasks.statuses(CALLER, [TASK, "scripted-2", "scripted-9"])
    assert [found[id] is None for id in (TASK, "scripted-2", "scripted-9")] == [False, False, True]
    assert len(provider.asked) == 3


async def test_concurrent_lookups_share_one_query(env: GatewayFixture, provider: SeveralAccounts) -> None:
    tasks = await asyncio.gather(*(env.tasks.status(CALLER, TASK) for _ in range(10)))
    assert {task.state.phase for task in tasks} == {Phase.PROCESSING}
    assert len(provider.asked) == 3


async def test_owner_of_a_task_submitted_here_is_known(env: GatewayFixture, provider: SeveralAccounts) -> None:
    provider.submits = [TASK]
    await env.submit(CALLER)
    env.clock.move(5)
    await env.tasks.status(CALLER, TASK)
    assert asked(provider) == [ONE.credential]


@pytest.mark.parametrize("kind", [ErrorKind.RESTRICTED, ErrorKind.NOT_ENTITLED])
async def test_account_with_a_permanent_error_counts_as_no_owner(
    env: GatewayFixture, provider: SeveralAccounts, kind: ErrorKind
) -> None:
    provider.errors[ONE.credential] = provider_error(kind)
    await env.no_such_task(CALLER, "scripted-9")
    assert (env.pool.status(ONE).state is AccountState.RESTRICTED) == (kind is ErrorKind.RESTRICTED)


async def test_unknown_task_is_404_and_cached(env: GatewayFixture, provider: SeveralAccounts) -> None:
    for _ in range(3):
        await env.no_such_task(CALLER, "scripted-9")
    assert len(provider.asked) == 3
    env.clock.move(NOBODY_SECONDS)
    provider.tasks[ONE.credential] = {"scripted-9"}
    assert await env.tasks.status(CALLER, "scripted-9")


async def test_cached_owner_is_found_only_by_holders_of_its_credential(
    env: GatewayFixture, provider: SeveralAccounts
) -> None:
    await env.tasks.status(CALLER, TASK)
    await env.no_such_task(pass_through_caller(ONE, THREE), TASK)


async def test_account_with_a_transient_error_may_be_the_owner(env: GatewayFixture, provider: SeveralAccounts) -> None:
    provider.errors[TWO.credential] = provider_error(ErrorKind.UNREACHABLE)
    task = await env.tasks.status(CALLER, TASK)
    assert (task.state.phase, task.query_error is not None, task.provider) == (Phase.PROCESSING, True, "scripted")
    provider.errors.clear()
    assert (await env.tasks.status(CALLER, TASK)).query_error is None


async def test_rejected_credentials_are_ignored_unless_all_are_rejected(
    env: GatewayFixture, provider: SeveralAccounts
) -> None:
    provider.errors[ONE.credential] = provider_error(ErrorKind.INVALID_CREDENTIAL)
    assert await env.tasks.status(CALLER, TASK)
    provider.errors = dict.fromkeys(
        (ONE.credential, TWO.credential, THREE.credential), provider_error(ErrorKind.INVALID_CREDENTIAL)
    )
    with pytest.raises(GatewayError) as caught:
        await GatewayFixture(provider).tasks.status(CALLER, TASK)
    assert caught.value.code == "invalid_api_key"


async def test_new_task_is_waited_for(env: GatewayFixture, provider: SeveralAccounts) -> None:
    class Dated(SeveralAccounts):
        def submitted_at(self, native_id: str) -> float | None:
            return env.clock.now() - 5

    new = GatewayFixture(Dated())
    for _ in range(3):
        assert (await new.tasks.status(CALLER, TASK)).state.phase is Phase.QUEUED
        new.clock.move(2)
    # No account is queried for it.
    assert [asked(new.provider).count(one.credential) for one in (ONE, TWO, THREE)] == [3, 3, 3]


async def test_gateway_key_cannot_use_native_ids(env: GatewayFixture, provider: SeveralAccounts) -> None:
    await env.no_such_task(managed_caller(ONE, TWO), TASK)
    assert provider.asked == []
