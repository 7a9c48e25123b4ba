"""Names of fields: what each means, what is refused, and that nothing is dropped."""

import time
from typing import Any

import pytest

from gateway.api.schemas.body_parser import UnreadableFile
from gateway.api.schemas.field_aliases import (
    CONTAINERS,
    COUNTS,
    INPUTS,
    MAX_INPUTS,
    MEANINGLESS,
    SCALARS,
    Field,
    field_of,
    fold,
    is_one_of,
    names_of,
)
from gateway.api.schemas.field_resolver import MAX_WARNINGS
from gateway.api.schemas.requests import parse_generation, parse_reuse
from gateway.api.schemas.unknown_fields import _deciding, nearest_fields
from gateway.core.errors import GatewayError
from providers.contract.media import MediaRole
from providers.media_files import MediaKind

URL, OTHER = "https://h/a.png", "https://h/b.png"
DATA = "data:image/png;base64,iVBORw0KGgo="


def refused(body: dict[str, Any], **options: Any) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        parse_generation({"prompt": "p"} | body, **options)
    return caught.value


# --- the table ----------------------------------------------------------------------------------------------------


def test_each_name_means_one_field() -> None:
    fields: tuple[Field, ...] = (*SCALARS, *INPUTS)
    names = [name for declared in fields for name in names_of(declared)]
    assert len({fold(name) for name in names}) == len(names) - 1  # file_paths and filePaths
    assert not [name for name in names if is_one_of(name, MEANINGLESS | COUNTS | frozenset(CONTAINERS))]


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("aspectRatio", "ratio"),
        ("Aspect-Ratio", "ratio"),
        ("imageURL", "image_url"),
        ("images[]", "images"),
        ("first_frame_URL", "first_frame"),
        ("image_file_50", "image_file_"),
        ("Image_File_2", "image_file_"),
        ("function_mode", "functionMode"),
        ("firstFrameImage", "first_frame"),
    ],
)
def test_names_match_without_case_and_separators(name: str, field: str) -> None:
    found = field_of(name)
    assert found is not None and found.name == field


@pytest.mark.parametrize("name", ["image_file_0", f"image_file_{MAX_INPUTS + 1}", "image_file_x", "images[0]", "", "_"])
def test_other_names_are_unknown(name: str) -> None:
    assert field_of(name) is None


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("durations", "duration"),
        ("reference_imgs", "reference_images"),
        ("frist_frame", "first_frame"),
        ("background_music", "audio_url"),
        ("output_size", "size"),
        ("video_quality", "resolution"),
    ],
)
def test_unknown_name_has_a_nearest_field(name: str, nearest: str) -> None:
    assert nearest in nearest_fields(name)


# --- values -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "asked"),
    [
        ({"width": 720, "height": 1280}, {"size": "720x1280"}),
        ({"width": 0, "height": 0}, {"size": None}),
        ({"width": "720", "height": 1280.0}, {"size": "720x1280"}),
        ({"size": "1080P"}, {"resolution": "1080p", "size": None}),
        ({"size": "2K"}, {"resolution": "2k"}),
        ({"size": "9:16"}, {"ratio": "9:16", "size": None}),
        ({"size": "auto", "ratio": "1:1"}, {"size": None, "ratio": "1:1"}),
        ({"quality": "1080P"}, {"resolution": "1080p"}),
        ({"quality": "hd"}, {"resolution": None}),
        ({"mode": "std"}, {"resolution": "720p"}),
        ({"mode": "4k"}, {"resolution": "4k"}),
        ({"generateAudio": "on"}, {"audio": True}),
        ({"enable_audio": 0}, {"audio": False}),
        ({"sound": "off"}, {"audio": False}),
        ({"audio": URL}, {"audio": None}),
        ({"aspect_ratio": "16/9"}, {"ratio": "16:9"}),
        ({"ratio": "9x16"}, {"ratio": "9:16"}),
        ({"ratio": "720x1280"}, {"size": "720x1280", "ratio": None}),
        ({"resolution": "1280x720"}, {"size": "1280x720", "resolution": None}),
        ({"resolution": "16:9"}, {"ratio": "16:9", "resolution": None}),
        ({"resolution": 720}, {"resolution": "720p"}),
        ({"model_name": "m"}, {"model": "m"}),
        ({"seed": -1}, {"seed": None}),
        ({"prompt_optimizer": False}, {"prompt_extend": False}),
        ({"extra_body": {"size": "1280x720"}}, {"size": "1280x720"}),
    ],
)
def test_values_mean_fields(body: dict[str, Any], asked: dict[str, Any]) -> None:
    request = parse_generation({"prompt": "p"} | body).request
    assert {name: getattr(request, name) for name in asked} == asked


