"""Files over aiohttp, as an httpx transport: streamed both ways, redirects included."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import cast

import aiohttp
import httpx
from yarl import URL

from providers.contract.accounts import Proxy
from providers.contract.errors import ErrorKind, ProviderError
from providers.transport.address_policy import Allows, Policies, check_link
from providers.transport.connectors import AIOHTTP_ERRORS, session
from providers.transport.failures import LibraryErrors, raise_for_proxy_status
from providers.transport.httpx_clients import HTTPX_ERRORS

MAX_REDIRECTS = 3
"""Redirects followed for a file; one more counts as a redirect loop."""

CHUNK_BYTES = 64 * 1024

TRANSPORT_ERRORS: tuple[type[Exception], ...] = (
    httpx.HTTPError,
    httpx.InvalidURL,
    aiohttp.ClientError,
    OSError,
)
FILE_ERRORS = LibraryErrors(
    not_sent=(*HTTPX_ERRORS.not_sent, *AIOHTTP_ERRORS.not_sent),
    silence=(*HTTPX_ERRORS.silence, *AIOHTTP_ERRORS.silence),
)
_BODY_ERRORS: tuple[type[Exception], ...] = (*TRANSPORT_ERRORS, RuntimeError)
"""aiohttp raises RuntimeError for a body that breaks while chunks of it wait to be read."""


async def find(
    client: httpx.AsyncClient, request: httpx.Request, policies: Policies, proxy: Proxy | None
) -> httpx.Response:
    """The response after redirects, each of them checked. Credentials in the headers are not sent to another host."""
    for _ in range(MAX_REDIRECTS + 1):
        check_link(_url_of(request), policies)
        response = await client.send(request, stream=True)
        raise_for_proxy_status(response.status_code, response.headers, str(request.url), proxy)
        if response.next_request is None:
            return response
        await response.aclose()
        request = response.next_request
        if request.url.scheme not in ("http", "https"):
            raise ProviderError(ErrorKind.UPSTREAM_ERROR, detail="redirected to what is neither http nor https")
    raise ProviderError(ErrorKind.UPSTREAM_ERROR, detail=f"redirected more than {MAX_REDIRECTS} times")


async def pieces_of(
    response: httpx.Response, failed: Callable[[Exception], ProviderError]
) -> AsyncGenerator[bytes, None]:
    """The body in chunks. An error of the transport is raised as the one that `failed` makes of it."""
    # The stream itself: httpx's own iterators know no raw bytes of a body that a test has made up whole.
    stream = cast(httpx.AsyncByteStream, response.stream)
    try:
        async for piece in stream:
            yield piece
    except _BODY_ERRORS as error:
        raise failed(error) from error


class FileTransport(httpx.AsyncBaseTransport):
    """aiohttp for files. URLs are sent unchanged: by default aiohttp normalizes escapes (%2F, %7E), which breaks
    signed URLs.

    Without a proxy each address is checked by the policy for links, with a proxy that of the proxy by `allows`."""

    def __init__(self, proxy: Proxy | None, allows: Allows | None, policies: Policies) -> None:
        self._proxy = str(proxy) if proxy else None
        self._allows = allows
        self._policies = policies
        self._sessions: dict[bool, aiohttp.ClientSession] = {}
        """By whether there is a check: the socket factory does not get the host that the connection is for."""

    def _session(self, url: URL) -> aiohttp.ClientSession:
        allows = self._allows
        if self._proxy is None and (policy := self._policies.of_link(url)):
            allows = policy.allows
        found = self._sessions.get(allows is not None)
        if found is None:
            found = self._sessions[allows is not None] = session(self._proxy, once=False, allows=allows)
        return found

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url, timeout = _url_of(request), request.extensions["timeout"]
        answer = await self._session(url).request(
            request.method,
            url,
            headers=request.headers,
            # A streamed body; aiohttp would treat an empty one as one of unknown length.
            data=request.stream if "content-length" in request.headers else None,
            allow_redirects=False,
            auto_decompress=False,
            read_bufsize=CHUNK_BYTES,
            timeout=aiohttp.ClientTimeout(
                connect=timeout["pool"], sock_connect=timeout["connect"], sock_read=timeout["read"]
            ),
        )
        return httpx.Response(answer.status, headers=answer.raw_headers, stream=_Body(answer))

    async def aclose(self) -> None:
        for one in self._sessions.values():
            await one.close()


class _Body(httpx.AsyncByteStream):
    """If closed before its end, the connection is closed too, so that the host stops sending."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._answer.content.iter_chunked(CHUNK_BYTES):
            yield piece

    async def aclose(self) -> None:
        self._answer.release()


def _url_of(request: httpx.Request) -> URL:
    return URL(str(request.url), encoded=True)
