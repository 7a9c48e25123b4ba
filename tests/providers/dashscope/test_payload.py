from typing import Any

import pytest

from providers.contract.errors import ErrorKind, FieldReason, ProviderError
from providers.contract.media import MediaRole
from providers.contract.models import ModelCard
from providers.contract.requests import Media, VideoRequest
from providers.dashscope.models import MODELS, unlisted_card
from providers.dashscope.payload import RESOLVE_HEADER, Payload, build, check_inputs
from providers.dashscope.request_protocols import VIDEO_PATH, protocol_of
from providers.validation import validate
from tests.providers.dashscope.payload_cases import LEGACY, MEDIA, OPEN, image, sound, video

CARDS = {card.name: card for card in MODELS}


def built(model: str, prompt: str = "p", **fields: Any) -> Payload:
    card = CARDS.get(model) or unlisted_card(model)
    protocol = protocol_of(model)
    assert card is not None
    assert protocol is not None
    validated = validate(card, VideoRequest(model, prompt, **fields))
    check_inputs(validated, protocol)
    return build(validated, card, protocol)


@pytest.mark.parametrize(("model", "fields", "path", "inputs", "parameters"), LEGACY)
def test_legacy_protocol(
    model: str, fields: dict[str, Any], path: str, inputs: dict[str, Any], parameters: dict[str, Any]
) -> None:
    payload = built(model, **fields)
    assert payload.path == path
    expected = {"model": model, "input": inputs, "parameters": parameters}
    assert payload.body == {name: value for name, value in expected.items() if value}
    assert payload.headers == {}


@pytest.mark.parametrize(("model", "fields", "inputs", "parameters"), MEDIA)
def test_media_protocol(model: str, fields: dict[str, Any], inputs: dict[str, Any], parameters: dict[str, Any]) -> None:
    payload = built(model, **fields)
    assert payload.path == VIDEO_PATH
    assert payload.body == {"model": model, "input": inputs, "parameters": parameters}


@pytest.mark.parametrize(("model", "fields", "path", "inputs", "parameters"), OPEN)
def test_unknown_models_of_known_families(
    model: str, fields: dict[str, Any], path: str, inputs: dict[str, Any], parameters: dict[str, Any] | None
) -> None:
    payload = built(model, **fields)
    assert payload.path == path
    expected = {"model": model, "input": inputs, "parameters": parameters}
    assert payload.body == {name: value for name, value in expected.items() if value is not None}


def test_options_win_over_everything() -> None:
    options = {"size": "1440*1440", "new": {"deep": 1}, "input": {"prompt": "theirs", "x": None}}
    body = built("wan2.6-t2v", options=options).body
    assert body["input"] == {"prompt": "theirs", "x": None}
    assert body["parameters"] == {"size": "1440*1440", "duration": 5, "new": {"deep": 1}}
    assert options["input"] == {"prompt": "theirs", "x": None}


def test_input_that_is_no_object_is_a_parameter_like_others() -> None:
    body = built("wan2.6-t2v", options={"input": "x"}).body
    assert body["parameters"]["input"] == "x"


def test_options_cannot_name_another_model() -> None:
    assert built("wan2.6-t2v", options={"model": "other"}).body["model"] == "wan2.6-t2v"


def test_key_of_a_card_is_the_name_on_the_wire() -> None:
    card = ModelCard("fast", "dashscope", key="wan2.2-i2v-flash")
    protocol = protocol_of(card.key)
    assert protocol is not None
    assert build(VideoRequest("fast", "p"), card, protocol).body["model"] == "wan2.2-i2v-flash"


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        ("wan2.6-i2v", {"media": (image("oss://dashscope-instant/abc/loc.png"),)}),
        ("wan2.7-i2v", {"media": (image("oss://dashscope-instant/abc/loc.png"),)}),
        ("wan2.6-t2v", {"sound": sound("oss://dashscope-instant/abc/a.mp3")}),
        ("wan2.6-t2v", {"options": {"input": {"deep": [{"url": "oss://x"}]}}}),
    ],
)
def test_oss_link_anywhere_asks_for_resolving(model: str, fields: dict[str, Any]) -> None:
    assert built(model, **fields).headers == {RESOLVE_HEADER: "enable"}


@pytest.mark.parametrize(
    ("model", "media", "reason"),
    [
        ("wan2.6-i2v-next", (image(), image()), FieldReason.UNSUPPORTED),
        ("wan2.6-t2v-next", (video(),), FieldReason.UNSUPPORTED),
        ("emo-v1", (image(), image(role=MediaRole.REFERENCE_IMAGE)), FieldReason.CONFLICT),
    ],
)
def test_input_without_a_place_is_refused(model: str, media: tuple[Media, ...], reason: FieldReason) -> None:
    with pytest.raises(ProviderError) as caught:
        built(model, media=media)
    assert caught.value.kind is ErrorKind.INVALID_REQUEST
    assert caught.value.fields[0].reason is reason


def test_vace_with_a_video_needs_a_function() -> None:
    with pytest.raises(ProviderError) as caught:
        built("wanx2.1-vace-plus", media=(video(),))
    problem = caught.value.fields[0]
    assert problem.param == "provider_options.input.function"
    assert "video_repainting" in problem.allowed


@pytest.mark.parametrize(
    ("model", "media", "param"),
    [
        ("wan2.7-i2v", (video(role=MediaRole.FIRST_CLIP),), "audio"),
        ("wan2.7-i2v", (), "first_frame"),
        ("wan2.7-r2v", (image(role=MediaRole.REFERENCE_IMAGE),), "audio"),
        ("wan3.0-video", (image(),), "audio"),
        ("wan2.6-r2v", (image(),), "audio"),
    ],
)
def test_audio_that_does_not_go_with_the_rest(model: str, media: tuple[Media, ...], param: str) -> None:
    with pytest.raises(ProviderError) as caught:
        built(model, media=media, sound=sound())
    assert [problem.param for problem in caught.value.fields] == [param]
