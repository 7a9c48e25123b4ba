"""What a DashScope submit is refused for, model by model."""

from typing import Any

import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from providers.sandbox.dashscope.checks import read_order
from providers.sandbox.dashscope.codes import Refused
from providers.sandbox.dashscope.inputs import media_places
from providers.sandbox.dashscope.models import MODELS, find_model
from providers.sandbox.dashscope.rules import IMAGE, VIDEO
from providers.sandbox.dashscope.usage import Inputs, usage
from tests.providers.sandbox.clients import Json
from tests.providers.sandbox.submits import ASYNC, URL, media, order, rejection

RESOLVE = ASYNC | {"x-dashscope-ossresourceresolve": "enable"}
DATA = "data:image/png;base64,iVBORw0KGgo="


def test_every_model_is_found_by_its_name() -> None:
    assert len({model.name for model in MODELS}) == len(MODELS)
    for model in MODELS:
        assert find_model(model.name) is model
    assert find_model("wan2.7-t2v-2026-04-25") is find_model("wan2.7-t2v")
    assert find_model("wan2.1-t2v-turbo") is find_model("wanx2.1-t2v-turbo")
    assert find_model("kling/") is None


@pytest.mark.parametrize(
    ("model", "path", "message"),
    [
        ("wan9-t2v", VIDEO, "Model not exist."),
        ("kling/kling-v4-video-generation", VIDEO, "Model not exist."),
        ("vidu/no-such-model", VIDEO, "Model not exist."),
        ("vidu/viduq3", VIDEO, "Model not exist."),
        ("pixverse/pixverse-v9-t2v", VIDEO, "Model not exist."),
        ("MiniMax/MiniMax-H9", VIDEO, "Model not exist."),
        ("qwen-vl-plus", VIDEO, "url error"),
        ("wan2.6-t2v", "video-generation/generation", "url error"),
        ("wan2.6-t2v", IMAGE, "url error"),
        ("wan2.2-kf2v-flash", VIDEO, "url error"),
    ],
)
def test_models_and_paths_belong_together(model: str, path: str, message: str) -> None:
    code, said = rejection(model, {"prompt": "x"}, path=path)
    assert code == "InvalidParameter"
    assert message in said


@pytest.mark.parametrize(
    ("model", "path", "given", "field"),
    [
        ("wan2.6-t2v", VIDEO, {"prompt": None}, "input.prompt"),
        ("wan2.6-t2v", VIDEO, {"prompt": ""}, "input.prompt"),
        ("wan2.2-i2v-flash", VIDEO, {"prompt": "x"}, "input.img_url"),
        ("wan2.2-kf2v-flash", IMAGE, {"last_frame_url": URL}, "input.first_frame_url"),
        ("wan2.6-r2v", VIDEO, {"prompt": "x"}, "input.reference_urls"),
        ("wan2.7-i2v", VIDEO, {"prompt": "x", "img_url": URL}, "input.media"),
        ("wan2.7-r2v", VIDEO, {"prompt": "x"}, "input.media"),
        ("wan3.0-video", VIDEO, {"prompt": None}, "input.prompt"),
        ("wanx2.1-vace-plus", VIDEO, {"prompt": "x"}, "input.function"),
        ("wanx2.1-vace-plus", VIDEO, {"prompt": "x", "function": "video_edit"}, "input.video_url"),
        ("wan2.2-s2v", IMAGE, {"image_url": URL}, "input.audio_url"),
        ("emo-v1", IMAGE, {"audio_url": URL}, "input.image_url"),
    ],
)
def test_required_fields(model: str, path: str, given: Json, field: str) -> None:
    assert rejection(model, given, path=path) == ("InvalidParameter", f"Field required: {field}")


def test_envelope_is_required() -> None:
    bodies: list[Json] = [{"input": {}}, {"model": "wan2.6-t2v"}]
    bodies.append({"model": "wan2.6-t2v", "input": {"prompt": "x"}, "parameters": [1]})
    for body in bodies:
        with pytest.raises(Refused, match="InvalidParameter"):
            read_order(VIDEO, ASYNC, body)
    with pytest.raises(Refused, match="AccessDenied"):
        read_order(VIDEO, {}, {"model": "wan2.6-t2v", "input": {"prompt": "x"}})


def test_what_the_sdk_adds_is_ignored() -> None:
    given = {"prompt": None, "extend_prompt": True, "function": "video-synthesis", "img_url": URL, "later": 1}
    assert order("wan2.2-i2v-flash", given, {"later": 1}).prompt == ""