@pytest.mark.parametrize(
    ("body", "wait"),
    [
        ({}, None),
        ({"async": False}, True),
        ({"async": "true"}, False),
        ({"sync": True}, True),
        ({"wait_completion": "false"}, False),
    ],
)
def test_waiting_under_its_names(body: dict[str, Any], wait: bool | None) -> None:
    assert parse_generation({"prompt": "p"} | body).wait is wait


def test_audio_that_is_an_input_is_the_sound() -> None:
    sound = parse_generation({"prompt": "p", "audio": "https://h/a.mp3"}).request.sound
    assert sound is not None and (sound.url, sound.param) == ("https://h/a.mp3", "audio")


def test_several_sounds_are_inputs_in_their_order() -> None:
    request = parse_generation(
        {"prompt": "p", "audio_file_2": "https://h/2.mp3", "audio_file_1": "https://h/1.mp3"}
    ).request
    assert request.sound is None
    assert [(item.param, item.kind) for item in request.media] == [
        ("audio_file_1", MediaKind.AUDIO),
        ("audio_file_2", MediaKind.AUDIO),
    ]


def test_numbered_inputs_come_by_their_numbers() -> None:
    body = {"image_file_10": OTHER, "image_file_2": URL, "prompt": "p"}
    assert [item.param for item in parse_generation(body).request.media] == ["image_file_2", "image_file_10"]


def test_words_of_an_input_give_its_role() -> None:
    media = [
        {"type": "first_frame", "url": URL},
        {"role": "last_frame", "image_url": {"url": OTHER}},
        {"type": "image_url", "image_url": {"url": "https://h/c.png"}},
        {"type": "reference", "url": "https://h/d.mp4"},
        {"type": "image/png", "url": "https://h/e.png"},
    ]
    request = parse_generation({"prompt": "p", "media": media}).request
    assert [item.role for item in request.media] == [
        MediaRole.FIRST_FRAME,
        MediaRole.LAST_FRAME,
        None,
        MediaRole.REFERENCE_VIDEO,
        None,
    ]


@pytest.mark.parametrize(
    "value",
    [
        {"type": "first_picture", "url": URL},
        {"url": URL, "thumbnail": OTHER},
        {"url": URL, "image_url": OTHER},
        {"nothing": URL},
        [[[[[[URL]]]]]],
        "{not json",
    ],
)
def test_input_that_holds_more_or_less_than_one_is_refused(value: object) -> None:
    assert refused({"images": [value]}).param == "images"


def test_text_of_very_many_addresses_is_refused_fast() -> None:
    began = time.perf_counter()
    assert refused({"images": "https://h/a.png," * 500_000}).param == "images"
    assert time.perf_counter() - began < 0.5


def test_binary_is_never_quoted() -> None:
    message = refused({"image": "\x89PNG\r\n\x1a\n\0IHDR"}).message("en")
    assert message.isprintable()
    assert "PNG" not in message.partition("allowed")[0]


# --- policies -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["resolution", "quality", "mode", "ratio", "size", "model", "template", "style", "fps"]
)
def test_address_in_a_field_that_takes_none_is_refused(name: str) -> None:
    for value in (DATA, URL, {"url": URL}, f'[{{"url": "{URL}"}}]'):
        error = refused({name: value})
        assert error.param == name
        assert "image_url" in error.message("en")


