"""Kling: what its models take together, for how long, and what is sent."""

from typing import Any

import pytest

from providers.contract.errors import FieldReason, ProviderError
from providers.contract.media import MediaRole
from providers.contract.requests import Media, VideoRequest
from providers.media_files import MediaKind
from providers.validation import DURATION_FROM_INPUT, NO_AUDIO_WITH_VIDEO, RATIO_FROM_INPUT, snap_to_nearest, validate
from tests.providers.dashscope.submits import CARDS, FF, LF, RI, RV, VI, hint, inputs, parameters, problems, sent

KLING = "kling/kling-v3-video-generation"
OMNI = "kling/kling-v3-omni-video-generation"
TURBO = "kling/kling-v3-turbo-video-generation"


LEGAL_OF_OMNI: list[tuple[MediaRole, ...]] = [
    (),
    (FF,),
    (FF, LF),
    (RI,) * 7,
    (RV,),
    (RV, *(RI,) * 4),
    (RV, FF),
    (VI,),
    (VI, *(RI,) * 4),
]
WORDS = {FF: "first_frame", LF: "last_frame", RI: "refer", RV: "feature", VI: "base"}


@pytest.mark.parametrize("roles", LEGAL_OF_OMNI)
def test_legal_set_of_kling_omni(roles: tuple[MediaRole, ...]) -> None:
    body = sent(OMNI, *roles)
    assert [item["type"] for item in body["input"].get("media", [])] == [WORDS[role] for role in roles]
    assert body["parameters"]["mode"] == "pro"
    # Frames and the clip to edit give the ratio; everything else must be told one.
    assert ("aspect_ratio" in body["parameters"]) == (not {FF, VI} & set(roles))
    assert ("duration" in body["parameters"]) == (VI not in roles)


@pytest.mark.parametrize(
    "roles",
    [
        (FF, RI),
        (FF, LF, RI),
        (RV, FF, RI),
        (RV, LF),
        (LF,),
        (VI, FF),
        (VI, RV),
        (RI,) * 8,
        (RV, *(RI,) * 5),
        (VI, *(RI,) * 5),
        (RV, RV),
        (VI, VI),
    ],
)
def test_illegal_set_of_kling_omni(roles: tuple[MediaRole, ...]) -> None:
    assert problems(OMNI, *roles)


@pytest.mark.parametrize(
    ("roles", "elements", "fits"),
    [
        ((RI,) * 5, 2, True),
        ((RI,) * 5, 3, False),
        ((RV, RI), 3, True),
        ((RV, RI), 4, False),
        ((VI,), 4, True),
        ((VI,), 5, False),
        ((FF,), 3, True),
        ((FF,), 4, False),
        ((FF, LF), 4, False),
        ((), 7, True),
        ((), 8, False),
    ],
)
def test_elements_count_as_references(roles: tuple[MediaRole, ...], elements: int, fits: bool) -> None:
    listed = {"element_list": [{"element_id": number} for number in range(elements)]}
    for options in (listed, {"input": listed}):
        if fits:
            assert sent(OMNI, *roles, options=options)["input"]["element_list"] == listed["element_list"]
        else:
            found = problems(OMNI, *roles, options=options)
            assert found == {"provider_options.element_list": FieldReason.NOT_ALLOWED}


def test_lengths_of_kling_omni() -> None:
    assert parameters(OMNI, RV, duration=10)["duration"] == 10
    assert problems(OMNI, RV, duration=11) == {"duration": FieldReason.NOT_ALLOWED}
    assert parameters(OMNI, RI, duration=15)["duration"] == 15
    assert problems(OMNI, VI, duration=5) == {"duration": FieldReason.UNSUPPORTED}
    assert hint(OMNI, VI, duration=5) is DURATION_FROM_INPUT


def test_lengths_and_shapes_that_cannot_be_chosen_are_left_out_of_the_nearest() -> None:
    asked = VideoRequest(OMNI, "p", duration=12, size="720x1280", media=inputs(VI))
    near = validate(CARDS[OMNI], snap_to_nearest(CARDS[OMNI], asked))
    assert (near.duration, near.ratio, near.resolution) == (None, None, "720p")
    asked = VideoRequest(OMNI, "p", duration=12, media=inputs(RV))
    assert snap_to_nearest(CARDS[OMNI], asked).duration == 10


@pytest.mark.parametrize("role", [RV, VI])
def test_no_audio_beside_a_video(role: MediaRole) -> None:
    assert problems(OMNI, role, audio=True) == {"audio": FieldReason.CONFLICT}
    assert hint(OMNI, role, audio=True) is NO_AUDIO_WITH_VIDEO
    assert parameters(OMNI, role, audio=False)["audio"] is False
    assert parameters(OMNI, RI, audio=True)["audio"] is True


