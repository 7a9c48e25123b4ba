"""The recent tasks of a caller, merged over its accounts, newest first and stable from page to page."""

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
from providers.registry import Registry

SKEW_SECONDS = 60.0
"""An id may carry the gateway's clock rather than the upstream's; they are taken to differ by no more than this."""
_SPARE = 10
"""Tasks asked for beyond a page, since some fall within the skew of its beginning."""
_FACTOR = 4
_MOST = 1000
"""How far back a list goes: upstreams list newest first only, and a page is asked for again from there on."""

_REFUSED = frozenset({ErrorKind.INVALID_CREDENTIAL, ErrorKind.RESTRICTED, ErrorKind.NOT_ENTITLED, ErrorKind.NO_CREDITS})
"""An account in one of these will not answer soon, and is left out."""


_Listed = tuple[TaskRef, TaskState]


class Listing:
    """Asks every account that can list, live."""

    def __init__(
        self,
        registry: Registry,
        locator: TaskLocator,
        *,
        sole_owner: bool,
        acquire: Callable[[Provider, Account], None] = lambda provider, account: None,
    ) -> None:
        """`sole_owner` says that the gateway has at most one key, so that all its accounts' tasks are that key's.
        `acquire` is told of every call, since lists count against the accounts' budgets."""
        self._acquire = acquire
        self._registry = registry
        self._locator = locator
        self._sole_owner = sole_owner

    async def page(
        self, caller: Caller, *, limit: int, after: TaskRef | None = None, ascending: bool = False
    ) -> tuple[list[_Listed], bool]:
        """At most `limit` tasks, and whether there are more. `after` is the last task of the page before.

        Raises GatewayError when an account cannot be asked just now: to leave its tasks out would lose them for
        whoever pages on. Accounts that are refused are left out.
        """
        before = after.created + SKEW_SECONDS if after and after.created and not ascending else None
        wanted = _MOST if ascending else limit + 1 + _SPARE
        while True:
            tasks, frontier = await self._ask_all(caller, before, wanted)
            tasks.sort(key=_order, reverse=not ascending)
            if after is not None:
                tasks = _following(tasks, after, ascending)
            if frontier is None or wanted >= _MOST:
                return tasks[:limit], len(tasks) > limit
            sure = [listed for listed in tasks if _order(listed)[0] > frontier]
            if len(sure) > limit:
                return sure[:limit], True
            # Too many of them stand before the page, or are another key's.
            wanted = min(wanted * _FACTOR, _MOST)

    async def _ask_all(self, caller: Caller, before: float | None, wanted: int) -> tuple[list[_Listed], float | None]:
        """The tasks of all accounts, and the time up to which some account may have more that were not fetched;
        None when there are no others."""
        accounts = [account for account in caller.accounts if isinstance(self._registry[account.provider], CanList)]
        answers = await asyncio.gather(*(self._ask(account, before, wanted) for account in accounts))
        errors = [answer for answer in answers if isinstance(answer, ProviderError)]
        transient = next((error for error in errors if error.kind not in _REFUSED), None)
        if transient is not None and transient.kind is not ErrorKind.RATE_LIMITED:
            raise from_provider(as_transient(transient))
        if transient is not None or (errors and len(errors) == len(answers)):
            raise from_provider(transient or errors[0])
        tasks: list[_Listed] = []
        frontiers = []
        for account, answer in zip(accounts, answers, strict=True):
            if isinstance(answer, ProviderError):
                continue
            if len(answer) >= wanted:
                frontiers.append(min(task.state.created_at or 0.0 for task in answer))
            states = [task.state for task in answer if self._may_see(caller, account, task)]
            refs = [self._ref(caller, account, state) for state in states]
            tasks += [(ref, state) for ref, state in zip(refs, states, strict=True) if ref is not None]
        return tasks, max(frontiers, default=None)

    async def _ask(self, account: Account, before: float | None, wanted: int) -> Sequence[ListedTask] | ProviderError:
        provider = self._registry[account.provider]
        if not isinstance(provider, CanList):
            return ()
        self._acquire(provider, account)
        try:
            return await provider.list(account, before=before, limit=wanted)
        except ProviderError as error:
            clean(error, account)
            if error.kind is ErrorKind.UNREACHABLE and account.proxy:
                # The trouble of its way: one dead proxy is not to keep the others' tasks from being listed.
                return ProviderError(ErrorKind.RESTRICTED, code=error.code, detail=error.detail)
            return error

    def _may_see(self, caller: Caller, account: Account, task: ListedTask) -> bool:
        """A gateway key sees its own tasks only. Where several keys share an account, a task is known to be one's own
        by the mark in its submit key; an upstream that keeps no such key cannot be listed for them."""
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
    """The tasks behind `after`: behind it in the list where it is there, else beyond its time."""
    for index, (ref, _) in enumerate(tasks):
        if (ref.account.id, ref.upstream_id) == (after.account.id, after.upstream_id):
            return tasks[index + 1 :]
    last = (after.created or 0, after.upstream_id)
    return [listed for listed in tasks if (_order(listed) > last if ascending else _order(listed) < last)]
