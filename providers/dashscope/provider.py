"""The provider `dashscope`: submit, query, cancel and list over the asynchronous task API; chat and embeddings in the
compatible mode.

Every failure is raised as a ProviderError without the credential in its texts.
"""

import asyncio
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import quote

from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.language import LanguageModel, LanguageResponse
from providers.contract.models import ModelCard
from providers.contract.requests import Submission, VideoRequest
from providers.contract.tasks import HintPage, ListedTask, TaskState
from providers.dashscope.errors import code_and_message
from providers.dashscope.language import CHAT_MODELS, EMBEDDING_MODELS, error_of, model_of
from providers.dashscope.models import MODELS, PROVIDER, unlisted_card
from providers.dashscope.payload import Payload, build, build_raw, check_inputs
from providers.dashscope.regions import BASE_URLS, BEIJING, COMPATIBLE_URLS
from providers.dashscope.request_protocols import UNKNOWN_TASK_PROTOCOL, USER_AGENT, protocol_of
from providers.dashscope.responses import (
    cancel_error,
    json_of,
    policy_error,
    query_error,
    request_id_of,
    submit_error,
    succeeded,
    task_id_of,
    unreadable,
)
from providers.dashscope.tasks import Page, list_window, parse, parse_page
from providers.dashscope.uploads import LinkKey, Policy, Uploads, parse_policy
from providers.offload import offload
from providers.openai_compatible import CompatibleApi, unlisted
from providers.transport.client import HttpClient
from providers.transport.transports import Reply

BASE_URL, COMPATIBLE_URL = BASE_URLS[BEIJING], COMPATIBLE_URLS[BEIJING]
QUERIES_AT_ONCE = 5
"""Concurrent calls of one `query`: the API takes one id per call."""
LIST_PAGE = 50
"""Rows per call of the list. The service documents no maximum."""
LIST_CALLS = 20
"""Maximum calls of one `list`."""
HINT_PAGE = 100
"""Rows asked for in a page of hints: the most that a public client asks for."""

_PRINTABLE = re.compile(r"[\x21-\x7e]+")
_KEY = re.compile(r"sk-[\x21-\x7e]+")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_ONLY_DOTS = re.compile(r"\.*")

_TRANSIENT_KINDS = frozenset({ErrorKind.RATE_LIMITED, ErrorKind.UNREACHABLE, ErrorKind.ANSWER_LOST})
"""Errors that tell nothing of a task: if every id of a query has one, the query raises it."""


@dataclass(frozen=True, slots=True)
class PreparedSubmit:
    """A prepared submit. `links` are the uploads that it uses or could have used, dropped from the cache if the service
    rejects them."""

    payload: Payload
    links: tuple[LinkKey, ...]


