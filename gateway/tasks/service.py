"""Task service: submit, status, cancel, list and archive, across callers, models, accounts and upstreams."""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

from gateway.accounts.callers import Caller
from gateway.archive.archive import OpenedFile
from gateway.archive.copier import ArchiveResult, Outcome
from gateway.archive.records import Variant
from gateway.archive.task_archiver import TaskArchiver
from gateway.core import tracing
from gateway.core.clock import Clock
from gateway.core.errors import GatewayError, as_transient, clean, from_provider, invalid
from gateway.core.messages import ERRORS
from gateway.media.intake import MediaIntake
from gateway.polling.poller import Poller
from gateway.polling.task_cache import Observation
from gateway.task_ids.links import fresh_result
from gateway.task_ids.locator import TaskLocator
from gateway.task_ids.task_ref import TaskRef
from gateway.tasks.derived import derived_request
from gateway.tasks.idempotency import IdempotencyStore, SubmitRecord
from gateway.tasks.listing import Listing
from gateway.tasks.model_catalog import Catalog
from gateway.tasks.observer import TaskObserver
from gateway.tasks.order import SubmitOrder
from gateway.tasks.prompt_rewriting import UNCHANGED, PromptRewriter, Rewriting
from gateway.tasks.reservation import counted_seconds, refresh_running, reserved
from gateway.tasks.send_deadline import SendDeadline
from gateway.tasks.submit_lookup import LookupResult
from gateway.tasks.submitter import Submitter
from gateway.tasks.upload_grants import UploadGrants
from gateway.tasks.view import Submitted, Task, view_of
from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, FieldProblem, FieldReason, ProviderError
from providers.contract.models import ModelCard
from providers.contract.provider import CanCancel
from providers.contract.requests import Submission, VideoRequest
from providers.contract.tasks import Result, TaskState
from providers.progress import estimate
from providers.registry import VideoProviders
from providers.sizes import asked_seconds, asked_size


