"""A scripted provider of language models: its answers are set by tests, and its calls are recorded."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence

from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.language import LanguageKind, LanguageModel, LanguageResponse

Answer = bytes | ProviderError


class EmbeddingUpstream:
    """Takes credentials that begin with `prefix`, and names that begin with its own name."""

    regions: frozenset[str] = frozenset({"north", "south"})

    def __init__(self, name: str = "one", *models: str, prefix: str = "k-") -> None:
        self.name = name
        self.prefix = prefix
        self.models = models or (f"{name}-chat", f"{name}-embedding")
        self.answers: dict[str, Answer] = {}
        """By credential; b"{}" for any other."""
        self.listed: list[str] | None = None
        self.calls: list[tuple[str, bytes]] = []
        self.headers: list[Mapping[str, str]] = []
        self.closed = 0
        self.may_answer: asyncio.Event | None = None
        """Answers wait for it, if there is one."""

    def account_from(self, credential: str, *, named: bool = False) -> Account | None:
        return Account(self.name, credential) if credential.startswith(self.prefix) else None

    def language_models(self) -> Sequence[LanguageModel]:
        return [self._model(name) for name in self.models]

    def language_model(self, name: str) -> LanguageModel | None:
        if name in self.models:
            return self._model(name)
        return self._model(name, unlisted=True) if name.startswith(self.name) else None

    async def discover_language(self, account: Account) -> Sequence[LanguageModel]:
        if self.listed is None:
            raise ProviderError(ErrorKind.UPSTREAM_ERROR)
        return [self._model(name) for name in self.listed]

    async def embed(self, body: bytes, account: Account, headers: Mapping[str, str]) -> LanguageResponse:
        self.calls.append((account.credential, body))
        self.headers.append(headers)
        if self.may_answer is not None:
            await self.may_answer.wait()
        answer = self.answers.get(account.credential, b"{}")
        if isinstance(answer, ProviderError):
            raise answer

        async def close() -> None:
            self.closed += 1

        return LanguageResponse(200, {"content-length": str(len(answer))}, answer, _nothing(), close)

    def _model(self, name: str, *, unlisted: bool = False) -> LanguageModel:
        kind = LanguageKind.EMBEDDING if name.endswith("embedding") else LanguageKind.CHAT
        return LanguageModel(name, self.name, kind, unlisted, sees_pictures=name.endswith("seeing"))


class LanguageUpstream(EmbeddingUpstream):
    """The same with chat."""

    async def chat(self, body: bytes, account: Account, headers: Mapping[str, str]) -> LanguageResponse:
        return await self.embed(body, account, headers)


async def _nothing() -> AsyncIterator[bytes]:
    pieces: Sequence[bytes] = ()
    for piece in pieces:
        yield piece
