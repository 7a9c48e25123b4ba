"""Tasks: submit, status, cancel, wait, list. The one place that joins callers, models, accounts, upstreams and ids."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from starlette.requests import ClientDisconnect

from gateway.accounts.callers import Caller
from gateway.archive.archive import Opened
from gateway.archive.copier import Outcome
from gateway.archive.records import Variant
from gateway.archive.store import StoreError
from gateway.archive.task_archiver import ArchiveResult, TaskArchiver
from gateway.core import metrics
from gateway.core.clock import Clock
from gateway.core.errors import GatewayError, as_passing, clean, from_provider, invalid
from gateway.core.messages import ERRORS
from gateway.media.intake import MediaIntake
from gateway.polling.poller import Poller
from gateway.polling.task_cache import Observation
from gateway.task_ids.links import fresh_result
from gateway.task_ids.locator import TaskLocator
from gateway.task_ids.task_ref import AmbiguousId, TaskRef
from gateway.tasks.derived import derived_request
from gateway.tasks.idempotency import IdempotencyStore, SubmitRecord
from gateway.tasks.listing import Listed, Listing
from gateway.tasks.model_catalog import Catalog
from gateway.tasks.order import CONNECTED, ClientPresence, SubmitOrder
from gateway.tasks.submitter import SubmitKeys, Submitter
from gateway.tasks.view import Submitted, Task, UnavailableTask, view_of
from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, FieldProblem, FieldReason, ProviderError
from providers.contract.models import ModelCard
from providers.contract.provider import CanCancel, Provider
from providers.contract.requests import Submission, VideoRequest
from providers.contract.tasks import Phase, Result, TaskState
from providers.progress import estimate
from providers.registry import Registry
from providers.sizes import asked_seconds, asked_size, parse_size

_LONG_SECONDS = 0.5
"""After a wait this long for the list of a site, the client may be gone."""
_LATE_SECONDS = 1.0
"""Beyond the freshness: what an answer may be late before it is called stale."""


class Tasks:
    """What clients do with tasks. It keeps nothing that a restart or another replica would miss."""

    def __init__(
        self,
        registry: Registry,
        catalog: Catalog,
        locator: TaskLocator,
        listing: Listing,
        poller: Poller,
        idempotency: IdempotencyStore,
        submitter: Submitter,
        intake: MediaIntake,
        clock: Clock,
        *,
        archiver: TaskArchiver | None = None,
        poll_interval: float = 5.0,
    ) -> None:
        self._registry = registry
        self.catalog = catalog
        self._locator = locator
        self._listing = listing
        self._poller = poller
        self._clock = clock
        self._idempotency = idempotency
        self._submitter = submitter
        self._intake = intake
        self._archiver = archiver
        self._poll_interval = poll_interval

    # --- submit -------------------------------------------------------------------------------------------------

    async def submit(self, order: SubmitOrder) -> Submitted:
        """Start the task of an order, unless an earlier request with the same order did. **Charged.**

        Raises GatewayError, and ClientDisconnect where the client has gone before anything was charged.
        """
        return await self._idempotency.run(order, self._create)

    async def _create(self, order: SubmitOrder, record: SubmitRecord) -> Submitted:
        """Submit an order that no earlier request has submitted, as far as this process knows.

        With an idempotency key another replica may have: where the upstream can tell, that task is given, or 409 when
        it is of another model. For an unconfirmed record it is looked for and nothing is sent.
        """
        caller, request = order.caller, order.request
        if not isinstance(request, VideoRequest):
            request = await derived_request(self, caller, request)
        began = self._clock.now()
        named = not self.catalog.means_default(request.model)
        keys = SubmitKeys(self._locator, caller, record.seed)
        for last in (False, True):
            offer = await self.catalog.offer(caller)
            waited = self._clock.now() - began >= _LONG_SECONDS
            if waited and not order.is_repeatable and await order.client.is_disconnected():
                raise ClientDisconnect
            card, gone = offer.wanted(request)
            provider = self._registry[card.provider]
            if order.idempotency_key is not None or record.unconfirmed:
                # It may have been made with an account whose site has lost the model since.
                made = await self._submitter.find(provider, caller.accounts_of(card.provider), keys)
                if made is not None:
                    return self._found_again(caller, *made, card, named=named)
            if record.unconfirmed:
                raise GatewayError("submission_unconfirmed")
            if gone is not None:
                if last:
                    raise gone
                # A site may leave a model out of one answer.
                await self.catalog.refresh(offer.live_accounts(card.provider))
                continue
            settled = offer.settled(card, request, nearest=order.nearest)
            first = next(iter(settled.values()))
            lacking: list[Account] = []
            try:
                async with self._intake.ready(first.card or card, first, caller.identity) as ready:
                    requests = {account: replace(ready, card=own.card) for account, own in settled.items()}
                    account, submission = await self._submitter.submit(
                        provider, requests, order, record, keys, lacking=lacking
                    )
            except GatewayError as error:
                if not lacking or error.code != "model_not_found":
                    raise
                await self.catalog.refresh(lacking)
                offer = await self.catalog.offer(caller)
                # A client that names no model takes the next one: nothing was created.
                if named or last or offer.wanted(request)[0].name == card.name:
                    offer.add_nearest(error, card)
                    raise
            else:
                self.catalog.contradicted(lacking)
                return self._made(caller, account, submission, first, request.prompt)
        raise AssertionError

    def _made(
        self, caller: Caller, account: Account, submission: Submission, settled: VideoRequest, prompt: str
    ) -> Submitted:
        """A submission of now, known to whoever is asked for it from here on."""
        created = int(self._clock.now())
        self._poller.submitted(account, submission.id, created)
        if self._archiver is not None:
            ref = _new_place(self._registry[account.provider], account, submission.id, settled, created)
            self._archiver.submitted(ref, prompt)
        return self._submitted(caller, account, submission.id, settled, created)

    def _found_again(
        self, caller: Caller, account: Account, submission: Submission, card: ModelCard, *, named: bool
    ) -> Submitted:
        """An earlier submission. What it asked for besides the model is not known, and so not said. Where the client
        named no model, the default may have been another one then."""
        provider = self._registry[account.provider]
        before = (provider.card(submission.model) if submission.model else None) or card
        if named and before.name != card.name:
            raise GatewayError("idempotency_mismatch")
        created = int(submission.created_at or self._clock.now())
        return self._submitted(caller, account, submission.id, VideoRequest(before.name), created)

    def _submitted(
        self, caller: Caller, account: Account, upstream_id: str, settled: VideoRequest, created: int
    ) -> Submitted:
        try:
            sealed = self._locator.signed_id(caller, account, upstream_id, settled, created)
        except ValueError:
            # The task is there, and there is no way to name it: what can be said is that it may be charged.
            raise GatewayError("submission_unconfirmed", upstream_code=upstream_id[:64]) from None
        return Submitted(
            sealed if self._locator.needs_signed_id(caller, account, upstream_id) else upstream_id,
            sealed,
            upstream_id,
            account.provider,
            account.label,
            settled.model,
            created,
            asked_seconds(settled),
            asked_size(settled),
        )

    # --- status -------------------------------------------------------------------------------------------------

    async def status(self, caller: Caller, id: str, *, force_refresh: bool = False) -> Task:
        """The task now. `force_refresh` forces a query. Raises GatewayError: 404, or 401 for a refused credential."""
        ref = None if force_refresh else self._locator.known(caller, id)
        if ref is not None:
            card = ref.provider.card(ref.model) if ref.model else None
            fresh = self._poller.fresh_observation(ref.account, ref.upstream_id, card)
            if fresh is not None:
                return self._task(ref, fresh)
        found = (await self._find_and_observe(caller, [id], force_refresh))[id]
        if found is None:
            raise GatewayError("task_not_found")
        if isinstance(found, UnavailableTask):
            raise from_provider(found.error) from found.error
        return found

    async def statuses(
        self, caller: Caller, ids: Sequence[str], *, force_refresh: bool = False
    ) -> dict[str, Task | None]:
        """Many tasks at once, with one query for each account; None for an id that leads nowhere.

        Raises GatewayError (401) when the credential of every one of them is refused. Refused for some only, those
        are told as they stand, with the reason.
        """
        found = await self._find_and_observe(caller, ids, force_refresh)
        unavailable = [answer for answer in found.values() if isinstance(answer, UnavailableTask)]
        if unavailable and not any(isinstance(answer, Task) for answer in found.values()):
            raise from_provider(unavailable[0].error)
        return {id: answer.task if isinstance(answer, UnavailableTask) else answer for id, answer in found.items()}

    async def wait(
        self, caller: Caller, submitted: Submitted, seconds: float, client: ClientPresence = CONNECTED
    ) -> Task:
        """Follow a task until it ends, at most `seconds`, or until the client has gone. It never loses the task."""
        deadline = self._clock.now() + seconds
        state = TaskState(submitted.id, Phase.QUEUED, created_at=submitted.created)
        task = Task(submitted.id, submitted.provider, state, model=submitted.model, created=submitted.created)
        while not task.state.phase.ended:
            left = deadline - self._clock.now()
            if left <= 0 or await client.is_disconnected():
                break
            await self._clock.sleep(min(self._poll_interval, left))
            try:
                task = replace(await self.status(caller, submitted.id), model=submitted.model)
            except GatewayError:
                break
        return task

    async def cancel(self, caller: Caller, id: str) -> Task:
        """Cancel a task and tell how it stands then; one that is cancelled already stays so.

        Raises GatewayError: 409 where it cannot be cancelled.
        """
        ref = await self._locator.find_one(caller, id)
        if ref is None:
            raise GatewayError("task_not_found")
        if not isinstance(ref.provider, CanCancel):
            raise GatewayError("not_cancellable")
        self._poller.acquire(ref.provider, ref.account)
        try:
            try:
                await ref.provider.cancel(ref.upstream_id, ref.account)
            finally:
                self._poller.expire(ref.account, ref.upstream_id)
        except ProviderError as error:
            clean(error, ref.account)
            if error.kind is ErrorKind.NOT_CANCELLABLE:
                task = (await self._observe([ref], True))[id]
                if isinstance(task, Task) and task.state.error and task.state.error.kind is ErrorKind.CANCELLED:
                    return task
            if error.kind is ErrorKind.ANSWER_LOST:
                raise GatewayError("upstream_unavailable", ERRORS["cancel_unanswered"]) from error
            raise from_provider(error) from error
        return await self.status(caller, id, force_refresh=True)

    async def _find_and_observe(
        self, caller: Caller, ids: Sequence[str], force_refresh: bool
    ) -> dict[str, "Task | UnavailableTask | None"]:
        """The tasks of ids, with one query for each account; None for an id that leads nowhere."""
        locator = await self._locator.find(caller, ids)
        by_account: defaultdict[str, list[TaskRef]] = defaultdict(list)
        found: dict[str, Task | UnavailableTask | None] = dict.fromkeys(locator)
        for id, ref in locator.items():
            if isinstance(ref, TaskRef):
                by_account[ref.account.tag].append(ref)
            elif isinstance(ref, AmbiguousId):
                found[id] = self._unplaced(id, ref)
        for answer in await asyncio.gather(*(self._observe(group, force_refresh) for group in by_account.values())):
            found |= answer
        nowhere = [id for id, ref in locator.items() if not isinstance(ref, TaskRef) and not _is_refused(found[id])]
        restored = await asyncio.gather(*(self._recall(self._locator.possible(caller, id)) for id in nowhere))
        for id, told in zip(nowhere, restored, strict=True):
            if isinstance(told, Task) or found[id] is None:
                found[id] = told
        return found

    async def _recall(self, locator: Sequence[TaskRef]) -> "Task | UnavailableTask | None":
        """A task of which no upstream tells, from the archive: at the first of the places where it can be.

        Where the archive cannot be asked, nobody can say that it is gone.
        """
        if self._archiver is None:
            return None
        for ref in locator:
            try:
                told = await self._archiver.restore(ref)
            except StoreError:
                error = ProviderError(ErrorKind.UNREACHABLE, words=ERRORS["archive_out_of_reach"])
                return UnavailableTask(ref.public_id, ref.provider.name, error, ref)
            if told is not None:
                seen = Observation(told.state, 100, self._clock.now())
                return replace(self._task(told.ref, seen), archived=True, restored=True)
        return None

    async def fresh_result(self, caller: Caller, id: str) -> Result | None:
        """The result of a task with fresh links; None where the upstream has none any more.

        Raises GatewayError: 502 where it cannot be asked just now, 401 where it refuses the credential.
        """
        ref = await self._locator.find_one(caller, id)
        if ref is None:
            return None
        try:
            return await fresh_result(self._poller, ref, self._clock.now())
        except ProviderError as error:
            raise from_provider(as_passing(error)) from error

    async def open_archived(
        self, caller: Caller, id: str, variant: Variant, *, range: str = "", if_range: str = "", head: bool = False
    ) -> Opened | None:
        """A file of a task of the caller's from the archive, None where it is not there.

        Raises UnsatisfiableRangeError.
        """
        if self._archiver is None:
            return None
        for ref in self._places_of(caller, id):
            opened = await self._archiver.open(ref, variant, range=range, if_range=if_range, head=head)
            if opened is not None:
                return opened
        return None

    async def archive(self, caller: Caller, id: str) -> ArchiveResult:
        """Archive a task now, unless it is there. Raises GatewayError for an id that leads nowhere."""
        if self._archiver is None:
            raise GatewayError("task_not_found")
        ref = await self._locator.find_one(caller, id)
        if ref is not None:
            return await self._archiver.archive_now(ref)
        # None of several accounts knows it any more.
        possible = self._locator.possible(caller, id)
        if not possible:
            raise GatewayError("task_not_found")
        for one in possible:
            opened = await self._archiver.open(one, "video", head=True)
            if opened is not None:
                return ArchiveResult(Outcome.ALREADY_THERE, path=opened.file.path)
        return ArchiveResult(Outcome.EXPIRED)

    def _places_of(self, caller: Caller, id: str) -> Sequence[TaskRef]:
        """Where an id leads that was looked for a moment ago, or everywhere that it may lead."""
        known = self._locator.known(caller, id)
        return [known] if known is not None else self._locator.possible(caller, id)

    @staticmethod
    def _unplaced(id: str, ref: AmbiguousId) -> "Task | UnavailableTask":
        name, error = ref.provider.name, ref.error
        if error is None:
            return Task(id, name, TaskState(id, Phase.QUEUED, created_at=ref.provider.submitted_at(id)))
        unavailable = UnavailableTask(id, name, error)
        return unavailable if error.kind is ErrorKind.INVALID_CREDENTIAL else unavailable.task

    async def _observe(
        self, locator: Sequence[TaskRef], force_refresh: bool
    ) -> dict[str, "Task | UnavailableTask | None"]:
        """The tasks of places that all belong to one account, by public id; None for one that the upstream does not
        know."""
        provider, account = locator[0].provider, locator[0].account
        observed = await self._poller.observe(
            provider,
            account,
            {ref.upstream_id: provider.card(ref.model) if ref.model else None for ref in locator},
            submitted_at={ref.upstream_id: ref.created or provider.submitted_at(ref.upstream_id) for ref in locator},
            force_refresh=force_refresh,
        )
        found: dict[str, Task | UnavailableTask | None] = {}
        for ref in locator:
            seen = observed[ref.upstream_id]
            if isinstance(seen, Observation):
                found[ref.public_id] = self._task(ref, seen)
            elif seen.kind is ErrorKind.TASK_NOT_FOUND:
                found[ref.public_id] = None
            else:
                found[ref.public_id] = UnavailableTask(ref.public_id, provider.name, seen, ref)
        unavailable = [ref for ref in locator if self._may_be_archived(ref, observed[ref.upstream_id])]
        for ref, told in zip(
            unavailable, await asyncio.gather(*(self._recall([ref]) for ref in unavailable)), strict=True
        ):
            if isinstance(told, Task) or (told is not None and found[ref.public_id] is None):
                found[ref.public_id] = told
        return found

    def _may_be_archived(self, ref: TaskRef, seen: Observation | ProviderError) -> bool:
        """True where the upstream tells nothing of the task, unless it refuses the login; and for one that seems too
        new, unless it was submitted here: then it is."""
        if isinstance(seen, ProviderError):
            return seen.kind is not ErrorKind.INVALID_CREDENTIAL
        return seen.observed_at <= 0 and not self._locator.submitted_here(ref)

    def _task(self, ref: TaskRef, seen: Observation) -> Task:
        model = ref.model
        if not model and seen.state.model:
            card = ref.provider.card(seen.state.model)
            model = card.name if card else seen.state.model
        age = self._poller.age(seen)
        late = False
        if not seen.state.phase.ended:
            metrics.ANSWER_AGES.observe(age)
            late = age > self._poller.freshness + _LATE_SECONDS
        round_seconds = self._poller.round_seconds(ref.provider, ref.account)
        archived = self._archiver.seen(ref, seen.state) if self._archiver is not None else False
        return view_of(ref, seen, model, age=age, late=late, round_seconds=round_seconds, archived=archived)

    async def list(
        self, caller: Caller, *, limit: int, after: str | None = None, ascending: bool = False, native: bool = False
    ) -> tuple[Sequence[Task], bool]:
        """Recent tasks of the caller's accounts, and whether there are more behind them. Ids are sealed ones; with
        `native` they are those that a submit gives, the upstream's own where that is enough.

        Raises GatewayError: 400 for an `after` that is no task of the caller's.
        """
        behind = await self._locator.find_one(caller, after) if after else None
        if after and behind is None:
            raise invalid([FieldProblem("after", FieldReason.NOT_ALLOWED, ("last_id",), after[:60])])
        page, more = await self._listing.page(caller, limit=limit, after=behind, ascending=ascending)
        now = self._clock.now()
        tasks = [self._listed(listed, now) for listed in page]
        if native:
            tasks = [self._with_own_id(caller, listed.ref, task) for listed, task in zip(page, tasks, strict=True)]
        return tasks, more

    def _with_own_id(self, caller: Caller, ref: TaskRef, task: Task) -> Task:
        sealed = self._locator.needs_signed_id(caller, ref.account, ref.upstream_id)
        return task if sealed else replace(task, id=ref.upstream_id)

    def _listed(self, listed: Listed, now: float) -> Task:
        state = listed.task.state
        card = listed.ref.provider.card(listed.ref.model) if listed.ref.model else None
        progress = estimate(state, now, card.typical_seconds) if card else state.progress
        archived = self._archiver is not None and self._archiver.known(listed.ref)
        return view_of(listed.ref, Observation(state, progress, observed_at=now), listed.ref.model, archived=archived)


def _is_refused(found: "Task | UnavailableTask | None") -> bool:
    """True where the upstream refuses the login: whoever shows it is told nothing from elsewhere."""
    return isinstance(found, UnavailableTask) and found.error.kind is ErrorKind.INVALID_CREDENTIAL


def _new_place(provider: Provider, account: Account, id: str, settled: VideoRequest, created: int) -> TaskRef:
    """Where a task is that was submitted just now, with what was asked for."""
    width, height = parse_size(asked_size(settled)) or (0, 0)
    return TaskRef(id, provider, account, id, settled.model, created, asked_seconds(settled), width, height)
