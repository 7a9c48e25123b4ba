"""The pictures of a request as a vision model takes them: addresses, or `data:` URLs."""

import base64
from functools import partial

from providers.contract.requests import Media, VideoRequest
from providers.media_files import MediaFile, MediaKind
from providers.offload import offload

MAX_PICTURES = 4
MAX_BYTES = 7 * 1024 * 1024
"""Of all files together: a request may have 10 MB with most upstreams, and base64 adds a third."""


async def pictures_of(request: VideoRequest) -> tuple[str, ...]:
    """The first pictures of a request whose media are ready: files, or public addresses. Those that are too large
    together, and addresses that only the upstream of videos can read, are left out."""
    left = MAX_BYTES
    found: list[str] = []
    for item in request.media:
        if item.kind is not MediaKind.IMAGE or len(found) == MAX_PICTURES:
            continue
        if item.file is None:
            found += _address(item)
        elif item.file.size <= left:
            left -= item.file.size
            found.append(await offload(item.file.size, partial(_data_url, item.file)))
    return tuple(found)


def _address(item: Media) -> list[str]:
    return [item.url] if item.url[:8].lower().startswith(("https://", "http://")) else []


def _data_url(file: MediaFile) -> str:
    return f"data:{file.media_type};base64,{base64.b64encode(file.read()).decode()}"
