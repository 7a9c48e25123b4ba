"""Media in: what a client handed in becomes what a provider can use, checked against what the model takes.

A file stays a file, a `data:` URL becomes one, and an address is fetched for those upstreams that read none. What is
only passed on as an address is neither fetched nor checked here: the upstream is its judge.
"""

import asyncio
import base64
import binascii
import io
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import IO, Protocol

from gateway.core.errors import GatewayError, invalid
from gateway.core.logs import GATEWAY, where
from gateway.core.messages import ERRORS, spell_bytes
from gateway.media.resize import shrink_to
from gateway.media.spool import spool
from gateway.media.unreadable import unreadable
from providers.contract.errors import FieldProblem, FieldReason, ProviderError
from providers.contract.localized_text import LocalizedText
from providers.contract.media import MediaLimits
from providers.contract.models import ModelCard
from providers.contract.requests import Media, VideoRequest
from providers.media_files import HEAD_BYTES, NAMES, TYPES, MediaFile, MediaKind
from providers.single_flight import all_of
from providers.transport.client import HttpClient

_AT_ONCE = 4
_ESCAPES = {f"%{code:02{form}}".encode(): bytes([code]) for form in "Xx" for code in b"+/=-_ \t\r\n"}
_NO_LIMITS = MediaLimits()
_SLACK_SECONDS = 0.5
"""A clip of 10 s often has some frames more or less, which upstreams that count whole seconds let pass."""
NO_ALPHA = LocalizedText(
    "此模型不接受带透明通道的 PNG，请去除透明通道，或改用 JPEG",
    "This model takes no PNG with an alpha channel: remove the channel, or send a JPEG",
)


class Fetch(Protocol):
    async def __call__(self, url: str, *, max_bytes: int, param: str, client: str) -> IO[bytes]:
        """Download a URL for `client`, the caller's identity. Raises GatewayError with the field `param`."""