@pytest.mark.parametrize(
    ("model", "given", "parameters"),
    [
        ("wan2.6-t2v", {"prompt": "x"}, {"duration": 1}),
        ("wan2.6-t2v", {"prompt": "x"}, {"duration": "5"}),
        ("wan2.6-t2v", {"prompt": "x"}, {"duration": True}),
        ("wan2.5-t2v-preview", {"prompt": "x"}, {"duration": 6}),
        ("wan2.2-t2v-plus", {"prompt": "x"}, {"duration": 10}),
        ("wan2.6-i2v", {"img_url": URL}, {"resolution": "480P"}),
        ("wan2.7-t2v", {"prompt": "x"}, {"ratio": "21:9"}),
        ("wan2.7-t2v", {"prompt": "x"}, {"duration": 16}),
        ("wan2.7-r2v", {"prompt": "x", **media("reference_video")}, {"duration": 11}),
        ("wan2.7-videoedit", media("video"), {"duration": 1}),
        ("wan3.0-video", {"prompt": "x"}, {"duration": 31}),
        ("wan2.6-t2v", {"prompt": "x"}, {"seed": -1}),
        ("wan2.6-t2v", {"prompt": "x"}, {"seed": 2**31}),
        ("wan2.6-t2v", {"prompt": "x"}, {"watermark": "yes"}),
        ("wan2.6-t2v", {"prompt": 7}, {}),
        ("wan2.6-t2v", {"prompt": "x"}, {"seed": True}),
        ("happyhorse-1.0-t2v", {"prompt": "x"}, {"resolution": "480P"}),
        ("happyhorse-1.0-video-edit", {"prompt": "x", **media("video")}, {"resolution": "480P"}),
    ],
)
def test_values_that_are_refused(model: str, given: Json, parameters: Json) -> None:
    assert rejection(model, given, parameters)[0] == "InvalidParameter"


@pytest.mark.parametrize(
    ("model", "given", "parameters"),
    [
        ("wan2.6-t2v", {"prompt": "x"}, {"duration": 15, "size": "1088*832", "seed": 0}),
        ("wan2.7-r2v", {"prompt": "x", **media("reference_image")}, {"duration": 15}),
        ("wan2.7-videoedit", media("video"), {}),
        ("wan3.0-video", {"prompt": "x"}, {"duration": -1, "resolution": "480P", "ratio": "adaptive"}),
        ("wan3.0-video", media("first_frame", "last_frame"), {}),
        ("wan3.0-video", media("reference_image", "reference_video", "file"), {}),
        ("wan2.7-i2v", {"negative_prompt": "blurry", **media("first_frame")}, {}),
        ("wan2.7-r2v", {"prompt": "x", "negative_prompt": "blurry", **media("reference_image")}, {}),
        ("happyhorse-1.1-t2v", {"prompt": "x"}, {"ratio": "21:9", "duration": 3}),
        ("happyhorse-1.1-t2v", {"prompt": "x"}, {"resolution": "480P"}),
        ("happyhorse-1.1-i2v", media("first_frame"), {"resolution": "480P"}),
        ("happyhorse-1.1-r2v", {"prompt": "x", **media("reference_image")}, {"resolution": "480P"}),
        ("wan2.7-i2v", media("first_frame", "last_frame", "driving_audio"), {"duration": 10}),
        ("wan2.7-i2v", media("first_clip", "last_frame"), {}),
        ("wanx2.1-vace-plus", {"prompt": "x", "function": "image_reference", "ref_images_url": [URL]}, {}),
    ],
)
def test_values_that_are_taken(model: str, given: Json, parameters: Json) -> None:
    assert order(model, given, parameters).fails is None


@pytest.mark.parametrize(
    ("model", "given"),
    [
        ("wan2.7-i2v", media("last_frame")),
        ("wan2.7-i2v", media("first_frame", "first_frame")),
        ("wan2.7-i2v", media("first_frame", "first_clip")),
        ("wan2.7-i2v", media("reference_image")),
        ("wan2.7-i2v", {"media": ["https://example.com/a"]}),
        ("wan2.7-i2v", {"media": [{"type": "first_frame"}]}),
        ("wan2.7-r2v", {"prompt": "x", **media("first_frame")}),
        ("wan2.7-r2v", {"prompt": "x", **media(*["reference_image"] * 6)}),
        ("wan2.7-videoedit", media("reference_image")),
        ("wan2.7-videoedit", media("video", *["reference_image"] * 5)),
        ("wan3.0-video", media("file", "file")),
        ("wan3.0-video", media("file", "link")),
        ("wan3.0-video-prime", {"prompt": "x", **media("file", "link")}),
        ("happyhorse-1.0-i2v", media("first_frame", "first_frame")),
        ("wan2.6-r2v", {"prompt": "x", "reference_urls": URL}),
        ("wanx2.1-vace-plus", {"prompt": "x", "function": "video-synthesis"}),
    ],
)
def test_media_that_are_refused(model: str, given: Json) -> None:
    assert rejection(model, given)[0] == "InvalidParameter"