@pytest.mark.parametrize("name", ["attachment", "style", "callback_id", "user", "response_format", "stream"])
@pytest.mark.parametrize("value", [DATA, f'{{"url": "{URL}"}}', f'["{URL}"]', {"deep": f' [{{"x": "{URL}"}}]'}])
def test_media_in_an_unknown_field_is_refused_in_any_form(name: str, value: object) -> None:
    assert refused({name: value}).param == name
    assert refused({"metadata": {"label": value}}).param == "metadata.label"


@pytest.mark.parametrize(
    ("name", "value", "nearest"),
    [
        ("config", {"aspect_ratio": "9:16"}, "ratio"),
        ("generationConfig", {"aspectRatio": "9:16", "durationSeconds": 8}, "ratio"),
        ("options", {"output": {"size": "720x1280"}}, "size"),
        ("extra", '{"seconds": 10}', "duration"),
        ("settings", [{"width": 720}], "size"),
        ("characters", [{"id": "char_1"}], "images"),
    ],
)
def test_unknown_object_that_decides_the_video_is_refused(name: str, value: object, nearest: str) -> None:
    error = refused({name: value})
    assert error.param == name
    assert nearest in error.message("en")


@pytest.mark.parametrize(
    "name",
    [
        *("webhook_url", "webhook", "webhookUrl", "callbackUrl", "callBackUrl", "callback-url", "Callback"),
        *("notifyHook", "notify_url", "notification_url"),
    ],
)
def test_every_name_of_a_webhook_means_webhook_url(name: str) -> None:
    url = "https://example.com/Done.png?key=S"
    for body in ({name: f" {url}"}, {"input": {name: url}}, {"parameters": {name: url}}, {"extra_body": {name: url}}):
        parsed = parse_generation({"prompt": "p"} | body)
        assert (parsed.webhook_url, parsed.warnings, parsed.request.media) == (url, (), ())
        assert parsed.request.options == {}
    assert parse_reuse({"prompt": "p", name: url}).webhook_url == url


def test_urls_of_webhooks_are_compared_with_case() -> None:
    error = refused({"webhook_url": "https://h/a", "callback_url": "https://h/A"})
    assert (error.code, error.param) == ("conflict", "callback_url")
    assert parse_generation({"prompt": "p", "webhook_url": "https://h/a", "webhook": "https://h/a"}).webhook_url


def test_misspelled_webhook_is_refused_with_its_name() -> None:
    error = refused({"webhooks": "https://h/a"})
    assert (error.param, error.message("en")) == (
        "webhooks",
        "webhooks: there is no such field; did you mean: webhook_url",
    )


def test_label_of_a_webhook_is_ignored_with_a_warning() -> None:
    assert [one.field for one in parse_generation({"prompt": "p", "callback_id": "7"}).warnings] == ["callback_id"]


@pytest.mark.parametrize("name", ["n", "num_videos", "numberOfVideos", "sampleCount", "batch_size"])
def test_one_video_may_be_asked_for_and_no_more(name: str) -> None:
    assert not parse_generation({"prompt": "p", name: "1"}).warnings
    error = refused({name: 2})
    assert error.param == name
    assert "one video" in error.message("en")


def test_names_without_meaning_match_without_case_and_separators() -> None:
    body = {"prompt": "p", "responseFormat": "url", "User": "u", "extraBody": {"duration": 5}}
    parsed = parse_generation(body)
    assert (parsed.warnings, parsed.request.duration) == ((), 5)


@pytest.mark.parametrize(("value", "shown"), [({"a": 1}, "{…}"), ([[]], "[…]"), (True, "true")])
def test_values_are_shown_as_json_writes_them(value: object, shown: str) -> None:
    assert f"duration: {shown}" in refused({"duration": value}).message("en")


