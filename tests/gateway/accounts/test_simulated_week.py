"""A simulated week of the pool: accounts that fail at random, on a clock moved by hand."""

import random
from collections import Counter
from dataclasses import dataclass, field

import pytest

from gateway.accounts.health import PAUSE_RULES, AccountState
from gateway.accounts.lease import RUNNING_SECONDS, AccountRecord
from gateway.accounts.pool import AccountPool, ManagedAccount
from gateway.accounts.selection import POLICIES, Random
from gateway.core.settings import PolicyName
from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from tests.clock import TestClock
from tests.upstream import provider_error

WEEK = 7 * 86_400.0
STEP = 60.0
WEIGHTS = (1, 1, 2, 3, 5)
MODELS = ("one", "two")
FAILURES = (
    *(ErrorKind.RATE_LIMITED, ErrorKind.TOO_MANY_RUNNING, ErrorKind.RESTRICTED, ErrorKind.NO_CREDITS),
    *(ErrorKind.INVALID_CREDENTIAL, ErrorKind.NOT_ENTITLED, ErrorKind.CONTENT_REFUSED, ErrorKind.UPSTREAM_ERROR),
)


@dataclass
class Week:
    """A submit a minute, one in 30 of which fails at random; rejected credentials are checked again."""

    policy: PolicyName
    chance: random.Random
    taken: Counter[str] = field(default_factory=Counter)
    share: Counter[str] = field(default_factory=Counter)
    """What each account's weight would have given it, summed over the submits it was ready for."""
    last_ready_and_passed_over: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.clock = TestClock()
        policy = Random(self.chance) if self.policy == "random" else POLICIES[self.policy]()
        self.pool = AccountPool(self.clock, policy, spread=self.chance.random, patience=0.0)
        self.accounts = [Account("scripted", f"s-{number}", name=f"n{number}") for number in range(len(WEIGHTS))]
        managed = zip(self.accounts, WEIGHTS, strict=True)
        self.pool.manage([ManagedAccount(account, weight) for account, weight in managed])

    async def live(self) -> None:
        end = self.clock.now() + WEEK
        number = 0
        while self.clock.now() < end:
            number += 1
            self.clock.move(STEP * self.chance.uniform(0.5, 1.5))
            self.look_after_logins()
            await self.submit(self.chance.choice(MODELS), f"t{number}")

    def look_after_logins(self) -> None:
        for account in self.accounts:
            if self.pool.expired(account) and self.pool.due(account) and self.chance.random() < 0.5:
                self.pool.logged_in(account, sent_at=self.clock.now())

    async def submit(self, model: str, id: str) -> None:
        before = {account: self.pool.status(account, model) for account in self.accounts}
        ready = [account for account, status in before.items() if status.state is AccountState.READY]
        lease = await self.pool.take(self.accounts, model, set())
        assert (lease is None) == (not ready)
        if lease is None:
            return
        assert lease.account in ready, "an account that rests was used"
        self.count(lease.account, ready)
        with lease:
            if self.chance.random() < 1 / 30:
                error = provider_error(self.chance.choice(FAILURES))
                lease.failed(error)
                self.check_the_promise(lease.account, model, error)
            else:
                lease.submitted(id)

    def count(self, used: Account, ready: list[Account]) -> None:
        total = sum(WEIGHTS[self.accounts.index(account)] for account in ready)
        for account in ready:
            self.share[account.name] += WEIGHTS[self.accounts.index(account)] / total  # type: ignore[assignment]
            passed_over = self.last_ready_and_passed_over
            passed_over[account.name] = 0 if account is used else passed_over.get(account.name, 0) + 1
            if self.policy == "round_robin":
                assert passed_over[account.name] <= 4 * sum(WEIGHTS), "an account starves"
        if self.policy == "fill_first":
            assert used is ready[0]
        self.taken[used.name] += 1

    def check_the_promise(self, account: Account, model: str, error: ProviderError) -> None:
        """A pause lasts exactly as long as announced."""
        status = self.pool.status(account, model)
        if error.kind not in PAUSE_RULES:
            assert status.state is AccountState.READY
            return
        assert status.state is PAUSE_RULES[error.kind].state
        assert status.until is not None
        now = self.clock.now()
        assert now < status.until <= now + 86_400 + 300
        self.clock.move(status.until - now - 0.001)
        assert self.pool.status(account, model).state is status.state
        self.clock.move(0.002)
        # A refused login only comes up for another look.
        after = AccountState.EXPIRED if error.kind is ErrorKind.INVALID_CREDENTIAL else AccountState.READY
        assert self.pool.status(account, model).state is after
        self.clock.move(now - self.clock.now())


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("seed", range(2))
async def test_submits_follow_the_weights_over_a_week(policy: PolicyName, seed: int) -> None:
    week = Week(policy, random.Random(seed))
    await week.live()
    assert sum(week.taken.values()) > 5000
    if policy in ("round_robin", "random"):
        for name, share in week.share.items():
            assert week.taken[name] == pytest.approx(share, rel=0.05 if policy == "round_robin" else 0.15), name
    for account in week.accounts:
        assert week.taken[account.name] > 0, f"{account.name} starved"
        assert size(week.pool.record(account)) < 3 * RUNNING_SECONDS / STEP


async def test_pauses_stay_within_their_rule() -> None:
    """Repeated failures never pause an account for longer than its pause rule."""
    chance = random.Random(7)
    week = Week("round_robin", chance)
    for _ in range(2000):
        account = chance.choice(week.accounts)
        error = provider_error(chance.choice([kind for kind in PAUSE_RULES if kind is not ErrorKind.NOT_ENTITLED]))
        week.pool.hold_against(account, error, "one", sent_at=week.clock.now())
        until = week.pool.status(account).until
        assert until is not None
        assert until - week.clock.now() <= 86_400 + 300
        week.clock.move(chance.uniform(0, 3000))


def size(record: AccountRecord) -> int:
    return len(record.running) + record.in_flight
