"""Calls to an OpenAI-compatible API of an upstream: a body as it is, and the response as it arrives."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
from types import MappingProxyType

from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.language import LanguageModel, LanguageResponse, is_event_stream
from providers.contract.redaction import shorten
from providers.openai_answers import (
    ErrorText,
    ends_event,
    error_in_answer,
    error_in_body,
    headers_for_client,
    is_answer,
    model_names,
)
from providers.transport.client import Download, HttpClient
from providers.transport.transports import MAX_ANSWER_BYTES, MAX_ERROR_BYTES

_PRINTABLE = re.compile(r"[\x21-\x7e]+")
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})
_SNIPPET = 300
"""Characters of an unreadable response in the error's detail."""
_MIN_MASKED = 16
"""Length of a credential that is masked in answers. A shorter one may be a word of the text."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An error response. `code` and `message` are those of its JSON body, redacted, "" for what is missing. `headers`
    have lower-case names."""

    status: int
    code: str
    message: str
    headers: Mapping[str, str]
    retry_after: float | None


class CompatibleApi:
    """`error_of` makes an error of an upstream's own error response. Any other response, such as the page of a proxy in
    between, says nothing of the account or the request: UPSTREAM_ERROR."""

    def __init__(self, http: HttpClient, error_of: Callable[[Failure], ProviderError], user_agent: str) -> None:
        self._http = http
        self._error_of = error_of
        self._user_agent = user_agent

    async def post(
        self, url: str, body: bytes, account: Account, headers: Mapping[str, str] = _NO_HEADERS
    ) -> LanguageResponse:
        """Send a body, with headers of the client, and return the response with the beginning of its body: the first
        event of a stream, else up to MAX_ERROR_BYTES. Raises ProviderError before that, also for an error under a
        status of success."""
        headers = {**headers, **self._headers(account), "Content-Type": "application/json"}
        async with AsyncExitStack() as opened:
            answer = await opened.enter_async_context(
                self._http.open("POST", url, headers=headers, body=body, proxy=account.proxy)
            )
            if not 200 <= answer.status < 300:
                raise self._error(answer, await self._read_error(answer), account)
            is_stream = is_event_stream(answer.headers)
            first, is_whole = await _beginning(answer, is_stream)
            if (found := error_in_answer(first, is_stream)) is not None:
                raise self._own_error(answer, found, account)
            if not is_answer(first, answer.headers):
                raise self._foreign_error(answer, first, account)
            for_client = headers_for_client(answer.headers, account.credential)
            if is_stream:
                for_client.pop("content-length", None)
            elif is_whole:
                for_client["content-length"] = str(len(first))
            masked, chunks = _masked(first, answer.pieces, account.credential)
            return LanguageResponse(answer.status, for_client, masked, chunks, opened.pop_all().aclose)
        raise AssertionError

    async def models(self, url: str, account: Account) -> list[str]:
        """The names that the API lists. Raises ProviderError, also where there are none."""
        async with self._http.open("GET", url, headers=self._headers(account), body=b"", proxy=account.proxy) as answer:
            if not 200 <= answer.status < 300:
                raise self._error(answer, await self._read_error(answer), account)
            text = bytearray()
            await _read(answer.pieces, text, MAX_ANSWER_BYTES)
        names = model_names(bytes(text))
        if not names:
            raise ProviderError(ErrorKind.UPSTREAM_ERROR, detail="no list of models")
        return names

    def _headers(self, account: Account) -> dict[str, str]:
        if not _PRINTABLE.fullmatch(account.credential):
            # It is invalid in a header, and the library's error would quote it.
            raise ProviderError(ErrorKind.INVALID_CREDENTIAL)
        return {
            "Authorization": f"Bearer {account.credential}",
            "Accept": "application/json, text/event-stream",
            "Accept-Encoding": "identity",
            "User-Agent": self._user_agent,
        }

    async def _read_error(self, answer: Download) -> bytes:
        """The body of an error response as far as it arrives in time: its status counts without the rest."""
        text = bytearray()
        with suppress(ProviderError, TimeoutError):
            async with asyncio.timeout(self._http.timeouts.read):
                await _read(answer.pieces, text, MAX_ERROR_BYTES)
        return bytes(text)

    def _error(self, answer: Download, text: bytes, account: Account) -> ProviderError:
        found = error_in_body(text)
        return self._own_error(answer, found, account) if found else self._foreign_error(answer, text, account)

    def _own_error(self, answer: Download, found: ErrorText, account: Account) -> ProviderError:
        failed = Failure(
            answer.status if answer.status >= 300 else found.status,
            account.redact(found.code),
            account.redact(found.message),
            answer.headers,
            answer.retry_after,
        )
        return self._error_of(failed)

    def _foreign_error(self, answer: Download, text: bytes, account: Account) -> ProviderError:
        """The error of a response that is not in the API's form."""
        shown = text[: 4 * _SNIPPET].decode("utf-8", "replace").strip()
        detail = f"HTTP {answer.status}"
        if shown and not shown.startswith("<") and "\ufffd" not in shown[:_SNIPPET]:
            detail += f": {shorten(' '.join(account.redact(shown).split()), _SNIPPET)}"
        kind = ErrorKind.RATE_LIMITED if answer.status == 429 else ErrorKind.UPSTREAM_ERROR
        return ProviderError(kind, detail=detail, retry_after=answer.retry_after, model_only=True)


def unlisted(model: LanguageModel | None) -> LanguageModel | None:
    """The model, marked as one that no table has."""
    return replace(model, unlisted=True) if model is not None else None


async def _beginning(answer: Download, is_stream: bool) -> tuple[bytes, bool]:
    """The body up to the end of its first event, or up to MAX_ERROR_BYTES of one that is no stream, and whether it is
    the whole body. It tells an error from an answer, and until then another account may be tried."""
    text = bytearray()
    async for piece in answer.pieces:
        text += piece
        if len(text) >= MAX_ERROR_BYTES or (is_stream and ends_event(text, len(piece))):
            return bytes(text), False
    return bytes(text), True


async def _read(pieces: AsyncIterator[bytes], text: bytearray, limit: int) -> None:
    """Add pieces to a text of at most `limit` bytes."""
    async for piece in pieces:
        text += piece[: limit - len(text)]
        if len(text) >= limit:
            break


def _masked(first: bytes, pieces: AsyncIterator[bytes], credential: str) -> tuple[bytes, AsyncIterator[bytes]]:
    """An answer with asterisks in place of the credential, which an upstream may quote in an error event. Its length
    stays."""
    if len(credential) < _MIN_MASKED:
        return first, pieces
    secret = credential.encode()
    mask = b"*" * len(secret)

    async def masked() -> AsyncIterator[bytes]:
        async for piece in pieces:
            yield piece.replace(secret, mask)

    return first.replace(secret, mask), masked()
