"""The recent tasks of a caller, merged over its accounts, newest first and stable from page to page."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.callers import Caller
from gateway.errors import clean, from_provider
from gateway.places import Place, Places
from gateway.task_ids import TaskId
from providers.contract import Account, CanList, ListedTask, ProviderError
from providers.registry import Registry

SKEW_SECONDS = 60.0
"""An id may carry the gateway's clock rather than the upstream's; they are taken to differ by no more than this."""
_SPARE = 10
"""Tasks asked for beyond a page, since some fall within the skew of its beginning."""
_ALL = 500
"""How far back an ascending list goes: upstreams list newest first only."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One task of a list, with the place that its new public id leads to."""

    place: Place
    task: ListedTask

    @property
    def order(self) -> tuple[int, str]:
        return int(self.task.state.created_at or 0), self.task.state.id


class Listing:
    """Asks every account that can list, live."""

    def __init__(self, registry: Registry, places: Places, *, sole_owner: bool) -> None:
        """`sole_owner` says that the gateway has at most one key, so that all its accounts' tasks are that key's."""
        self._registry = registry
        self._places = places
        self._sole_owner = sole_owner

    async def page(
        self, caller: Caller, *, limit: int, after: Place | None = None, ascending: bool = False
    ) -> tuple[list[Listed], bool]:
        """At most `limit` tasks, and whether there are more. `after` is the last task of the page before.

        Raises GatewayError when no account could be asked.
        """
        before = after.created + SKEW_SECONDS if after and after.created and not ascending else None
        wanted = _ALL if ascending else limit + 1 + _SPARE
        tasks = await self._ask_all(caller, before, wanted)
        tasks.sort(key=lambda listed: listed.order, reverse=not ascending)
        if after is not None:
            tasks = _following(tasks, after, ascending)
        return tasks[:limit], len(tasks) > limit

    async def _ask_all(self, caller: Caller, before: float | None, wanted: int) -> list[Listed]:
        accounts = [account for account in caller.accounts if isinstance(self._registry[account.provider], CanList)]
        answers = await asyncio.gather(*(self._ask(caller, account, before, wanted) for account in accounts))
        failures = [answer for answer in answers if isinstance(answer, ProviderError)]
        if failures and len(failures) == len(answers):
            raise from_provider(failures[0])
        return [listed for answer in answers if not isinstance(answer, ProviderError) for listed in answer]

    async def _ask(
        self, caller: Caller, account: Account, before: float | None, wanted: int
    ) -> list[Listed] | ProviderError:
        provider = self._registry[account.provider]
        if not isinstance(provider, CanList):
            return []
        try:
            tasks: Sequence[ListedTask] = await provider.list(account, before=before, limit=wanted)
        except ProviderError as error:
            clean(error, account)
            return error
        return [
            Listed(self._place(caller, account, task), task) for task in tasks if self._may_see(caller, account, task)
        ]

    def _may_see(self, caller: Caller, account: Account, task: ListedTask) -> bool:
        """A gateway key sees its own tasks only. Where several keys share an account, a task is known to be one's own
        by the mark in its submit key; an upstream that keeps no such key cannot be listed for them."""
        if not caller.managed or self._sole_owner:
            return True
        return self._places.made(caller, account, task.submit_key)

    def _place(self, caller: Caller, account: Account, task: ListedTask) -> Place:
        provider = self._registry[account.provider]
        state = task.state
        card = provider.card(state.model) if state.model else None
        model = card.name if card else state.model or ""
        created = int(state.created_at or 0)
        sealed = TaskId(account.provider, state.id, account.tag, caller.owner, model, created)
        public_id = self._places.seal(caller, account, sealed)
        return Place(public_id, provider, account, state.id, model, created)


def _following(tasks: list[Listed], after: Place, ascending: bool) -> list[Listed]:
    """The tasks behind `after`: behind it in the list where it is there, else beyond its time."""
    for index, listed in enumerate(tasks):
        if (listed.place.account.tag, listed.place.upstream_id) == (after.account.tag, after.upstream_id):
            return tasks[index + 1 :]
    last = (after.created or 0, after.upstream_id)
    return [listed for listed in tasks if (listed.order > last if ascending else listed.order < last)]
