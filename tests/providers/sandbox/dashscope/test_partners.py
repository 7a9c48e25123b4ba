"""The models of other makers: what their pages say is taken, and what they say is refused."""

import pytest

from providers.sandbox.dashscope.models import MODELS
from providers.sandbox.dashscope.partners import PARTNERS
from providers.sandbox.dashscope.rules import MediaSet, Model
from tests.providers.sandbox.clients import Json
from tests.providers.sandbox.submits import media, order, rejection

V3, OMNI, TURBO = (f"kling/kling-v3-{kind}video-generation" for kind in ("", "omni-", "turbo-"))
T2V, I2V, PAIR = "vidu/viduq3-pro_text2video", "vidu/viduq3-pro_img2video", "vidu/viduq3-turbo_start-end2video"
REFERENCES, CLIPS = "vidu/viduq3_reference2video", "vidu/viduq2-pro_reference2video"
PV6, PV56, PV_OMNI = "pixverse/pixverse-v6", "pixverse/pixverse-v5.6", "pixverse/pixverse-v6-r2v-omni"
H3 = "MiniMax/MiniMax-H3"

WIDE = {"aspect_ratio": "16:9"}
TEXT: Json = {"prompt": "x"}
SIZED: Json = {"size": "1280*720", "duration": 5}
TIERED: Json = {"resolution": "720P", "duration": 5}
H3_TEXT: Json = {"resolution": "768P", "ratio": "16:9", "duration": 5}
H3_MEDIA: Json = {"resolution": "768P", "duration": 5}
COMBINATION = "input.media: this combination of types is not supported"

# The shape of the page's own sample.
SHOTS: Json = {
    "prompt": "",
    "multi_shot": True,
    "shot_type": "customize",
    "multi_prompt": [{"index": 1, "prompt": "a", "duration": 5}, {"index": 2, "prompt": "b", "duration": 5}],
    "media": [],
    "element_list": [],
}


def with_text(*kinds: str, **more: object) -> Json:
    return {"prompt": "x", **media(*kinds), **more}


def elements(count: int) -> list[Json]:
    return [{"element_id": 171 + number} for number in range(count)]


def shots(*seconds: object, **more: object) -> Json:
    listed = [{"index": index, "prompt": "a", "duration": one} for index, one in enumerate(seconds, 1)]
    return {**SHOTS, "multi_prompt": listed, **more}


