"""The makers beside Wan: what their models take together, for how long, and what is sent."""

from typing import Any

import pytest

from providers.contract import ErrorKind, FieldReason, Media, MediaRole, ProviderError, VideoRequest
from providers.dashscope.models import MODELS
from providers.dashscope.payload import build
from providers.dashscope.wires import wire_of
from providers.files import MediaKind
from providers.settle import ADDRESS_ONLY, LENGTH_OF_INPUT, SHAPE_OF_INPUT, SILENT, approach, settle
from tests.pictures import data_url
from tests.providers.dashscope.media import media as from_file
from tests.providers.dashscope.media import picture

CARDS = {card.name: card for card in MODELS}
FF, LF = MediaRole.FIRST_FRAME, MediaRole.LAST_FRAME
RI, RV, RA = MediaRole.REFERENCE_IMAGE, MediaRole.REFERENCE_VIDEO, MediaRole.REFERENCE_AUDIO
VI = MediaRole.VIDEO

KLING = "kling/kling-v3-video-generation"
OMNI = "kling/kling-v3-omni-video-generation"
TURBO = "kling/kling-v3-turbo-video-generation"
MINIMAX = "MiniMax/MiniMax-H3"
VIDU_REFERENCES = "vidu/viduq2-pro_reference2video"
PIXVERSE_OMNI = "pixverse/pixverse-v6-r2v-omni"


def inputs(*roles: MediaRole) -> tuple[Media, ...]:
    return tuple(Media(role.kind, f"https://h/{number}", f"{role}", role) for number, role in enumerate(roles))


def sent(model: str, *roles: MediaRole, prompt: str = "p", **fields: Any) -> dict[str, Any]:
    """The parameters of the submit, and with `input` all of it."""
    card, wire = CARDS[model], wire_of(model)
    assert wire is not None
    fields.setdefault("media", inputs(*roles))
    return build(settle(card, VideoRequest(model, prompt, **fields)), card, wire).body


def parameters(model: str, *roles: MediaRole, **fields: Any) -> dict[str, Any]:
    found: dict[str, Any] = sent(model, *roles, **fields)["parameters"]
    return found


def problems(model: str, *roles: MediaRole, prompt: str = "p", **fields: Any) -> dict[str, FieldReason]:
    with pytest.raises(ProviderError) as caught:
        sent(model, *roles, prompt=prompt, **fields)
    assert caught.value.kind is ErrorKind.INVALID_REQUEST
    return {problem.param: problem.reason for problem in caught.value.fields}


def hint(model: str, *roles: MediaRole, **fields: Any) -> object:
    with pytest.raises(ProviderError) as caught:
        sent(model, *roles, **fields)
    return caught.value.fields[0].hint


# --- Wan ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "roles"),
    [("wan2.7-i2v", (FF,)), ("wan2.7-r2v", (RI,)), ("wan2.7-videoedit", (VI,)), ("wan2.7-t2v", ())],
)
def test_a_negative_prompt_goes_with_every_model_of_wan_27(model: str, roles: tuple[MediaRole, ...]) -> None:
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


# --- Kling --------------------------------------------------------------------------------------------------------

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
def test_a_legal_set_of_kling_omni(roles: tuple[MediaRole, ...]) -> None:
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
def test_an_illegal_set_of_kling_omni(roles: tuple[MediaRole, ...]) -> None:
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
    assert hint(OMNI, VI, duration=5) is LENGTH_OF_INPUT


def test_lengths_and_shapes_that_cannot_be_chosen_are_left_out_of_the_nearest() -> None:
    asked = VideoRequest(OMNI, "p", duration=12, size="720x1280", media=inputs(VI))
    near = settle(CARDS[OMNI], approach(CARDS[OMNI], asked))
    assert (near.duration, near.ratio, near.resolution) == (None, None, "720p")
    asked = VideoRequest(OMNI, "p", duration=12, media=inputs(RV))
    assert approach(CARDS[OMNI], asked).duration == 10


@pytest.mark.parametrize("role", [RV, VI])
def test_no_sound_beside_a_clip(role: MediaRole) -> None:
    assert problems(OMNI, role, audio=True) == {"audio": FieldReason.CONFLICT}
    assert hint(OMNI, role, audio=True) is SILENT
    assert parameters(OMNI, role, audio=False)["audio"] is False
    assert parameters(OMNI, RI, audio=True)["audio"] is True


@pytest.mark.parametrize(("model", "roles"), [(OMNI, (FF,)), (OMNI, (VI,)), (OMNI, (RV, FF)), ("wan2.7-r2v", (RI, FF))])
def test_a_ratio_beside_what_gives_one_is_refused(model: str, roles: tuple[MediaRole, ...]) -> None:
    assert problems(model, *roles, ratio="9:16") == {"ratio": FieldReason.UNSUPPORTED}
    assert hint(model, *roles, ratio="9:16") is SHAPE_OF_INPUT


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


def test_the_sound_of_a_clip_is_kept_on_the_clip() -> None:
    body = sent(OMNI, VI, RI, options={"keep_original_sound": "yes"})
    assert body["input"]["media"][0] == {"type": "base", "url": "https://h/0", "keep_original_sound": "yes"}
    assert "keep_original_sound" not in body["input"]["media"][1] | body["parameters"]


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
def test_three_ways_to_speak_to_pixverse(
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
    near = approach(CARDS[old], VideoRequest(old, "p", duration=12, size="1920x1080"))
    assert settle(CARDS[old], near).duration == 8


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


def test_media_words_of_minimax() -> None:
    body = sent(MINIMAX, RI, RV, sound=Media(MediaKind.AUDIO, "https://h/a.mp3", "audio_url"))
    assert [item["type"] for item in body["input"]["media"]] == ["image_url", "feature", "driving_audio"]


# --- all of them --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [KLING, MINIMAX, "vidu/viduq3-pro_img2video", "pixverse/pixverse-v6-it2v"])
def test_makers_that_read_addresses_only(model: str) -> None:
    handed = (
        from_file(picture(), FF),
        Media(MediaKind.IMAGE, data_url(), "image", FF),
        Media(MediaKind.IMAGE, "oss://dashscope-instant/a/b.png", "image", FF),
    )
    for item in handed:
        assert problems(model, media=(item,)) == {"image": FieldReason.UNSUPPORTED}
        assert hint(model, media=(item,)) is ADDRESS_ONLY
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
def test_a_prompt_that_would_be_cut_is_refused(model: str, prompt: str, fits: bool) -> None:
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
