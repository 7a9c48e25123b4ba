"""Simulation: a week of submits to accounts that fail at random, on a test clock."""

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
    """A submit a minute, one in 30 of which fails. Rejected credentials are checked again."""

    policy: PolicyName
    random_source: random.Random
    taken: Counter[str] = field(default_factory=Counter)
    share: Counter[str] = field(default_factory=Counter)
    """The expected number of submits by weight, summed over the submits that the account was ready for."""
    skips: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.clock = TestClock()
        policy = Random(self.random_source) if self.policy == "random" else POLICIES[self.policy]()
        self.pool = AccountPool(self.clock, policy, jitter=self.random_source.random, second_probe_after=0.0)
        self.accounts = [Account("scripted", f"s-{number}", name=f"n{number}") for number in range(len(WEIGHTS))]
        managed = zip(self.accounts, WEIGHTS, strict=True)
        self.pool.manage([ManagedAccount(account, weight) for account, weight in managed])

    async def run(self) -> None:
        end = self.clock.monotonic() + WEEK
        number = 0
        while self.clock.monotonic() < end:
            number += 1
            self.clock.move(STEP * self.random_source.uniform(0.5, 1.5))
            self.recheck_credentials()
            await self.submit(self.random_source.choice(MODELS), f"t{number}")

    def recheck_credentials(self) -> None:
        for account in self.accounts:
            if self.pool.is_expired(account) and self.pool.claim_check(account) and self.random_source.random() < 0.5:
                self.pool.record_login(account, sent_at=self.clock.monotonic())

    async def submit(self, model: str, id: str) -> None:
        before = {account: self.pool.status(account, model) for account in self.accounts}
        ready = [account for account, status in before.items() if status.state is AccountState.READY]
        lease = await self.pool.take(self.accounts, model, set())
        assert (lease is None) == (not ready)
        if lease is None:
            return
        assert lease.account in ready, "a paused account was used"
        self.count(lease.account, ready)
        with lease:
            if self.random_source.random() < 1 / 30:
                error = provider_error(self.random_source.choice(FAILURES))
                lease.failed(error)
                self.check_pause(lease.account, model, error)
            else:
                lease.submitted(id)

    def count(self, used: Account, ready: list[Account]) -> None:
        total = sum(WEIGHTS[self.accounts.index(account)] for account in ready)
        for account in ready:
            self.share[account.label] += WEIGHTS[self.accounts.index(account)] / total  # type: ignore[assignment]
            skips = self.skips
            skips[account.label] = 0 if account is used else skips.get(account.label, 0) + 1
            if self.policy == "round_robin":
                assert skips[account.label] <= 4 * sum(WEIGHTS), "an account is starved"
        if self.policy == "fill_first":
            assert used is ready[0]
        self.taken[used.label] += 1

    def check_pause(self, account: Account, model: str, error: ProviderError) -> None:
        """A pause ends exactly at its announced time."""
        status = self.pool.status(account, model)
        if error.kind not in PAUSE_RULES:
            assert status.state is AccountState.READY
            return
        assert status.state is PAUSE_RULES[error.kind].state
        assert status.until is not None
        now = self.clock.monotonic()
        assert now < status.until <= now + 86_400 + 300
        self.clock.move(status.until - now - 0.001)
        assert self.pool.status(account, model).state is status.state
        self.clock.move(0.002)
        # A rejected credential is only checked again.
        after = AccountState.EXPIRED if error.kind is ErrorKind.INVALID_CREDENTIAL else AccountState.READY
        assert self.pool.status(account, model).state is after
        self.clock.move(now - self.clock.monotonic())


@pytest.mark.parametrize("policy", POLICIES)
async def test_submits_follow_the_weights_over_a_week(policy: PolicyName) -> None:
    week = Week(policy, random.Random(1))
    await week.run()
    assert sum(week.taken.values()) > 5000
    if policy in ("round_robin", "random"):
        for name, share in week.share.items():
            assert week.taken[name] == pytest.approx(share, rel=0.05 if policy == "round_robin" else 0.15), name
    for account in week.accounts:
        assert week.taken[account.label] > 0, f"{account.label} starved"
        assert size(week.pool.record(account)) < 3 * RUNNING_SECONDS / STEP


async def test_pauses_stay_within_their_rule() -> None:
    """Consecutive failures never exceed the longest pause of the table."""
    random_source = random.Random(7)
    week = Week("round_robin", random_source)
    for _ in range(2000):
        account = random_source.choice(week.accounts)
        error = provider_error(
            random_source.choice([kind for kind in PAUSE_RULES if kind is not ErrorKind.NOT_ENTITLED])
        )
        week.pool.record_failure(account, error, "one", sent_at=week.clock.monotonic())
        until = week.pool.status(account).until
        assert until is not None
        assert until - week.clock.monotonic() <= 86_400 + 300
        week.clock.move(random_source.uniform(0, 3000))


def size(record: AccountRecord) -> int:
    return len(record.running) + record.in_flight
