"""Media intake: turns a client's media inputs into files for the provider, and validates them against the model.

A file stays a file, a `data:` URL becomes a file, and a URL is fetched for upstreams that do not fetch URLs. A URL that
is passed on to the upstream is neither fetched nor validated here.
"""

import asyncio
import base64
import binascii
import io
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from tempfile import SpooledTemporaryFile
from typing import IO, Protocol

from gateway.core.errors import GatewayError, invalid
from gateway.core.localization import format_bytes
from gateway.core.logs import GATEWAY, location_of
from gateway.core.messages import ERRORS
from gateway.core.request_record import request_fields
from gateway.media.resize import shrink_to
from gateway.media.spool import SPOOL_BYTES, close_spooled, spool
from gateway.media.unreadable import unreadable
from providers.concurrent_calls import all_of
from providers.contract.errors import FieldProblem, FieldReason, ProviderError
from providers.contract.localized_text import LocalizedText
from providers.contract.media import MediaLimits
from providers.contract.models import ModelCard
from providers.contract.requests import Media, VideoRequest
from providers.media_files import HEAD_BYTES, NAMES, TYPES, MediaFile, MediaKind
from providers.offload import CHUNK_BYTES, offload
from providers.transport.client import HttpClient

_CONCURRENT_INPUTS = 4
_ESCAPES = {f"%{code:02{form}}".encode(): bytes([code]) for form in "Xx" for code in b"+/=-_ \t\r\n"}
_PLAIN = bytes.maketrans(b"-_ ", b"+/+")
_NO_LIMITS = MediaLimits()
_TOLERANCE_SECONDS = 0.5
"""A clip of 10 s often has some frames more or less. Upstreams, which count whole seconds, accept it."""
NO_ALPHA = LocalizedText(
    "此模型不接受带透明通道的 PNG，请去除透明通道，或改用 JPEG",
    "This model takes no PNG with an alpha channel: remove the channel, or send a JPEG",
)


class Fetch(Protocol):
    async def __call__(self, url: str, *, max_bytes: int, param: str, client: str) -> IO[bytes]:
        """Download a URL for `client`, the caller's identity. Raises GatewayError with the field `param`."""