@dataclass(frozen=True, slots=True)
class MediaIntake:
    """Makes inputs ready for a submit.

    `fetch` gets what clients name by address, `http` what an upstream named. `max_bytes` bounds any file, where the
    model has no narrower limit, and `max_total_bytes` all that is fetched for one request. With `shrink` a picture that
    is too large for the model, or of a type it does not read, is made to fit instead of being refused.
    """

    fetch: Fetch
    http: HttpClient
    max_bytes: int
    max_total_bytes: int = 2**63
    shrink: bool = False
    _shrinking: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))

    @asynccontextmanager
    async def ready(
        self, card: ModelCard, request: VideoRequest, client: str = ""
    ) -> AsyncGenerator[VideoRequest, None]:
        """The settled request with its inputs as the provider of `card` wants them. What was made for it is closed
        when the context is left. `client` tells clients apart. Raises GatewayError that names the field.
        """
        if not request.media and request.sound is None:
            yield request
            return
        async with AsyncExitStack() as made:
            try:
                ready = await self._prepare_all(card, request, client, made)
            except OSError as error:
                # The disk is full, or there is none: nothing was sent anywhere.
                GATEWAY.error("inputs could not be stored", extra={"fields": {"cause": where(error)}})
                raise GatewayError("internal_error") from error
            yield ready

    async def _prepare_all(
        self, card: ModelCard, request: VideoRequest, client: str, made: AsyncExitStack
    ) -> VideoRequest:
        inputs = [*request.media, *([request.sound] if request.sound else [])]
        turns, budget = asyncio.Semaphore(_AT_ONCE), _Budget(client, self.max_total_bytes)

        async def prepare(item: Media) -> Media:
            async with turns:
                return await self._prepare(card, item, made, budget)

        ready = await all_of([prepare(item) for item in inputs])
        problems = [problem for item in ready for problem in _problems(card, item)]
        problems += _total_problems(card, ready)
        if problems:
            raise invalid(problems)
        sound = ready.pop() if request.sound else None
        return replace(request, media=tuple(ready), sound=sound)

    async def _prepare(self, card: ModelCard, item: Media, made: AsyncExitStack, budget: "_Budget") -> Media:
        limits = card.media_files.get(item.kind, _NO_LIMITS)
        file = item.file
        if file is None:
            got = await self._get(card, item, budget.client, min(self._most(limits, item.kind), budget.left))
            if got is None:
                return item
            made.callback(got.close)
            file = await asyncio.to_thread(_inspect, got, item)
            budget.spend(file.size, item.param)
        if file.kind is not item.kind:
            raise invalid([_of_another_kind(item, file)])
        if self.shrink and item.kind is MediaKind.IMAGE and not _fits(limits, file):
            async with self._shrinking:
                smaller = await asyncio.to_thread(shrink_to, file, limits)
            if smaller is not None:
                file = smaller
                made.callback(file.close)
        most = min(limits.max_bytes or self.max_bytes, self.max_bytes)
        if file.size > most:
            raise too_large(item.param, most)
        return replace(item, file=file, url="")

    def _most(self, limits: MediaLimits, kind: MediaKind) -> int:
        """How many bytes are taken: of a picture that may be shrunk afterwards, more than the model takes."""
        shrunk = self.shrink and kind is MediaKind.IMAGE
        return min(self.max_bytes, limits.max_bytes) if limits.max_bytes and not shrunk else self.max_bytes

    async def _get(self, card: ModelCard, item: Media, client: str, most: int) -> IO[bytes] | None:
        """The bytes behind an input that is no file; None where its address goes to the upstream."""
        if item.source is not None:
            try:
                return await spool(await item.source.open(), most, partial(too_large, item.param, most))
            except ProviderError as error:
                raise GatewayError("upstream_unavailable", ERRORS["file_not_fetched"], detail=error.detail) from error
        if item.url.startswith("data:"):
            return await asyncio.to_thread(_decode, item, most)
        if card.fetches_urls:
            return None
        if item.from_upstream:
            return await self._get_from_upstream(item, most)
        return await self.fetch(item.url, max_bytes=most, param=item.param, client=client)

    async def _get_from_upstream(self, item: Media, most: int) -> IO[bytes]:
        try:
            async with self.http.stream("GET", item.url, headers={}, proxy=item.proxy) as found:
                if found.status != 200:
                    raise GatewayError("upstream_error", ERRORS["file_not_given"], detail=f"HTTP {found.status}")
                return await spool(found.pieces, most, partial(too_large, item.param, most))
        except ProviderError as error:
            raise GatewayError("upstream_unavailable", ERRORS["file_not_fetched"], detail=error.detail) from error


class _Budget:
    """The bytes that may still be fetched for one request, and for whom that is."""

    def __init__(self, client: str, left: int) -> None:
        self.client = client
        self.left = left

    def spend(self, size: int, param: str) -> None:
        """Raises GatewayError when it is too much for all of them together."""
        self.left -= size
        if self.left < 0:
            raise too_large(param, self.left + size)


def too_large(param: str, most: int) -> GatewayError:
    """Build the error (413) for a file of more than `most` bytes."""
    values = {"param": param, "limit": spell_bytes(most)}
    return GatewayError("too_large", ERRORS["file_too_large"], param=param, values=values)


def _decode(item: Media, most: int) -> IO[bytes]:
    """The bytes of a `data:` URL. Raises GatewayError."""
    head, comma, data = item.url.partition(",")
    text = data.encode("utf-8", "replace")
    # Three bytes in four characters.
    if len(text) // 4 * 3 > most + 3:
        raise too_large(item.param, most)
    try:
        if not comma:
            raise ValueError
        if not head.lower().endswith(";base64"):
            # Nothing but a picture of a few kilobytes is ever written so.
            raise ValueError
        content = _base64(text)
    except (ValueError, binascii.Error):
        raise GatewayError(
            "invalid_value", ERRORS["broken_data_url"], param=item.param, values={"param": item.param}
        ) from None
    return io.BytesIO(content)