class Tasks:
    """The operations on tasks. Stateless: a restart or another replica loses nothing."""

    def __init__(
        self,
        registry: VideoProviders,
        catalog: Catalog,
        locator: TaskLocator,
        listing: Listing,
        poller: Poller,
        idempotency: IdempotencyStore,
        submitter: Submitter,
        intake: MediaIntake,
        clock: Clock,
        *,
        grants: UploadGrants,
        prompts: PromptRewriter,
        archiver: TaskArchiver | None = None,
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
        self._grants = grants
        self._prompts = prompts
        self._archiver = archiver
        self._observer = TaskObserver(locator, poller, archiver, clock)

    # --- submit -------------------------------------------------------------------------------------------------

    async def submit(self, order: SubmitOrder) -> Submitted:
        """Submit a task, idempotently: a retry of an order returns the task of the first request. **Charged.**

        Raises GatewayError, and ClientDisconnect if all clients disconnect before anything is charged.
        """
        return await self._idempotency.run(order, self._create)

    def is_repeat(self, order: SubmitOrder) -> bool:
        """True for a retry of a submit of which this process has a record."""
        return self._idempotency.is_repeat(order)

    async def _create(self, order: SubmitOrder, record: SubmitRecord) -> Submitted:
        """Submit an order for which this process has no record.

        With an idempotency key another replica may have submitted it: if the upstream lists that task, it is returned,
        or GatewayError (409) raised when its model differs. An unconfirmed record is only looked up, never resent.
        """
        deadline = SendDeadline(self._clock)
        caller, request = order.caller, order.request
        if not isinstance(request, VideoRequest):
            request = await derived_request(self, caller, request)
        named = not self.catalog.means_default(request.model)
        keys = self._locator.submit_keys(caller, record.seed)
        for last in (False, True):
            offer = await self.catalog.offer(caller)
            card, missing = offer.resolve(request)
            provider = self._registry[card.provider]
            lookup: LookupResult | None = None
            if order.idempotency_key is not None or record.unconfirmed:
                # Not only on accounts for the request: the site of the task's account may no longer offer the model.
                charged = record.charge.account_id if record.charge is not None else None
                lookup = await self._submitter.find(provider, caller.accounts_of(card.provider), keys, charged=charged)
                if lookup is not None and lookup.found is not None:
                    return self._existing(caller, *lookup.found, card, named=named)
            if record.unconfirmed:
                raise GatewayError("submission_unconfirmed")
            if missing is not None:
                if last:
                    raise missing
                # A site's list may omit a model once: refresh it and try again.
                await self.catalog.refresh(offer.live_accounts(card.provider))
                continue
            validated = offer.validated(card, request, nearest=order.nearest)
            first = next(iter(validated.values()))
            without_model: list[Account] = []
            rewriting = UNCHANGED
            await refresh_running(caller, self._registry, self._poller.refresh, deadline)
            seconds = counted_seconds(first, first.card or card)
            try:
                async with AsyncExitStack() as inputs:
                    reservation = inputs.enter_context(reserved(caller, record, seconds))
                    with deadline.transfer(), tracing.span("receive inputs"):
                        intake = self._intake.ready(first.card or card, first, caller.identity)
                        ready = await inputs.enter_async_context(intake)
                    cards = (own.card for own in validated.values())
                    rewriting = await self._prompts.for_submit(order, ready, cards, deadline)
                    if rewriting.prompt is not None:
                        ready = replace(ready, prompt=rewriting.prompt)
                    requests = {
                        account: ready if own.card is ready.card else replace(ready, card=own.card)
                        for account, own in validated.items()
                    }
                    account, submission, is_new = await self._submitter.submit(
                        provider, requests, order, record, deadline, keys, lookup=lookup, without_model=without_model
                    )
                    if is_new:
                        reservation.accepted(account.id, submission.id)
                    sent = ready
            except GatewayError as error:
                error.add_log_fields(rewriting.log_fields)
                if not without_model or error.code != "model_not_found":
                    raise
                await self.catalog.refresh(without_model)
                offer = await self.catalog.offer(caller)
                # Nothing was created. Without a model in the request, the next default model is tried.
                if named or last or offer.resolve(request)[0].name == card.name:
                    offer.add_nearest(error, card)
                    raise
            else:
                self.catalog.invalidate(without_model)
                self._prompts.submitted(order)
                if not is_new:
                    return self._existing(caller, account, submission, card, named=named)
                return self._created(caller, account, submission, sent, rewriting)
        raise AssertionError

    def _created(
        self, caller: Caller, account: Account, submission: Submission, validated: VideoRequest, rewriting: Rewriting
    ) -> Submitted:
        """Register a new submission with the poller and the archiver."""
        created = int(self._clock.now())
        card = validated.card or self._registry.card(validated.model)
        self._poller.submitted(account, submission.id, created, card)
        if self._archiver is not None:
            id, provider = submission.id, self._registry[account.provider]
            seconds, size = asked_seconds(validated), asked_size(validated)
            ref = TaskRef(id, provider, account, id, validated.model, created, seconds, size)
            self._archiver.submitted(ref, validated.prompt)
        return self._submitted(caller, account, submission.id, validated, created, rewriting)

    def _existing(
        self, caller: Caller, account: Account, submission: Submission, card: ModelCard, *, named: bool
    ) -> Submitted:
        """The task of an earlier submission, of which only the model is known. Raises GatewayError (409) if the request
        names another model."""
        provider = self._registry[account.provider]
        before = (provider.card(submission.model) if submission.model else None) or card
        if named and before.name != card.name:
            raise GatewayError("idempotency_mismatch")
        created = int(submission.created_at or self._clock.now())
        return self._submitted(caller, account, submission.id, VideoRequest(before.name), created)

    def _submitted(
        self,
        caller: Caller,
        account: Account,
        upstream_id: str,
        validated: VideoRequest,
        created: int,
        rewriting: Rewriting = UNCHANGED,
    ) -> Submitted:
        try:
            signed = self._locator.signed_id(caller, account, upstream_id, validated, created)
        except ValueError:
            # The upstream id fits no signed id: the task exists and may be charged, but cannot be addressed.
            raise GatewayError("submission_unconfirmed", upstream_code=upstream_id[:64]) from None
        return Submitted(
            signed if self._locator.needs_signed_id(caller, account, upstream_id) else upstream_id,
            signed,
            upstream_id,
            account.provider,
            account.label,
            validated.model,
            created,
            asked_seconds(validated),
            asked_size(validated),
            (*validated.warnings, *rewriting.warnings),
            rewriting.prompt,
            rewriting.log_fields,
        )

    async def upload_grant(
        self, caller: Caller, provider: str, model: str, session: str
    ) -> tuple[Account, Mapping[str, Any]]:
        """The permission of an upstream for a client to upload files for a model itself, see `UploadGrants`."""
        caller.require_model(provider, model, self.catalog.meant(model))
        return await self._grants.request(caller, self._registry[provider], self.catalog.meant(model), session)

    def task_key(self, caller: Caller, submitted: Submitted) -> bytes:
        """A key of 32 bytes that the gateway derives for one task: the same for every retry of its submit."""
        return self._locator.task_key(caller, submitted.signed_id)

    # --- status -------------------------------------------------------------------------------------------------

    async def status(self, caller: Caller, id: str, *, force_refresh: bool = False) -> Task:
        """The status of a task, cached while fresh unless `force_refresh` is set.

        Raises GatewayError: 404, 401 for a rejected credential, 502 if the archive is unavailable.
        """
        cached = None if force_refresh else self._observer.cached(caller, id)
        if cached is not None:
            return cached
        found = (await self._observer.find(caller, [id], force_refresh=force_refresh))[id]
        if found is None:
            raise GatewayError("task_not_found")
        if found.unavailable is not None:
            raise from_provider(found.unavailable) from found.unavailable
        return found

    def last_status(self, caller: Caller, id: str) -> Task | None:
        """The last known status of a task, without a query; None where this process has none."""
        return self._observer.last(caller, id)

    async def statuses(
        self, caller: Caller, ids: Sequence[str], *, force_refresh: bool = False
    ) -> dict[str, Task | None]:
        """The status of many tasks, with one query per account; None for an unknown id.

        Raises GatewayError (401) if every credential is rejected. If only some are, their tasks are stale and carry
        the error.
        """
        found = await self._observer.find(caller, ids, force_refresh=force_refresh)
        errors = [task.unavailable for task in found.values() if task is not None]
        first = next(iter(errors), None)
        if first is not None and None not in errors:
            raise from_provider(first)
        return found

    async def located(self, caller: Caller, id: str) -> TaskRef | None:
        """The reference of a task; None where it is unknown, or ambiguous for now."""
        cached = self._locator.cached(caller, id)
        if cached is not None:
            return cached
        try:
            return await self._locator.find_one(caller, id)
        except GatewayError:
            return None

    async def cancel(self, caller: Caller, id: str) -> Task:
        """Cancel a task and return its new status. Idempotent: a cancelled task stays cancelled.

        Raises GatewayError: 409 if the task cannot be cancelled.
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
                task = (await self._observer.observe([ref], force_refresh=True))[id]
                if task is not None and task.state.error and task.state.error.kind is ErrorKind.CANCELLED:
                    return task
            if error.kind is ErrorKind.ANSWER_LOST:
                raise GatewayError("upstream_unavailable", ERRORS["cancel_unconfirmed"]) from error
            raise from_provider(error) from error
        return await self.status(caller, id, force_refresh=True)

    async def fresh_result(self, caller: Caller, id: str) -> Result | None:
        """The result of a task with renewed links; None if the upstream has no result any more.

        Raises GatewayError: 502 if the upstream is unavailable, 401 if it rejects the credential.
        """
        ref = await self._locator.find_one(caller, id)
        if ref is None:
            return None
        try:
            return await fresh_result(self._poller, ref, self._clock.monotonic())
        except ProviderError as error:
            raise from_provider(as_transient(error)) from error

    async def open_archived(
        self, caller: Caller, id: str, variant: Variant, *, range: str = "", if_range: str = "", head: bool = False
    ) -> OpenedFile | None:
        """Open an archived file of the caller's task; None if it is not archived. Raises UnsatisfiableRangeError."""
        if self._archiver is None:
            return None
        for ref in self._candidates(caller, id):
            opened = await self._archiver.open(ref, variant, range=range, if_range=if_range, head=head)
            if opened is not None:
                return opened
        return None

    async def archive(self, caller: Caller, id: str) -> ArchiveResult:
        """Archive a task now. Idempotent. Raises GatewayError (404) for an unknown id."""
        if self._archiver is None:
            raise GatewayError("task_not_found")
        ref = await self._locator.find_one(caller, id)
        if ref is not None:
            return await self._archiver.archive_now(ref)
        # No account lists the task any more: it may be archived already.
        possible = self._locator.possible(caller, id)
        if not possible:
            raise GatewayError("task_not_found")
        for one in possible:
            opened = await self._archiver.open(one, "video", head=True)
            if opened is not None:
                return ArchiveResult(Outcome.ALREADY_THERE, archived=opened.archived)
        return ArchiveResult(Outcome.EXPIRED)

    def _candidates(self, caller: Caller, id: str) -> Sequence[TaskRef]:
        """The cached task ref of an id, else every candidate."""
        cached = self._locator.cached(caller, id)
        return [cached] if cached is not None else self._locator.possible(caller, id)

    async def list(
        self, caller: Caller, *, limit: int, after: str | None = None, ascending: bool = False, native: bool = False
    ) -> tuple[Sequence[Task], bool]:
        """A page of the caller's recent tasks, and whether more follow. Ids are signed; with `native` they are those
        that a submit returns: the upstream's own where no signed id is needed.

        Raises GatewayError: 400 for an `after` that is not a task of the caller.
        """
        behind = await self._locator.find_one(caller, after) if after else None
        if after and behind is None:
            raise invalid([FieldProblem("after", FieldReason.NOT_ALLOWED, ("last_id",), after[:60])])
        page, more = await self._listing.page(caller, limit=limit, after=behind, ascending=ascending)
        now = self._clock.now()
        tasks = [self._listed(ref, state, now) for ref, state in page]
        if native:
            tasks = [self._with_native_id(caller, ref, task) for (ref, _), task in zip(page, tasks, strict=True)]
        return tasks, more

    def _with_native_id(self, caller: Caller, ref: TaskRef, task: Task) -> Task:
        signed = self._locator.needs_signed_id(caller, ref.account, ref.upstream_id)
        return task if signed else replace(task, id=ref.upstream_id)

    def _listed(self, ref: TaskRef, state: TaskState, now: float) -> Task:
        card = ref.provider.card(ref.model) if ref.model else None
        progress = estimate(state, now, card.typical_seconds) if card else state.progress
        archived = self._archiver is not None and self._archiver.is_archived(ref)
        return view_of(ref, Observation(state, progress, self._clock.monotonic()), ref.model, archived=archived)
