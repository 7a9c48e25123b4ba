"""A public server and internal servers on the same ports, for tests of the fetcher."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any
from urllib.parse import quote, unquote

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from gateway.core.errors import GatewayError
from gateway.media.fetcher import Fetcher
from gateway.media.url_policy import UrlPolicy

PUBLIC, INSIDE = "127.0.0.2", "127.0.0.1"
URL_POLICY = UrlPolicy(networks=(ip_network(PUBLIC),))
"""Treats 127.0.0.2 as a public address; other addresses as usual."""
LIMIT = 4 * 1024 * 1024

Page = bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]


def ok(body: bytes, *headers: str) -> bytes:
    return answer(200, f"Content-Length: {len(body)}", *headers) + body


def answer(status: int, *headers: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status} Whatever", *headers, "", ""]).encode("utf-8", "surrogateescape")


class Names(AbstractResolver):
    """A resolver with changing answers: each lookup of a name returns the next one, then the last one repeatedly."""

    def __init__(self, names: Mapping[str, Sequence[Sequence[str]]]) -> None:
        self._names = {name: list(answers) for name, answers in names.items()}
        self.asked: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        self.asked.append(host)
        answers = self._names.get(host)
        if answers is None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0) for address in found
        ]

    async def close(self) -> None: ...


@dataclass
class Network:
    """A public server over TLS at 127.0.0.2, plain on another port. Internal servers on the same two ports
    count every connection."""

    trusted: ssl.SSLContext
    port: int = 0
    plain: int = 0
    pages: dict[str, Page] = field(default_factory=dict)
    requests: list[bytes] = field(default_factory=list)
    hits: int = 0
    fetchers: list[Fetcher] = field(default_factory=list)
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        with suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            head = await reader.readuntil(b"\r\n\r\n")
            self.requests.append(head)
            target = head.split(b" ")[1].decode()
            if target.startswith("/to?"):
                writer.write(
                    answer(302, f"Location: {unquote(target[4:], errors='surrogateescape')}", "Content-Length: 0")
                )
            elif isinstance(page := self.pages.get(target, answer(404, "Content-Length: 6") + b"secret"), bytes):
                writer.write(page)
            else:
                await page(writer)
            await writer.drain()
        writer.close()

    async def count(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.hits += 1
        writer.close()

    def url(self, path: str, host: str = "public.example") -> str:
        return f"https://{host}:{self.port}{path}"

    def to(self, *locations: str) -> str:
        """A public URL that redirects to the locations in turn."""
        *before, url = locations
        for location in [*reversed(before), ""]:
            assert not location or location.endswith("/to?")
            url = (location or self.url("/to?")) + quote(url, safe="", errors="surrogateescape")
        return url

    def fetcher(self, url_policy: UrlPolicy = URL_POLICY, names: Names | None = None, **options: Any) -> Fetcher:
        resolver = names or Names({"public.example": [[PUBLIC]], "more.public.example": [[PUBLIC]]})
        fetcher = Fetcher(url_policy, **{"resolver": resolver, "tls": self.trusted, **options})
        self.fetchers.append(fetcher)
        return fetcher

    async def fetch(
        self, url: str, url_policy: UrlPolicy = URL_POLICY, names: Names | None = None, **options: Any
    ) -> bytes:
        with await self.fetcher(url_policy, names, **options).fetch(url, max_bytes=LIMIT, param="image") as file:
            return file.read()

    async def fetch_error(
        self,
        url: str,
        url_policy: UrlPolicy = URL_POLICY,
        names: Names | None = None,
        *,
        max_bytes: int = LIMIT,
        **options: Any,
    ) -> GatewayError:
        with pytest.raises(GatewayError) as caught:
            await self.fetcher(url_policy, names, **options).fetch(url, max_bytes=max_bytes, param="image")
        assert caught.value.param == "image"
        assert "secret" not in str(caught.value.body("zh", "r")) + str(caught.value.body("en", "r"))
        return caught.value

    async def unfetchable(
        self, url: str, url_policy: UrlPolicy = URL_POLICY, names: Names | None = None, **options: Any
    ) -> None:
        error = await self.fetch_error(url, url_policy, names, **options)
        assert (error.code, error.spec.status) == ("invalid_value", 400)
        assert error.message("en") == UNFETCHABLE
        assert error.message("zh").startswith("image：无法下载该链接，请")


UNFETCHABLE = "image: the URL cannot be fetched: use a public https:// URL, or upload the file"