def _base64(text: bytes) -> bytes:
    """Of either alphabet, with breaks and without padding where a client left it so. A blank was a plus in a form.

    Only what base64 needs is unescaped: to do it with millions of letters takes seconds and gigabytes.
    """
    for escape, plain in _ESCAPES.items():
        text = text.replace(escape, plain)
    plain = text.translate(bytes.maketrans(b"-_ ", b"+/+"), b"\t\r\n").rstrip(b"=")
    return base64.b64decode(plain + b"=" * (-len(plain) % 4), validate=True)


def _inspect(content: IO[bytes], item: Media) -> MediaFile:
    file = MediaFile.inspect(content)
    if file is None:
        content.seek(0)
        hint = unreadable(content.read(HEAD_BYTES), ", ".join(TYPES[item.kind]))
        raise invalid([FieldProblem(item.param, FieldReason.NOT_ALLOWED, TYPES[item.kind], hint=hint)])
    return file


def _of_another_kind(item: Media, file: MediaFile) -> FieldProblem:
    return FieldProblem(item.param, FieldReason.NOT_ALLOWED, TYPES[item.kind], NAMES[file.media_type])


def _fits(limits: MediaLimits, file: MediaFile) -> bool:
    return not (limits.max_bytes and file.size > limits.max_bytes) and not any(_file_problems("", limits, file))


def _problems(card: ModelCard, item: Media) -> list[FieldProblem]:
    if item.file is None:
        return []
    return _file_problems(item.param, card.media_files.get(item.kind, _NO_LIMITS), item.file)


def _file_problems(param: str, limits: MediaLimits, file: MediaFile) -> list[FieldProblem]:
    """Everything but the bytes. A picture whose pixels cannot be read is none."""

    def problem(allowed: str, value: str) -> FieldProblem:
        return FieldProblem(param, FieldReason.NOT_ALLOWED, (allowed,), value)

    if limits.types and file.media_type not in limits.types:
        allowed = tuple(NAMES[media_type] for media_type in limits.types)
        return [FieldProblem(param, FieldReason.NOT_ALLOWED, allowed, NAMES[file.media_type])]
    if not file.complete or (file.kind is MediaKind.IMAGE and not file.width):
        return [FieldProblem(param, FieldReason.BROKEN, value=NAMES[file.media_type])]
    found = []
    if limits.no_alpha and file.alpha:
        shown = f"{NAMES[file.media_type]} (alpha)"
        found.append(FieldProblem(param, FieldReason.NOT_ALLOWED, value=shown, hint=NO_ALPHA))
    if limits.min_seconds and 0 < file.seconds < limits.min_seconds - _SLACK_SECONDS:
        found.append(problem(f"≥ {limits.min_seconds:g} s", f"{file.seconds:.3g} s"))
    if limits.max_seconds and file.seconds > limits.max_seconds + _SLACK_SECONDS:
        found.append(problem(f"≤ {limits.max_seconds:g} s", f"{file.seconds:.3g} s"))
    if not file.width or not file.height:
        return found
    size, short, long = f"{file.width}x{file.height}", *sorted((file.width, file.height))
    if limits.min_side and short < limits.min_side:
        found.append(problem(f"≥ {limits.min_side} px", size))
    if limits.max_side and long > limits.max_side:
        found.append(problem(f"≤ {limits.max_side} px", size))
    if limits.max_aspect and long > short * limits.max_aspect:
        found.append(problem(f"1:{limits.max_aspect:g} – {limits.max_aspect:g}:1", size))
    return found


def _total_problems(card: ModelCard, items: Sequence[Media]) -> Iterator[FieldProblem]:
    """The clips, and the sounds, that are too long together, as far as it is known how long they are."""
    for kind, limits in card.media_files.items():
        files = [(item.param, item.file.seconds) for item in items if item.kind is kind and item.file]
        total = sum(seconds for _, seconds in files)
        if limits.max_total_seconds and len(files) > 1 and total > limits.max_total_seconds + _SLACK_SECONDS:
            allowed = (f"≤ {limits.max_total_seconds:g} s",)
            yield FieldProblem(files[-1][0], FieldReason.NOT_ALLOWED, allowed, f"{total:.3g} s")