TAKEN: list[tuple[str, Json, Json]] = [
    (V3, TEXT, {**WIDE, "mode": "std", "duration": 5, "audio": True, "watermark": True}),
    (V3, TEXT, {**WIDE, "mode": "4k"}),
    (V3, media("first_frame"), {"mode": "std"}),
    (V3, with_text("first_frame", "last_frame"), {"duration": 15, "audio": True}),
    (V3, SHOTS, {"mode": "pro", "duration": 10, "audio": True, "aspect_ratio": "9:16", "watermark": True}),
    (V3, {"prompt": "x", "multi_shot": True, "shot_type": "intelligence"}, WIDE),
    (V3, {"prompt": "x", "multi_shot": False, "shot_type": "intelligence", "multi_prompt": []}, WIDE),
    (V3, {"prompt": "x" * 2500}, WIDE),
    (OMNI, TEXT, WIDE),
    (OMNI, media("first_frame"), {}),
    (OMNI, with_text("first_frame", "last_frame"), {}),
    (OMNI, with_text("first_frame", element_list=elements(3)), {}),
    (OMNI, with_text("feature"), {**WIDE, "duration": 10}),
    (OMNI, with_text(*["refer"] * 7), {**WIDE, "duration": 15, "audio": True}),
    (OMNI, with_text(*["refer"] * 4, element_list=elements(3)), WIDE),
    (OMNI, with_text("feature", *["refer"] * 4), {**WIDE, "duration": 3}),
    (OMNI, with_text("feature", "refer", element_list=elements(3)), WIDE),
    (OMNI, with_text("feature", "first_frame"), {"audio": False}),
    (OMNI, with_text("base"), {}),
    (OMNI, with_text("base"), {"duration": 99}),
    (OMNI, with_text("base", "refer", "refer", element_list=elements(1)), {**WIDE, "duration": 10, "audio": False}),
    (TURBO, TEXT, {**WIDE, "mode": "std", "duration": 3}),
    (TURBO, media("first_frame"), {"mode": "pro"}),
    (T2V, TEXT, {}),
    (T2V, TEXT, {"size": "1024*576", "resolution": "540P", "duration": 16, "audio": True}),
    ("vidu/viduq2_text2video", TEXT, {"duration": 10}),
    (I2V, media("image"), {"resolution": "1080P", "duration": 1}),
    (PAIR, with_text("image", "image"), {"resolution": "540P", "duration": 5}),
    (REFERENCES, with_text(*["image"] * 7), {"duration": 16}),
    (CLIPS, with_text(*["image"] * 7), {"duration": 10}),
    (CLIPS, with_text("video", "video", *["image"] * 4), {"duration": 0, "size": "1280*720", "resolution": "720P"}),
    (f"{PV6}-t2v", TEXT, {"size": "1776*1184", "duration": 15, "shot_type": "multi"}),
    (f"{PV56}-t2v", TEXT, {"size": "1808*1808", "duration": 8}),
    (f"{PV56}-t2v", TEXT, {"size": "1280*960", "duration": 10}),
    (f"{PV6}-it2v", media("image_url"), TIERED),
    (f"{PV56}-it2v", media("image_url"), {"resolution": "720P", "duration": 10}),
    (f"{PV6}-kf2v", with_text("last_frame", "first_frame"), TIERED),
    (f"{PV6}-r2v", with_text(*["image_url"] * 7), {"size": "832*1108", "duration": 1}),
    (f"{PV56}-r2v", with_text("image_url"), {"size": "1662*1246", "duration": 5}),
    (PV_OMNI, with_text("video_url", "image_url"), {"resolution": "720P", "aspect_ratio": "auto", "duration": 0}),
    (PV_OMNI, with_text("video_url", "video_url"), {"resolution": "720P", "aspect_ratio": "21:9", "duration": 0}),
    (PV_OMNI, with_text(*["image_url"] * 10), {"resolution": "360P", "aspect_ratio": "2:3", "duration": 15}),
    ("pixverse/pixverse-lipsync", media("video_url", "audio_url"), {"watermark": True}),
    ("pixverse/pixverse-motioncontrol", media("image_url", "video_url"), {"resolution": "360P"}),
    ("pixverse/pixverse-upscale", media("video_url"), {"seed": 12345}),
    (H3, TEXT, H3_TEXT),
    (H3, TEXT, {"resolution": "2K", "ratio": "21:9", "duration": 15}),
    (H3, {"prompt": "x" * 7000}, H3_TEXT),
    (H3, with_text("first_frame"), H3_MEDIA),
    (H3, with_text("last_frame"), {**H3_MEDIA, "ratio": "1:1"}),
    (H3, with_text("first_frame", "last_frame"), {**H3_MEDIA, "ratio": "adaptive"}),
    (H3, with_text(*["image_url"] * 9, *["feature"] * 3, *["driving_audio"] * 3), H3_MEDIA),
]


@pytest.mark.parametrize(("model", "given", "parameters"), TAKEN)
def test_what_is_taken(model: str, given: Json, parameters: Json) -> None:
    assert order(model, given, parameters).fails is None


def test_lipsync_speaks_a_text() -> None:
    items: list[Json] = [
        {"type": "video_url", "url": "https://example.com/a.mp4"},
        {"type": "lip_sync_tts_speaker_id", "id": "auto"},
        {"type": "lip_sync_tts_content", "content": "hello"},
    ]
    model = "pixverse/pixverse-lipsync"
    assert order(model, {"media": items})
    assert rejection(model, {"media": items[:2]})[1] == COMBINATION
    sound = {"type": "audio_url", "url": "https://example.com/a.mp3"}
    assert rejection(model, {"media": [*items, sound]})[1] == COMBINATION
    assert rejection(model, {"media": [*items[:2], {"type": "lip_sync_tts_content"}]})[1].endswith("media.content")