def test_oss_link_needs_its_header() -> None:
    given = {"img_url": "oss://dashscope-instant/a.png"}
    assert rejection("wan2.2-i2v-flash", given)[0] == "InvalidParameter.DataInspection"
    assert order("wan2.2-i2v-flash", given, headers=RESOLVE)
    assert rejection("wan2.7-i2v", media("first_frame", url="oss://x/a.png"))[0] == "InvalidParameter.DataInspection"
    with pytest.raises(Refused, match="InvalidURL"):
        order("kling/kling-v3-video-generation", media("first_frame", url="oss://x/a.png"), headers=RESOLVE)


def test_data_urls_are_for_images_only() -> None:
    assert order("wan2.2-i2v-flash", {"img_url": DATA})
    assert order("wan2.7-i2v", media("first_frame", url=DATA))
    assert rejection("wan2.6-i2v", {"img_url": URL, "audio_url": DATA})[0] == "InvalidURL"
    assert rejection("kling/kling-v3-video-generation", media("first_frame", url=DATA))[0] == "InvalidURL"
    for broken in ("data:image/png;base64,", "data:image/png;base64,#", "data:text/plain;base64,aGk=", "data:"):
        assert rejection("wan2.2-i2v-flash", {"img_url": broken})[0] == "InvalidParameter.DataInspection"


@pytest.mark.parametrize("url", ["a.png", "file:///a.png", "https://", "/tmp/a.png"])
def test_what_is_no_url_is_refused(url: str) -> None:
    assert rejection("wan2.2-i2v-flash", {"img_url": url})[0] == "InvalidURL"


def test_voices_are_urls_too() -> None:
    given = {"media": [{"type": "reference_image", "url": URL, "reference_voice": "a.mp3"}], "prompt": "x"}
    assert rejection("wan2.7-r2v", given)[0] == "InvalidURL"


def test_ids_of_the_asset_centre_are_for_one_model() -> None:
    def edit(model: str, video: str, picture: str = URL) -> Json:
        items = [{"type": "video", "url": video}, {"type": "reference_image", "url": picture}]
        return {"model": model, "input": {"prompt": "x", "media": items}}

    assert read_order(VIDEO, ASYNC, edit("wan2.7-videoedit", "ark_asset_vid_1a", "ark_asset_img_1a"))
    for model, video, picture in (
        ("wan2.7-videoedit", "ark_asset_img_1a", URL),
        ("wan2.7-videoedit", URL, "ark_asset_vid_1a"),
        ("wan2.7-videoedit", "ark_asset_vid_", URL),
        ("happyhorse-1.0-video-edit", "ark_asset_vid_1a", URL),
    ):
        with pytest.raises(Refused, match="InvalidURL"):
            read_order(VIDEO, ASYNC, edit(model, video, picture))


_SCALARS = (
    st.none() | st.booleans() | st.integers() | st.sampled_from(["", "x", URL, "1280*720", "720P", "16:9", "pro"])
)
_ANYTHING = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
)
_KINDS = sorted({kind for model in MODELS for kind in model.media_types})
_ITEMS = st.lists(
    st.fixed_dictionaries({"type": st.sampled_from(_KINDS) | _ANYTHING, "url": st.just(URL) | _ANYTHING}), max_size=4
)
_INPUT = st.fixed_dictionaries(
    {"prompt": st.just("x") | _ANYTHING},
    optional={
        "media": _ITEMS | _ANYTHING, "multi_shot": _SCALARS, "multi_prompt": _ANYTHING, "element_list": _ANYTHING,
        "shot_type": st.sampled_from(["customize", "intelligence"]) | _ANYTHING, "img_url": _ANYTHING,
        "reference_urls": _ANYTHING, "function": _ANYTHING,
    },
)  # fmt: skip
_PARAMETERS = st.dictionaries(
    st.sampled_from(
        ["resolution", "size", "duration", "ratio", "aspect_ratio", "mode", "seed", "audio", "watermark", "shot_type"]
    ),
    st.integers(-1, 16) | _ANYTHING,
)


@settings(deadline=None)
@drawn(st.sampled_from(MODELS), _INPUT | _ANYTHING, _PARAMETERS | _ANYTHING)
def test_any_body_is_an_order_or_a_refusal(model: Any, given: Any, parameters: Any) -> None:
    body = {"model": model.name, "input": given, "parameters": parameters}
    try:
        found = read_order(model.path, ASYNC, body)
    except Refused:
        return
    assert media_places(given, model) is not None
    assert found.fails or usage(found, Inputs((5.0,)))
