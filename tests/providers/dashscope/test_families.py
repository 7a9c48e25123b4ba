"""Wan, Happy Horse, Vidu, PixVerse, MiniMax: what their models take together, for how long, and what is sent."""

from typing import Any

import pytest

from providers.contract.errors import FieldReason, ProviderError
from providers.contract.media import MediaRole
from providers.contract.requests import Media, VideoRequest
from providers.media_files import MediaKind
from providers.validation import URLS_ONLY, snap_to_nearest, validate
from tests.pictures import data_url
from tests.providers.dashscope.media import media as from_file
from tests.providers.dashscope.media import picture
from tests.providers.dashscope.submits import CARDS, FF, LF, RA, RI, RV, VI, hint, inputs, parameters, problems, sent

KLING = "kling/kling-v3-video-generation"
MINIMAX = "MiniMax/MiniMax-H3"
VIDU_REFERENCES = "vidu/viduq2-pro_reference2video"
PIXVERSE_OMNI = "pixverse/pixverse-v6-r2v-omni"


# --- Wan ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "roles"),
    [("wan2.7-i2v", (FF,)), ("wan2.7-r2v", (RI,)), ("wan2.7-videoedit", (VI,)), ("wan2.7-t2v", ())],
)
def test_negative_prompt_goes_with_every_model_of_wan_27(model: str, roles: tuple[MediaRole, ...]) -> None:
    assert sent(model, *roles, negative_prompt="blur")["input"]["negative_prompt"] == "blur"
    assert problems(model, *roles, negative_prompt="x" * 501) == {"negative_prompt": FieldReason.TOO_LONG}


@pytest.mark.parametrize("task", ["t2v", "i2v", "r2v"])
@pytest.mark.parametrize("said", [{"resolution": "480P"}, {"size": "832x480"}, {"size": "624*624"}])
def test_happyhorse_11_at_480p(task: str, said: dict[str, str]) -> None:
    roles = {"t2v": (), "i2v": (FF,), "r2v": (RI,)}[task]
    assert parameters(f"happyhorse-1.1-{task}", *roles, **said)["resolution"] == "480P"
    assert parameters(f"happyhorse-1.1-{task}", *roles)["resolution"] == "1080P"


@pytest.mark.parametrize("model", ["happyhorse-1.0-t2v", "happyhorse-1.0-video-edit"])
def test_others_have_no_480p(model: str) -> None:
    roles = (VI,) if "edit" in model else ()
    assert problems(model, *roles, resolution="480p") == {"resolution": FieldReason.NOT_ALLOWED}


# --- Vidu ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "size", "resolution"),
    [
        ({}, "1280*720", "720P"),
        ({"size": "1920x1080"}, "1920*1080", "1080P"),
        ({"resolution": "1080P", "ratio": "9:16"}, "1080*1920", "1080P"),
        ({"ratio": "1:1"}, "1280*1280", "720P"),
        ({"resolution": "540p", "ratio": "4:3"}, "1024*768", "540P"),
        ({"size": "960x540"}, "1024*576", "540P"),
        ({"resolution": "1080p", "ratio": "1:1"}, "1808*1808", "1080P"),
    ],
)
def test_vidu_is_told_size_and_resolution(said: dict[str, str], size: str, resolution: str) -> None:
    for model, roles in (("vidu/viduq3-pro_text2video", ()), ("vidu/viduq3_reference2video", (RI,))):
        assert parameters(model, *roles, **said) == {"size": size, "resolution": resolution, "duration": 5}


def test_frames_of_vidu_are_told_a_resolution_only() -> None:
    assert parameters("vidu/viduq3-pro_img2video", FF, size="1920x1080") == {"resolution": "1080P", "duration": 5}
    body = sent("vidu/viduq2-pro_start-end2video", FF, LF)
    assert [item["type"] for item in body["input"]["media"]] == ["image", "image"]
    assert body["parameters"] == {"resolution": "720P", "duration": 5}
    assert problems("vidu/viduq2-pro_start-end2video", FF)


def test_references_of_vidu() -> None:
    body = sent(VIDU_REFERENCES, RV, RI, duration=0)
    assert [item["type"] for item in body["input"]["media"]] == ["video", "image"]
    assert body["parameters"] == {"size": "1280*720", "resolution": "720P", "duration": 0}
    assert sent(VIDU_REFERENCES, *(RI,) * 7)
    assert sent(VIDU_REFERENCES, RV, RV, *(RI,) * 4)
    for roles in ((RV, *(RI,) * 5), (RV, RV, RV, RI), (RI,) * 8, (RV,)):
        assert problems(VIDU_REFERENCES, *roles)
    assert problems("vidu/viduq2_reference2video", RI, duration=0) == {"duration": FieldReason.NOT_ALLOWED}
    assert problems("vidu/viduq2_reference2video", RV, RI)
    assert problems("vidu/viduq3-drama_reference2video", RI, ratio="1:1") == {"ratio": FieldReason.NOT_ALLOWED}


