"""Calls to an OpenAI-compatible API of an upstream: a body as it is, and the response as it arrives."""

import re
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Any

import orjson

from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.language import LanguageModel, LanguageResponse
from providers.contract.redaction import shorten
from providers.transport.client import Download, HttpClient
from providers.transport.transports import MAX_ERROR_BYTES

_PRINTABLE = re.compile(r"[\x21-\x7e]+")
_SAFE = re.compile(r"[\x20-\x7e]{0,1024}")
_FORWARDED = frozenset({"content-type", "content-length", "content-encoding", "retry-after"})
"""Response headers for the client, beside those of rate limits."""
_ERROR_EVENT = re.compile(rb"data:\s*(\{\s*\"errors?\"\s*:.*)")
_SNIPPET = 300
"""Characters of an unreadable response in the error's detail."""


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

    async def post(self, url: str, body: bytes, account: Account) -> LanguageResponse:
        """Send a body and return the response once its first chunk has arrived. Raises ProviderError before that."""
        headers = self._headers(account) | {"Content-Type": "application/json"}
        async with AsyncExitStack() as opened:
            answer = await opened.enter_async_context(
                self._http.open("POST", url, headers=headers, body=body, proxy=account.proxy)
            )
            if not 200 <= answer.status < 300:
                raise self._error(answer, await _read(answer), account)
            first = await anext(answer.pieces, b"")
            event = _ERROR_EVENT.match(first)
            if event is not None and _error_of_json(event[1]) is not None:
                raise self._error(answer, event[1], account)
            return LanguageResponse(
                answer.status, _for_client(answer.headers), first, answer.pieces, opened.pop_all().aclose
            )
        raise AssertionError

    async def models(self, url: str, account: Account) -> list[str]:
        """The names that the API lists. Raises ProviderError, also where there are none."""
        async with self._http.open("GET", url, headers=self._headers(account), body=b"", proxy=account.proxy) as answer:
            text = await _read(answer, 8 * 1024 * 1024)
            if not 200 <= answer.status < 300:
                raise self._error(answer, text, account)
        body = _json(text)
        rows = body.get("data") if isinstance(body, dict) else None
        found = [row.get("id") for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
        names = [name for name in found if isinstance(name, str) and name]
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

    def _error(self, answer: Download, text: bytes, account: Account) -> ProviderError:
        found = _error_of_json(text)
        if found is None:
            shown = text[: 4 * _SNIPPET].decode("utf-8", "replace").strip()
            detail = f"HTTP {answer.status}"
            if shown and not shown.startswith("<"):
                detail += f": {shorten(' '.join(account.redact(shown).split()), _SNIPPET)}"
            kind = ErrorKind.RATE_LIMITED if answer.status == 429 else ErrorKind.UPSTREAM_ERROR
            return ProviderError(kind, detail=detail, retry_after=answer.retry_after, model_only=True)
        code, message = found
        # The status of an error event is that of the response, which had already begun.
        status = answer.status if answer.status >= 300 else 500
        failed = Failure(status, account.redact(code), account.redact(message), answer.headers, answer.retry_after)
        return self._error_of(failed)


def unlisted(model: LanguageModel | None) -> LanguageModel | None:
    """The model, marked as one that no table has."""
    return replace(model, unlisted=True) if model is not None else None


async def _read(answer: Download, limit: int = MAX_ERROR_BYTES) -> bytes:
    pieces, size = [], 0
    async for piece in answer.pieces:
        pieces.append(piece)
        size += len(piece)
        if size >= limit:
            break
    return b"".join(pieces)[:limit]


def _json(text: bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _error_of_json(text: bytes) -> tuple[str, str] | None:
    """Code and message of an error body, `{"error": {…}}` or `{"errors": {…}}`, or DashScope's flat form; None for
    anything else."""
    body = _json(text)
    if not isinstance(body, dict):
        return None
    inner = body.get("error") or body.get("errors") or body
    if isinstance(inner, str):
        return "", inner
    if not isinstance(inner, dict):
        return None
    code, message = (str(inner.get(name) or "") for name in ("code", "message"))
    return (code, message) if code or message else None


def _for_client(headers: Mapping[str, str]) -> dict[str, str]:
    found = {
        name: value
        for name, value in headers.items()
        if (name in _FORWARDED or "ratelimit" in name) and _SAFE.fullmatch(value)
    }
    if (id := headers.get("x-request-id")) and _SAFE.fullmatch(id):
        # The gateway's own response has an id of its own.
        found["x-upstream-request-id"] = id
    return found
