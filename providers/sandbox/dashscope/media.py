"""Validate the media of a DashScope submit: whether they can be downloaded, and whether they are within the limits.

Only URLs on this machine are downloaded. Other hosts cannot be reached from a sandbox: their files count as valid.
"""

import asyncio
import base64
import ipaddress
import ssl
from collections import Counter
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from providers.sandbox.dashscope.codes import MESSAGES, Refused
from providers.sandbox.dashscope.files import MAX_BYTES, MEGABYTE, PAIR_SECONDS, PLACES, Limits, limits_of
from providers.sandbox.media import HEAD_BYTES, OTHER_KINDS, Content, Kind, Media, Sample, content_of

if TYPE_CHECKING:
    import httpx

MAX_DOWNLOAD_BYTES = MAX_BYTES + 20 * MEGABYTE

_MAX_REDIRECTS = 5
_TOLERANCE = 0.1
"""Seconds that a file may be longer or shorter: encoders cut at frames."""

_NOT_DOWNLOADABLE = "Unable to download the media resource during the data inspection process."


async def check_media(
    places: Iterable[tuple[str, str]], model: str, sent: Callable[[str], Content], download_seconds: float
) -> list[tuple[str, Content | None]]:
    """Look at every (place, URL) of a submit to the model of this row. Raises `Refused`.

    `sent` gives what is behind an `oss://` link; a download takes at most `download_seconds`. The answer has what was
    found in each place that holds files, None for what cannot be looked at from here.
    """
    found: list[tuple[str, Content | None]] = []
    for place, url in places:
        kinds = PLACES.get(place)
        if kinds is None:
            continue
        content = await _content(url, sent, download_seconds)
        if content is not None:
            check_content(content, kinds, model)
        found.append((place, content))
    check_lengths([content.media for _, content in found if content and content.media], model)
    return found


def _knows_length(media: Media) -> bool:
    """Whether `seconds` stands in the file: of a film without an index it is a guess by its size."""
    return media.seconds > 0 and (media.kind == "audio" or media.width > 0)


def check_lengths(media: Iterable[Media], model: str) -> None:
    """The lengths of all files of a kind together. Raises `Refused`."""
    counts: Counter[Kind] = Counter()
    sums: dict[Kind, float] = {}
    longest: dict[Kind, float] = {}
    for one in media:
        if _knows_length(one):
            counts[one.kind] += 1
            sums[one.kind] = sums.get(one.kind, 0.0) + one.seconds
            longest[one.kind] = max(longest.get(one.kind, 0.0), one.seconds)
    for kind, total in sums.items():
        most = limits_of(model, kind).total_seconds
        if most and total > most + _TOLERANCE:
            raise Refused("InvalidFile.Duration", f"The total {kind} duration must be at most {most:g} seconds.")
    for start, most in PAIR_SECONDS.items():
        if model.startswith(start) and counts["video"] > 1 and longest["video"] > most + _TOLERANCE:
            raise Refused("InvalidFile.Duration", f"The duration of each of two videos must be at most {most:g} s.")


async def _content(url: str, sent: Callable[[str], Content], download_seconds: float) -> Content | None:
    """What is at a URL; None for what cannot be looked at from here."""
    if url.startswith("oss://"):
        return sent(url)
    if url.startswith("data:"):
        return _inline(url)
    return await download(url, download_seconds) if is_loopback(url) else None