@pytest.mark.parametrize(("model", "roles"), [(OMNI, (FF,)), (OMNI, (VI,)), (OMNI, (RV, FF)), ("wan2.7-r2v", (RI, FF))])
def test_ratio_beside_what_gives_one_is_refused(model: str, roles: tuple[MediaRole, ...]) -> None:
    assert problems(model, *roles, ratio="9:16") == {"ratio": FieldReason.UNSUPPORTED}
    assert hint(model, *roles, ratio="9:16") is RATIO_FROM_INPUT


@pytest.mark.parametrize(("resolution", "mode"), [("720p", "std"), ("1080P", "pro"), ("4k", "4k"), (None, "pro")])
def test_modes_of_kling(resolution: str | None, mode: str) -> None:
    assert parameters(KLING, resolution=resolution) == {"mode": mode, "aspect_ratio": "16:9", "duration": 5}


@pytest.mark.parametrize("roles", [(FF,), (FF, LF)])
def test_frames_of_plain_kling(roles: tuple[MediaRole, ...]) -> None:
    assert "aspect_ratio" not in parameters(KLING, *roles)


@pytest.mark.parametrize("roles", [(LF,), (RI,), (RV,), (VI,), (FF, RI)])
def test_plain_kling_takes_frames_only(roles: tuple[MediaRole, ...]) -> None:
    assert problems(KLING, *roles)


def test_kling_turbo() -> None:
    assert sent(TURBO) == {
        "model": TURBO,
        "input": {"prompt": "p"},
        "parameters": {"mode": "pro", "aspect_ratio": "16:9", "duration": 5},
    }
    assert parameters(TURBO, FF, resolution="720p") == {"mode": "std", "duration": 5}
    assert problems(TURBO, FF, LF)
    assert problems(TURBO, resolution="4k") == {"resolution": FieldReason.NOT_ALLOWED}
    assert problems(TURBO, audio=False) == {"audio": FieldReason.UNSUPPORTED}
    elements = {"element_list": [{"element_id": 1}]}
    assert problems(TURBO, options=elements) == {"provider_options.element_list": FieldReason.UNSUPPORTED}


SHOTS = [{"index": 1, "prompt": "a", "duration": 5}, {"index": 2, "prompt": "b", "duration": 5}]
MULTI_SHOT = {"multi_shot": True, "shot_type": "customize", "multi_prompt": SHOTS}


@pytest.mark.parametrize("options", [MULTI_SHOT, {"input": MULTI_SHOT}])
@pytest.mark.parametrize("model", [KLING, OMNI])
def test_shots_stand_in_for_the_prompt(model: str, options: dict[str, Any]) -> None:
    body = sent(model, prompt="", duration=10, options=options)
    assert body["input"] == {"prompt": "", **MULTI_SHOT}
    assert body["parameters"] == {"mode": "pro", "aspect_ratio": "16:9", "duration": 10}


def test_without_shots_the_prompt_is_needed() -> None:
    assert problems(KLING, prompt=" ") == {"prompt": FieldReason.MISSING}
    assert problems(KLING, prompt="", options={"multi_prompt": []}) == {"prompt": FieldReason.MISSING}


def test_audio_of_a_video_is_kept_on_the_video() -> None:
    body = sent(OMNI, VI, RI, options={"keep_original_sound": "yes"})
    assert body["input"]["media"][0] == {"type": "base", "url": "https://h/0", "keep_original_sound": "yes"}
    assert "keep_original_sound" not in body["input"]["media"][1] | body["parameters"]


def test_images_beside_a_video_to_edit_are_references() -> None:
    """Kling's `base` with `refer` (a sample of its page): it takes frames as well, but not beside a clip to edit."""
    card = CARDS[OMNI]
    clip = Media(MediaKind.VIDEO, "https://h/a.mp4", "video_file_1")
    pictures = tuple(Media(MediaKind.IMAGE, f"https://h/{name}.png", "images") for name in "ab")
    for media in ((clip, *pictures), (*pictures, clip)):
        validated = validate(card, VideoRequest(card.name, "a cat", media=media))
        assert sorted(item.role or "" for item in validated.media) == ["reference_image", "reference_image", "video"]
    validated = validate(card, VideoRequest(card.name, "a cat", media=(clip, *pictures), reference_mode=True))
    assert {item.role for item in validated.media} == {RI, RV}


def test_images_that_no_set_has_are_named_once() -> None:
    pictures = tuple(Media(MediaKind.IMAGE, f"https://h/{number}.png", "images") for number in range(2))
    with pytest.raises(ProviderError) as caught:
        validate(CARDS[TURBO], VideoRequest(TURBO, "a cat", media=pictures))
    assert [problem.reason for problem in caught.value.fields] == [FieldReason.TOO_MANY]
