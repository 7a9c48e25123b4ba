"""Task list: the recent tasks of a caller, merged over its accounts, newest first, with stable pagination."""

import asyncio
from collections.abc import Callable, Sequence

from gateway.accounts.callers import Caller
from gateway.core.errors import as_transient, clean, from_provider
from gateway.task_ids.locator import TaskLocator
from gateway.task_ids.signed import TaskId
from gateway.task_ids.task_ref import TaskRef
from providers.contract.accounts import Account, public_tag
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.provider import CanList, Provider
from providers.contract.tasks import ListedTask, TaskState
from providers.registry import VideoProviders

SKEW_SECONDS = 60.0
"""Assumed maximum difference of the gateway's and the upstream's clocks: an id may have a time of either."""
_MARGIN = 10
"""Tasks listed beyond a page, since some are within the skew of its start."""
_GROWTH_FACTOR = 4
_MAX_LISTED = 1000
"""Limit of the tasks listed per account. Upstreams list newest first only, so a later page lists them again."""

_ACCOUNT_ERRORS = frozenset(
    {ErrorKind.INVALID_CREDENTIAL, ErrorKind.RESTRICTED, ErrorKind.NOT_ENTITLED, ErrorKind.NO_CREDITS}
)
"""Persistent errors of an account, which is then left out of the list."""


_Listed = tuple[TaskRef, TaskState]


class Listing:
    """Lists the tasks of every account whose provider can list, live."""

    def __init__(
        self,
        registry: VideoProviders,
        locator: TaskLocator,
        *,
        sole_owner: bool,
        acquire: Callable[[Provider, Account], None] = lambda provider, account: None,
    ) -> None:
        """`sole_owner` is True where the gateway has at most one key, which then owns all tasks of its accounts.
        `acquire` is called for every list call, since lists share the accounts' rate limit."""
        self._acquire = acquire
        self._registry = registry
        self._locator = locator
        self._sole_owner = sole_owner

    async def page(
        self, caller: Caller, *, limit: int, after: TaskRef | None = None, ascending: bool = False
    ) -> tuple[list[_Listed], bool]:
        """At most `limit` tasks, and whether there are more. `after` is the last task of the previous page.

        Raises GatewayError where an account is unavailable for now: a client that pages on would miss its tasks.
        Accounts with a persistent error are left out.
        """
        before = after.created + SKEW_SECONDS if after and after.created and not ascending else None
        per_account = _MAX_LISTED if ascending else limit + 1 + _MARGIN
        while True:
            tasks, frontier = await self._list_all(caller, before, per_account)
            tasks.sort(key=_order, reverse=not ascending)
            if after is not None:
                tasks = _following(tasks, after, ascending)
            if frontier is None or per_account >= _MAX_LISTED:
                return tasks[:limit], len(tasks) > limit
            complete = [listed for listed in tasks if _order(listed)[0] > frontier]
            if len(complete) > limit:
                return complete[:limit], True
            # Too many of them are before the page, or belong to another key.
            per_account = min(per_account * _GROWTH_FACTOR, _MAX_LISTED)

    async def _list_all(
        self, caller: Caller, before: float | None, per_account: int
    ) -> tuple[list[_Listed], float | None]:
        """The tasks of all accounts, and the time before which some account may have more tasks; None where all are
        listed."""
        videos = [account for account in caller.accounts if account.provider in self._registry]
        accounts = [account for account in videos if isinstance(self._registry[account.provider], CanList)]
        answers = await asyncio.gather(*(self._list(account, before, per_account) for account in accounts))
        errors = [answer for answer in answers if isinstance(answer, ProviderError)]
        transient = next((error for error in errors if error.kind not in _ACCOUNT_ERRORS), None)
        if transient is not None and transient.kind is not ErrorKind.RATE_LIMITED:
            raise from_provider(as_transient(transient))
        if transient is not None or (errors and len(errors) == len(answers)):
            raise from_provider(transient or errors[0])
        tasks: list[_Listed] = []
        frontiers = []
        for account, answer in zip(accounts, answers, strict=True):
            if isinstance(answer, ProviderError):
                continue
            if len(answer) >= per_account:
                frontiers.append(min(task.state.created_at or 0.0 for task in answer))
            states = [task.state for task in answer if self._is_visible(caller, account, task)]
            refs = [self._ref(caller, account, state) for state in states]
            tasks += [(ref, state) for ref, state in zip(refs, states, strict=True) if ref is not None]
        return tasks, max(frontiers, default=None)

    async def _list(
        self, account: Account, before: float | None, per_account: int
    ) -> Sequence[ListedTask] | ProviderError:
        provider = self._registry[account.provider]
        if not isinstance(provider, CanList):
            return ()
        self._acquire(provider, account)
        try:
            listed = await provider.list(account, before=before, limit=per_account)
            for task in listed:
                if task.state.error is not None:
                    clean(task.state.error, account)
            return listed
        except ProviderError as error:
            clean(error, account)
            if error.kind is ErrorKind.UNREACHABLE and account.proxy:
                # Its proxy may be down, which must not fail the list of the other accounts.
                return ProviderError(ErrorKind.RESTRICTED, code=error.code, detail=error.detail)
            return error

    def _is_visible(self, caller: Caller, account: Account, task: ListedTask) -> bool:
        """A gateway key sees its own tasks only. Where several keys share an account, the MAC in the submit key
        identifies the owner. For an upstream that does not store submit keys, they see none."""
        if not caller.managed or self._sole_owner:
            return True
        return self._locator.is_own_submit_key(caller, account, task.submit_key)

    def _ref(self, caller: Caller, account: Account, state: TaskState) -> TaskRef | None:
        """The reference of a listed task. None where its upstream id fits no signed id."""
        provider = self._registry[account.provider]
        card = provider.card(state.model) if state.model else None
        model = card.name if card else state.model or ""
        created = int(state.created_at or 0)
        id = self._locator.cached_id(account, state.id, caller) or TaskId(
            account.provider, state.id, public_tag(account), caller.owner, model, created
        )
        try:
            public_id = self._locator.sign(caller, account, id)
        except ValueError:
            return None
        return TaskRef.of(public_id, provider, account, id)


def _order(listed: _Listed) -> tuple[float, str]:
    state = listed[1]
    return state.created_at or 0.0, state.id


def _following(tasks: list[_Listed], after: TaskRef, ascending: bool) -> list[_Listed]:
    """The tasks after `after`: by its position in the list, else by its time."""
    for index, (ref, _) in enumerate(tasks):
        if (ref.account.id, ref.upstream_id) == (after.account.id, after.upstream_id):
            return tasks[index + 1 :]
    last = (after.created or 0, after.upstream_id)
    return [listed for listed in tasks if (_order(listed) > last if ascending else _order(listed) < last)]
