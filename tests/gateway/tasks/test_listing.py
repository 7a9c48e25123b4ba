"""Recent tasks, merged over accounts, newest first and stable from page to page."""

import math
from collections.abc import Sequence
from typing import Any

import pytest

from gateway.accounts.callers import Caller
from gateway.core.errors import GatewayError
from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.tasks import ListedTask, Phase, TaskState
from tests.gateway_fixture import KEYS, GatewayFixture
from tests.upstream import ScriptedProvider, provider_error

ONE, TWO = Account("scripted", "s-secret-1"), Account("scripted", "s-secret-2")
NOW = 1_757_737_934


class ListingProvider(ScriptedProvider):
    """Lists the tasks in `listed`, by credential."""

    def __init__(self) -> None:
        super().__init__()
        self.listed: dict[str, list[ListedTask]] = {}
        self.errors: dict[str, ProviderError] = {}
        self.calls: list[tuple[float | None, int]] = []

    async def list(self, account: Account, *, before: float | None, limit: int) -> Sequence[ListedTask]:
        self.calls.append((before, limit))
        if account.credential in self.errors:
            raise self.errors[account.credential]
        tasks = [
            task
            for task in self.listed.get(account.credential, ())
            if (task.state.created_at or 0) <= (before or math.inf)
        ]
        return sorted(tasks, key=lambda task: task.state.created_at or 0, reverse=True)[:limit]


def task(number: int, at: float, submit_key: str = "") -> ListedTask:
    return ListedTask(
        TaskState(f"scripted-{number}", Phase.PROCESSING, created_at=at, model="scripted-model"), submit_key
    )


class ListingGateway(GatewayFixture):
    provider: ListingProvider

    def __init__(self, **settings: Any) -> None:
        super().__init__(ListingProvider(), secret=["secret"], **settings)

    async def pages(self, caller: Caller, limit: int, *, ascending: bool = False) -> list[list[str]]:
        """The upstream ids of every page."""
        pages, after, more = [], None, True
        while more:
            page, more = await self.listing.page(caller, limit=limit, after=after, ascending=ascending)
            pages.append([ref.upstream_id for ref, _ in page])
            after = await self.locator.find_one(caller, page[-1][0].public_id) if page else None
        return pages


PASS_THROUGH = Caller((ONE, TWO))


async def test_accounts_are_merged_newest_first_and_pages_do_not_overlap() -> None:
    env = ListingGateway()
    env.provider.listed = {
        "s-secret-1": [task(number, NOW - 10 * number) for number in (1, 3, 5, 7)],
        "s-secret-2": [task(number, NOW - 10 * number) for number in (2, 4, 6)],
    }
    assert await env.pages(PASS_THROUGH, 3) == [
        ["scripted-1", "scripted-2", "scripted-3"],
        ["scripted-4", "scripted-5", "scripted-6"],
        ["scripted-7"],
    ]
    ascending = await env.pages(PASS_THROUGH, 3, ascending=True)
    assert [id for page in ascending for id in page] == [f"scripted-{number}" for number in range(7, 0, -1)]


async def test_tasks_of_one_second_keep_their_order_over_pages() -> None:
    env = ListingGateway()
    env.provider.listed = {"s-secret-1": [task(number, NOW + number / 100) for number in range(9)]}
    ids = [id for page in await env.pages(PASS_THROUGH, 2) for id in page]
    assert sorted(ids) == sorted(f"scripted-{number}" for number in range(9))
    assert len(ids) == 9


async def test_new_task_does_not_shift_the_pages() -> None:
    env = ListingGateway()
    env.provider.listed = {"s-secret-1": [task(number, NOW - number) for number in range(4)]}
    page, more = await env.listing.page(PASS_THROUGH, limit=2)
    assert more
    env.provider.listed["s-secret-1"].append(task(99, NOW + 5))
    after = await env.locator.find_one(PASS_THROUGH, page[-1][0].public_id)
    following, _ = await env.listing.page(PASS_THROUGH, limit=2, after=after)
    assert [ref.upstream_id for ref, _ in following] == ["scripted-2", "scripted-3"]


async def test_page_continues_after_a_deleted_task() -> None:
    env = ListingGateway()
    env.provider.listed = {"s-secret-1": [task(number, NOW - number) for number in range(4)]}
    page, _ = await env.listing.page(PASS_THROUGH, limit=2)
    after = await env.locator.find_one(PASS_THROUGH, page[-1][0].public_id)
    del env.provider.listed["s-secret-1"][1]
    following, _ = await env.listing.page(PASS_THROUGH, limit=2, after=after)
    assert [ref.upstream_id for ref, _ in following] == ["scripted-2", "scripted-3"]


async def test_ids_of_a_list_resolve_to_their_account() -> None:
    env = ListingGateway()
    env.provider.listed = {"s-secret-2": [task(1, NOW)]}
    page, _ = await env.listing.page(PASS_THROUGH, limit=5)
    ref = await env.locator.find_one(PASS_THROUGH, page[0][0].public_id)
    assert ref
    assert (ref.account, ref.upstream_id, ref.model, ref.created) == (TWO, "scripted-1", "scripted-model", NOW)


