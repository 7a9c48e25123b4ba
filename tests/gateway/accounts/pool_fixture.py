"""An account pool on a test clock."""

from collections.abc import Sequence

from gateway.accounts.health import AccountState
from gateway.accounts.pool import AccountPool, ManagedAccount
from gateway.accounts.selection import FillFirst, Policy
from providers.contract.accounts import Account
from providers.contract.errors import ProviderError
from tests.clock import TestClock

A, B, C = (Account("scripted", f"s-secret-{letter}", name=letter) for letter in "abc")
MODEL = "model"


class PoolFixture:
    """A pool of managed accounts and a clock. No gateway: `bootstrap` takes no `second_probe_after` or `max_wait`, and
    a pool depends on a clock only."""

    def __init__(
        self,
        *managed: ManagedAccount | Account,
        policy: Policy | None = None,
        second_probe_after: float = 0.05,
        max_wait: float = 5.0,
    ) -> None:
        self.clock = TestClock()
        self.pool = AccountPool(
            self.clock,
            policy or FillFirst(),
            jitter=lambda: 0.0,
            second_probe_after=second_probe_after,
            max_wait=max_wait,
        )
        self.accounts = [one.account if isinstance(one, ManagedAccount) else one for one in managed]
        self.pool.manage([one if isinstance(one, ManagedAccount) else ManagedAccount(one) for one in managed])

    async def submit(self, outcome: str | ProviderError = "t", *, model: str = MODEL, tried: Sequence[str] = ()) -> str:
        """Submit, and return the name of the leased account, "" where none is ready."""
        lease = await self.pool.take(self.accounts, model, set(tried))
        if lease is None:
            return ""
        with lease:
            if isinstance(outcome, ProviderError):
                lease.failed(outcome)
            else:
                lease.submitted(outcome)
        return lease.account.label

    def state(self, account: Account, model: str = MODEL) -> AccountState:
        return self.pool.status(account, model).state
