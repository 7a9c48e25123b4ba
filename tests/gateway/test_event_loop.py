"""A large body does not block the event loop: other requests go on while it is parsed, hashed, decoded and read."""

import asyncio
import base64
import os
import threading
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import orjson
import pytest
from starlette.requests import Request
from starlette.types import Message

from gateway.api.schemas import body_parser
from gateway.api.schemas.body_parser import _read_json, read_object
from gateway.media.intake import MediaIntake
from gateway.tasks.idempotency import fingerprint_of
from providers.contract.models import ModelCard
from providers.contract.requests import Media, VideoRequest
from providers.dashscope.uploads import data_url
from providers.media_files import IN_MEMORY_BYTES, MediaFile, MediaKind
from providers.offload import INLINE_BYTES, offload
from providers.transport.client import HttpClient
from tests.pictures import media_file, picture

LARGE = 24 * 1024 * 1024
CARD = ModelCard("m", "p")


def padded_picture(size: int) -> bytes:
    """A PNG of at least `size` bytes: more may follow its end."""
    return picture() + os.urandom(size)


def request_of(content: bytes | bytearray) -> VideoRequest:
    url = "data:image/png;base64," + base64.b64encode(content).decode()
    return VideoRequest("m", "cat", media=(Media(MediaKind.IMAGE, url, "image"),))


async def longest_gap(work: Awaitable[Any]) -> float:
    """The longest time in seconds during which nothing else ran on the event loop."""
    gaps, last = [0.0], time.perf_counter()

    async def heartbeat() -> None:
        nonlocal last
        while True:
            await asyncio.sleep(0)
            now = time.perf_counter()
            gaps.append(now - last)
            last = now

    beating = asyncio.ensure_future(heartbeat())
    await asyncio.sleep(0)
    await work
    await asyncio.sleep(0)
    beating.cancel()
    return max(gaps)


async def block(work: Callable[[], Any]) -> Any:
    return work()


async def prepared(request: VideoRequest) -> None:
    async with HttpClient() as http, MediaIntake(_never, http, 2 * LARGE).ready(CARD, request):
        pass


async def _never(url: str, *, max_bytes: int, param: str, client: str) -> Any:
    raise AssertionError


async def test_large_data_url_is_decoded_and_hashed_beside_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    request = request_of(padded_picture(LARGE))
    gap = await longest_gap(prepared(request))
    hash_gap = await longest_gap(offload(LARGE, partial(fingerprint_of, request)))
    # The same work on the loop.
    blocked = await longest_gap(block(partial(fingerprint_of, request)))
    monkeypatch.setattr("gateway.media.intake.offload", lambda size, work: block(work))
    blocked_all = await longest_gap(prepared(request))
    assert gap < blocked_all / 2
    assert hash_gap < max(blocked / 2, 0.02)


@pytest.mark.parametrize(("size", "on_loop"), [(1000, True), (INLINE_BYTES, False)])
async def test_only_large_json_is_parsed_in_a_thread(size: int, on_loop: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[threading.Thread] = []

    def read_json(body: bytearray) -> dict[str, Any]:
        threads.append(threading.current_thread())
        return _read_json(body)

    monkeypatch.setattr(body_parser, "_read_json", read_json)
    body = orjson.dumps({"prompt": "x" * size})

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    headers = [(b"content-type", b"application/json")]
    request = Request({"type": "http", "method": "POST", "path": "/", "headers": headers, "query_string": b""}, receive)
    async with read_object(request, 2 * LARGE) as fields:
        assert len(fields["prompt"]) == size
    assert [thread is threading.current_thread() for thread in threads] == [on_loop]


@pytest.mark.parametrize(("size", "on_loop"), [(1000, True), (IN_MEMORY_BYTES, False)])
async def test_only_a_file_on_disk_is_read_in_a_thread(
    size: int, on_loop: bool, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    threads: set[threading.Thread] = set()
    read_at = MediaFile._read_at

    def read(self: MediaFile, at: int) -> bytes:
        threads.add(threading.current_thread())
        return read_at(self, at)

    file = media_file(content := padded_picture(size))
    request.addfinalizer(file.close)
    monkeypatch.setattr(MediaFile, "_read_at", read)
    assert b"".join([piece async for piece in file.pieces()]) == content
    assert (threads == {threading.current_thread()}) is on_loop


async def test_concurrent_readers_of_a_file_on_disk_are_independent(request: pytest.FixtureRequest) -> None:
    file = media_file(content := padded_picture(5 * IN_MEMORY_BYTES))
    request.addfinalizer(file.close)

    async def read() -> bytes:
        return b"".join([piece async for piece in file.pieces()])

    found = await asyncio.gather(read(), read(), data_url(file), read())
    assert {found[0], found[1], found[3]} == {content}
    assert base64.b64decode(str(found[2]).partition(",")[2]) == content


def test_large_texts_of_a_fingerprint_are_told_apart() -> None:
    content = bytearray(padded_picture(LARGE // 16))
    first = fingerprint_of(request_of(content))
    assert fingerprint_of(request_of(bytes(content))) == first
    content[-1] ^= 1
    assert fingerprint_of(request_of(content)) != first