def _inline(url: str) -> Content:
    """Of a `data:` URL whose base64 is known to be good, only the beginning is decoded."""
    data = url.partition(",")[2]
    head = base64.b64decode(data[: HEAD_BYTES // 3 * 4])
    return content_of(head, b"", len(data) // 4 * 3 - data[-2:].count("="))


def is_loopback(url: str) -> bool:
    """Whether an http address is on this machine: 127.0.0.0/8, ::1, localhost."""
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _no_authorities() -> ssl.SSLContext:
    """A quick one: no authority vouches for this machine."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


async def download(url: str, seconds: float) -> Content | None:
    """What is at a loopback `url`, fetched within `seconds` and `MAX_DOWNLOAD_BYTES`, its ends alone in memory.

    None when it leads away from this machine. Raises `Refused`.
    """
    import httpx

    try:
        async with (
            asyncio.timeout(seconds),
            httpx.AsyncClient(trust_env=False, verify=_no_authorities(), timeout=seconds) as client,
        ):
            for _ in range(_MAX_REDIRECTS):
                found = await _get(client, url)
                if isinstance(found, Content):
                    return found
                if not is_loopback(found):
                    return None
                url = found
    except (TimeoutError, httpx.TimeoutException):
        raise Refused("InvalidURL.Timeout", "Download the media resource timed out.") from None
    except (httpx.ConnectError, httpx.InvalidURL):
        raise Refused("InvalidURL.ConnectionRefused", "The connection to the media resource was refused.") from None
    except httpx.HTTPError:
        raise Refused("InvalidFile.DownloadFailed", "Download the media resource failed.") from None
    raise Refused("InvalidParameter.DataInspection", _NOT_DOWNLOADABLE)


async def _get(client: "httpx.AsyncClient", url: str) -> Content | str:
    """What is there, or the address it refers to."""
    try:
        _ = urlsplit(url).port
    except ValueError:
        raise Refused("InvalidURL", "The URL is invalid.") from None
    sample = Sample()
    async with client.stream("GET", url) as answer:
        if answer.next_request is not None:
            return str(answer.next_request.url)
        if answer.status_code != HTTPStatus.OK:
            raise Refused("InvalidParameter.DataInspection", _NOT_DOWNLOADABLE)
        async for piece in answer.aiter_bytes():
            sample.add(piece)
            if sample.size > MAX_DOWNLOAD_BYTES:
                raise Refused("InvalidFile.Size", "The media file is too large.")
    return sample.content()


def check_content(content: Content, kinds: tuple[Kind, ...], model: str) -> None:
    """One file in a place for one of `kinds`. Raises `Refused`."""
    media = content.media
    kind = media.kind if media else OTHER_KINDS.get(content.other)
    if kind not in kinds:
        raise Refused("InvalidFile.Format", f"The format of the file is not supported, {' or '.join(kinds)} expected.")
    limits = limits_of(model, kind)
    if (media.format if media else content.other) not in limits.formats:
        raise Refused("InvalidFile.Format", f"The format of the file must be in {sorted(limits.formats)}.")
    if content.size > limits.max_bytes:
        raise Refused("InvalidFile.Size", f"The file size must be at most {limits.max_bytes // MEGABYTE} MB.")
    if media is not None:
        _check_media(media, limits)
    if "unsafe" in content.directives:
        raise Refused("DataInspectionFailed", MESSAGES["DataInspectionFailed"])


def _check_media(media: Media, limits: Limits) -> None:
    if media.kind == "image" and not media.width:
        raise Refused("InvalidParameter.DataInspection", "Unable to read the image during the data inspection process.")
    if media.alpha and not limits.alpha:
        raise Refused("InvalidFile.Format", "The image must not have a transparency channel.")
    if media.width:
        _check_pixels(media, limits)
    if _knows_length(media):
        _check_seconds(media, limits)


def _check_pixels(media: Media, limits: Limits) -> None:
    short, long = sorted((media.width, media.height))
    fewest, most = limits.sides
    if short < fewest or (most and long > most):
        limit = f"in [{fewest}, {most}]" if most else f"at least {fewest}"
        raise Refused("InvalidFile.Resolution", f"The {media.kind} resolution is invalid, each side must be {limit}.")
    if limits.aspect and long > short * limits.aspect:
        message = f"The aspect ratio must be within 1:{limits.aspect:g} and {limits.aspect:g}:1."
        raise Refused("InvalidFile.AspectRatio", message)


def _check_seconds(media: Media, limits: Limits) -> None:
    fewest, most = limits.seconds
    if most and not fewest - _TOLERANCE <= media.seconds <= most + _TOLERANCE:
        message = f"The {media.kind} duration must be in [{fewest:g}, {most:g}] seconds."
        raise Refused("InvalidFile.Duration", message)


def seconds_in(found: Iterable[tuple[str, Content | None]], kind: Kind, unseen: float) -> list[float]:
    """The length of each file of a kind, `unseen` for one that lies elsewhere."""
    return [
        unseen if content is None or content.media is None else content.media.seconds
        for place, content in found
        if (content.media.kind if content and content.media else PLACES[place][0]) == kind
    ]
