"""What is known of the pixels of a video before it is made."""

import io
from typing import Any

import pytest
from PIL import Image

from providers.contract.media import MediaRole
from providers.contract.requests import Media, VideoRequest
from providers.dashscope.models import MODELS, unlisted_card
from providers.jimeng.models import MODELS as JIMENG
from providers.media_files import MediaFile, MediaKind
from providers.sizes import asked_seconds, asked_size, parse_size
from providers.validation import snap_to_nearest, validate
from tests.pictures import clip, media_file, picture

CARDS = {card.name: card for card in (*MODELS, *JIMENG)}
FIRST, LAST = MediaRole.FIRST_FRAME, MediaRole.LAST_FRAME


def framed(width: int, height: int, role: MediaRole = FIRST) -> Media:
    return Media(MediaKind.IMAGE, "", "image", role, media_file(picture(width=width, height=height)))


def linked(role: MediaRole = FIRST) -> Media:
    return Media(MediaKind.IMAGE, "https://h/a.png", "image_url", role)


def validated(model: str, *media: Media, nearest: bool = True, **fields: Any) -> VideoRequest:
    request = VideoRequest(model, "a cat", media=media, **fields)
    return validate(CARDS[model], snap_to_nearest(CARDS[model], request) if nearest else request)


def size(model: str, *media: Media, nearest: bool = True, **fields: Any) -> str:
    return asked_size(validated(model, *media, nearest=nearest, **fields))


@pytest.mark.parametrize(
    ("model", "fields", "made"),
    [
        ("wan2.6-i2v", {}, "1080x1920"),
        ("wan2.6-i2v", {"resolution": "720p"}, "720x1280"),
        ("wan2.6-i2v", {"size": "1280x720"}, "720x1280"),
        ("wan2.7-i2v", {"size": "1280x720"}, "720x1280"),
        ("wan2.2-kf2v-flash", {}, "720x1280"),
        ("happyhorse-1.1-i2v", {"size": "1280x720"}, "720x1280"),
        ("wan3.0-video", {}, "1080x1920"),
        ("wan3.0-video", {"ratio": "16:9"}, "1920x1080"),
        ("wan2.7-r2v", {}, "1080x1920"),
        ("jimeng-video-3.0-fast", {}, "720x1280"),
        ("jimeng-video-3.0-fast", {"ratio": "16:9"}, "720x1280"),
        ("jimeng-video-3.0-fast", {"size": "1920x1080"}, "1080x1920"),
        ("wanx2.1-vace-plus", {}, "720x1280"),
    ],
)
def test_video_has_the_shape_of_its_first_frame(model: str, fields: dict[str, Any], made: str) -> None:
    media = [framed(360, 640)]
    if model == "wan2.7-r2v":
        media.append(linked(MediaRole.REFERENCE_IMAGE))
    assert size(model, *media, **fields) == made


@pytest.mark.parametrize(
    ("model", "resolution", "pixels", "made"),
    [
        # The example of the page.
        ("wan2.6-i2v", "720p", (750, 1000), "816x1104"),
        ("wan2.6-i2v", "720p", (1000, 750), "1104x816"),
        ("wan2.6-i2v", "720p", (500, 500), "960x960"),
        ("wan2.6-i2v", "1080p", (500, 500), "1440x1440"),
        ("wan2.7-i2v", "720p", (1000, 400), "1504x592"),
        ("wan2.2-kf2v-flash", "720p", (750, 1000), "816x1104"),
        # Of 480P the pages give different totals.
        ("wan2.5-i2v-preview", "480p", (750, 1000), ""),
        ("wan2.5-i2v-preview", "480p", (480, 832), "480x832"),
        # These pages do not say how a frame is fitted.
        ("happyhorse-1.1-i2v", "720p", (750, 1000), ""),
        ("wan3.0-video", "720p", (750, 1000), ""),
        ("jimeng-video-3.0-fast", "720p", (750, 1000), ""),
    ],
)
def test_other_shapes_are_known_where_the_documentation_says_how_they_are_fitted(
    model: str, resolution: str, pixels: tuple[int, int], made: str
) -> None:
    assert size(model, framed(*pixels), resolution=resolution) == made


