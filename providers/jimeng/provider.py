"""The provider `jimeng`: Jimeng (即梦) and Dreamina, over the web API of the site with an account's session."""

import random
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from providers.contract.accounts import Account, Credits
from providers.contract.errors import Blame, ErrorKind, ProviderError
from providers.contract.models import ModelCard
from providers.contract.requests import Submission, VideoRequest
from providers.contract.tasks import ListedTask, Phase, TaskState
from providers.jimeng import configuration, draft, history, models, records
from providers.jimeng.cancel import cancel_error, rejects_cancel
from providers.jimeng.credits import parse_alive, parse_credits, parse_received
from providers.jimeng.inputs import UploadCache, UploadKey, check_inputs, check_lengths, with_sound
from providers.jimeng.site import regions, session
from providers.jimeng.site.errors import (
    LOGIN_EXPIRED,
    SIGNATURE_REFUSED,
    Reason,
    envelope_error,
    meaning_of,
    submit_error,
)
from providers.jimeng.site_model import SiteModel
from providers.jimeng.uploads.answers import Uploaded
from providers.jimeng.uploads.uploader import Uploader
from providers.transport.client import HttpClient
from providers.transport.transports import GAVE_UP_STATUSES, Reply

SUBMIT_PATH = "/mweb/v1/aigc_draft/generate"
HISTORY_PATH = "/mweb/v1/get_history"
LOGIN_PATH = "/passport/account/info/v2"
CREDITS_PATH = "/commerce/v1/benefits/user_credit"
RECEIVE_PATH = "/commerce/v1/benefits/credit_receive"
CANCEL_PATH = "/mweb/v1/aigc_draft/cancel_generate"

TIME_ZONE = "Asia/Shanghai"
"""The time zone of the daily credits, on every site."""

LIST_PAGE = 50
"""Records per call of the history."""
LIST_CALLS = 20
"""Maximum calls of one `list`."""

_NOT_INPUT_KINDS = frozenset({ErrorKind.ANSWER_LOST, ErrorKind.UNREACHABLE})
"""Errors of a submit that its uploads cannot cause. Any other error, except the account's own, may mean that the site
no longer has them."""

_VIDEO_INPUT_QUERY = {"commerce_with_input_video": 1}
"""Query of a submit with a video among its inputs."""

_API_KEY_PREFIXES = ("sk-", "ms-", "gw-")
_SECONDS_PER_ID = 2**32
_FIRST_ID_TIME = 1_600_000_000


@dataclass(frozen=True, slots=True)
class PreparedSubmit:
    """A prepared submit without its id. `uploads` are its inputs, dropped from the cache if the site may no longer have
    them."""

    draft: draft.SubmitDraft
    with_video: bool
    uploads: tuple[UploadKey, ...]


