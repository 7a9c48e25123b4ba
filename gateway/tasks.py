"""Tasks: submit, status, cancel, wait. The one place that joins callers, accounts, providers, polling and ids."""

import asyncio
import hmac
import math
import uuid
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from gateway import task_ids
from gateway.callers import Caller
from gateway.clock import Clock
from gateway.errors import GatewayError, from_provider, refused
from gateway.polling import Observation, Polling
from gateway.task_ids import TaskId
from providers.contract import (
    Account,
    Blame,
    CanCancel,
    CanFind,
    ErrorKind,
    ModelCard,
    Phase,
    Provider,
    ProviderError,
    Submission,
    TaskState,
    VideoRequest,
)
from providers.registry import Registry
from providers.settle import parse_size, settle

LOOKUP_DELAYS = (1.0, 1.0, 2.0, 3.0)
"""Seconds before each look-up of a submit whose answer was lost: the store of the upstream lags behind the submit."""

_POLL_AFTER_MS = {
    Phase.QUEUED: 3000,
    Phase.PROCESSING: 3000,
    Phase.POST_PROCESSING: 2000,
    Phase.FINALIZING: 1000,
}
_LONGEST_POLL_AFTER_MS = 15_000
_QUEUE_POLLS = 5
"""How many polls a place in a queue is worth until its forecast has passed."""


@dataclass(frozen=True, slots=True)
class Submitted:
    """A task that was accepted. `id` is the public one; `created` is in unix seconds."""

    id: str
    provider: str
    model: str
    created: int


@dataclass(frozen=True, slots=True)
class Task:
    """One task as it stands, for any surface to render. `model` and `created` are None where nobody knows them.

    `trouble` is why the state may be old: the last query failed on its way.
    """

    id: str
    provider: str
    state: TaskState
    progress: int = 0
    model: str | None = None
    created: int | None = None
    trouble: ProviderError | None = None

    @property
    def poll_after_ms(self) -> int | None:
        """When to ask again; None once the task has ended."""
        if self.state.phase.ended:
            return None
        pause = _POLL_AFTER_MS[self.state.phase]
        queue = self.state.queue
        if queue and queue.eta_seconds:
            pause = max(pause, math.ceil(queue.eta_seconds * 1000 / _QUEUE_POLLS))
        return min(pause, _LONGEST_POLL_AFTER_MS)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a public id leads: the account that owns the task and the upstream's id there."""

    public_id: str
    provider: Provider
    account: Account
    upstream_id: str
    model: str = ""
    created: int | None = None

    def found_as(self, observation: Observation, model: str | None) -> Task:
        state = observation.state
        created = self.created or observation.submitted_at or state.created_at
        return Task(
            self.public_id,
            self.provider.name,
            state,
            observation.progress,
            model=self.model or model,
            created=int(created) if created else None,
            trouble=observation.trouble,
        )


