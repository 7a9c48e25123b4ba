"""Jimeng (即梦) and Dreamina, by the web API of the site and an account's own session."""

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
from providers.jimeng.site.errors import LOGIN_EXPIRED, SIGNATURE_REFUSED, envelope_error, submit_error
from providers.jimeng.site_model import SiteModel
from providers.jimeng.uploads.answers import Uploaded
from providers.jimeng.uploads.uploader import Uploader
from providers.transport.client import HttpClient
from providers.transport.transports import Reply

SUBMIT_PATH = "/mweb/v1/aigc_draft/generate"
HISTORY_PATH = "/mweb/v1/get_history"
LOGIN_PATH = "/passport/account/info/v2"
CREDITS_PATH = "/commerce/v1/benefits/user_credit"
RECEIVE_PATH = "/commerce/v1/benefits/credit_receive"
CANCEL_PATH = "/mweb/v1/aigc_draft/cancel_generate"

TIME_ZONE = "Asia/Shanghai"
"""Where the day of the daily gift begins and ends, on every site."""

LIST_PAGE = 50
"""Records asked for in one call of the history."""
LIST_CALLS = 20
"""The most calls that one `list` makes, whatever the site says of further pages."""

_SURELY_NOT_THE_INPUTS = frozenset({ErrorKind.ANSWER_LOST, ErrorKind.UNREACHABLE})
"""What a submit can fail of without its uploads being to blame. Of other trouble, but an account's own, it may be that
the site does not have them any more."""

_WITH_CLIP = {"commerce_with_input_video": 1}
"""Stands in the query of a submit that has a clip among its inputs."""

_API_KEY_PREFIXES = ("sk-", "ms-", "gw-")
_SECONDS_PER_ID = 2**32
_FIRST_ID_TIME = 1_600_000_000


@dataclass(frozen=True, slots=True)
class PreparedSubmit:
    """What one submit sends but for its id. `uploads` are the inputs that it uses, to be uploaded again should the site
    no longer have them."""

    draft: draft.SubmitDraft
    with_clip: bool
    uploads: tuple[UploadKey, ...]


