"""The protocol of a provider of language models: chat completions and embeddings in OpenAI's form.

A body passes through as the client sent it, and so does the answer. A call has no task: it is sent once to one account,
and its first byte decides whether another account may be tried. Nothing in this package does I/O.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable

from providers.contract.accounts import Account
from providers.contract.upstream import Upstream


class LanguageKind(StrEnum):
    """What a language model does, which decides the endpoint that it is called at."""

    CHAT = "chat"
    EMBEDDING = "embedding"


@dataclass(frozen=True, slots=True)
class LanguageModel:
    """A language model. `name` is the name on the wire. `unlisted` marks a model that no table has: its name has the
    form of this upstream's names. `sees_pictures` is True for a model that takes pictures in messages."""

    name: str
    provider: str
    kind: LanguageKind
    unlisted: bool = False
    sees_pictures: bool = False


@dataclass(frozen=True, slots=True)
class LanguageResponse:
    """A successful response whose first chunk has arrived.

    `headers` are those for the client, with lower-case names. `chunks` are the further chunks as they arrive; they can
    be read once, and raise ProviderError (ANSWER_LOST) if the connection breaks. `close` ends the call.
    """

    status: int
    headers: Mapping[str, str]
    first: bytes
    chunks: AsyncIterator[bytes]
    close: Callable[[], Awaitable[None]]

    @property
    def is_event_stream(self) -> bool:
        """True for Server-Sent Events: the answer to `"stream": true`."""
        return is_event_stream(self.headers)


def is_event_stream(headers: Mapping[str, str]) -> bool:
    """True for the headers of Server-Sent Events. Their names are in lower case, or looked up in any case."""
    return headers.get("content-type", "").lower().startswith("text/event-stream")


@runtime_checkable
class LanguageProvider(Upstream, Protocol):
    """An upstream with language models."""

    def language_models(self) -> Sequence[LanguageModel]:
        """Every model of the table, preferred ones first."""

    def language_model(self, name: str) -> LanguageModel | None:
        """A model of the table in any case, an unlisted one for a name of this upstream's form, else None."""


@runtime_checkable
class CanChat(Protocol):
    """An upstream with `POST /chat/completions`. Absent: it has no chat models."""

    async def chat(self, body: bytes, account: Account, headers: Mapping[str, str]) -> LanguageResponse:
        """Send a request and return its response as soon as the beginning of the body arrives. `headers` are those of
        the client that the spec names.

        The caller closes the response. Raises ProviderError for every failure before that byte. Its `model_only` tells
        an error of the account with this model from one with all of them.
        """


@runtime_checkable
class CanEmbed(Protocol):
    """An upstream with `POST /embeddings`. Absent: it has no embedding models."""

    async def embed(self, body: bytes, account: Account, headers: Mapping[str, str]) -> LanguageResponse:
        """As `CanChat.chat`."""


@runtime_checkable
class CanDiscoverLanguage(Protocol):
    """An upstream that lists the language models of an account. Absent: only the table is used."""

    async def discover_language(self, account: Account) -> Sequence[LanguageModel]:
        """The language models that the upstream lists now, in its order. Not charged."""