class Tasks:
    """What clients do with tasks. It keeps nothing that a restart or another replica would miss.

    `secrets` are the MAC keys of sealed ids, the first one seals. `defaults` are pairs of model names, for text
    and for requests with media, in the order in which they are tried where a client names no model.
    """

    def __init__(
        self,
        registry: Registry,
        polling: Polling,
        clock: Clock,
        *,
        secrets: Sequence[bytes] = (),
        aliases: Mapping[str, str] | None = None,
        defaults: Sequence[tuple[str, str]] = (),
        poll_interval: float = 5.0,
        new_key: Callable[[], str] = lambda: str(uuid.uuid4()),
    ) -> None:
        self._registry = registry
        self._polling = polling
        self._clock = clock
        self._secrets = tuple(secrets)
        self._aliases = dict(aliases or {})
        self._defaults = tuple(defaults)
        self._poll_interval = poll_interval
        self._new_key = new_key

    # --- submit -------------------------------------------------------------------------------------------------

    async def submit(self, caller: Caller, request: VideoRequest) -> Submitted:
        """Start a task. **Charged.** Raises GatewayError."""
        card = self._card_for(caller, request)
        accounts = caller.accounts_for(card)
        if not accounts:
            raise self._no_account(caller, card)
        try:
            settled = settle(card, replace(request, model=card.name))
        except ProviderError as error:
            raise from_provider(error) from error
        provider = self._registry[card.provider]
        account, submission = await self._submit_over(accounts, provider, settled)
        created = int(self._clock.now())
        self._polling.submitted(account, submission.id, created)
        public_id = self._public_id(caller, account, submission.id, settled, created)
        return Submitted(public_id, card.provider, card.name, created)

    def _card_for(self, caller: Caller, request: VideoRequest) -> ModelCard:
        if request.model:
            return self.card(request.model)
        cards = [self.card(with_media if request.media else text) for text, with_media in self._defaults]
        usable = [card for card in cards if caller.accounts_for(card)] or cards
        able = [card for card in usable if not request.media or card.open or card.roles]
        return (able or usable)[0]

    def card(self, name: str) -> ModelCard:
        """The card of a model or of an alias. Raises GatewayError (404)."""
        card = self._registry.card(self._aliases.get(name, name))
        if card is None:
            raise GatewayError("model_not_found", values={"model": name})
        return card

    def cards(self, caller: Caller) -> dict[str, ModelCard]:
        """Every model the caller's accounts can use, aliases included, by the name that clients write."""
        found = {
            card.name: card for provider in self._registry for card in provider.models() if caller.accounts_for(card)
        }
        for alias, name in self._aliases.items():
            card = self._registry.card(name)
            if card is not None and caller.accounts_for(card):
                found[alias] = card
        return found

    @staticmethod
    def _no_account(caller: Caller, card: ModelCard) -> GatewayError:
        if caller.accounts_of(card.provider):
            return refused("not_in_region", model=card.name, regions=", ".join(sorted(card.regions)))
        return refused("no_account_for_provider", provider=card.provider)

    async def _submit_over(
        self, accounts: Sequence[Account], provider: Provider, request: VideoRequest
    ) -> tuple[Account, Submission]:
        """Submit with the first account that can. The next one is tried only after trouble of an account's own,
        which surely created nothing; whatever else goes wrong goes back to the client."""
        submit_key = self._new_key()
        failures: list[ProviderError] = []
        for account in accounts:
            try:
                return account, await self._submit_once(provider, request, account, submit_key)
            except ProviderError as error:
                error.detail = account.redact(error.detail)
                if error.kind.blame is not Blame.ACCOUNT:
                    raise from_provider(error) from error
                failures.append(error)
        raise from_provider(_most_hopeful(failures))

    async def _submit_once(
        self, provider: Provider, request: VideoRequest, account: Account, submit_key: str
    ) -> Submission:
        """One submit to one account. A lost answer is looked up; only a submit that the upstream does not know is
        sent again, once, and as the same submit."""
        for last in (False, True):
            try:
                return await provider.submit(request, account, submit_key=submit_key)
            except ProviderError as error:
                if error.kind is not ErrorKind.ANSWER_LOST or not isinstance(provider, CanFind):
                    raise
                found = await self._look_up(provider, submit_key, account, lost=error)
                if found is not None:
                    return found
                if last:
                    raise
        raise AssertionError

    async def _look_up(
        self, provider: CanFind, submit_key: str, account: Account, *, lost: ProviderError
    ) -> Submission | None:
        """The submission of a key, None when the upstream surely does not know it. Raises `lost` when it cannot
        be told."""
        unknown = False
        for delay in LOOKUP_DELAYS:
            await self._clock.sleep(delay)
            try:
                found = await provider.find(submit_key, account)
            except ProviderError:
                unknown = False
                continue
            if found is not None:
                return found
            unknown = True
        if not unknown:
            raise lost
        return None

    def _public_id(
        self, caller: Caller, account: Account, upstream_id: str, request: VideoRequest, created: int
    ) -> str:
        """The upstream's own id where the caller's one credential is enough to find the task again, else sealed."""
        if not caller.managed and len(caller.accounts_of(account.provider)) == 1:
            return upstream_id
        width, height = parse_size(request.size or "") or (0, 0)
        sealed = TaskId(
            provider=account.provider,
            upstream_id=upstream_id,
            account_tag=account.tag,
            owner_tag=caller.owner,
            model=request.model,
            created=created,
            seconds=request.duration or 0,
            width=width,
            height=height,
        )
        return task_ids.seal(sealed, self._keys(caller, account)[0])

    # --- status -------------------------------------------------------------------------------------------------

    async def status(self, caller: Caller, id: str, *, ask: bool = False) -> Task:
        """The task as it stands. `ask` forces a query. Raises GatewayError: 404, or 401 for a refused credential."""
        place = self._place(caller, id)
        if place is None:
            raise GatewayError("task_not_found")
        found = (await self._observe([place], ask))[id]
        if isinstance(found, ProviderError):
            raise from_provider(found) from found
        return found

    async def statuses(self, caller: Caller, ids: Sequence[str], *, ask: bool = False) -> dict[str, Task | None]:
        """Many tasks at once, with one query for each account; None for an id that leads nowhere.

        Raises GatewayError (401) when the credential of every one of them is refused. Refused for some only, those
        are told as they stand, with the reason.
        """
        places = {id: self._place(caller, id) for id in ids}
        by_account: defaultdict[str, list[_Place]] = defaultdict(list)
        for place in places.values():
            if place is not None:
                by_account[place.account.tag].append(place)
        answers = await asyncio.gather(*(self._observe(group, ask) for group in by_account.values()))
        found = {id: task for answer in answers for id, task in answer.items()}
        errors = [task for task in found.values() if isinstance(task, ProviderError)]
        if errors and len(errors) == len(found) and all(e.kind is ErrorKind.INVALID_CREDENTIAL for e in errors):
            raise from_provider(errors[0])
        tasks: dict[str, Task | None] = {}
        for id, place in places.items():
            task = found.get(id)
            if place is not None and isinstance(task, ProviderError) and task.kind is not ErrorKind.TASK_NOT_FOUND:
                state = TaskState(place.upstream_id, Phase.PROCESSING)
                task = place.found_as(Observation(state, 0, seen_at=0, trouble=task), None)
            tasks[id] = task if isinstance(task, Task) else None
        return tasks

    async def wait(
        self, caller: Caller, submitted: Submitted, seconds: float, gone: Callable[[], Awaitable[bool]]
    ) -> Task:
        """Follow a task until it ends, at most `seconds`, or until the client is `gone`. It never loses the task."""
        deadline = self._clock.now() + seconds
        state = TaskState(submitted.id, Phase.QUEUED, created_at=submitted.created)
        task = Task(submitted.id, submitted.provider, state, model=submitted.model, created=submitted.created)
        while not task.state.phase.ended:
            left = deadline - self._clock.now()
            if left <= 0 or await gone():
                break
            await self._clock.sleep(min(self._poll_interval, left))
            try:
                task = replace(await self.status(caller, submitted.id), model=submitted.model)
            except GatewayError:
                break
        return task

    async def cancel(self, caller: Caller, id: str) -> Task:
        """Cancel a task and tell how it stands then. Raises GatewayError: 409 where it cannot be cancelled."""
        place = self._place(caller, id)
        if place is None:
            raise GatewayError("task_not_found")
        if not isinstance(place.provider, CanCancel):
            raise GatewayError("not_cancellable")
        try:
            await place.provider.cancel(place.upstream_id, place.account)
        except ProviderError as error:
            error.detail = place.account.redact(error.detail)
            if error.kind is ErrorKind.ANSWER_LOST:
                # A cancel may be sent twice without harm.
                raise GatewayError("upstream_unavailable") from error
            raise from_provider(error) from error
        return await self.status(caller, id, ask=True)

    async def _observe(self, places: Sequence[_Place], ask: bool) -> dict[str, Task | ProviderError]:
        """The tasks of places that all belong to one account, by public id."""
        provider, account = places[0].provider, places[0].account
        observed = await self._polling.observe(
            provider,
            account,
            {place.upstream_id: provider.card(place.model) if place.model else None for place in places},
            submitted_at={
                place.upstream_id: place.created or provider.submitted_at(place.upstream_id) for place in places
            },
            ask=ask,
        )
        found: dict[str, Task | ProviderError] = {}
        for place in places:
            seen = observed[place.upstream_id]
            error = seen if isinstance(seen, ProviderError) else seen.trouble or seen.state.error
            if error is not None:
                error.detail = account.redact(error.detail)
            if isinstance(seen, ProviderError):
                found[place.public_id] = seen
            else:
                card = provider.card(seen.state.model) if seen.state.model else None
                found[place.public_id] = place.found_as(seen, card.name if card else seen.state.model)
        return found

    # --- ids ----------------------------------------------------------------------------------------------------

    def _place(self, caller: Caller, id: str) -> _Place | None:
        """Where a public id leads for this caller; None for one that is forged, another's, or nobody's."""
        if id.startswith(task_ids.PREFIX):
            return self._sealed_place(caller, id)
        provider = None if caller.managed else self._registry.owner(id)
        if provider is None:
            return None
        accounts = caller.accounts_of(provider.name)
        return _Place(id, provider, accounts[0], id) if len(accounts) == 1 else None

    def _sealed_place(self, caller: Caller, id: str) -> _Place | None:
        claimed = task_ids.peek(id)
        account = caller.account(claimed.account_tag) if claimed else None
        if account is None:
            return None
        opened = task_ids.unseal(id, self._keys(caller, account))
        if (
            opened is None
            or opened.provider != account.provider
            or not hmac.compare_digest(opened.owner_tag, caller.owner)
        ):
            return None
        provider = self._registry[account.provider]
        return _Place(id, provider, account, opened.upstream_id, opened.model, opened.created)

    def _keys(self, caller: Caller, account: Account) -> tuple[bytes, ...]:
        """The MAC keys of an account's tasks: the gateway's, and for whoever holds the credential, the one made of
        it, so that ids hold everywhere with no configuration at all."""
        if caller.managed:
            return self._secrets
        return (*self._secrets, task_ids.derived_key(account.credential))


def _most_hopeful(failures: Sequence[ProviderError]) -> ProviderError:
    """Of the failures of several accounts, the one that will pass the soonest: it is what the client should know."""
    order = (
        ErrorKind.TOO_MANY_RUNNING,
        ErrorKind.RATE_LIMITED,
        ErrorKind.NO_CREDITS,
        ErrorKind.NOT_ENTITLED,
        ErrorKind.RESTRICTED,
        ErrorKind.INVALID_CREDENTIAL,
    )
    return min(failures, key=lambda failure: order.index(failure.kind))