class DashScope:
    """The provider `dashscope`.

    `base_url` ends in `/api/v1`. Accounts without a region use it; if it is not BASE_URL, accounts of every region do.
    The same holds for `language_url`, which ends in `/compatible-mode/v1`, and COMPATIBLE_URL.
    `cards` add models to the table or replace one of the same name; a card's `key`, if set, is the model's name on the
    wire. `language_models` are names of language models in the configuration.
    """

    def __init__(
        self,
        http: HttpClient,
        base_url: str = BASE_URL,
        cards: Sequence[ModelCard] = (),
        *,
        language_url: str = COMPATIBLE_URL,
        language_models: Sequence[str] = (),
        now: Callable[[], float] = time.time,
    ) -> None:
        self._http = http
        self._base_url = base_url.rstrip("/")
        self._language_url = language_url
        self._language = CompatibleApi(http, error_of, USER_AGENT)
        names = dict.fromkeys((*language_models, *CHAT_MODELS, *EMBEDDING_MODELS))
        self._language_models = {name.lower(): model for name in names if (model := model_of(name)) is not None}
        self._cards = {card.name: card for card in (*MODELS, *cards)}
        self._cards_any_case = {name.lower(): card for name, card in self._cards.items()}
        self._keys = frozenset(card.key for card in cards if card.key)
        self._now = now
        self._uploads = Uploads(http, self._upload_policy, now)

    @property
    def name(self) -> str:
        return PROVIDER

    @property
    def query_batch(self) -> int:
        return 1

    @property
    def regions(self) -> frozenset[str]:
        return frozenset(BASE_URLS)

    def account_from(self, credential: str, *, named: bool = False) -> Account | None:
        """The account of an `sk-…` key; with `named`, of any printable ASCII text. A key has no region."""
        pattern = _PRINTABLE if named else _KEY
        return Account(PROVIDER, credential) if pattern.fullmatch(credential) else None

    def owns(self, native_id: str) -> bool:
        return _UUID.fullmatch(native_id) is not None

    def submitted_at(self, native_id: str) -> float | None:
        """None: the ids are random."""
        return None

    def models(self) -> Sequence[ModelCard]:
        return tuple(self._cards.values())

    def card(self, model: str) -> ModelCard | None:
        return self._cards.get(model) or self._cards_any_case.get(model.lower()) or unlisted_card(model)

    async def prepare(self, request: VideoRequest, account: Account) -> PreparedSubmit:
        """Upload the files, see `Uploads.replace_files`, and build the body with their URLs."""
        if request.raw is not None:
            raw, model = request.raw, self._wire_name(request.model)
            return PreparedSubmit(await offload(len(raw.body), partial(build_raw, raw, model)), ())
        card = self.card(request.model)
        if card is None:
            raise ProviderError(ErrorKind.MODEL_NOT_FOUND)
        model = card.key or card.name
        protocol = protocol_of(model) or UNKNOWN_TASK_PROTOCOL
        check_inputs(request, protocol)
        with_urls = await self._uploads.replace_files(request, protocol, model, account)
        return PreparedSubmit(build(with_urls, card, protocol), self._uploads.keys(request, model, account))

    async def submit(self, prepared: PreparedSubmit, account: Account, *, submit_key: str) -> Submission:
        """Create the task. **Charged.**

        `submit_key` is unused: the API has no idempotency key. Only the service's own refusal means that no task was
        created; any other response without an id is ANSWER_LOST.
        """
        payload = prepared.payload
        headers = {"Content-Type": "application/json", "X-DashScope-Async": "enable", **payload.headers}
        reply = await self._send("POST", payload.path, account, headers, json=payload.body, raw=payload.raw, once=True)
        id = task_id_of(reply) if succeeded(reply) else ""
        if id:
            return Submission(id)
        raise self._submit_error(reply, prepared, account)

    def _submit_error(self, reply: Reply, prepared: PreparedSubmit, account: Account) -> ProviderError:
        error = submit_error(reply, account)
        if error.kind is ErrorKind.INVALID_REQUEST:
            self._uploads.forget(prepared.links)
        return error

    async def query(self, ids: Sequence[str], account: Account) -> Mapping[str, TaskState | ProviderError]:
        """The state of each id, one call per id, a few concurrently; after a transient error the rest are not queried.

        Raises INVALID_CREDENTIAL if any response has it, and RATE_LIMITED, UNREACHABLE or ANSWER_LOST if every id has
        one; otherwise these are returned for the ids that have them.
        """
        if len(ids) == 1:
            return await self._query_single(ids[0], account)
        slots = asyncio.Semaphore(QUERIES_AT_ONCE)
        unique_ids = tuple(dict.fromkeys(ids))

        stopped_by: list[ProviderError] = []

        async def query_one(id: str) -> TaskState | ProviderError:
            async with slots:
                if stopped_by:
                    return stopped_by[0]
                state = await self._query_one(id, account)
                if isinstance(state, ProviderError) and state.kind in _TRANSIENT_KINDS:
                    stopped_by.append(state)
                return state

        states = dict(zip(unique_ids, await asyncio.gather(*map(query_one, unique_ids)), strict=True))
        errors = [state for state in states.values() if isinstance(state, ProviderError)]
        rejected = next((error for error in errors if error.kind is ErrorKind.INVALID_CREDENTIAL), None)
        if rejected is not None:
            raise rejected
        if errors and len(errors) == len(states) and all(error.kind in _TRANSIENT_KINDS for error in errors):
            raise max(errors, key=lambda error: error.retry_after or 0.0)
        return states

    async def _query_single(self, id: str, account: Account) -> Mapping[str, TaskState | ProviderError]:
        """The same for one id, as in nearly all queries."""
        state = await self._query_one(id, account)
        if isinstance(state, ProviderError) and (
            state.kind in _TRANSIENT_KINDS or state.kind is ErrorKind.INVALID_CREDENTIAL
        ):
            raise state
        return {id: state}

    async def cancel(self, id: str, account: Account) -> None:
        """Cancel a queued task. Raises NOT_CANCELLABLE for one that has started or ended."""
        path = _task_path(id)
        if path is None:
            raise ProviderError(ErrorKind.TASK_NOT_FOUND)
        reply = await self._send("POST", f"{path}/cancel", account)
        body = json_of(reply)
        code, _ = code_and_message(body)
        if succeeded(reply) and not code and request_id_of(body):
            return
        raise cancel_error(reply, account)

    async def list(self, account: Account, *, before: float | None, limit: int) -> Sequence[ListedTask]:
        """The video tasks of the account in the 24 hours up to `before`, and no earlier ones.

        The service allows no longer window, and forgets a task a day after its submit. The tasks are those of the main
        account, of any of its keys, with the model's name on the wire and without `submit_key`.
        """
        window: dict[str, str] = {}
        if before is not None and before < self._now():
            window = list_window(before)
        found: dict[str, TaskState] = {}
        seen: frozenset[str] = frozenset()
        for number in range(1, LIST_CALLS + 1):
            page = await self._list_page(account, {**window, "page_no": number, "page_size": LIST_PAGE})
            if page.ids <= seen:
                break
            seen |= page.ids
            for state in page.states:
                if self._makes_video(state.model) and (before is None or _time_of(state) // 1 <= before):
                    found[state.id] = state
            last = page.pages is not None and number >= page.pages
            if last or (len(found) >= limit and page.newest_first):
                break
        return [ListedTask(state) for state in sorted(found.values(), key=_time_of, reverse=True)]

    @property
    def hint_size(self) -> int:
        return HINT_PAGE

    async def hint(self, account: Account, *, page: int, size: int) -> HintPage:
        """A page of the tasks of the last 24 hours, those of the main account's other keys and other kinds included."""
        found = await self._list_page(account, {"page_no": page, "page_size": size})
        return HintPage(found.states, found.size, found.pages, found.newest_first)

    async def check(self, account: Account) -> None:
        """The login of an account without credits is valid: only its submits are rejected."""
        try:
            await self._list_page(account, {"page_no": 1, "page_size": 1})
        except ProviderError as error:
            if error.kind is not ErrorKind.NO_CREDITS:
                raise

    def language_models(self) -> Sequence[LanguageModel]:
        return list(self._language_models.values())

    def language_model(self, name: str) -> LanguageModel | None:
        return self._language_models.get(name.lower()) or unlisted(model_of(name))

    async def chat(self, body: bytes, account: Account, headers: Mapping[str, str]) -> LanguageResponse:
        return await self._language.post(f"{self._language_url_of(account)}/chat/completions", body, account, headers)

    async def embed(self, body: bytes, account: Account, headers: Mapping[str, str]) -> LanguageResponse:
        return await self._language.post(f"{self._language_url_of(account)}/embeddings", body, account, headers)

    async def discover_language(self, account: Account) -> Sequence[LanguageModel]:
        names = await self._language.models(f"{self._language_url_of(account)}/models", account)
        return [model for name in names if (model := model_of(name)) is not None]

    def _language_url_of(self, account: Account) -> str:
        own = self._language_url != COMPATIBLE_URL or not account.region
        return self._language_url if own else COMPATIBLE_URLS[account.region]

    async def _list_page(self, account: Account, query: Mapping[str, str | int]) -> Page:
        reply = await self._send("GET", "/tasks", account, params=query)
        body = json_of(reply)
        code, _ = code_and_message(body)
        has_rows = isinstance(body, dict) and isinstance(body.get("data"), list)
        if succeeded(reply) and (has_rows or (not code and request_id_of(body))):
            return parse_page(body, account.redact)
        raise query_error(reply, account)

    def _makes_video(self, model: str | None) -> bool:
        """Whether the name on the wire is that of a video model. The list has the account's other tasks as well."""
        return model is not None and (model in self._keys or self.card(model) is not None)

    async def _query_one(self, id: str, account: Account) -> TaskState | ProviderError:
        path = _task_path(id)
        if path is None:
            return ProviderError(ErrorKind.TASK_NOT_FOUND)
        try:
            reply = await self._send("GET", path, account)
        except ProviderError as failure:
            return failure
        if succeeded(reply):
            body = json_of(reply)
            return parse(id, body, account.redact) if isinstance(body, dict) else unreadable(reply, account)
        return query_error(reply, account)

    async def _upload_policy(self, model: str, account: Account) -> Policy:
        """Request an upload policy for a model. Errors of the account and MODEL_NOT_FOUND keep their kind, so that the
        next account is tried; any other is UPLOAD_FAILED, since the caller did not cause it."""
        return (await self._granted(model, account))[0]

    async def upload_grant(self, model: str, account: Account) -> Mapping[str, Any]:
        """The policy as the service words it."""
        return (await self._granted(self._wire_name(model), account))[1]

    async def _granted(self, model: str, account: Account) -> tuple[Policy, Mapping[str, Any]]:
        try:
            reply = await self._send("GET", "/uploads", account, params={"action": "getPolicy", "model": model})
        except ProviderError as error:
            if error.kind is not ErrorKind.ANSWER_LOST:
                raise
            raise ProviderError(ErrorKind.UPLOAD_FAILED, code=error.code, detail=error.detail) from error
        body = json_of(reply)
        policy = parse_policy(body) if succeeded(reply) else None
        if policy is not None:
            return policy, body["data"]
        raise policy_error(reply, account)

    def _wire_name(self, model: str) -> str:
        """The name of a model on the wire; that of an unknown one is its own."""
        card = self.card(model)
        return card.key or card.name if card is not None else model

    def _base_url_of(self, account: Account) -> str:
        if self._base_url != BASE_URL or not account.region:
            return self._base_url
        return BASE_URLS[account.region]

    async def _send(
        self,
        method: str,
        path: str,
        account: Account,
        headers: Mapping[str, str] | None = None,
        *,
        json: Any = None,
        raw: bytes = b"",
        params: Mapping[str, str | int] | None = None,
        once: bool = False,
    ) -> Reply:
        if not _PRINTABLE.fullmatch(account.credential):
            # It is invalid in a header, and the library's error would quote it.
            raise ProviderError(ErrorKind.INVALID_CREDENTIAL)
        return await self._http.send(
            method,
            self._base_url_of(account) + path,
            headers={
                "Authorization": f"Bearer {account.credential}",
                "Accept": "application/json",
                "User-Agent": USER_AGENT,
                **(headers or {}),
            },
            json=json,
            content=raw,
            params=params,
            proxy=account.proxy,
            once=once,
        )


def _time_of(state: TaskState) -> float:
    return state.created_at or 0.0


def _task_path(id: str) -> str | None:
    """The path of a task; None for an id that a URL would read as a parent directory or ignore."""
    if _ONLY_DOTS.fullmatch(id):
        return None
    return f"/tasks/{quote(id, safe='', errors='replace')}"