class Jimeng:
    """The provider. Submits are looked up by the gateway's `submit_id`; a status call takes many ids."""

    name = regions.PROVIDER
    lists_late = True

    def __init__(
        self,
        http: HttpClient,
        *,
        hosts: regions.Hosts | None = None,
        query_batch: int = 50,
        extra_models: Sequence[ModelCard] = (),
        versions: session.Versions = session.CURRENT,
        now: Callable[[], float] = time.time,
        seed: Callable[[], int] = lambda: random.randint(0, draft.MAX_SEED),  # noqa: S311 - no secret
        new_id: Callable[[], str] = lambda: str(uuid.uuid4()),
    ) -> None:
        self._http = http
        self._hosts = hosts or regions.Hosts()
        self.query_batch = query_batch
        self.regions = frozenset(regions.REGIONS)
        named = {card.name for card in extra_models}
        self._table = (*(card for card in models.MODELS if card.name not in named), *extra_models)
        table = (*models.MODELS, *models.WITHDRAWN)
        # A key of the table has the table's name, whatever the configuration calls it besides.
        self._by_key = {card.key.casefold(): card for card in reversed((*table, *extra_models))}
        self._by_name = {card.name.casefold(): card for card in reversed((*extra_models, *table))}
        self._versions = versions
        self._now = now
        self._seed = seed
        self._new_id = new_id
        self._uploads = UploadCache(now)

    def account_from(self, credential: str, *, named: bool = False) -> Account | None:
        """Any token is accepted except one with the prefix of an API key, which no sessionid has."""
        account = regions.account_from(credential)
        if account is not None and not named and account.credential.startswith(_API_KEY_PREFIXES):
            return None
        return account

    def owns(self, native_id: str) -> bool:
        """Ids of history records are 12 to 20 decimal digits."""
        return native_id.isascii() and native_id.isdigit() and 12 <= len(native_id) <= 20

    def submitted_at(self, native_id: str) -> float | None:
        """The upper half of a 19-digit id is its creation time in unix seconds; None if that is no plausible time."""
        if not self.owns(native_id):
            return None
        seconds = int(native_id) // _SECONDS_PER_ID
        return float(seconds) if seconds >= _FIRST_ID_TIME else None

    def models(self) -> Sequence[ModelCard]:
        return self._table

    def card(self, model: str) -> ModelCard | None:
        name = model.casefold()
        return self._by_name.get(name) or self._by_key.get(name) or self.raw_card(name)

    def raw_card(self, key: str) -> ModelCard | None:
        return models.raw_key(key.casefold()) if key.casefold().startswith("dreamina_") else None

    async def discover(self, account: Account) -> Sequence[ModelCard]:
        """The models of the site's configuration, without those that take nothing the gateway can give."""
        answer = await self._call(account, configuration.CONFIGURATION_PATH, configuration.CONFIGURATION_BODY)
        listed = [self._live_card(model) for model in configuration.parse_configuration(answer.data)]
        usable = [card for card in listed if card.media_sets]
        if not usable:
            raise ProviderError(ErrorKind.UPSTREAM_ERROR, detail="the answer lists no models")
        return usable

    def _live_card(self, model: SiteModel) -> ModelCard:
        """A card of what the site lists, with what only the table knows."""
        known = self._by_key.get(model.key.casefold())
        usual = known.typical_seconds if known else model.typical_seconds
        return replace(model, typical_seconds=usual).card(models.name_of(model.key))

    async def prepare(self, request: VideoRequest, account: Account) -> PreparedSubmit:
        """Upload the inputs, let the site look at pictures, and build the draft with what they are called there."""
        card = self._card_of(request)
        request = with_sound(request)
        check_inputs(request)
        region = self._region(account)
        uploaded: tuple[Uploaded, ...] = ()
        if request.media:
            uploader = Uploader(self._http, self._call, account, region, now=self._now, new_id=self._new_id)
            uploaded = await self._uploads.upload(request, account, region, uploader)
            check_lengths(request.media, uploaded, card.media_files)
        built = draft.build_draft(
            request,
            card,
            region,
            uploaded=uploaded,
            seed=self._seed() if request.seed is None else request.seed,
            now_ms=int(self._now() * 1000),
            new_id=self._new_id,
            draft_version=self._versions.draft_version,
        )
        return PreparedSubmit(built, draft.has_video(uploaded), self._uploads.keys(request, account, region))

    async def submit(self, prepared: PreparedSubmit, account: Account, *, submit_key: str) -> Submission:
        """The site charges for this call. `submit_key` is the `submit_id` by which `find` looks it up."""
        try:
            return await self._generate(account, prepared.draft.body(submit_key), with_video=prepared.with_video)
        except ProviderError as error:
            if error.kind not in _NOT_INPUT_KINDS and error.kind.blame is not Blame.ACCOUNT:
                self._uploads.forget(prepared.uploads)
            raise

    def _card_of(self, request: VideoRequest) -> ModelCard:
        """The card that the request was validated against, else that of the table. Raises ProviderError."""
        card = request.card or self.card(request.model)
        if card is None:
            raise ProviderError(ErrorKind.MODEL_NOT_FOUND, code=request.model)
        return card

    async def _generate(self, account: Account, body: Mapping[str, Any], *, with_video: bool) -> Submission:
        more = _VIDEO_INPUT_QUERY if with_video else None
        answer = history.parse_submit((await self._call(account, SUBMIT_PATH, body, more=more, charged=True)).data)
        if answer is None:
            raise ProviderError(ErrorKind.ANSWER_LOST, detail="the response has neither a task nor a reason")
        if not answer.id:
            raise submit_error(answer.reason, redact=account.redact)
        return Submission(answer.id)

    async def find(self, submit_key: str, account: Account) -> Submission | None:
        found = await records.read_records(self._call, account, "submit_ids", [submit_key])
        record = found.get(submit_key)
        if record is None:
            return None
        id = history.record_id(record)
        if not id:
            raise ProviderError(ErrorKind.ANSWER_LOST, detail="the record of the submit names no task")
        state = history.parse_record(id, record)
        return Submission(id, state.model, state.created_at)

    async def query(self, ids: Sequence[str], account: Account) -> Mapping[str, TaskState | ProviderError]:
        found: dict[str, Mapping[str, Any]] = {}
        for start in range(0, len(ids), self.query_batch):
            found |= await records.read_records(
                self._call, account, "history_ids", ids[start : start + self.query_batch]
            )
        states: dict[str, TaskState | ProviderError] = {
            id: history.parse_record(id, found[id]) if id in found else ProviderError(ErrorKind.TASK_NOT_FOUND)
            for id in ids
        }
        states = await records.with_queue_positions(self._call, account, states, found)
        return await records.with_best_links(self._call, account, states, found)

    async def cancel(self, id: str, account: Account) -> None:
        """Cancel a queued task; the site refunds its credits. Idempotent.

        The site answers an accepted cancel with ret 0; its response to a rejected one is unknown, so the record, read
        afterwards, decides.

        Raises ProviderError: NOT_CANCELLABLE with the state of the task, TASK_NOT_FOUND, and errors of the account or
        the network route.
        """
        rejection, after = await self._send_cancel(id, account)
        if rejection is not None and isinstance(after, TaskState) and after.phase is Phase.QUEUED:
            # It is queued and could be cancelled: the site may not have known such a new task yet.
            rejection, after = await self._send_cancel(id, account)
        reason = cancel_error(after, rejection)
        if reason is not None:
            raise reason from rejection

    async def _send_cancel(self, id: str, account: Account) -> tuple[ProviderError | None, TaskState | ProviderError]:
        """The site's error, None if it accepts the cancel, and the state of the task read afterwards."""
        rejection: ProviderError | None = None
        try:
            await self._call(account, CANCEL_PATH, {"history_id": id}, own=True)
        except ProviderError as error:
            if not rejects_cancel(error):
                raise
            rejection = error
        return rejection, await records.read_after_cancel(self._call, account, id, accepted=rejection is None)

    async def list(self, account: Account, *, before: float | None, limit: int) -> Sequence[ListedTask]:
        """The account's videos, created by the gateway or on the site, with the site's key of the model.

        The history can only be read from its newest record, so an earlier `before` costs more calls; records beyond
        LIST_CALLS pages are not reached.
        """
        found: dict[str, ListedTask] = {}
        seen: frozenset[str] = frozenset()
        offset: int | str = 0
        read = 0
        for _ in range(LIST_CALLS):
            body = {"count": LIST_PAGE, "offset": offset} if offset else {"count": LIST_PAGE}
            page = history.parse_history((await self._call(account, HISTORY_PATH, body, own=True)).data)
            if page.ids <= seen:
                break
            seen |= page.ids
            read += page.length
            offset = page.next_offset or read
            found |= {task.state.id: task for task in page.tasks if before is None or _time_of(task) // 1 <= before}
            if not page.more or (len(found) >= limit and page.newest_first):
                break
        return sorted(found.values(), key=_time_of, reverse=True)

    async def check(self, account: Account) -> None:
        """Verify the login by the passport call, or by the credit call on sites without a passport, such as the
        international ones (HTTP 404, 2026-11)."""
        try:
            alive = parse_alive(await self._call(account, LOGIN_PATH, {}, more={"account_sdk_source": "web"}))
        except history.NoEnvelopeError as error:
            if error.status >= 500:
                raise
            alive = None
        if alive is None:
            await self._credit_response(account)
        elif not alive:
            raise envelope_error(LOGIN_EXPIRED, "")

    async def credits(self, account: Account) -> Credits:
        found = parse_credits((await self._credit_response(account)).data)
        if found is None:
            raise ProviderError(ErrorKind.UPSTREAM_ERROR, detail="the response has no credits")
        return found

    async def _credit_response(self, account: Account) -> history.Envelope:
        """A successful response of the credit call. Raises ProviderError, also for a response without `ret` and without
        credits, which may not come from the site."""
        commerce = self._region(account).commerce_url
        answer = await self._call(account, CREDITS_PATH, {}, host=commerce, query={})
        if answer.bare and parse_credits(answer.data) is None:
            raise ProviderError(ErrorKind.UPSTREAM_ERROR, detail="the response has no credits")
        return answer

    async def receive_credits(self, account: Account) -> int:
        """Claim today's credits. No error number is known for credits that are already claimed."""
        commerce = self._region(account).commerce_url
        received = parse_received(await self._call(account, RECEIVE_PATH, {"time_zone": TIME_ZONE}, host=commerce))
        if received is None:
            raise ProviderError(ErrorKind.UPSTREAM_ERROR, detail="the response has no received credits")
        return received

    def _region(self, account: Account) -> regions.Region:
        return self._hosts.of(regions.REGIONS[account.region or "cn"])

    async def _call(
        self,
        account: Account,
        path: str,
        body: Any,
        *,
        host: str | None = None,
        query: Mapping[str, str | int] | None = None,
        more: Mapping[str, str | int] | None = None,
        charged: bool = False,
        own: bool = False,
    ) -> history.Envelope:
        """Call the site and return the envelope of a successful response.

        `host` replaces the base of the account's site, `query` the common query; `more` is added to the query. With
        `own` a response without `ret`, which may come from something in between, is an error.

        Raises ProviderError. A rejected signature is retried once with a new time: the site did nothing, and the cause
        is nearly always a second that passed in between.
        """
        region = self._region(account)
        params = dict(session.query(account, region, self._versions) if query is None else query) | dict(more or {})
        for last in (False, True):
            reply = await self._http.send(
                "POST",
                (host or region.base_url) + path,
                headers=session.headers(account, region, path, int(self._now()), region.referer(path)),
                params=params,
                json=body,
                proxy=account.proxy,
                once=charged,
            )
            envelope = _read_envelope(reply, charged)
            if envelope.bare and own:
                raise history.NoEnvelopeError(reply.status)
            if envelope.ret == "0":
                return envelope
            if envelope.ret != SIGNATURE_REFUSED or last:
                unknown = ErrorKind.UNKNOWN_REFUSAL if charged else ErrorKind.UPSTREAM_ERROR
                raise envelope_error(
                    envelope.ret, envelope.errmsg, envelope.data, redact=account.redact, unknown=unknown
                )
        raise AssertionError


def _time_of(task: ListedTask) -> float:
    return task.state.created_at or 0.0


def _read_envelope(reply: Reply, charged: bool) -> history.Envelope:
    """The envelope of a response, including one with an error.

    Raises ProviderError for any other response: ANSWER_LOST for a charged call, since it may come from a proxy or
    firewall in between, which the site's acceptance did not reach.
    """
    detail = f"HTTP {reply.status}"
    try:
        envelope = history.open_envelope(reply.json())
    except ValueError:
        envelope = None
    if charged and not (envelope is not None and _is_from_the_site(reply.status, envelope)):
        raise ProviderError(ErrorKind.ANSWER_LOST, code=str(reply.status), detail=detail)
    if envelope is not None and (reply.status < 300 or envelope.ret != "0"):
        return envelope
    if reply.status == 429:
        raise ProviderError(ErrorKind.RATE_LIMITED, code="429", detail=detail, retry_after=reply.retry_after)
    raise history.NoEnvelopeError(reply.status)


def _is_from_the_site(status: int, envelope: history.Envelope) -> bool:
    """True for an envelope that can only be the site's: one of success, or with an error number that has a text or that
    the table knows."""
    if 200 <= status < 300:
        return envelope.ret == "0" or _names_an_error(envelope)
    return 400 <= status < 500 and status not in GAVE_UP_STATUSES and envelope.ret != "0" and _names_an_error(envelope)


def _names_an_error(envelope: history.Envelope) -> bool:
    return bool(envelope.errmsg) or meaning_of(Reason(envelope.ret)) is not None