REFUSED: list[tuple[str, Json, Json, str]] = [
    (V3, TEXT, {}, "Field required: parameters.aspect_ratio"),
    (V3, TEXT, {"ratio": "16:9"}, "Field required: parameters.aspect_ratio"),
    (V3, TEXT, {"aspect_ratio": "4:3"}, "aspect_ratio must be in"),
    (V3, TEXT, {**WIDE, "mode": "8k"}, "mode must be in"),
    (V3, TEXT, {**WIDE, "duration": 2}, "duration must be in"),
    (V3, {"prompt": "x" * 2501}, WIDE, "prompt is too long"),
    (V3, {}, WIDE, "Field required: input.prompt"),
    (V3, media("last_frame"), {}, COMBINATION),
    (V3, media("first_frame", "first_frame"), {}, COMBINATION),
    (V3, with_text("refer"), WIDE, "input.media.type must be in"),
    (V3, with_text("base"), WIDE, "input.media.type must be in"),
    (V3, {**SHOTS, "shot_type": None}, WIDE, "shot_type must be in"),
    (V3, {"multi_shot": True, "shot_type": "intelligence"}, WIDE, "Field required: input.prompt"),
    (V3, {**SHOTS, "multi_prompt": []}, WIDE, "Field required: input.multi_prompt"),
    (V3, shots(*[1] * 7), WIDE, "multi_prompt must have"),
    (V3, shots(5, 6), {**WIDE, "duration": 5}, "multi_prompt.duration must be in [1, 5]"),
    (V3, shots("5"), WIDE, "multi_prompt.duration must be in"),
    (V3, shots(5, multi_prompt=[{"index": 2, "prompt": "a", "duration": 5}]), WIDE, "must count from 1"),
    (V3, shots(5, multi_prompt=[{"index": 1, "duration": 5}]), WIDE, "Field required: input.multi_prompt.prompt"),
    (OMNI, with_text("first_frame", "refer"), WIDE, COMBINATION),
    (OMNI, with_text("first_frame", element_list=elements(4)), {}, COMBINATION),
    (OMNI, with_text("feature", "last_frame"), WIDE, COMBINATION),
    (OMNI, with_text("feature", "base"), WIDE, COMBINATION),
    (OMNI, with_text("feature", "feature"), WIDE, COMBINATION),
    (OMNI, with_text(*["refer"] * 8), WIDE, COMBINATION),
    (OMNI, with_text(*["refer"] * 5, element_list=elements(3)), WIDE, COMBINATION),
    (OMNI, with_text("feature", *["refer"] * 5), WIDE, COMBINATION),
    (OMNI, with_text("base", *["refer"] * 3, element_list=elements(2)), {}, COMBINATION),
    (OMNI, with_text("feature"), {}, "Field required: parameters.aspect_ratio"),
    (OMNI, with_text("refer"), {}, "Field required: parameters.aspect_ratio"),
    (OMNI, with_text("feature", "refer"), {}, "Field required: parameters.aspect_ratio"),
    (OMNI, with_text("feature"), {**WIDE, "duration": 11}, "duration must be in"),
    (OMNI, with_text("feature", "first_frame"), {"duration": 11}, "duration must be in"),
    (OMNI, with_text("feature"), {**WIDE, "audio": True}, "audio must be false"),
    (OMNI, with_text("base", "refer"), {"audio": True}, "audio must be false"),
    (TURBO, TEXT, {}, "Field required: parameters.aspect_ratio"),
    (TURBO, TEXT, {**WIDE, "mode": "4k"}, "mode must be in"),
    (TURBO, media("first_frame", "last_frame"), {}, "input.media.type must be in"),
    (TURBO, SHOTS, WIDE, "Field required: input.prompt"),
    (T2V, with_text("image"), {}, "input.media.type must be in"),
    (T2V, TEXT, {"resolution": "480P"}, "resolution must be in"),
    (T2V, TEXT, {"duration": 17}, "duration must be in"),
    ("vidu/viduq2_text2video", TEXT, {"duration": 11}, "duration must be in"),
    ("vidu/viduq2-pro-fast_img2video", media("image"), {"resolution": "540P"}, "resolution must be in"),
    (I2V, TEXT, {}, "Field required: input.media"),
    (I2V, media("image", "image"), {}, COMBINATION),
    (PAIR, with_text("image"), TIERED, COMBINATION),
    (PAIR, with_text("image", "image"), {"duration": 5}, "Field required: parameters.resolution"),
    (REFERENCES, with_text("image"), {}, "Field required: parameters.duration"),
    (REFERENCES, with_text("image", "video"), {"duration": 5}, "input.media.type must be in"),
    (REFERENCES, with_text("image"), {"duration": 0}, "duration must be in"),
    (REFERENCES, with_text(*["image"] * 8), {"duration": 5}, COMBINATION),
    (CLIPS, with_text("video"), {"duration": 5}, COMBINATION),
    (CLIPS, with_text("video", *["image"] * 5), {"duration": 5}, COMBINATION),
    (f"{PV6}-t2v", TEXT, {"resolution": "720P", "duration": 5}, "Field required: parameters.size"),
    (f"{PV6}-t2v", TEXT, {"size": "1280*720"}, "Field required: parameters.duration"),
    (f"{PV6}-t2v", TEXT, {**SIZED, "duration": 16}, "duration must be in"),
    (f"{PV56}-t2v", TEXT, {**SIZED, "duration": 7}, "duration must be in"),
    (f"{PV56}-t2v", TEXT, {"size": "1920*1080", "duration": 10}, "duration must be in"),
    (f"{PV56}-it2v", media("image_url"), {"resolution": "1080P", "duration": 10}, "duration must be in"),
    (f"{PV6}-it2v", media("image_url"), SIZED, "Field required: parameters.resolution"),
    (f"{PV6}-it2v", media("first_frame"), TIERED, "input.media.type must be in"),
    (f"{PV6}-kf2v", with_text("first_frame"), TIERED, COMBINATION),
    (f"{PV6}-r2v", with_text("image_url"), TIERED, "Field required: parameters.size"),
    (f"{PV6}-r2v", with_text("image_url", "video_url"), SIZED, "input.media.type must be in"),
    (f"{PV6}-r2v", with_text(*["image_url"] * 8), SIZED, COMBINATION),
    (PV_OMNI, with_text("image_url"), TIERED, "Field required: parameters.aspect_ratio"),
    (PV_OMNI, with_text("image_url"), {**TIERED, "ratio": "16:9"}, "Field required: parameters.aspect_ratio"),
    (PV_OMNI, with_text("video_url"), {**TIERED, **WIDE}, "duration must be in [0]"),
    (PV_OMNI, with_text("image_url"), {**TIERED, **WIDE, "duration": 0}, "duration must be in"),
    (PV_OMNI, with_text("reference_video"), {**TIERED, **WIDE}, "input.media.type must be in"),
    (PV_OMNI, with_text(*["video_url"] * 3), {**TIERED, **WIDE, "duration": 0}, COMBINATION),
    ("pixverse/pixverse-motioncontrol", media("image_url", "video_url"), {"resolution": "1080P"}, "resolution must"),
    ("pixverse/pixverse-upscale", media("video_url", "video_url"), {}, COMBINATION),
    (H3, TEXT, {"ratio": "16:9", "duration": 5}, "Field required: parameters.resolution"),
    (H3, TEXT, {"ratio": "16:9", "resolution": "768P"}, "Field required: parameters.duration"),
    (H3, TEXT, H3_MEDIA, "Field required: parameters.ratio"),
    (H3, TEXT, {**H3_MEDIA, "ratio": "adaptive"}, "ratio must be in"),
    (H3, TEXT, {**H3_TEXT, "resolution": "1080P"}, "resolution must be in"),
    (H3, TEXT, {**H3_TEXT, "duration": 16}, "duration must be in"),
    (H3, {"prompt": "x" * 7001}, H3_TEXT, "prompt is too long"),
    (H3, media("first_frame"), H3_MEDIA, "Field required: input.prompt"),
    (H3, with_text("first_frame", "image_url"), H3_MEDIA, COMBINATION),
    (H3, with_text("last_frame", "driving_audio"), H3_MEDIA, COMBINATION),
    (H3, with_text(*["image_url"] * 10), H3_MEDIA, COMBINATION),
    (H3, with_text("image_url", *["feature"] * 4), H3_MEDIA, COMBINATION),
]


