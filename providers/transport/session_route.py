"""Calls over aiohttp, which supports every kind of proxy, and a check of each address."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any

import aiohttp
from yarl import URL

from providers.contract.accounts import Proxy
from providers.transport.address_policy import Allows
from providers.transport.connectors import AIOHTTP_ERRORS, session
from providers.transport.failures import raise_for_proxy_status
from providers.transport.timeouts import Timeouts
from providers.transport.transports import Opened, Pieces, Reply, read_retry_after

_CHUNK_BYTES = 256 * 1024

_DECODED = frozenset({"gzip", "deflate", "br", "zstd"})
"""Encodings that aiohttp decodes, or fails on where it has no library for them."""


class SessionRoute:
    """Through a proxy, over a connection pool that no other proxy shares, or without one; with `once` over new
    connections. `allows` is asked for each address that it connects to."""

    errors = AIOHTTP_ERRORS

    def __init__(
        self, timeouts: Timeouts, proxy: Proxy | None, *, once: bool = False, allows: Allows | None = None
    ) -> None:
        self._proxy = proxy
        self._once = once
        self._session = session(str(proxy) if proxy else None, once=once, allows=allows)
        self._timeout = aiohttp.ClientTimeout(
            total=timeouts.total, connect=timeouts.connect, sock_connect=timeouts.connect, sock_read=timeouts.read
        )
        self._open_timeout = aiohttp.ClientTimeout(
            total=None, connect=timeouts.connect, sock_connect=timeouts.connect, sock_read=timeouts.answer
        )

    async def call(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        async with self._session.request(
            method,
            URL(url, encoded=True),
            **_content(headers, body),
            allow_redirects=False,
            timeout=self._timeout,
        ) as answer:
            raise_for_proxy_status(answer.status, answer.headers, url, self._proxy, once=self._once)
            pieces = Pieces(answer.status)
            async for piece in answer.content.iter_any():
                pieces.add(piece)
                if pieces.full:
                    break
            return Reply(answer.status, pieces.whole(), read_retry_after(answer.headers.get("retry-after")))

    @asynccontextmanager
    async def open(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> AsyncGenerator[Opened, None]:
        async with self._session.request(
            method,
            URL(url, encoded=True),
            **_content(headers, body),
            allow_redirects=False,
            timeout=self._open_timeout,
        ) as answer:
            raise_for_proxy_status(answer.status, answer.headers, url, self._proxy, once=self._once)

            async def pieces() -> AsyncGenerator[bytes, None]:
                # Chunks that arrive together stay apart.
                async for piece, _ in answer.content.iter_chunks():
                    if piece:
                        yield piece
                    elif answer.content.at_eof():
                        # aiohttp's reader of an empty body ends for the first one of the process only.
                        return

            async with aclosing(pieces()) as found:
                yield Opened(answer.status, _decoded(answer.headers), found)

    async def aclose(self) -> None:
        await self._session.close()


def _decoded(headers: Mapping[str, str]) -> Mapping[str, str]:
    """The headers of a body that aiohttp has decoded."""
    if headers.get("content-encoding", "").lower() not in _DECODED:
        return headers
    return {
        name: value for name, value in headers.items() if name.lower() not in ("content-encoding", "content-length")
    }


def _content(headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """The headers and the body of a call of aiohttp. A large body in a single write would block every other request of
    the process."""
    if len(body) <= _CHUNK_BYTES:
        return {"headers": headers, "data": body or None}
    return {"headers": {**headers, "Content-Length": str(len(body))}, "data": _in_chunks(body)}


async def _in_chunks(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), _CHUNK_BYTES):
        yield body[start : start + _CHUNK_BYTES]