class Jimeng:
    """The provider. Submits are looked up by the `submit_id` that we chose; a status call takes many ids at once."""

    name = regions.PROVIDER

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
        """Any token is taken but one with the prefix of an API key, which no sessionid has."""
        account = regions.account_from(credential)
        if account is not None and not named and account.credential.startswith(_API_KEY_PREFIXES):
            return None
        return account

    def owns(self, native_id: str) -> bool:
        """Ids of history records are 12 to 20 decimal digits."""
        return native_id.isascii() and native_id.isdigit() and 12 <= len(native_id) <= 20

    def submitted_at(self, native_id: str) -> float | None:
        """The upper half of a 19-digit id is the unix second of its making; None where that gives no likely time."""
        if not self.owns(native_id):
            return None
        seconds = int(native_id) // _SECONDS_PER_ID
        return float(seconds) if seconds >= _FIRST_ID_TIME else None

    def models(self) -> Sequence[ModelCard]:
        return self._table

    def card(self, model: str) -> ModelCard | None:
        name = model.casefold()
        found = self._by_name.get(name) or self._by_key.get(name)
        if found is None and name.startswith("dreamina_"):
            return models.raw_key(name)
        return found

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
            return await self._generate(account, prepared.draft.body(submit_key), with_clip=prepared.with_clip)
        except ProviderError as error:
            if error.kind not in _SURELY_NOT_THE_INPUTS and error.kind.blame is not Blame.ACCOUNT:
                self._uploads.forget(prepared.uploads)
            raise

    def _card_of(self, request: VideoRequest) -> ModelCard:
        """The card that a request was settled against, else that of the table. Raises ProviderError."""
        card = request.card or self.card(request.model)
        if card is None:
            raise ProviderError(ErrorKind.MODEL_NOT_FOUND, code=request.model)
        return card

    async def _generate(self, account: Account, body: Mapping[str, Any], *, with_clip: bool) -> Submission:
        more = _WITH_CLIP if with_clip else None
        answer = history.parse_submit((await self._call(account, SUBMIT_PATH, body, more=more, charged=True)).data)
        if answer is None:
            raise ProviderError(ErrorKind.ANSWER_LOST, detail="the answer names neither a task nor a reason")
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
        """Cancel a task that waits in the queue; the site returns its credits.

        The site answers an accepted cancel with ret 0, and what it answers to one that it refuses is not known: the
        record, read afterwards, decides. One that is cancelled already stays so.

        Raises ProviderError: NOT_CANCELLABLE with the state of the task, TASK_NOT_FOUND, and what concerns the
        account or the network route.
        """
        rejection, after = await self._try_to_cancel(id, account)
        if rejection is not None and isinstance(after, TaskState) and after.phase is Phase.QUEUED:
            # It waits, and could be cancelled: the site may not have known a task as new as this one.
            rejection, after = await self._try_to_cancel(id, account)
        reason = cancel_error(after, rejection)
        if reason is not None:
            raise reason from rejection

    async def _try_to_cancel(self, id: str, account: Account) -> tuple[ProviderError | None, TaskState | ProviderError]:
        """The site's refusal, None where it accepts, and the state of the task read afterwards."""
        rejection: ProviderError | None = None
        try:
            await self._call(account, CANCEL_PATH, {"history_id": id})
        except ProviderError as error:
            if not rejects_cancel(error):
                raise
            rejection = error
        return rejection, await records.read_after_cancel(self._call, account, id, accepted=rejection is None)

    async def list(self, account: Account, *, before: float | None, limit: int) -> Sequence[ListedTask]:
        """The account's videos, made here or on the site, with the model by the site's own key.

        The history can only be read from its newest record on, so an earlier `before` costs more calls; what lies
        deeper than LIST_CALLS pages is not reached.
        """
        found: dict[str, ListedTask] = {}
        seen: frozenset[str] = frozenset()
        offset: int | str = 0
        read = 0
        for _ in range(LIST_CALLS):
            body = {"count": LIST_PAGE, "offset": offset} if offset else {"count": LIST_PAGE}
            page = history.parse_history((await self._call(account, HISTORY_PATH, body)).data)
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
        """Where the passport is none of the site's API, as on the sites abroad (HTTP 404, 2026-11), the credits tell:
        a login that may read them is alive."""
        try:
            alive = parse_alive(await self._call(account, LOGIN_PATH, {}, more={"account_sdk_source": "web"}))
        except history.NoEnvelopeError as error:
            if error.status >= 500:
                raise
            alive = None
        if alive is None:
            await self._credit_answer(account)
        elif not alive:
            raise envelope_error(LOGIN_EXPIRED, "")

    async def credits(self, account: Account) -> Credits:
        found = parse_credits((await self._credit_answer(account)).data)
        if found is None:
            raise ProviderError(ErrorKind.UPSTREAM_ERROR, detail="the answer holds no credits")
        return found

    async def _credit_answer(self, account: Account) -> history.Envelope:
        """A successful answer of the credit call. Raises ProviderError, also for one that nothing shows to be the
        site's: without `ret` and without credits."""
        commerce = self._region(account).commerce_url
        answer = await self._call(account, CREDITS_PATH, {}, host=commerce, query={})
        if answer.bare and parse_credits(answer.data) is None:
            raise ProviderError(ErrorKind.UPSTREAM_ERROR, detail="the answer holds no credits")
        return answer

    async def receive_credits(self, account: Account) -> int:
        """Take today's gift. A refusal is raised as what its number means: none is known for a gift already taken."""
        commerce = self._region(account).commerce_url
        received = parse_received(await self._call(account, RECEIVE_PATH, {"time_zone": TIME_ZONE}, host=commerce))
        if received is None:
            raise ProviderError(ErrorKind.UPSTREAM_ERROR, detail="the answer tells of no credits")
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
    ) -> history.Envelope:
        """A successful answer.

        `host` stands in for the base of the account's site, `query` for what most calls carry, and `more` comes on top
        of that.

        Raises ProviderError. A refused signature is answered with a second try under a fresh time, since the site
        did nothing and the cause is nearly always a second that passed in between.
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
            envelope = _read(reply, charged)
            if envelope.ret == "0":
                return envelope
            if envelope.ret != SIGNATURE_REFUSED or last:
                raise envelope_error(envelope.ret, envelope.errmsg, envelope.data, redact=account.redact)
        raise AssertionError


def _time_of(task: ListedTask) -> float:
    return task.state.created_at or 0.0


def _read(reply: Reply, charged: bool) -> history.Envelope:
    """The envelope of an answer, a refusal included.

    Raises ProviderError for what is no envelope. It leaves open whether a charged call was acted upon, unless the
    site pointed elsewhere or said by its status that it took nothing.
    """
    detail = f"HTTP {reply.status}"
    if charged and (reply.status >= 500 or reply.status == 408):
        # Whatever it says: what stands in front of the site may have given up waiting for it.
        raise ProviderError(ErrorKind.ANSWER_LOST, code=str(reply.status), detail=detail)
    try:
        envelope = history.open_envelope(reply.json())
    except ValueError:
        envelope = None
    if envelope is not None and (reply.status < 300 or envelope.ret != "0"):
        return envelope
    if reply.status == 429:
        raise ProviderError(ErrorKind.RATE_LIMITED, code="429", detail=detail, retry_after=reply.retry_after)
    took_nothing = 300 <= reply.status < 500
    if charged and not took_nothing:
        raise ProviderError(ErrorKind.ANSWER_LOST, code=str(reply.status), detail=detail)
    raise history.NoEnvelopeError(reply.status)
