"""Downloads URLs of clients without access to the internal network (SSRF): `gateway.media.url_policy` decides, and
`gateway.media.checked_sessions` checks each address. Redirects are followed here, each checked as a new URL.
"""

import asyncio
import re
import ssl
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from functools import partial
from typing import IO, TYPE_CHECKING
from urllib.parse import urljoin
from weakref import WeakValueDictionary

from yarl import URL

from gateway.core.errors import GatewayError
from gateway.core.localization import format_bytes
from gateway.core.logs import GATEWAY
from gateway.core.messages import ERRORS
from gateway.core.request_record import request_fields
from gateway.media.checked_sessions import CheckedSessions
from gateway.media.spool import spool
from gateway.media.url_policy import DisallowedUrlError, UrlPolicy

if TYPE_CHECKING:
    import aiohttp
    from aiohttp.abc import AbstractResolver

MAX_REDIRECTS = 3

MAX_FETCHES = 64
"""Concurrent fetches. A caller that waits for a slot longer than `max_seconds` gets an error that may be retried."""

MAX_FETCHES_PER_CALLER = 16
"""Concurrent fetches of one caller, so that its slow hosts do not block others."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAX_LOGGED_HOST = 100
_END_OF_HOST = re.compile(r"[/?#\\]")


class _FetchFailedError(Exception):
    """A fetch without a usable response. The text is for logs."""


class Fetcher:
    """Fetches files for clients where `url_policy` allows it.

    `max_seconds` limits a whole fetch with its redirects, `connect_seconds` each DNS lookup with its connection. `tls`
    replaces the system's certificates, `resolver` the system's DNS; the caller closes the resolver. `url_policy` and
    `max_seconds` may be replaced at any time: the policy applies to running fetches from their next hop on.
    """

    def __init__(
        self,
        url_policy: UrlPolicy,
        *,
        max_seconds: float = 30.0,
        connect_seconds: float = 10.0,
        resolver: "AbstractResolver | None" = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.url_policy = url_policy
        self.max_seconds = max_seconds
        self._sessions = CheckedSessions(
            lambda address, scheme: self.url_policy.allows(address, scheme),
            connect_seconds=connect_seconds,
            resolver=resolver,
            tls=tls,
        )
        self._slots = asyncio.Semaphore(MAX_FETCHES)
        self._slots_by_caller: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        """By caller, while in use."""

    async def aclose(self) -> None:
        """Abort running fetches, and start no more."""
        await self._sessions.aclose()

    async def fetch(self, url: str, *, max_bytes: int, param: str, client: str = "") -> IO[bytes]:
        """Fetch the file at a client's URL. Returns it at its start; the caller closes it. `client` is the identity of
        the caller.

        Raises GatewayError with `param`: `too_large` for more than `max_bytes`, `upstream_unavailable` where no slot
        gets free, else `invalid_value`. The error is the same for a disallowed address, an unknown name and a host that
        does not respond, so that a client cannot scan the internal network.
        """
        own = self._slots_by_caller.setdefault(client, asyncio.Semaphore(MAX_FETCHES_PER_CALLER))
        async with AsyncExitStack() as slots:
            try:
                async with asyncio.timeout(self.max_seconds):
                    await slots.enter_async_context(own)
                    await slots.enter_async_context(self._slots)
            except TimeoutError as error:
                raise _error("too_many_downloads", param, code="upstream_unavailable") from error
            return await self._fetch(url, max_bytes, param)

    async def _fetch(self, url: str, max_bytes: int, param: str) -> IO[bytes]:
        max_seconds = self.max_seconds
        try:
            async with asyncio.timeout(max_seconds):
                return await self._follow(url, max_bytes, param)
        except (DisallowedUrlError, _FetchFailedError) as error:
            _log(url, param, error)
            raise _error("url_not_fetchable", param) from error
        except TimeoutError as error:
            raise _error("url_download_timeout", param, seconds=f"{max_seconds:g}") from error

    async def _follow(self, url: str, max_bytes: int, param: str) -> IO[bytes]:
        for _ in range(MAX_REDIRECTS + 1):
            target = self.url_policy.check_url(url)
            async with self._get(target) as answer:
                location = answer.headers.get("Location")
                if answer.status in _REDIRECTS and location:
                    url = _join(target, location)
                    continue
                if answer.status != 200:
                    raise _error("url_http_error", param, status=answer.status)
                if answer.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
                    raise _error("url_compressed", param)
                if (answer.content_length or 0) > max_bytes:
                    raise _too_large(param, max_bytes)
                async with aclosing(_pieces(answer, param)) as pieces:
                    return await spool(pieces, max_bytes, partial(_too_large, param, max_bytes))
        raise _FetchFailedError(f"more than {MAX_REDIRECTS} redirects")

    @asynccontextmanager
    async def _get(self, url: URL) -> "AsyncGenerator[aiohttp.ClientResponse, None]":
        """Open a response; its body is not read yet. Raises _FetchFailedError where there is none."""
        try:
            session = await self._sessions.of(url.scheme)
        except (ImportError, OSError) as error:
            raise _FetchFailedError(type(error).__name__) from error
        import aiohttp

        try:
            answer = await session.get(url, allow_redirects=False)
        except (aiohttp.ClientError, OSError) as error:
            raise _FetchFailedError(type(error).__name__) from error
        try:
            yield answer
        finally:
            answer.close()


async def _pieces(answer: "aiohttp.ClientResponse", param: str) -> AsyncGenerator[bytes, None]:
    import aiohttp

    try:
        async for piece in answer.content.iter_any():
            yield piece
    except (aiohttp.ClientError, OSError) as error:
        raise _error("url_download_interrupted", param) from error


def _join(target: URL, location: str) -> str:
    try:
        return urljoin(str(target), location)
    except ValueError:
        raise _FetchFailedError("an invalid redirect") from None


def _too_large(param: str, max_bytes: int) -> GatewayError:
    return _error("url_too_large", param, code="too_large", limit=format_bytes(max_bytes))


def _log(url: str, param: str, error: Exception) -> None:
    """Log the cause, which the client does not get. The log has no path or query, which may be signed, and no host of a
    URL that may hold a password."""
    host = "" if "@" in url else _END_OF_HOST.split(url.partition("://")[2], maxsplit=1)[0][:_MAX_LOGGED_HOST]
    fields = {"param": param, "host": host, "cause": str(error), **request_fields()}
    GATEWAY.info("media fetch failed", extra={"fields": fields})


def _error(key: str, param: str, *, code: str = "invalid_value", **values: object) -> GatewayError:
    return GatewayError(code, ERRORS[key], param=param, values={"param": param, **values})
