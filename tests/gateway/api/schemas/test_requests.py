"""The body of a submit: every shape in which clients send a field."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.api.schemas.body_parser import UnreadableFile
from gateway.api.schemas.requests import parse_generation, parse_reuse
from gateway.core.errors import GatewayError
from gateway.core.localization import Language
from gateway.prompts.draft import PromptDraft
from providers.contract.localized_text import LocalizedText
from providers.contract.media import MediaRole
from providers.contract.requests import VideoRequest
from providers.media_files import NAMES, MediaKind
from tests.pictures import clip, media_file, picture, sound

LANGUAGES: tuple[Language, ...] = ("zh", "en")
URL = "https://h/a.png"
OTHER = "https://h/b.png"


def request(**body: Any) -> VideoRequest:
    return parse_generation(body).request


def error_of(**body: Any) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        request(**body)
    return caught.value


def test_empty_body_sets_no_fields() -> None:
    assert request() == VideoRequest(model="", prompt="")


@pytest.mark.parametrize(
    ("body", "field", "value"),
    [
        ({"duration": 5}, "duration", 5),
        ({"duration": "5"}, "duration", 5),
        ({"duration": 5.0}, "duration", 5),
        ({"seconds": "8"}, "duration", 8),
        ({"seconds": 5, "duration": 5}, "duration", 5),
        ({"duration": -1}, "duration", -1),
        ({"duration": 0}, "duration", 0),
        ({"duration": ""}, "duration", None),
        ({"duration": None}, "duration", None),
        ({"ratio": "16:9"}, "ratio", "16:9"),
        ({"aspect_ratio": "9:16"}, "ratio", "9:16"),
        ({"resolution": "720P"}, "resolution", "720p"),
        ({"resolution": "1080"}, "resolution", "1080p"),
        ({"resolution": ""}, "resolution", None),
        ({"size": "1280*720"}, "size", "1280*720"),
        ({"watermark": "false"}, "watermark", False),
        ({"watermark": True}, "watermark", True),
        ({"watermark": ""}, "watermark", None),
        ({"audio": "1"}, "audio", True),
        ({"seed": "0"}, "seed", 0),
        ({"seed": 4294967295}, "seed", 4294967295),
        ({"shot_type": "multi"}, "shot_type", "multi"),
        ({"shot_type": "Single"}, "shot_type", "single"),
        ({"shot_type": "close_up"}, "shot_type", None),
        ({"functionMode": "omni_reference"}, "reference_mode", True),
        ({"function_mode": "first_last_frames"}, "reference_mode", False),
        ({"provider_options": {"a": {"b": 1}}}, "options", {"a": {"b": 1}}),
        ({"provider_options": '{"a": 1}'}, "options", {"a": 1}),
        ({"prompt": None}, "prompt", ""),
        ({"model": " wan2.6-t2v "}, "model", "wan2.6-t2v"),
        ({"model": ""}, "model", ""),
        ({"n": 1, "user": "x", "unknown": [1]}, "prompt", ""),
        ({"prompt": "x", "shot_type": "close_up", "camera_movement": "static"}, "prompt", "镜头静止，特写镜头，x"),
    ],
)
def test_fields_are_accepted_in_every_form(body: dict[str, Any], field: str, value: object) -> None:
    assert getattr(request(**body), field) == value


@pytest.mark.parametrize("name", ["image_url", "image", "input_reference", *(f"image_file_{n}" for n in range(1, 10))])
@pytest.mark.parametrize(
    "shape", [URL, {"url": URL}, {"image_url": URL}, {"image_url": {"url": URL}}, f" {URL} "], ids=repr
)
def test_image_is_accepted_in_every_form(name: str, shape: object) -> None:
    (item,) = request(**{name: shape}).media
    assert (item.kind, item.url, item.param, item.role) == (MediaKind.IMAGE, URL, name, None)


@pytest.mark.parametrize("name", ["file_paths", "filePaths", "images"])
@pytest.mark.parametrize("shape", [[URL, OTHER], [{"url": URL}, OTHER], [URL, "", None, OTHER]], ids=repr)
def test_several_images_are_accepted(name: str, shape: object) -> None:
    assert [(item.url, item.param) for item in request(**{name: shape}).media] == [(URL, name), (OTHER, name)]


def test_single_image_is_accepted_in_place_of_a_list() -> None:
    assert [item.url for item in request(images=URL).media] == [URL]


def test_frames_have_their_roles() -> None:
    media = request(first_frame=URL, last_frame=OTHER).media
    assert [item.role for item in media] == [MediaRole.FIRST_FRAME, MediaRole.LAST_FRAME]


def test_same_image_under_several_names_is_one() -> None:
    assert len(request(image=URL, image_url=URL, images=[URL, OTHER]).media) == 2


def test_videos_are_accepted() -> None:
    (item,) = request(video_file_2="https://h/v.mp4").media
    assert (item.kind, item.param) == (MediaKind.VIDEO, "video_file_2")


@pytest.mark.parametrize("url", ["data:image/png;base64,iVBORw0KGgo=", "http://h/a.png", "oss://bucket/a.png"])
def test_supported_urls_are_accepted(url: str) -> None:
    assert request(image_url=url).media[0].url == url


@pytest.mark.parametrize(
    ("body", "param", "named"),
    [
        ({"prompt": 5}, "prompt", "5"),
        ({"prompt": ["x"]}, "prompt", "[…]"),
        ({"duration": "long"}, "duration", "long"),
        ({"duration": 5.5}, "duration", "5.5"),
        ({"duration": [5]}, "duration", "[…]"),
        ({"watermark": "maybe"}, "watermark", "true, false"),
        ({"seed": -2}, "seed", "0–4294967295"),
        ({"seed": 2**32}, "seed", "0–4294967295"),
        ({"image_url": "file:///etc/passwd"}, "image_url", "https://"),
        ({"image_url": "a.png"}, "image_url", "https://"),
        ({"image_url": 5}, "image_url", "5"),
        ({"image_url": {"file_id": "f"}}, "image_url", "file_id"),
        ({"images": [URL, "x"]}, "images", "https://"),
        ({"images": 5}, "images", "5"),
        ({"audio_url": "x"}, "audio_url", "https://"),
        ({"functionMode": "odd"}, "functionMode", "omni_reference"),
        ({"provider_options": "not json"}, "provider_options", "not json"),
        ({"provider_options": [1]}, "provider_options", "[…]"),
        ({"model": "m" * 51}, "model", "50"),
        ({"model": "猫" * 17}, "model", "50"),
        ({"model": 5}, "model", "5"),
    ],
)
def test_invalid_values_are_named_with_the_allowed_ones(body: dict[str, Any], param: str, named: str) -> None:
    error = error_of(**body)
    assert (error.code, error.param) == ("invalid_value", param)
    assert named in error.message("en")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"duration": 5, "seconds": 8}, "seconds"),
        ({"ratio": "16:9", "aspect_ratio": "1:1"}, "aspect_ratio"),
        ({"size": "1280x720", "width": 720, "height": 1280}, "width"),
        ({"resolution": "720p", "quality": "1080P"}, "quality"),
        ({"resolution": "1080p", "size": "720P"}, "size"),
        ({"audio": True, "generate_audio": False}, "generate_audio"),
        ({"duration": 5, "parameters": {"duration": 10}}, "parameters.duration"),
        ({"size": "1280x720", "metadata": {"size": "720x1280"}}, "metadata.size"),
        ({"first_frame": URL, "first_frame_url": OTHER}, "first_frame_url"),
        ({"image_tail": URL, "last_frame": OTHER}, "last_frame"),
    ],
)
def test_contradictory_names_of_a_field_are_refused(body: dict[str, Any], param: str) -> None:
    error = error_of(**body)
    assert (error.code, error.param) == ("conflict", param)


def test_draft_has_the_words_of_the_client_and_of_the_shot() -> None:
    shot = {
        "camera_movement": "push_forward",
        "shot_type": "Dutch angle",
        "lighting": "soft",
        "motion_prompt": " runs ",
    }
    parsed = parse_generation({"prompt": "a cat", "enhance_prompt": "true", **shot})
    assert parsed.enhance
    assert parsed.request.prompt == "镜头向前推进，Dutch angle，柔和光线，runs，a cat"
    assert parsed.draft == PromptDraft(
        "a cat",
        {
            "camera_movement": LocalizedText("镜头向前推进", "push forward"),
            "shot_type": LocalizedText("Dutch angle", "Dutch angle"),
            "lighting": LocalizedText("柔和光线", "soft"),
            "motion_prompt": LocalizedText("runs", "runs"),
        },
    )


def test_number_of_shots_is_no_word_of_the_draft() -> None:
    parsed = parse_generation({"prompt": "a cat", "shot_type": "multi"})
    assert (parsed.enhance, parsed.draft) == (False, PromptDraft("a cat"))


@pytest.mark.parametrize("value", ["later", 7, {}])
def test_switch_of_the_rewriting_is_checked(value: Any) -> None:
    error = error_of(enhance_prompt=value)
    assert (error.code, error.param) == ("invalid_value", "enhance_prompt")


def test_derived_request_takes_the_switch_and_no_shot() -> None:
    assert parse_reuse({"prompt": "x", "video": {"id": "v"}, "enhancePrompt": True}).enhance
    with pytest.raises(GatewayError) as caught:
        parse_reuse({"prompt": "x", "video": {"id": "v"}, "lighting": "soft"})
    assert "enhance_prompt" in caught.value.message("en")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
fields = st.sampled_from(
    [
        *("model", "prompt", "duration", "seconds", "ratio", "resolution", "size", "image_url", "images", "filePaths"),
        *("functionMode", "seed", "watermark", "provider_options", "shot_type", "wait_completion", "input_reference"),
    ]
)


@given(st.dictionaries(fields, json_values, max_size=6))
def test_any_object_is_a_request_or_an_error(body: dict[str, Any]) -> None:
    try:
        made: object = request(**body)
    except GatewayError as error:
        made = error.message("en")
    assert made


@pytest.mark.parametrize(
    ("field", "readable"),
    [
        ("image", {"JPEG"}),
        ("video_file_1", {"MP4"}),
        ("audio_url", {"MP3"}),
        ("images", {"JPEG", "MP4", "MP3"}),
        ("input_reference", {"JPEG", "MP4", "MP3"}),
    ],
)
def test_unsupported_file_type_names_the_supported_ones(field: str, readable: set[str]) -> None:
    with pytest.raises(GatewayError) as caught:
        parse_generation({"prompt": "p", field: UnreadableFile(b"a text")})
    assert caught.value.problems[0].param == field
    for language in LANGUAGES:
        message = caught.value.message(language)
        assert {name for name in ("JPEG", "MP4", "MP3") if name in message} == readable


@pytest.mark.parametrize("value", [UnreadableFile(b"a text"), media_file(picture()), [media_file(picture())] * 2])
@pytest.mark.parametrize("name", ["attachment", "image_file_0", "image_file_51", "x" * 100])
def test_file_in_an_unknown_field_is_refused(name: str, value: object) -> None:
    with pytest.raises(GatewayError) as caught:
        parse_generation({"prompt": "p", name: value})
    assert (caught.value.code, caught.value.param) == ("invalid_value", name[:64])
    for language in LANGUAGES:
        for field in (
            "image_url",
            "input_reference",
            "images",
            "image_file_N",
            "video_file_N",
            "audio_url",
            "first_frame",
        ):
            assert field in caught.value.message(language)
    with pytest.raises(GatewayError):
        parse_reuse({"prompt": "p", "video": "video_1", name: value})


@pytest.mark.parametrize(
    ("fields", "given"),
    [
        ({"image": "https://h/a", "image_url": "https://h/a", "images": ["https://h/a"]}, ["image"]),
        ({"images": ["https://h/a", "https://h/a", "https://h/b"]}, ["images"] * 3),
        ({"file_paths": ["https://h/a", "https://h/a"], "filePaths": ["https://h/a"]}, ["file_paths"] * 2),
        (
            {"first_frame": "https://h/a", "image": "https://h/a", "last_frame": "https://h/a"},
            ["first_frame", "last_frame"],
        ),
        ({"image_url": "https://h/a", "last_image_url": "https://h/a"}, ["last_image_url", "image_url"]),
        ({"images": ["https://h/a", "https://h/b"], "last_frame": "https://h/b"}, ["last_frame", "images"]),
    ],
)
def test_same_picture_under_several_names_is_one_and_twice_in_a_list_two(
    fields: dict[str, Any], given: list[str]
) -> None:
    request = parse_generation({"prompt": "p"} | fields).request
    assert [item.param for item in request.media] == given


def test_same_file_under_two_names_is_one() -> None:
    file, same = media_file(picture()), media_file(picture())
    request = parse_generation({"image": file, "input_reference": [same]}).request
    assert [(item.kind, item.file, item.url) for item in request.media] == [(MediaKind.IMAGE, file, "")]


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ("https://h/a.mp4?x=1", MediaKind.VIDEO),
        ("https://h/a.MOV", MediaKind.VIDEO),
        ("https://h/a.wav", MediaKind.AUDIO),
        ("https://h/mp4", MediaKind.IMAGE),
        ("https://h/a.png#.mp4", MediaKind.IMAGE),
        ("https://[::1", MediaKind.IMAGE),
        ("data:video/mp4;base64,AAAA", MediaKind.VIDEO),
        ("data:,", MediaKind.IMAGE),
    ],
)
def test_kind_of_an_input_in_a_mixed_list_is_detected(given: str, kind: MediaKind) -> None:
    (item,) = parse_generation({"images": [given]}).request.media
    assert item.kind is kind


def test_too_many_inputs_name_the_limit() -> None:
    with pytest.raises(GatewayError) as caught:
        parse_generation({"images": ["https://h/a"] * 51})
    assert "≤ 50" in caught.value.message("en")


@pytest.mark.parametrize("content", [clip(), sound()])
def test_file_of_another_kind_is_named(content: bytes) -> None:
    with pytest.raises(GatewayError) as caught:
        parse_generation({"image": media_file(content)})
    assert NAMES[media_file(content).media_type] in caught.value.message("en")
    assert "PNG" in caught.value.message("en")


@pytest.mark.parametrize(
    ("head", "types"),
    [
        (b"", "empty"),
        (b"GIF89a", "GIF"),
        (b"\0\0\0\x18ftypheic", "HEIC"),
        (b"\0\0\0\x18ftypavif", "AVIF"),
        (b"II*\0", "TIFF"),
        (b"\x1a\x45\xdf\xa3", "WebM"),
        (b"%PDF-1.7", "PDF"),
        (b"anything", "PNG"),
    ],
)
def test_file_types_that_are_not_supported_are_named(head: bytes, types: str) -> None:
    with pytest.raises(GatewayError) as caught:
        parse_generation({"image": UnreadableFile(head)})
    assert types in caught.value.message("en")
    assert caught.value.message("zh") != caught.value.message("en")


def test_two_files_in_a_single_field_name_the_list_field() -> None:
    with pytest.raises(GatewayError) as caught:
        parse_generation({"image": [media_file(picture()), media_file(picture(colour="red"))]})
    assert "images[]" in caught.value.message("en")
    request = parse_generation({"image": [media_file(picture())]}).request
    assert len(request.media) == 1


@pytest.mark.parametrize("name", ["seed", "duration", "seconds"])
@pytest.mark.parametrize("value", [True, False])
def test_true_and_false_are_no_numbers(name: str, value: bool) -> None:
    with pytest.raises(GatewayError) as caught:
        parse_generation({"prompt": "p", name: value})
    assert caught.value.param == name


@pytest.mark.parametrize(
    "body",
    [
        {"video": "video_a", "video_url": "video_b"},
        {"video": {"id": "video_a", "url": "https://h/v.mp4"}},
        {"video": "video_a", "input": {"video": {"id": "video_b"}}},
    ],
)
def test_two_earlier_videos_are_refused(body: dict[str, Any]) -> None:
    with pytest.raises(GatewayError) as caught:
        parse_reuse({"prompt": "p"} | body)
    assert caught.value.param == "video"


@pytest.mark.parametrize("address", ["https://example.com/a.mp3", None])
@pytest.mark.parametrize("word", [{}, 5, ["audio"], False])
def test_role_of_an_input_that_is_no_text_is_a_problem(address: str | None, word: object) -> None:
    with pytest.raises(GatewayError) as found:
        parse_generation({"prompt": "x", "audio_url": {"type": word, "url": address}})
    assert found.value.param == "audio_url"
