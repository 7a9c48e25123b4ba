"""The model's limits for pictures, clips and sounds are checked before a submit."""

import io
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import IO, Any

import pytest
from PIL import Image

from gateway.core.errors import GatewayError
from gateway.media.intake import NO_ALPHA, MediaIntake
from providers.contract.media import MediaLimits, MediaRole
from providers.contract.models import ModelCard
from providers.contract.requests import Media, VideoRequest
from providers.media_files import MediaKind
from providers.transport.client import HttpClient
from tests.pictures import clip, media_file, sound


async def never(url: str, *, max_bytes: int, param: str, client: str) -> IO[bytes]:
    raise AssertionError(url)


@pytest.fixture
async def http() -> AsyncIterator[HttpClient]:
    async with HttpClient() as client:
        yield client


def intake(http: HttpClient, *, shrink: bool = False) -> MediaIntake:
    return MediaIntake(never, http, 10 * 1024 * 1024, shrink=shrink)


async def ready(intake: MediaIntake, *items: Media, card: ModelCard) -> VideoRequest:
    async with intake.ready(card, VideoRequest("m", media=items)) as request:
        return request


async def error_of(intake: MediaIntake, *items: Media, card: ModelCard) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        await ready(intake, *items, card=card)
    return caught.value


def image(content: bytes) -> Media:
    return Media(MediaKind.IMAGE, "", "image", file=media_file(content))


def png(mode: str, side: int = 320) -> bytes:
    target = io.BytesIO()
    Image.new(mode, (side, side), "red" if mode == "RGB" else (255, 0, 0, 0)).save(target, "PNG")
    return target.getvalue()


OPAQUE = ModelCard("m", "p", media_files={MediaKind.IMAGE: MediaLimits(min_side=240, no_alpha=True)})


async def test_alpha_channel_is_refused_or_made_white(http: HttpClient) -> None:
    error = await error_of(intake(http), image(png("RGBA")), card=OPAQUE)
    assert (error.code, error.param) == ("invalid_value", "image")
    assert [(problem.value, problem.hint) for problem in error.problems] == [("PNG (alpha)", NO_ALPHA)]
    (found,) = (await ready(intake(http, shrink=True), image(png("RGBA")), card=OPAQUE)).media
    assert found.file is not None and found.file.media_type == "image/jpeg"
    (found,) = (await ready(intake(http), image(png("RGB")), card=OPAQUE)).media
    assert found.file is not None and found.file.media_type == "image/png"


def clip_card(**limits: Any) -> ModelCard:
    return ModelCard("m", "p", media_files={MediaKind.VIDEO: MediaLimits(**limits)})


CLIP = Media(MediaKind.VIDEO, "", "video_file_1", MediaRole.REFERENCE_VIDEO, media_file(clip()))
"""5 s, 1280x720."""


@pytest.mark.parametrize(
    ("limits", "allowed"),
    [
        ({"max_seconds": 4}, "≤ 4 s"),
        ({"min_seconds": 6}, "≥ 6 s"),
        ({"min_side": 721}, "≥ 721 px"),
        ({"max_side": 1279}, "≤ 1279 px"),
        ({"max_aspect": 1.5}, "1:1.5 – 1.5:1"),
        ({"max_total_seconds": 9}, "≤ 9 s"),
    ],
)
async def test_clip_outside_the_limits_of_the_model_is_refused(
    http: HttpClient, limits: dict[str, Any], allowed: str
) -> None:
    error = await error_of(intake(http), CLIP, replace(CLIP, param="video_file_2"), card=clip_card(**limits))
    assert {problem.allowed for problem in error.problems} == {(allowed,)}
    assert error.problems[-1].param == "video_file_2"


@pytest.mark.parametrize(
    "limits",
    [
        {"min_seconds": 5, "max_seconds": 5, "max_total_seconds": 10},
        {"min_side": 720, "max_side": 1280},
        {"no_alpha": 1},
    ],
)
async def test_clip_within_the_limits_is_accepted(http: HttpClient, limits: dict[str, Any]) -> None:
    assert len((await ready(intake(http), CLIP, CLIP, card=clip_card(**limits))).media) == 2


async def test_duration_of_a_sound_is_checked(http: HttpClient) -> None:
    card = ModelCard("m", "p", media_files={MediaKind.AUDIO: MediaLimits(max_seconds=2)})
    audio = Media(MediaKind.AUDIO, "", "audio_url", file=media_file(sound(3.0)))
    assert (await error_of(intake(http), audio, card=card)).param == "audio_url"
    assert await ready(intake(http), replace(audio, file=media_file(sound(2.2))), card=card)


async def test_clip_without_metadata_is_left_to_the_upstream(http: HttpClient) -> None:
    unknown = media_file(b"\0\0\0\x18ftypisom" + bytes(12) + b"\0\0\0\x08mdat" + b"\0\0\0\x08moov")
    assert (unknown.seconds, unknown.width, unknown.complete) == (0.0, 0, True)
    assert await ready(intake(http), replace(CLIP, file=unknown), card=clip_card(min_seconds=3, min_side=240))