@pytest.mark.parametrize("model", [name for name, card in CARDS.items() if FIRST in card.roles])
@pytest.mark.parametrize("fields", [{}, {"size": "720x1280"}])
def test_no_landscape_that_nobody_asked_for(model: str, fields: dict[str, Any]) -> None:
    roles = min((roles for roles in CARDS[model].media_sets if FIRST in roles), key=len)
    for first in (linked(), framed(400, 900)) if CARDS[model].takes_files else (linked(),):
        others = [Media(role.kind, "https://h/a", "input", role, None) for role in sorted(roles) if role is not FIRST]
        stated = parse_size(size(model, first, *others, **fields))
        assert stated is None or stated[0] < stated[1]


@pytest.mark.parametrize(
    ("model", "fields", "made"),
    [
        ("wan2.6-i2v", {}, ""),
        ("wan2.6-i2v", {"resolution": "720p"}, ""),
        ("wan2.6-i2v", {"size": "720x1280"}, "720x1280"),
        ("wan3.0-video", {"ratio": "9:16"}, "1080x1920"),
        ("wan3.0-video", {}, ""),
        ("MiniMax/MiniMax-H3", {}, ""),
        ("wanx2.1-vace-plus", {}, ""),
    ],
)
@pytest.mark.parametrize("nearest", [True, False])
def test_picture_that_is_not_opened_leaves_what_was_asked(
    model: str, fields: dict[str, Any], made: str, nearest: bool
) -> None:
    assert size(model, linked(), nearest=nearest, **fields) == made


def test_text_with_an_adaptive_ratio_has_no_known_shape() -> None:
    assert size("wan3.0-video") == ""
    assert size("wan3.0-video", ratio="9:16", resolution="720p") == "720x1280"


def test_last_frame_and_clips_tell_no_size() -> None:
    assert size("wan3.0-video", framed(360, 640, LAST)) == ""
    video = Media(MediaKind.VIDEO, "", "video", MediaRole.FIRST_CLIP, media_file(clip()))
    assert size("wan2.7-i2v", video, nearest=False, size="1280x720") == ""


def test_picture_that_its_exif_data_turns_has_no_known_shape() -> None:
    target = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (640, 360)).save(target, "JPEG", exif=exif)
    turned = MediaFile.inspect(target)
    assert turned
    assert (turned.width, turned.height, turned.is_turned) == (640, 360, True)
    assert size("wan2.6-i2v", Media(MediaKind.IMAGE, "", "image", FIRST, turned)) == ""


@pytest.mark.parametrize(
    "options",
    [
        {"resolution": "480P"},
        {"size": "832*480"},
        {"ratio": "1:1"},
        {"aspect_ratio": "1:1"},
        {"mode": "std"},
        {"input": {"img_url": "https://h/b.png"}},
        {"input": {"media": []}},
    ],
)
def test_options_that_decide_the_shape_leave_it_open(options: dict[str, Any]) -> None:
    assert size("wan2.6-i2v", framed(360, 640), options=options) == ""
    assert size("wan2.6-t2v", size="1280x720", options=options) == ""


def test_other_options_leave_the_size() -> None:
    assert size("wan2.6-i2v", framed(360, 640), options={"seed": 1, "input": {"prompt": "b"}}) == "1080x1920"


@pytest.mark.parametrize(("duration", "seconds"), [(10, 10), (-1, 0), ("10", 0), (None, 0), (True, 0)])
def test_duration_of_the_options_counts(duration: Any, seconds: int) -> None:
    assert asked_seconds(validated("wan2.6-t2v", duration=5, options={"duration": duration})) == seconds
    assert asked_seconds(validated("wan2.6-t2v", duration=5)) == 5


@pytest.mark.parametrize(
    ("fields", "made"),
    [({"duration": 5}, ""), ({"size": "720x1280"}, "720x1280"), ({"resolution": "720p", "ratio": "9:16"}, "720x1280")],
)
def test_unlisted_model_has_only_what_was_asked(fields: dict[str, Any], made: str) -> None:
    card = unlisted_card("wan9.9-t2v")
    assert card
    assert asked_size(validate(card, VideoRequest("wan9.9-t2v", "a cat", **fields))) == made