async def test_rejected_account_is_left_out() -> None:
    env = ListingGateway()
    env.provider.listed = {"s-secret-2": [task(1, NOW)]}
    env.provider.errors = {"s-secret-1": provider_error(ErrorKind.INVALID_CREDENTIAL, "1015", "of s-secret-1")}
    assert await env.pages(PASS_THROUGH, 5) == [["scripted-1"]]
    env.provider.errors["s-secret-2"] = provider_error(ErrorKind.UNREACHABLE)
    with pytest.raises(GatewayError) as caught:
        await env.pages(PASS_THROUGH, 5)
    assert "s-secret-1" not in caught.value.message("en")


@pytest.mark.parametrize("kind", [ErrorKind.UNREACHABLE, ErrorKind.RATE_LIMITED, ErrorKind.ANSWER_LOST])
async def test_transient_error_of_an_account_is_reported(kind: ErrorKind) -> None:
    env = ListingGateway()
    env.provider.listed = {"s-secret-2": [task(1, NOW)]}
    env.provider.errors = {"s-secret-1": provider_error(kind)}
    with pytest.raises(GatewayError) as caught:
        await env.pages(PASS_THROUGH, 5)
    assert caught.value.spec.should_retry


async def test_more_tasks_in_one_minute_than_a_page_are_all_listed() -> None:
    env = ListingGateway()
    env.provider.listed = {"s-secret-1": [task(number, NOW + number / 100) for number in range(120)]}
    ids = [id for page in await env.pages(PASS_THROUGH, 10) for id in page]
    assert len(ids) == len(set(ids)) == 120


async def test_invalid_record_is_left_out() -> None:
    env = ListingGateway()
    long = ListedTask(TaskState("x" * 300, Phase.PROCESSING, created_at=NOW + 1))
    env.provider.listed = {"s-secret-1": [task(1, NOW), long, task(2, NOW * 1000.0)]}
    page, _ = await env.listing.page(PASS_THROUGH, limit=5)
    assert {ref.upstream_id for ref, _ in page} == {"scripted-1", "scripted-2"}


async def test_provider_without_a_list_has_no_tasks() -> None:
    assert await GatewayFixture().listing.page(PASS_THROUGH, limit=5) == ([], False)


class TestManagedKeys:
    """Keys share accounts; each lists its own tasks."""

    ALICE, BOB = (Caller((ONE,), managed=True, owner=letter * 12) for letter in "ab")

    async def test_each_key_lists_its_own_tasks(self) -> None:
        env = ListingGateway()
        env.provider.listed = {
            "s-secret-1": [
                task(1, NOW, next(env.locator.submit_keys(self.ALICE, "x").of(ONE))),
                task(2, NOW - 1, next(env.locator.submit_keys(self.BOB, "x").of(ONE))),
                task(3, NOW - 2),
            ]
        }
        assert await env.pages(self.ALICE, 5) == [["scripted-1"]]
        assert await env.pages(self.BOB, 5) == [["scripted-2"]]

    async def test_key_with_older_tasks_still_lists_them(self) -> None:
        env = ListingGateway()
        others = [task(n, NOW + n, next(env.locator.submit_keys(self.ALICE, str(n)).of(ONE))) for n in range(60)]
        own = [task(100 + n, NOW - n, next(env.locator.submit_keys(self.BOB, str(n)).of(ONE))) for n in range(5)]
        env.provider.listed = {"s-secret-1": [*others, *own]}
        assert await env.pages(self.BOB, 20) == [[f"scripted-{100 + n}" for n in range(5)]]

    async def test_sole_key_lists_all_tasks(self) -> None:
        env = ListingGateway(keys=KEYS[:1])
        env.provider.listed = {"s-secret-1": [task(3, NOW)]}
        assert await env.pages(self.ALICE, 5) == [["scripted-3"]]


async def test_account_behind_a_dead_proxy_is_left_out() -> None:
    env = ListingGateway()
    behind = Account("scripted", "s-secret-2", proxy="http://proxy:1")
    env.provider.listed = {"s-secret-1": [task(1, NOW)]}
    env.provider.errors["s-secret-2"] = provider_error(ErrorKind.UNREACHABLE)
    page, more = await env.listing.page(Caller((ONE, behind)), limit=5)
    assert [ref.upstream_id for ref, _ in page] == ["scripted-1"]
    assert not more


async def test_reason_of_a_failed_task_is_redacted() -> None:
    env = ListingGateway()
    error = provider_error(ErrorKind.GENERATION_FAILED, "s-secret-1", "quota of s-secr****et-1 is used up")
    state = TaskState("scripted-1", Phase.FAILED, created_at=NOW, model="scripted-model", error=error)
    env.provider.listed = {"s-secret-1": [ListedTask(state)]}
    (found,), _ = await env.tasks.list(PASS_THROUGH, limit=10)
    assert found.state.error is not None
    assert (found.state.error.code, found.state.error.detail) == ("***", "quota of *** is used up")
