"""What DashScope looks at in the media themselves: whether they can be had, and whether they are what they should be.

Of the addresses in a submit, those on this machine are really fetched. No other host can be reached from a sandbox:
what lies there is taken as good.
"""

import asyncio
import base64
import ipaddress
import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from providers.sandbox.dashscope_checks import Refused
from providers.sandbox.dashscope_models import MESSAGES
from providers.sandbox.media import HEAD_BYTES, Content, Kind, Media, Sample, content_of

MEGABYTE = 1024 * 1024
MAX_DOWNLOAD_BYTES = 120 * MEGABYTE
MAX_BYTES: dict[Kind, int] = {"image": 20 * MEGABYTE, "video": 100 * MEGABYTE, "audio": 15 * MEGABYTE}
OLD_IMAGE_BYTES = 10 * MEGABYTE
"""Of pictures for wan2.1, wan2.2 and the models of two frames."""

MIN_SIDE, MAX_SIDE = 240, 8000

_IMAGE: tuple[Kind, ...] = ("image",)
_VIDEO: tuple[Kind, ...] = ("video",)
_AUDIO: tuple[Kind, ...] = ("audio",)
PLACES: dict[str, tuple[Kind, ...]] = {
    **dict.fromkeys(("img_url", "image_url", "first_frame_url", "last_frame_url", "mask_image_url"), _IMAGE),
    **dict.fromkeys(("ref_images_url", "first_frame", "last_frame", "reference_image", "image"), _IMAGE),
    **dict.fromkeys(("video_url", "first_clip_url", "last_clip_url", "mask_video_url", "base"), _VIDEO),
    **dict.fromkeys(("reference_video_urls", "first_clip", "reference_video", "video"), _VIDEO),
    **dict.fromkeys(("audio_url", "driving_audio", "reference_audio", "reference_voice"), _AUDIO),
    "reference_urls": ("image", "video"),
}
"""Field or media type → what may be there. What is in no row is not looked at."""

_MAX_REDIRECTS = 5
_NOT_HAD = "Unable to download the media resource during the data inspection process."


@dataclass(frozen=True, slots=True)
class _PictureLimits:
    """`min_side` in pixels; `max_aspect` is the longer side over the shorter, 0 = any."""

    max_bytes: int
    min_side: int = MIN_SIDE
    max_aspect: float = 0.0


def _picture_limits(model: str) -> _PictureLimits:
    if model.startswith(("wanx2.1-", "wan2.2-")) or "kf2v" in model:
        return _PictureLimits(OLD_IMAGE_BYTES)
    if model.startswith("happyhorse-") and model.endswith("-i2v"):
        return _PictureLimits(MAX_BYTES["image"], min_side=300, max_aspect=2.5)
    return _PictureLimits(MAX_BYTES["image"], max_aspect=8.0 if model == "wan2.7-i2v" else 0.0)


async def check_media(
    places: Iterable[tuple[str, str]], model: str, sent: Callable[[str], Content], download_seconds: float
) -> None:
    """Look at every (place, URL) of a submit to the model of this row. Raises `Refused`.

    `sent` gives what is behind an `oss://` link; a download takes at most `download_seconds`.
    """
    for place, url in places:
        kinds = PLACES.get(place)
        if kinds is None:
            continue
        content = await _content(url, sent, download_seconds)
        if content is not None:
            check_content(content, kinds, model)


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
    raise Refused("InvalidParameter.DataInspection", _NOT_HAD)


async def _get(client: httpx.AsyncClient, url: str) -> Content | str:
    """What is there, or the address it refers to."""
    try:
        _ = urlsplit(url).port
    except ValueError:
        raise Refused("InvalidURL", "The URL is invalid.") from None
    sample = Sample()
    async with client.stream("GET", url) as answer:
        if answer.next_request is not None:
            return str(answer.next_request.url)
        if answer.status_code != httpx.codes.OK:
            raise Refused("InvalidParameter.DataInspection", _NOT_HAD)
        async for piece in answer.aiter_bytes():
            sample.add(piece)
            if sample.size > MAX_DOWNLOAD_BYTES:
                raise Refused("InvalidFile.Size", "The media file is too large.")
    return sample.content()


def check_content(content: Content, kinds: tuple[Kind, ...], model: str) -> None:
    """One file in a place for one of `kinds`. Raises `Refused`."""
    media = content.media
    if media is None or media.kind not in kinds:
        raise Refused("InvalidFile.Format", f"The format of the file is not supported, {' or '.join(kinds)} expected.")
    limits = _picture_limits(model)
    max_bytes = limits.max_bytes if media.kind == "image" else MAX_BYTES[media.kind]
    if content.size > max_bytes:
        raise Refused("InvalidFile.Size", f"The file size must be at most {max_bytes // MEGABYTE} MB.")
    if media.kind == "image":
        _check_picture(media, limits)
    if "unsafe" in content.marks:
        raise Refused("DataInspectionFailed", MESSAGES["DataInspectionFailed"])


def _check_picture(media: Media, limits: _PictureLimits) -> None:
    short, long = sorted((media.width, media.height))
    if not short:
        raise Refused("InvalidParameter.DataInspection", "Unable to read the image during the data inspection process.")
    if short < limits.min_side or long > MAX_SIDE:
        message = f"The image resolution is invalid, each side must be in [{limits.min_side}, {MAX_SIDE}] pixels."
        raise Refused("InvalidFile.Resolution", message)
    if limits.max_aspect and long > short * limits.max_aspect:
        message = f"The aspect ratio must be within 1:{limits.max_aspect:g} and {limits.max_aspect:g}:1."
        raise Refused("InvalidFile.AspectRatio", message)
