"""The limits of an owner lookup: upstream calls of one caller, the rate limit of each account, the time."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence

import pytest

from gateway.accounts.callers import MAX_CREDENTIALS
from gateway.api.renderers.task import render_task
from gateway.core.background_tasks import Background
from gateway.core.errors import GatewayError
from gateway.core.messages import ERRORS
from gateway.polling.batcher import DEADLINE_SECONDS
from gateway.polling.poller import Poller
from gateway.task_ids.owner_lookup import MAX_CALLS, MAX_UNKNOWN_CALLS, QUOTA_SECONDS, OwnerLookup, UnknownOwner
from gateway.tasks.derived import finished
from gateway.tasks.view import Task
from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.tasks import Phase, TaskState
from tests.clock import TestClock
from tests.gateway_fixture import GatewayFixture, pass_through_caller
from tests.upstream import ScriptedProvider, State

ACCOUNTS = [Account("scripted", f"s-secret-{number}") for number in range(MAX_CREDENTIALS)]
IDS = [f"scripted-{number}" for number in range(100)]


class OneIdPerCall(ScriptedProvider):
    """An upstream that takes one id per query. `owners` maps an id to the credential that it belongs to."""

    query_batch = 1

    def __init__(self) -> None:
        super().__init__()
        self.owners: dict[str, str] = {}
        self.gate = asyncio.Event()
        self.gate.set()
        self.in_flight = self.most = 0

    async def query(self, ids: Sequence[str], account: Account) -> Mapping[str, State]:
        assert len(ids) <= self.query_batch
        self.asked.append((account.credential, tuple(ids)))
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        try:
            await self.gate.wait()
        finally:
            self.in_flight -= 1
        return {
            id: TaskState(id, Phase.PROCESSING)
            if self.owners.get(id) == account.credential
            else ProviderError(ErrorKind.TASK_NOT_FOUND)
            for id in ids
        }


@pytest.fixture
def provider() -> OneIdPerCall:
    return OneIdPerCall()


@pytest.fixture
def env(provider: OneIdPerCall) -> GatewayFixture:
    return GatewayFixture(provider)


@pytest.fixture
def clock() -> TestClock:
    return TestClock()


@pytest.fixture
def owners(clock: TestClock) -> OwnerLookup:
    """Of ACCOUNTS alone an upstream has accepted the credential."""
    background, known = Background(), {account.id for account in ACCOUNTS}
    return OwnerLookup(clock, Poller(clock, 1.0, background), background, known.__contains__)


def not_asked(found: Mapping[str, Task | None]) -> list[str]:
    return [id for id, task in found.items() if task is not None and task.query_error is not None]


async def test_one_request_makes_a_limited_number_of_calls(env: GatewayFixture, provider: OneIdPerCall) -> None:
    """50 credentials and 100 ids made 5,000 calls."""
    found = await env.tasks.statuses(pass_through_caller(*ACCOUNTS), IDS)
    assert len(provider.asked) == MAX_CALLS
    left = not_asked(found)
    assert left == IDS[MAX_CALLS // len(ACCOUNTS) :]
    # Only what every account was queried for is not found.
    assert [id for id, task in found.items() if task is None] == IDS[: MAX_CALLS // len(ACCOUNTS)]


async def test_what_was_not_asked_says_so_and_what_to_do(env: GatewayFixture) -> None:
    found = await env.tasks.statuses(pass_through_caller(*ACCOUNTS), IDS)
    task = found[IDS[-1]]
    assert task is not None
    row = render_task(task, "en")
    assert (row["status"], row["stale"]) == ("processing", True)
    assert row["error"].endswith(ERRORS["owner_not_asked"].en)
    assert row["message"] == "Task status is temporarily unavailable"


async def test_what_was_not_asked_is_not_cached_as_missing(
    provider: OneIdPerCall, clock: TestClock, owners: OwnerLookup
) -> None:
    caller = pass_through_caller(*ACCOUNTS)
    await owners.find(caller, provider, IDS)
    provider.owners[IDS[-1]] = ACCOUNTS[-1].credential
    clock.move(QUOTA_SECONDS)
    assert (await owners.find(caller, provider, IDS[-1:])) == {IDS[-1]: ACCOUNTS[-1]}


async def test_repeated_requests_get_further(provider: OneIdPerCall, clock: TestClock, owners: OwnerLookup) -> None:
    caller = pass_through_caller(*ACCOUNTS)
    provider.owners = dict.fromkeys(IDS, ACCOUNTS[-1].credential)
    left = []
    for _ in range(4):
        found = await owners.find(caller, provider, IDS[:10])
        left.append(list(found.values()).count(UnknownOwner.NOT_ASKED))
        clock.move(QUOTA_SECONDS)
    assert left == [6, 2, 0, 0]


async def test_searches_in_a_row_share_the_limit(provider: OneIdPerCall, clock: TestClock, owners: OwnerLookup) -> None:
    caller = pass_through_caller(*ACCOUNTS)
    for number in range(30):
        await owners.find(caller, provider, [f"scripted-{number}-{one}" for one in range(20)])
        clock.move(QUOTA_SECONDS / 10)
    assert len(provider.asked) <= MAX_CALLS + 30 * MAX_CALLS / 10


async def test_callers_of_made_up_credentials_share_a_limit(provider: OneIdPerCall, owners: OwnerLookup) -> None:
    for number in range(40):
        strangers = [Account("scripted", f"s-made-up-{number}-{one}") for one in range(MAX_CREDENTIALS)]
        await owners.find(pass_through_caller(*strangers), provider, IDS[:2])
    assert len(provider.asked) == MAX_UNKNOWN_CALLS
    provider.owners = dict.fromkeys(IDS, ACCOUNTS[0].credential)
    found = await owners.find(pass_through_caller(*ACCOUNTS), provider, IDS[:2])
    assert list(found.values()) == [ACCOUNTS[0]] * 2


async def test_calls_that_were_not_sent_are_given_back(provider: OneIdPerCall, owners: OwnerLookup) -> None:
    provider.owners = dict.fromkeys(IDS, ACCOUNTS[0].credential)
    found = await owners.find(pass_through_caller(*ACCOUNTS), provider, IDS[:20])
    found |= await owners.find(pass_through_caller(*ACCOUNTS), provider, IDS[20:29])
    assert set(found.values()) == {ACCOUNTS[0]}


async def test_accounts_behind_the_owner_are_not_queried(env: GatewayFixture, provider: OneIdPerCall) -> None:
    provider.owners = dict.fromkeys(IDS, ACCOUNTS[0].credential)
    found = await env.tasks.statuses(pass_through_caller(*ACCOUNTS), IDS[:30])
    assert not_asked(found) == []
    assert len(provider.asked) <= 30 * 5 + 30


async def test_concurrent_requests_of_a_caller_share_the_limit(env: GatewayFixture, provider: OneIdPerCall) -> None:
    caller = pass_through_caller(*ACCOUNTS)
    found = await asyncio.gather(*(env.tasks.statuses(caller, IDS[at : at + 20]) for at in range(0, 100, 20)))
    assert len(provider.asked) <= MAX_CALLS
    assert len(not_asked({id: task for one in found for id, task in one.items()})) == 96


async def test_another_caller_has_calls_of_its_own(env: GatewayFixture, provider: OneIdPerCall) -> None:
    await asyncio.gather(
        env.tasks.statuses(pass_through_caller(*ACCOUNTS[:25]), IDS[:20]),
        env.tasks.statuses(pass_through_caller(*ACCOUNTS[25:]), IDS[:20]),
    )
    assert len(provider.asked) == 2 * MAX_CALLS


@pytest.mark.parametrize("action", ["cancel", "content"])
async def test_action_on_a_task_that_is_not_asked_says_so(
    env: GatewayFixture, provider: OneIdPerCall, action: str
) -> None:
    caller = pass_through_caller(*ACCOUNTS)
    provider.gate.clear()
    busy = asyncio.ensure_future(env.tasks.statuses(caller, IDS))
    await asyncio.sleep(0.01)

    async def act() -> None:
        if action == "cancel":
            await env.tasks.cancel(caller, "scripted-999")
        else:
            finished(await env.tasks.status(caller, "scripted-999"))

    with pytest.raises(GatewayError) as caught:
        await act()
    assert (caught.value.code, caught.value.message("zh")) == ("upstream_unavailable", ERRORS["owner_not_asked"].zh)
    assert caught.value.headers()["x-should-retry"] == "true"
    provider.gate.set()
    await busy


async def test_concurrent_calls_are_limited(env: GatewayFixture, provider: OneIdPerCall) -> None:
    await env.tasks.statuses(pass_through_caller(*ACCOUNTS), IDS)
    assert provider.most <= 25


async def test_batches_of_ids_are_one_call(env: GatewayFixture) -> None:
    provider = OneIdPerCall()
    provider.query_batch = 50
    found = await GatewayFixture(provider).tasks.statuses(pass_through_caller(*ACCOUNTS), IDS)
    assert (len(provider.asked), not_asked(found)) == (2 * len(ACCOUNTS), [])


async def test_each_call_waits_for_its_turn(provider: OneIdPerCall) -> None:
    clock, background = TestClock(), Background()
    poller = Poller(clock, 1.0, background, per_second={provider.name: 2.0})
    owners = OwnerLookup(clock, poller, background)
    provider.owners = dict.fromkeys(IDS, ACCOUNTS[1].credential)
    search = asyncio.ensure_future(owners.find(pass_through_caller(*ACCOUNTS[:2]), provider, IDS[:6]))
    sent = []
    for _ in range(4):
        await clock.run(1.0)
        sent.append(max(Counter(credential for credential, _ in provider.asked).values()))
    # At most two a second for each account, with a share of the upstream's limit left free.
    assert all(calls <= 2 * second + 1 for second, calls in enumerate(sent, 1))
    assert sent[-1] >= 6
    assert set((await search).values()) == {ACCOUNTS[1]}


async def test_ids_whose_turn_is_too_late_are_not_asked(provider: OneIdPerCall) -> None:
    clock, background = TestClock(), Background()
    poller = Poller(clock, 1.0, background, per_second={provider.name: 1.0})
    owners = OwnerLookup(clock, poller, background)
    search = asyncio.ensure_future(owners.find(pass_through_caller(*ACCOUNTS[:2]), provider, IDS[:90]))
    await clock.run(3 * DEADLINE_SECONDS)
    found = await search
    assert UnknownOwner.NOT_ASKED in found.values()
    assert UnknownOwner.NOBODY in found.values()
    asked = {id for _, ids in provider.asked for id in ids}
    assert not [id for id, owner in found.items() if owner is UnknownOwner.NOT_ASKED and id in asked]