@pytest.mark.parametrize(("model", "given", "parameters", "message"), REFUSED)
def test_what_is_refused(model: str, given: Json, parameters: Json, message: str) -> None:
    code, said = rejection(model, given, parameters)
    assert code == "InvalidParameter"
    assert message in said


@pytest.mark.parametrize(
    ("model", "given", "parameters"),
    [
        (T2V, TEXT, {"size": "1920*1080", "resolution": "720P"}),
        (REFERENCES, with_text("image"), {"size": "1280*721", "resolution": "720P", "duration": 5}),
        (f"{PV6}-t2v", TEXT, {"size": "1280*960", "duration": 5}),
        (f"{PV56}-t2v", TEXT, {"size": "960*960", "duration": 5}),
    ],
)
def test_size_outside_the_table_fails_the_task(model: str, given: Json, parameters: Json) -> None:
    fails = order(model, given, parameters).fails
    assert fails is not None
    assert (fails[0], fails[1].startswith("The size is not match")) == ("InvalidParameter", True)


def test_vidu_ignores_a_size_without_a_resolution() -> None:
    alone = order(T2V, TEXT, {"size": "1920*1080"})
    assert (alone.tier, alone.size, alone.fails) == ("720P", "", None)
    both = order(T2V, TEXT, {"size": "1080*1920", "resolution": "1080P"})
    assert (both.tier, both.size) == ("1080P", "1080*1920")