# --- PixVerse -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "roles", "said", "expected"),
    [
        ("v6-t2v", (), {}, {"size": "1280*720", "duration": 5}),
        ("v6-t2v", (), {"resolution": "1080P", "ratio": "3:2"}, {"size": "1776*1184", "duration": 5}),
        ("v5.6-t2v", (), {"ratio": "4:3"}, {"size": "1280*960", "duration": 5}),
        ("v5.6-r2v", (RI,), {"ratio": "4:3"}, {"size": "1108*830", "duration": 5}),
        ("c1-r2v", (RI,) * 7, {"duration": 15}, {"size": "1280*720", "duration": 15}),
        ("c1-it2v", (FF,), {"size": "1920x1080"}, {"resolution": "1080P", "duration": 5}),
        ("v6-kf2v", (FF, LF), {}, {"resolution": "720P", "duration": 5}),
        ("v6-r2v-omni", (RI,), {}, {"resolution": "720P", "aspect_ratio": "16:9", "duration": 5}),
        ("v6-r2v-omni", (RI, RV, RV), {}, {"resolution": "720P", "aspect_ratio": "16:9", "duration": 0}),
        (
            "v6-r2v-omni",
            (RV,),
            {"ratio": "auto", "duration": 0, "resolution": "360p"},
            {"resolution": "360P", "aspect_ratio": "auto", "duration": 0},
        ),
    ],
)
def test_three_protocols_of_pixverse(
    model: str, roles: tuple[MediaRole, ...], said: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert parameters(f"pixverse/pixverse-{model}", *roles, **said) == expected


def test_media_words_of_pixverse() -> None:
    def words(model: str, *roles: MediaRole) -> list[str]:
        return [item["type"] for item in sent(model, *roles)["input"]["media"]]

    assert words("pixverse/pixverse-v6-it2v", FF) == ["image_url"]
    assert words("pixverse/pixverse-v6-kf2v", FF, LF) == ["first_frame", "last_frame"]
    assert words(PIXVERSE_OMNI, RV, RI) == ["video_url", "image_url"]


def test_lengths_of_pixverse() -> None:
    assert problems(PIXVERSE_OMNI, RV, duration=5) == {"duration": FieldReason.NOT_ALLOWED}
    assert problems(PIXVERSE_OMNI, RI, duration=0) == {"duration": FieldReason.NOT_ALLOWED}
    old = "pixverse/pixverse-v5.6-t2v"
    assert parameters(old, duration=10)["duration"] == 10
    assert problems(old, duration=7) == {"duration": FieldReason.NOT_ALLOWED}
    for said in ({"resolution": "1080p"}, {"size": "1920x1080"}):
        assert problems(old, duration=10, **said) == {"duration": FieldReason.NOT_ALLOWED}
    near = snap_to_nearest(CARDS[old], VideoRequest(old, "p", duration=12, size="1920x1080"))
    assert validate(CARDS[old], near).duration == 8


# --- MiniMax ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("roles", "said", "expected"),
    [
        ((), {}, {"resolution": "768P", "ratio": "16:9", "duration": 5}),
        ((), {"ratio": "21:9", "resolution": "2K"}, {"resolution": "2K", "ratio": "21:9", "duration": 5}),
        ((), {"size": "1344x768"}, {"resolution": "768P", "ratio": "16:9", "duration": 5}),
        ((FF,), {}, {"resolution": "768P", "duration": 5}),
        ((LF,), {}, {"resolution": "768P", "duration": 5}),
        ((FF, LF), {"duration": 15}, {"resolution": "768P", "duration": 15}),
        ((RI,) * 9, {}, {"resolution": "768P", "ratio": "adaptive", "duration": 5}),
        ((RI, RV, RV, RV, RA, RA, RA), {"ratio": "4:3"}, {"resolution": "768P", "ratio": "4:3", "duration": 5}),
    ],
)
def test_minimax(roles: tuple[MediaRole, ...], said: dict[str, Any], expected: dict[str, Any]) -> None:
    assert parameters(MINIMAX, *roles, **said) == expected


@pytest.mark.parametrize(
    ("roles", "fields", "param"),
    [
        ((), {"ratio": "adaptive"}, "ratio"),
        ((), {"resolution": "1080p"}, "resolution"),
        ((), {"duration": 3}, "duration"),
        ((FF, RI), {}, "reference_image"),
        ((RI,) * 10, {}, "reference_image"),
        ((RV,) * 4, {}, "reference_video"),
        ((RA,) * 4, {}, "reference_audio"),
        ((FF,), {"prompt": ""}, "prompt"),
        ((), {"prompt": "x" * 7001}, "prompt"),
        ((), {"seed": 1}, "seed"),
    ],
)
def test_what_minimax_does_not_take(roles: tuple[MediaRole, ...], fields: dict[str, Any], param: str) -> None:
    assert set(problems(MINIMAX, *roles, **fields)) == {param}