def test_address_in_a_prompt_is_text() -> None:
    parsed = parse_generation({"prompt": f"{URL} in the style of", "negative_prompt": URL})
    assert (parsed.request.prompt, parsed.request.negative_prompt) == (f"{URL} in the style of", URL)


def test_policy_ignore_names_what_it_ignores() -> None:
    parsed = parse_generation({"prompt": "p", "attachment": DATA, "orientation": "x"}, "ignore")
    assert [warning.field for warning in parsed.warnings] == ["attachment", "orientation"]


def test_policy_refuse_refuses_every_unknown_field_but_those_that_mean_nothing() -> None:
    assert refused({"fps": 24}, unknown="refuse").param == "fps"
    assert not parse_generation({"prompt": "p", "n": 1, "user": "u", "metadata": {"a": "b"}}, "refuse").warnings


def test_every_bad_field_is_named_at_once() -> None:
    error = refused({"attachment": DATA, "durations": 5, "seed": -2, "image": 5})
    assert {problem.param for problem in error.problems} == {"attachment", "durations", "seed", "image"}


def test_warnings_are_bounded() -> None:
    parsed = parse_generation({"prompt": "p"} | {f"x{number}y": 1 for number in range(100)})
    assert len(parsed.warnings) == MAX_WARNINGS


def test_file_of_nobody_in_an_unknown_field_is_refused() -> None:
    assert refused({"attachment": UnreadableFile(b"x")}).param == "attachment"


@pytest.mark.parametrize(
    ("body", "param"),
    [({"size": "1280x720"}, "size"), ({"image": URL}, "image"), ({"attachment": DATA}, "attachment")],
)
def test_what_a_derived_video_does_not_take_is_refused(body: dict[str, Any], param: str) -> None:
    with pytest.raises(GatewayError) as caught:
        parse_reuse({"prompt": "p", "video": "video_1"} | body)
    assert caught.value.param == param


@pytest.mark.parametrize("name", ["video", "video_url", "videoUrl", "input_video"])
def test_earlier_video_under_its_names(name: str) -> None:
    assert parse_reuse({"prompt": "p", name: "video_1"}).video_id == "video_1"
    clip = parse_reuse({"prompt": "p", name: "https://h/a.mp4"}).clip
    assert clip is not None and clip.url == "https://h/a.mp4"


# --- hostile bodies ----------------------------------------------------------------------------------------------


def nested(name: str, value: Any, depth: int = 900) -> Any:
    for _ in range(depth):
        value = {name: value}
    return value


def test_objects_within_objects_are_read_to_a_depth() -> None:
    assert parse_generation({"prompt": "p", "input": {"parameters": {"duration": 5}}}).request.duration == 5
    assert "parameters" in (refused({"input": nested("parameters", {"duration": 5})}).param or "")


def test_deep_labels_are_looked_through() -> None:
    assert not parse_generation({"prompt": "p", "metadata": {"a": nested("b", 1)}}).warnings
    assert refused({"metadata": {"a": nested("b", URL)}}).param == "metadata.a"


def test_long_runs_of_blanks_between_addresses_take_no_time() -> None:
    began = time.process_time()
    parsed = parse_generation({"prompt": "p", "images": URL + " " * 100_000 + "x"})
    assert len(parsed.request.media) == 1
    assert time.process_time() - began < 0.3


def test_addresses_in_one_text_may_have_blanks_between_them() -> None:
    media = parse_generation({"prompt": "p", "images": f"{URL} , {OTHER}\n\n{DATA}"}).request.media
    assert [item.url for item in media] == [URL, OTHER, DATA]


def test_thousands_of_unknown_fields_are_refused() -> None:
    assert parse_generation({"prompt": "p"} | {f"zq{number}": 1 for number in range(900)}).warnings
    assert "1000" in refused({f"zq{number}": 1 for number in range(40_000)}).message("en")


