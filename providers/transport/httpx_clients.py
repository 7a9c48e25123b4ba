"""httpx clients over a transport: for files, and for the transports of tests."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, asynccontextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import cast

import httpx

from providers.transport.failures import LibraryErrors
from providers.transport.timeouts import Timeouts
from providers.transport.transports import Opened, Reply, read_retry_after

HTTPX_ERRORS = LibraryErrors(
    not_sent=(
        httpx.ConnectError,
        httpx.ConnectTimeout,
        httpx.PoolTimeout,
        httpx.ProxyError,
        httpx.UnsupportedProtocol,
        httpx.InvalidURL,
    ),
    silence=(httpx.ReadTimeout,),
)


def client_over(transport: httpx.AsyncBaseTransport, timeouts: Timeouts) -> httpx.AsyncClient:
    """A client without cookies, redirects and environment variables."""
    return httpx.AsyncClient(
        transport=transport,
        timeout=httpx.Timeout(timeouts.read, connect=timeouts.connect, pool=timeouts.connect),
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        follow_redirects=False,
        trust_env=False,
    )


class MockRoute:
    """Over an httpx transport."""

    errors = HTTPX_ERRORS

    def __init__(self, transport: httpx.AsyncBaseTransport, timeouts: Timeouts) -> None:
        self._client = client_over(transport, timeouts)

    async def call(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        answer = await self._client.request(method, url, headers=headers, content=body or None)
        return Reply(answer.status_code, answer.content, read_retry_after(answer.headers.get("retry-after")))

    @asynccontextmanager
    async def open(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> AsyncGenerator[Opened, None]:
        async with self._client.stream(method, url, headers=headers, content=body or None) as answer:

            async def pieces() -> AsyncGenerator[bytes, None]:
                # The stream itself: httpx's own iterators know no raw bytes of a body that a test has made up whole.
                async for piece in cast(httpx.AsyncByteStream, answer.stream):
                    yield piece

            async with aclosing(pieces()) as found:
                yield Opened(answer.status_code, answer.headers, found)

    async def aclose(self) -> None:
        await self._client.aclose()