def test_none_of_them_takes_anything_but_web_addresses() -> None:
    assert all(model.http_only for model in PARTNERS)
    for url in ("data:image/png;base64,iVBORw0KGgo=", "ark_asset_img_1a"):
        assert rejection(H3, {**TEXT, **media("image_url", url=url)}, H3_MEDIA)[0] == "InvalidURL"


def smallest(model: Model, legal: MediaSet) -> tuple[Json, Json]:
    """The least that the row itself says is a submit of this set: (input, parameters)."""
    kinds = [kind for kind, (low, _) in legal.counts.items() for _ in range(low)]
    together, fewest, _ = legal.together
    missing = fewest - sum(kind in together for kind in kinds)
    given = with_text(*kinds, *[kind for kind in together[:1] for _ in range(missing)])
    seconds = model.seconds if legal.seconds is None else legal.seconds
    ratios = model.ratios if legal.ratios is None else legal.ratios
    values: Json = {
        "size": next(iter(model.sizes), None),
        "resolution": next(iter(model.tiers), None),
        model.ratio_name: next(iter(ratios), None),
        "duration": min(seconds, default=5),
    }
    return given, {name: values[name] for name in (*model.requires, *legal.requires)}


@pytest.mark.parametrize("model", [model for model in MODELS if model.sets], ids=lambda model: model.name)
def test_every_legal_set_of_a_row_can_be_satisfied(model: Model) -> None:
    for legal in model.sets:
        if "lip_sync_tts_content" not in legal.counts:
            assert order(model.name, *smallest(model, legal)).fails is None