@pytest.mark.parametrize("roles", [(FF,), (LF,), (FF, LF)])
def test_ratio_of_a_frame_may_be_said(roles: tuple[MediaRole, ...]) -> None:
    """It is what happens anyway, and another one is refused."""
    assert "ratio" not in parameters(MINIMAX, *roles, ratio="adaptive")
    assert problems(MINIMAX, *roles, ratio="16:9") == {"ratio": FieldReason.UNSUPPORTED}


def test_media_words_of_minimax() -> None:
    body = sent(MINIMAX, RI, RV, sound=Media(MediaKind.AUDIO, "https://h/a.mp3", "audio_url"))
    assert [item["type"] for item in body["input"]["media"]] == ["image_url", "feature", "driving_audio"]


# --- all of them --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [KLING, MINIMAX, "vidu/viduq3-pro_img2video", "pixverse/pixverse-v6-it2v"])
def test_families_that_read_urls_only(model: str) -> None:
    handed = (
        from_file(picture(), FF),
        Media(MediaKind.IMAGE, data_url(), "image", FF),
        Media(MediaKind.IMAGE, "oss://dashscope-instant/a/b.png", "image", FF),
    )
    for item in handed:
        assert problems(model, media=(item,)) == {"image": FieldReason.UNSUPPORTED}
        assert hint(model, media=(item,)) is URLS_ONLY
    assert sent(model, media=(Media(MediaKind.IMAGE, "http://h/a.png", "image", FF),))


@pytest.mark.parametrize(
    ("model", "prompt", "fits"),
    [
        (KLING, "x" * 2500, True),
        (KLING, "猫" * 2500, True),
        (KLING, "x" * 2501, False),
        ("happyhorse-1.1-t2v", "x" * 5000, True),
        ("happyhorse-1.1-t2v", "猫" * 2500, True),
        ("happyhorse-1.1-t2v", "猫" * 2501, False),
        ("happyhorse-1.1-t2v", "猫" * 2499 + "xx", True),
        ("wan2.7-t2v", "x" * 5001, False),
    ],
)
def test_prompt_that_would_be_truncated_is_rejected(model: str, prompt: str, fits: bool) -> None:
    if fits:
        assert sent(model, prompt=prompt)["input"]["prompt"] == prompt
        return
    with pytest.raises(ProviderError) as caught:
        sent(model, prompt=prompt)
    (problem,) = caught.value.fields
    limit = str(CARDS[model].max_prompt)
    assert (problem.param, problem.reason, problem.allowed) == ("prompt", FieldReason.TOO_LONG, (limit,))
    assert problem.hint is None or (limit in problem.hint.zh and limit in problem.hint.en)


@pytest.mark.parametrize("model", ["happyhorse-1.1-r2v", "wan2.7-r2v", "vidu/viduq3_reference2video"])
def test_references_do_not_stand_in_for_words(model: str) -> None:
    assert problems(model, RI, prompt="") == {"prompt": FieldReason.MISSING}


@pytest.mark.parametrize(
    ("model", "role", "asked", "sent_as"),
    [
        ("wan2.7-videoedit", VI, 0, 0),
        ("wan3.0-video", RI, -1, -1),
        (VIDU_REFERENCES, RI, 0, 0),
        ("wan3.0-video", RI, 0, 2),
        ("wan2.7-r2v", RI, -1, 2),
    ],
)
def test_duration_chosen_by_the_model_is_not_the_shortest(
    model: str, role: MediaRole, asked: int, sent_as: int
) -> None:
    """The nearest length is for those that the model does not know."""
    wished = VideoRequest(model, "p", duration=asked, media=inputs(role))
    assert validate(CARDS[model], snap_to_nearest(CARDS[model], wished)).duration == sent_as


@pytest.mark.parametrize("name", ["kling/kling-v3-turbo-video-generation", "vidu/viduq3-drama_reference2video"])
def test_audio_that_is_always_on_may_be_asked_for_and_is_left_out(name: str) -> None:
    card = CARDS[name]
    image = Media(MediaKind.IMAGE, "https://h/a.png", "image", MediaRole.REFERENCE_IMAGE)
    media = () if frozenset() in card.media_sets else (image,)
    assert validate(card, VideoRequest(name, "x", media=media, audio=True)).audio is None
    with pytest.raises(ProviderError) as caught:
        validate(card, VideoRequest(name, "x", media=media, audio=False))
    assert caught.value.fields[0].param == "audio"