@dataclass(frozen=True, slots=True)
class MediaIntake:
    """Prepares media inputs for a submit.

    `fetch` fetches URLs of clients, `http` those of upstreams. `max_bytes` limits every file, where the model has no
    lower limit, and `max_total_bytes` all fetched files of a request. With `shrink` a picture that is too large for the
    model, or of an unsupported type, is resized and converted instead of rejected.
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
        """The validated request with its inputs as the provider of `card` takes them. On exit, the files that were
        created for it are closed. `client` is the identity of the caller. Raises GatewayError that names the field.
        """
        if not request.media and request.sound is None:
            yield request
            return
        async with AsyncExitStack() as resources:
            try:
                ready = await self._prepare_all(card, request, client, resources)
            except OSError as error:
                # The disk is full or missing: nothing has been sent.
                GATEWAY.error(
                    "inputs could not be stored", extra={"fields": {"cause": location_of(error), **request_fields()}}
                )
                raise GatewayError("internal_error") from error
            yield ready

    async def _prepare_all(
        self, card: ModelCard, request: VideoRequest, client: str, resources: AsyncExitStack
    ) -> VideoRequest:
        inputs = [*request.media, *([request.sound] if request.sound else [])]
        turns, quota = asyncio.Semaphore(_CONCURRENT_INPUTS), _FetchQuota(client, self.max_total_bytes)

        async def prepare(item: Media) -> Media:
            async with turns:
                return await self._prepare(card, item, resources, quota)

        ready = await all_of([prepare(item) for item in inputs])
        problems = [problem for item in ready for problem in _problems(card, item)]
        problems += _total_problems(card, ready)
        if problems:
            raise invalid(problems)
        sound = ready.pop() if request.sound else None
        return replace(request, media=tuple(ready), sound=sound)

    async def _prepare(self, card: ModelCard, item: Media, resources: AsyncExitStack, quota: "_FetchQuota") -> Media:
        limits = card.media_files.get(item.kind, _NO_LIMITS)
        file = item.file
        if file is None:
            got = await self._get(card, item, quota.client, min(self._max_bytes(limits, item.kind), quota.left))
            if got is None:
                return item
            size = got.seek(0, io.SEEK_END)
            resources.push_async_callback(close_spooled, got, size)
            file = await offload(size, partial(_inspect, got, item))
            quota.consume(file.size, item.param)
        if file.kind is not item.kind:
            raise invalid([_wrong_kind(item, file)])
        if self.shrink and item.kind is MediaKind.IMAGE and not _fits(limits, file):
            async with self._shrinking:
                smaller = await asyncio.to_thread(shrink_to, file, limits)
            if smaller is not None:
                file = smaller
                resources.callback(file.close)
        max_bytes = min(limits.max_bytes or self.max_bytes, self.max_bytes)
        if file.size > max_bytes:
            raise too_large(item.param, max_bytes)
        return replace(item, file=file, url="")

    def _max_bytes(self, limits: MediaLimits, kind: MediaKind) -> int:
        """The limit of a download: higher than the model's for a picture that may be shrunk afterwards."""
        shrunk = self.shrink and kind is MediaKind.IMAGE
        return min(self.max_bytes, limits.max_bytes) if limits.max_bytes and not shrunk else self.max_bytes

    async def _get(self, card: ModelCard, item: Media, client: str, max_bytes: int) -> IO[bytes] | None:
        """The content of an input that is no file; None where its URL is passed on to the upstream."""
        if item.source is not None:
            try:
                return await spool(await item.source.open(), max_bytes, partial(too_large, item.param, max_bytes))
            except ProviderError as error:
                raise GatewayError("upstream_unavailable", ERRORS["file_unavailable"], detail=error.detail) from error
        if item.url.startswith("data:"):
            return await offload(len(item.url), partial(_decode, item, max_bytes))
        if card.fetches_urls:
            return None
        if item.from_upstream:
            return await self._get_from_upstream(item, max_bytes)
        return await self.fetch(item.url, max_bytes=max_bytes, param=item.param, client=client)

    async def _get_from_upstream(self, item: Media, max_bytes: int) -> IO[bytes]:
        try:
            async with self.http.stream("GET", item.url, headers={}, proxy=item.proxy) as found:
                if found.status != 200:
                    raise GatewayError(
                        "upstream_error", ERRORS["file_download_rejected"], detail=f"HTTP {found.status}"
                    )
                return await spool(found.pieces, max_bytes, partial(too_large, item.param, max_bytes))
        except ProviderError as error:
            raise GatewayError("upstream_unavailable", ERRORS["file_unavailable"], detail=error.detail) from error


class _FetchQuota:
    """The bytes that may still be fetched for one request of `client`."""

    def __init__(self, client: str, left: int) -> None:
        self.client = client
        self.left = left

    def consume(self, size: int, param: str) -> None:
        """Raises GatewayError where the files of the request are too large together."""
        self.left -= size
        if self.left < 0:
            raise too_large(param, self.left + size)


def too_large(param: str, max_bytes: int) -> GatewayError:
    """Build the error (413) for a file of more than `max_bytes` bytes."""
    values = {"param": param, "limit": format_bytes(max_bytes)}
    return GatewayError("too_large", ERRORS["file_too_large"], param=param, values=values)


