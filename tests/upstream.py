"""Scripted providers: their answers are set by tests, and their calls are recorded."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.media import MediaRole
from providers.contract.models import ModelCard
from providers.contract.provider import CanCheck
from providers.contract.requests import Submission, VideoRequest
from providers.contract.tasks import Phase, Result, TaskState

State = TaskState | ProviderError
SubmitAnswer = str | ProviderError


class ScriptedProvider:
    """One upstream. Each submit takes the next of `submits`; each query reads `states`."""

    query_batch = 10
    regions: frozenset[str] = frozenset()

    def __init__(self, name: str = "scripted", *, prefix: str = "s-", cards: Sequence[ModelCard] = ()) -> None:
        self.name = name
        self.prefix = prefix
        self.cards = {card.name: card for card in cards or (ModelCard(name=f"{name}-model", provider=name),)}
        self.submits: list[SubmitAnswer] = []
        self.states: dict[str, State] = {}
        self.query_error: ProviderError | None = None
        self.asked: list[tuple[str, tuple[str, ...]]] = []
        self.prepared: list[str] = []
        self.submitted: list[tuple[str, str, VideoRequest]] = []
        self.on_submit: Callable[[], None] = lambda: None

    def account_from(self, credential: str, *, named: bool = False) -> Account | None:
        return Account(self.name, credential) if named or credential.startswith(self.prefix) else None

    def owns(self, native_id: str) -> bool:
        return native_id.startswith(f"{self.name}-")

    def submitted_at(self, native_id: str) -> float | None:
        return None

    def models(self) -> Sequence[ModelCard]:
        return list(self.cards.values())

    def card(self, model: str) -> ModelCard | None:
        return self.cards.get(model)

    async def prepare(self, request: VideoRequest, account: Account) -> VideoRequest:
        self.prepared.append(account.credential)
        return request

    async def submit(self, prepared: VideoRequest, account: Account, *, submit_key: str) -> Submission:
        self.submitted.append((account.credential, submit_key, prepared))
        self.on_submit()
        answer = self.submits.pop(0) if self.submits else f"{self.name}-{len(self.submitted)}"
        if isinstance(answer, ProviderError):
            raise answer
        return Submission(answer)

    async def query(self, ids: Sequence[str], account: Account) -> Mapping[str, State]:
        self.asked.append((account.credential, tuple(ids)))
        if self.query_error:
            raise self.query_error
        return {id: self.states.get(id, ProviderError(ErrorKind.TASK_NOT_FOUND)) for id in ids}


class FindingProvider(ScriptedProvider):
    """Can look up a submit: each look-up takes the next of `finds`, the last one repeats."""

    def __init__(self, finds: Sequence[SubmitAnswer | Submission | None], name: str = "scripted") -> None:
        super().__init__(name)
        self.finds = list(finds)
        self.looked_up: list[str] = []

    async def find(self, submit_key: str, account: Account) -> Submission | None:
        self.looked_up.append(submit_key)
        answer = self.finds.pop(0) if len(self.finds) > 1 else self.finds[0]
        if isinstance(answer, ProviderError):
            raise answer
        return Submission(answer) if isinstance(answer, str) else answer


class UploadingProvider(ScriptedProvider):
    """Uploads files before the submit: each upload takes the next of `uploads`, None for success."""

    def __init__(self, *uploads: ProviderError | None) -> None:
        card = ModelCard("scripted-model", "scripted", media_sets=(frozenset({MediaRole.FIRST_FRAME}),))
        super().__init__(cards=[card])
        self.uploads = list(uploads)
        self.uploaded: list[str] = []
        self.on_upload: Callable[[], None] = lambda: None

    async def prepare(self, request: VideoRequest, account: Account) -> VideoRequest:
        if request.has_files:
            self.uploaded.append(account.credential)
            self.on_upload()
            error = self.uploads.pop(0) if self.uploads else None
            if error is not None:
                raise error
        return await super().prepare(request, account)


class DiscoveringProvider(ScriptedProvider):
    """Lists its models live: those of `listed` by region, or raises the error in their place."""

    def __init__(self, listed: Mapping[str, Sequence[ModelCard] | ProviderError], **options: Any) -> None:
        super().__init__(**options)
        self.regions = frozenset(listed)
        self.listed = dict(listed)
        self.discovered: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def discover(self, account: Account) -> Sequence[ModelCard]:
        self.discovered.append(account.credential)
        await self.gate.wait()
        answer = self.listed[account.region]
        if isinstance(answer, ProviderError):
            raise answer
        return answer


class CancellingProvider(ScriptedProvider):
    """Can cancel: the task then fails with `cancelled`, unless `cancel_error` is set."""

    cancel_error: ProviderError | None = None
    cancelled = ProviderError(ErrorKind.CANCELLED, code="cancelled")

    async def cancel(self, id: str, account: Account) -> None:
        if self.cancel_error:
            raise self.cancel_error
        self.states[id] = TaskState(id, Phase.FAILED, error=self.cancelled)


async def alive(provider: CanCheck, account: Account) -> bool:
    """The result of a credential check; any other error is raised."""
    try:
        await provider.check(account)
    except ProviderError as error:
        if error.kind is not ErrorKind.INVALID_CREDENTIAL:
            raise
        return False
    return True


def finished(id: str, url: str = "https://h/v.mp4") -> TaskState:
    return TaskState(id, Phase.COMPLETED, progress=100, result=Result(url))


def provider_error(kind: ErrorKind, code: str = "", detail: str = "") -> ProviderError:
    return ProviderError(kind, code=code, detail=detail)


def card(name: str, provider: str, *roles: MediaRole, regions: frozenset[str] = frozenset()) -> ModelCard:
    sets: tuple[frozenset[MediaRole], ...] = (frozenset(), frozenset(roles)) if roles else (frozenset(),)
    return ModelCard(name=name, provider=provider, media_sets=sets, regions=regions)
