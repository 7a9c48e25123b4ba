"""The calls that change credits: submit and cancel."""

from collections.abc import Callable

from starlette.responses import Response
from starlette.types import ASGIApp

from providers.sandbox.answers import rejection, with_fault
from providers.sandbox.clips import Clips, Scene
from providers.sandbox.directives import Directives, read_directives, without
from providers.sandbox.jimeng import failures, records
from providers.sandbox.jimeng.access import CANCEL, GENERATE, Call
from providers.sandbox.jimeng.accounts import Account, Accounts
from providers.sandbox.jimeng.catalogue import JimengModels
from providers.sandbox.jimeng.draft import Draft, read_draft
from providers.sandbox.jimeng.envelopes import Envelopes
from providers.sandbox.jimeng.errors import (
    CREDENTIAL_RETS,
    GONE,
    NO_CREDITS,
    NOT_CANCELLED,
    SHARK,
    TOO_MANY,
    TOO_OFTEN,
    Refused,
    need,
)
from providers.sandbox.jimeng.sites import Site
from providers.sandbox.jimeng.tasks import Task, new_task
from providers.sandbox.jimeng.uploads import JimengUploads
from providers.sandbox.settings import SandboxSettings

TIGHT_SECONDS = 5
"""The longest video that the credits of a `tight` session are enough for."""


class Generation:
    """Creates tasks from drafts and cancels queued ones."""

    def __init__(
        self,
        settings: SandboxSettings,
        clock: Callable[[], float],
        accounts: Accounts,
        models: JimengModels,
        uploads: JimengUploads,
        envelopes: Envelopes,
        clips: Clips,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._accounts = accounts
        self._models = models
        self._uploads = uploads
        self._envelopes = envelopes
        self._clips = clips

    def calls(self) -> dict[str, Callable[[Call], ASGIApp]]:
        """Path → what answers it."""
        return {GENERATE: self._generate, CANCEL: self._cancel}

    def _generate(self, call: Call) -> ASGIApp:
        account, site = call.account, call.named_site()
        draft = read_draft(
            call.body,
            call.request.query_params,
            site,
            lambda key: self._models.find(key, site),
            lambda uri: self._uploads.resource(account.session, uri),
        )
        directives = self._submit_directives(account, draft.prompt)
        if blocked := CREDENTIAL_RETS.get(account.directive):
            raise Refused(blocked)
        if "retire" in directives:
            self._models.retire(draft.model.key, site)
            raise Refused(GONE)
        if inside := failures.refusal_of(directives):
            return self._envelopes.answer({"aigc_data": None, **inside})
        if "refuse-benefit" in directives:
            raise Refused(NO_CREDITS, message="invalid parameter")
        if refused := rejection(directives, self._refuse, TOO_OFTEN, SHARK):
            return refused
        task, log_id = self._accounts.submits.get((account.session, draft.submit_id)), self._envelopes.log_id()
        if task is None:
            task = self._accept(account, draft, directives, site, log_id)
            self._accounts.record_body(account, call.body)
        aigc_data = None if "noid" in directives else records.submit_data(task, self._clock())
        answer = self._envelopes.answer({"aigc_data": aigc_data}, log_id=log_id)
        return with_fault(directives, answer, self._settings.drip_seconds)

    def _refuse(self, ret: str) -> Response:
        return self._envelopes.refuse(Refused(ret), submit=True)

    def _submit_directives(self, account: Account, prompt: str) -> Directives:
        directives = read_directives(prompt)
        if "times" not in directives:
            return directives
        attempts = self._accounts.attempts
        attempts[account.session, prompt] += 1
        spent = attempts[account.session, prompt] > float(directives["times"])
        return without(directives, "refusal", "answer") if spent else directives

    def _accept(self, account: Account, draft: Draft, directives: Directives, site: Site, log_id: str) -> Task:
        if len(account.running) >= self._settings.max_running:
            raise Refused(TOO_MANY)
        too_long = account.directive == "tight" and draft.seconds > TIGHT_SECONDS
        if too_long or account.gift_credit < self._settings.cost:
            raise Refused(NO_CREDITS)
        now = self._clock()
        task = new_task(draft, directives, account.session, site, now, self._settings, log_id)
        while task.history_id in self._accounts.tasks:
            task = new_task(draft, directives, account.session, site, now, self._settings, log_id)
        self._accounts.add(account, task)
        scene = Scene(draft.model.name, draft.prompt, draft.shape, draft.seconds)
        self._clips.begin(task.history_id, scene, task.seconds)
        return task

    def _cancel(self, call: Call) -> ASGIApp:
        """Cancels a queued task of a model that allows it. A rejected cancel is in no capture."""
        given = call.body.get("history_id")
        need(isinstance(given, str) and given, "history_id")
        task = self._accounts.tasks.get(str(given))
        now = self._clock()
        mine = task is not None and task.owner == call.account.session and not task.vanished(now)
        if task is None or not mine:
            raise Refused(NOT_CANCELLED, "no such task")
        offered = task.draft.model.cancellable and "nocancel" not in task.directives
        need(offered, "this model's tasks cannot be cancelled", NOT_CANCELLED)
        need(task.waiting(now), "the task no longer waits", NOT_CANCELLED)
        self._accounts.cancel(call.account, task)
        return self._envelopes.answer({})