def test_words_of_a_huge_name_are_not_kept() -> None:
    before = _deciding.cache_info().currsize
    for _ in range(3):
        parse_generation({"prompt": "p", "A" * 100_000 + "b" * 100_000: 1})
    assert _deciding.cache_info().currsize <= before + 1


@pytest.mark.parametrize(
    "body",
    [
        {"metadata": DATA},
        {"metadata": [{"img_url": "https://h/no-ending"}]},
        {"metadata": UnreadableFile()},
        {"user": {"image": DATA}},
        {"user": URL},
        {"response_format": [URL]},
    ],
)
def test_inputs_in_fields_that_mean_nothing_are_refused(body: dict[str, Any]) -> None:
    assert refused(body).param == next(iter(body))


def test_user_may_be_an_address_of_no_picture() -> None:
    assert not parse_generation({"prompt": "p", "user": "https://id.example.com/u/1"}).request.media


@pytest.mark.parametrize(
    "body",
    [
        {"width": 720, "Width": 1280, "height": 1280},
        {"width": 720, "height": 1280, "parameters": {"height": 720}},
    ],
)
def test_two_widths_or_heights_are_a_conflict(body: dict[str, Any]) -> None:
    assert refused(body).code == "conflict"


def test_the_same_width_twice_is_none() -> None:
    body = {"prompt": "p", "width": 720, "Width": "720", "height": 1280}
    assert parse_generation(body).request.size == "720x1280"


def test_numbers_at_the_end_of_folded_names_give_the_order() -> None:
    body = {"prompt": "p", "imageFile2": OTHER, "image_file_3": DATA, "imageFile1": URL}
    assert [item.url for item in parse_generation(body).request.media] == [URL, OTHER, DATA]


def test_options_that_differ_in_case_are_a_conflict() -> None:
    body = {"provider_options": {"a": "X"}, "parameters": {"provider_options": {"a": "x"}}}
    assert refused(body).code == "conflict"


def test_names_in_metadata_are_folded() -> None:
    assert parse_generation({"prompt": "p", "metadata": {"aspectRatio": "9:16"}}).request.ratio == "9:16"


@pytest.mark.parametrize("names", [("image_url", "img_url"), ("image", "imageUrl"), ("image_url", "input.img_url")])
def test_two_pictures_under_names_of_one_single_field_are_a_conflict(names: tuple[str, str]) -> None:
    body: dict[str, Any] = {}
    for name, address in zip(names, (URL, OTHER), strict=True):
        holder, _, own = name.rpartition(".")
        (body.setdefault(holder, {}) if holder else body)[own] = address
    assert refused(body).code == "conflict"


@pytest.mark.parametrize(
    "value", ['["https://h/a.png"]', '{"url": "https://h/a.png"}', '[{"url": " data:image/png;base64,AA"}]']
)
def test_json_texts_in_metadata_are_inputs_as_well(value: str) -> None:
    assert len(parse_generation({"prompt": "p", "metadata": {"images": value}}).request.media) == 1
    assert refused({"zq": [value]}).param == "zq"


# --- empty values -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [[], {}])
@pytest.mark.parametrize("name", ["model", "prompt", "duration", "seed", "size", "webhook_url", "negative_prompt"])
def test_empty_list_or_object_is_no_value_of_a_text_or_a_number(name: str, value: Any) -> None:
    assert refused({name: value}).param == name


@pytest.mark.parametrize("name", ["images", "image_url", "provider_options", "metadata", "something_else"])
def test_empty_list_or_object_stands_for_nothing_where_one_is_possible(name: str) -> None:
    parsed = parse_generation({"prompt": "p", name: {} if name in ("provider_options", "metadata") else []})
    assert (parsed.request.media, parsed.request.options) == ((), {})


@pytest.mark.parametrize("id", [{}, [], 5, True])
def test_id_of_an_earlier_video_is_text(id: Any) -> None:
    with pytest.raises(GatewayError) as caught:
        parse_reuse({"prompt": "p", "video": {"id": id, "url": URL}})
    assert caught.value.param == "video.id"