def _decode(item: Media, max_bytes: int) -> IO[bytes]:
    """The bytes of a `data:` URL. Raises GatewayError."""
    # No slice of the whole text: it would copy megabytes in one call.
    start = item.url.find(",") + 1
    # Base64 has three bytes in four characters.
    if (len(item.url) - start) // 4 * 3 > max_bytes + 3:
        raise too_large(item.param, max_bytes)
    content = SpooledTemporaryFile(SPOOL_BYTES)  # noqa: SIM115 - it outlives this function
    try:
        if not item.url[:start].lower().endswith(";base64,"):
            # Percent encoding is only used for pictures of a few kilobytes.
            raise ValueError
        for piece in _base64_pieces(item.url, start):
            content.write(piece)
    except (ValueError, binascii.Error):
        content.close()
        raise GatewayError(
            "invalid_value", ERRORS["invalid_data_url"], param=item.param, values={"param": item.param}
        ) from None
    except BaseException:
        content.close()
        raise
    return content


def _base64_pieces(text: str, start: int) -> Iterator[bytes]:
    """Decode the base64 that begins at `start`, of either alphabet, with line breaks, without padding. A space was a
    plus in a form. Raises ValueError."""
    # `cut` is the beginning of an escape, `rest` what is less than four characters, and the padding.
    cut = rest = b""
    for at in range(start, len(text), CHUNK_BYTES):
        raw = cut + text[at : at + CHUNK_BYTES].encode("utf-8", "replace")
        escape = raw.rfind(b"%", -2)
        cut = raw[escape:] if escape >= 0 else b""
        plain = rest + _unescaped(raw[: len(raw) - len(cut)])
        length = len(plain.rstrip(b"="))
        if b"=" in plain[:length]:
            raise ValueError("padding before the end")
        whole = length - length % 4
        rest = plain[whole:]
        yield base64.b64decode(plain[:whole], validate=True)
    last = (rest + cut).rstrip(b"=")
    yield base64.b64decode(last + b"=" * (-len(last) % 4), validate=True)


def _unescaped(text: bytes) -> bytes:
    """Only the characters that base64 needs are unescaped: unquoting millions of characters takes seconds."""
    if b"%" in text:
        for escape, plain in _ESCAPES.items():
            text = text.replace(escape, plain)
    return text.translate(_PLAIN, b"\t\r\n")


def _inspect(content: IO[bytes], item: Media) -> MediaFile:
    file = MediaFile.inspect(content)
    if file is None:
        content.seek(0)
        hint = unreadable(content.read(HEAD_BYTES), ", ".join(TYPES[item.kind]))
        raise invalid([FieldProblem(item.param, FieldReason.NOT_ALLOWED, TYPES[item.kind], hint=hint)])
    return file


def _wrong_kind(item: Media, file: MediaFile) -> FieldProblem:
    return FieldProblem(item.param, FieldReason.NOT_ALLOWED, TYPES[item.kind], NAMES[file.media_type])


def _fits(limits: MediaLimits, file: MediaFile) -> bool:
    return not (limits.max_bytes and file.size > limits.max_bytes) and not any(_file_problems("", limits, file))


def _problems(card: ModelCard, item: Media) -> list[FieldProblem]:
    if item.file is None:
        return []
    return _file_problems(item.param, card.media_files.get(item.kind, _NO_LIMITS), item.file)


def _file_problems(param: str, limits: MediaLimits, file: MediaFile) -> list[FieldProblem]:
    """All problems but the size in bytes. A picture of unknown size in pixels is broken."""

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
    if limits.min_seconds and 0 < file.seconds < limits.min_seconds - _TOLERANCE_SECONDS:
        found.append(problem(f"≥ {limits.min_seconds:g} s", f"{file.seconds:.3g} s"))
    if limits.max_seconds and file.seconds > limits.max_seconds + _TOLERANCE_SECONDS:
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
    """The clips or sounds that are too long together, as far as their lengths are known."""
    for kind, limits in card.media_files.items():
        files = [(item.param, item.file.seconds) for item in items if item.kind is kind and item.file]
        total = sum(seconds for _, seconds in files)
        if limits.max_total_seconds and len(files) > 1 and total > limits.max_total_seconds + _TOLERANCE_SECONDS:
            allowed = (f"≤ {limits.max_total_seconds:g} s",)
            yield FieldProblem(files[-1][0], FieldReason.NOT_ALLOWED, allowed, f"{total:.3g} s")
