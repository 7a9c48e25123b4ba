"""The pictures of a request as a vision model takes them."""

import base64
import io

import pytest

from gateway.prompts import pictures
from gateway.prompts.pictures import MAX_PICTURES, pictures_of
from providers.contract.requests import Media, VideoRequest
from providers.media_files import MediaFile, MediaKind
from tests.pictures import clip, picture

PNG = picture()


def file(content: bytes) -> MediaFile:
    found = MediaFile.inspect(io.BytesIO(content))
    assert found is not None
    return found


def given(*items: str | bytes) -> VideoRequest:
    media = []
    for item in items:
        held = file(item) if isinstance(item, bytes) else None
        kind = held.kind if held else MediaKind.IMAGE
        media.append(Media(kind, item if isinstance(item, str) else "", "images", file=held))
    return VideoRequest("m", media=tuple(media))


async def test_file_becomes_a_data_url_and_an_address_stays() -> None:
    data = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    assert await pictures_of(given(PNG, "https://h/a.png")) == (data, "https://h/a.png")


async def test_only_pictures_that_anyone_can_read_are_shown() -> None:
    assert await pictures_of(given("oss://bucket/a.png", clip(), "HTTPS://h/a.png")) == ("HTTPS://h/a.png",)
    assert await pictures_of(given()) == ()


async def test_number_and_size_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(await pictures_of(given(*(f"https://h/{number}" for number in range(9))))) == MAX_PICTURES
    small = picture(width=16, height=16)
    monkeypatch.setattr(pictures, "MAX_BYTES", len(PNG) + len(small) - 1)
    found = await pictures_of(given(PNG, small, "https://h/a.png"))
    assert [one[:10] for one in found] == ["data:image", "https://h/"]
