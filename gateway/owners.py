"""Which of several credentials a native id belongs to: every one of them is asked once, and the answer remembered.

Only older clients need it, which send several credentials and the upstream's own ids. A sealed id says whose it is.
"""

import asyncio
from collections.abc import Mapping, Sequence

from cachetools import TTLCache

from gateway.callers import Caller
from gateway.clock import Clock
from gateway.errors import clean
from providers.contract import Account, ErrorKind, Provider, ProviderError, TaskState

REMEMBERED_OWNERS = 100_000
OWNER_SECONDS = 24 * 3600.0
NOBODY_SECONDS = 60.0
"""For this long a task that none of a caller's accounts knows is not asked for again: it may only be too new."""
NEW_SECONDS = 60.0
"""For this long after its submit a task may be one that upstreams do not show yet."""

_ASKED_AT_ONCE = 5


class Owners:
    """Finds owners. It holds tags and ids, no credentials."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._owners: TTLCache[tuple[str, str], str] = TTLCache(REMEMBERED_OWNERS, OWNER_SECONDS, timer=clock.now)
        self._nobodys: TTLCache[tuple[str, str, str], None] = TTLCache(
            REMEMBERED_OWNERS, NOBODY_SECONDS, timer=clock.now
        )

    async def find(
        self, caller: Caller, provider: Provider, ids: Sequence[str]
    ) -> dict[str, Account | ProviderError | None]:
        """The account that owns each of the ids; None where none of the caller's does, and the error of one that
        could not be asked where no other one knows the task, since it may be that account's.

        A task that is too new to be shown by anybody is said to be the first account's, which will call it new too,
        and nothing is remembered of it.
        """
        found: dict[str, Account | ProviderError | None] = {
            id: caller.account(self._owners.get((provider.name, id), "")) for id in ids
        }
        unknown = [
            id
            for id, owner in found.items()
            if owner is None and (provider.name, id, caller.identity) not in self._nobodys
        ]
        accounts = caller.accounts_of(provider.name)
        if not unknown or not accounts:
            return found
        turns = asyncio.Semaphore(_ASKED_AT_ONCE)

        async def ask(account: Account) -> Mapping[str, TaskState | ProviderError]:
            async with turns:
                return await _ask(provider, account, unknown)

        told = dict(zip(accounts, await asyncio.gather(*map(ask, accounts)), strict=True))
        for id in unknown:
            owner = self._conclude(provider, id, {account: answers.get(id) for account, answers in told.items()})
            if isinstance(owner, Account) and isinstance(told[owner].get(id), TaskState):
                self._owners[provider.name, id] = owner.tag
            elif owner is None:
                self._nobodys[provider.name, id, caller.identity] = None
            found[id] = owner
        return found

    def _conclude(
        self, provider: Provider, id: str, told: Mapping[Account, TaskState | ProviderError | None]
    ) -> Account | ProviderError | None:
        errors: list[ProviderError] = []
        for account, answer in told.items():
            if isinstance(answer, TaskState):
                return account
            if answer is not None and answer.kind is not ErrorKind.TASK_NOT_FOUND:
                errors.append(answer)
        unsure = [error for error in errors if error.kind is not ErrorKind.INVALID_CREDENTIAL]
        if unsure or len(errors) == len(told):
            return (unsure or errors)[0]
        submitted_at = provider.submitted_at(id)
        new = submitted_at is not None and 0 <= self._clock.now() - submitted_at < NEW_SECONDS
        return next(iter(told)) if new else None


async def _ask(provider: Provider, account: Account, ids: Sequence[str]) -> Mapping[str, TaskState | ProviderError]:
    answers: Mapping[str, TaskState | ProviderError]
    try:
        answers = await provider.query(ids, account)
    except ProviderError as error:
        answers = dict.fromkeys(ids, error)
    for answer in answers.values():
        if isinstance(answer, ProviderError):
            clean(answer, account)
    return answers
