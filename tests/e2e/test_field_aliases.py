"""Every name under which clients send a field, in every form and on both surfaces: what the upstream gets.

A row is a name with a value, the form it comes in, the surface and the upstream. The sandbox logs the bodies of the
submits that it accepted, and they are compared with what the name means.
"""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from gateway.api.schemas.field_aliases import INPUTS, InputField, names_of
from gateway.app import create_app
from gateway.cli.server.background import BackgroundServer
from gateway.core.settings import TimeoutSettings
from providers.contract.media import MediaRole
from providers.media_files import MediaKind
from providers.sandbox.server import SandboxServer
from tests.e2e.conftest import FastClock, bearer, settings_for
from tests.pictures import clip, picture, sound

SURFACES = ("/v1/videos/generations", "/v1/videos")
FORMS = ("json", "multipart", "input", "metadata")
"""Flat in JSON, flat in a form, and nested in `input` and `metadata`."""

WAN, SEEDANCE = "wan3.0-video", "jimeng-video-seedance-2.0"
CONTENT = {MediaKind.IMAGE: picture(), MediaKind.VIDEO: clip(), MediaKind.AUDIO: sound(3)}
TYPES = {MediaKind.IMAGE: "image/png", MediaKind.VIDEO: "video/mp4", MediaKind.AUDIO: "audio/mpeg"}
ENDINGS = {MediaKind.IMAGE: "png", MediaKind.VIDEO: "mp4", MediaKind.AUDIO: "mp3"}


@pytest.fixture(scope="module")
def gateway(upstream: SandboxServer) -> Iterator[httpx.Client]:
    settings = settings_for(upstream, timeouts=TimeoutSettings())
    with (
        BackgroundServer(create_app(settings, clock=FastClock())) as server,
        httpx.Client(base_url=server.url, timeout=20) as client,
    ):
        yield client


def send(client: httpx.Client, surface: str, form: str, model: str, fields: dict[str, Any], key: str) -> httpx.Response:
    if form == "multipart":
        texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in fields.items()}
        parts = {name: (None, text) for name, text in ({"model": model, "prompt": "a cat"} | texts).items()}
        return client.post(surface, files=parts, headers=bearer(key))
    body = {"model": model, "prompt": "a cat"} | (fields if form == "json" else {form: fields})
    return client.post(surface, json=body, headers=bearer(key))


def submitted(upstream: SandboxServer, provider: str, key: str, answer: httpx.Response) -> Any:
    assert answer.status_code == 200, answer.text
    [body] = upstream.sandbox.bodies(provider, key)
    return body


# --- inputs -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    name: str
    field: InputField
    form: str
    surface: str

    def __str__(self) -> str:
        return f"{self.name} | {self.form} | {self.surface}"


def _rows() -> Iterator[Row]:
    """Every name once in each form, the surfaces in turn, so that each form of each field meets both."""
    number = 0
    for declared in INPUTS:
        for name in names_of(declared):
            for form in FORMS:
                number += 1
                yield Row(name, declared, form, SURFACES[number % 2])


ROWS = [pytest.param(row, id=str(row)) for row in _rows()]


def test_there_are_rows_enough() -> None:
    assert len(ROWS) >= 150


JIMENG_ROWS = [
    pytest.param(row, id=str(row))
    for row in _rows()
    if row.form == "json" and row.field.role is not MediaRole.FIRST_CLIP
]
"""The site knows no clip to extend."""


def address_of(row: Row) -> str:
    kind = row.field.kind or MediaKind.IMAGE
    return f"https://media.example/{row.name}.{ENDINGS[kind]}"


ON_DASHSCOPE = {
    MediaRole.FIRST_FRAME: ("wan3.0-video", "first_frame"),
    MediaRole.LAST_FRAME: ("wan3.0-video", "last_frame"),
    MediaRole.REFERENCE_IMAGE: ("wan3.0-video", "reference_image"),
    MediaRole.REFERENCE_VIDEO: ("wan3.0-video", "reference_video"),
    MediaRole.FIRST_CLIP: ("wan2.7-i2v", "first_clip"),
}
BY_KIND = {
    MediaKind.IMAGE: ("wan3.0-video", "first_frame"),
    MediaKind.VIDEO: ("wan3.0-video", "reference_video"),
    MediaKind.AUDIO: ("wan3.0-video", "reference_audio"),
}


@pytest.mark.parametrize("row", ROWS)
def test_input_under_any_name_reaches_dashscope(
    gateway: httpx.Client, upstream: SandboxServer, key: str, row: Row
) -> None:
    declared, address = row.field, address_of(row)
    model, expected = ON_DASHSCOPE[declared.role] if declared.role else BY_KIND[declared.kind or MediaKind.IMAGE]
    if declared.reference:
        expected = "reference_image"
    answer = send(gateway, row.surface, row.form, model, {row.name: [address] if declared.many else address}, key)
    media = submitted(upstream, "dashscope", key, answer)["input"]["media"]
    assert media == [{"type": expected, "url": address}]


@pytest.mark.parametrize("row", JIMENG_ROWS)
def test_input_under_any_name_reaches_jimeng(
    gateway: httpx.Client, upstream: SandboxServer, session: str, row: Row
) -> None:
    declared = row.field
    kind = declared.kind or MediaKind.IMAGE
    data = f"data:{TYPES[kind]};base64,{base64.b64encode(CONTENT[kind]).decode()}"
    fields: dict[str, Any] = {row.name: [data] if declared.many else data}
    if declared.role is MediaRole.LAST_FRAME:
        fields["first_frame"] = data
    if declared.role is None and kind is not MediaKind.IMAGE:
        fields["functionMode"] = "omni_reference"
    if kind is MediaKind.AUDIO:
        fields["images"] = [f"data:image/png;base64,{base64.b64encode(CONTENT[MediaKind.IMAGE]).decode()}"]
    answer = send(gateway, row.surface, "json", SEEDANCE, fields, session)
    draft = json.dumps(submitted(upstream, "jimeng", session, answer)["draft_content"])
    wanted = {
        MediaRole.FIRST_FRAME: '"first_frame_image": {',
        MediaRole.LAST_FRAME: '"end_frame_image": {',
        MediaRole.REFERENCE_IMAGE: '"material_type": "image"',
        MediaRole.REFERENCE_VIDEO: '"material_type": "video"',
    }
    by_kind = {
        MediaKind.IMAGE: '"material_type": "image"' if declared.reference else '"first_frame_image": {',
        MediaKind.VIDEO: '"material_type": "video"',
        MediaKind.AUDIO: '"material_type": "audio"',
    }
    assert (wanted[declared.role] if declared.role else by_kind[kind]) in draft


A, B = "https://media.example/a.png", "https://media.example/b.png"
CLIP = "https://media.example/m.mp4"
DATA = f"data:image/png;base64,{base64.b64encode(picture()).decode()}"
FRAMES = [("first_frame", A), ("last_frame", B)]
REFERENCES = [("reference_image", A), ("reference_image", B)]

COMBINATIONS: list[tuple[str, dict[str, Any], list[tuple[str, str]]]] = [
    ("wan2.7-i2v", {"image_url": A, "last_image_url": B}, FRAMES),
    ("wan2.7-i2v", {"img_url": A, "end_image_url": B}, FRAMES),
    ("wan3.0-video", {"image_urls": [A, B]}, FRAMES),
    ("wan3.0-video", {"image_urls": f"{A},{B}"}, FRAMES),
    ("wan3.0-video", {"images": json.dumps([A, {"url": B}])}, FRAMES),
    ("wan3.0-video", {"reference_images": [{"url": A}, {"url": B}]}, REFERENCES),
    ("wan3.0-video", {"reference_images": [A, B], "functionMode": "omni_reference"}, REFERENCES),
    ("wan3.0-video", {"img_url": A}, FRAMES[:1]),
    ("wan3.0-video", {"first_frame_url": A, "last_frame_url": B}, FRAMES),
    ("wan3.0-video", {"media": [{"type": "first_frame", "url": A}, {"type": "last_frame", "url": B}]}, FRAMES),
    ("wan3.0-video", {"media": [{"type": "reference_image", "url": A}, {"type": "refer", "url": B}]}, REFERENCES),
    (
        "wan3.0-video",
        {
            "frame_images": [
                {"frame_type": "first_frame", "image_url": {"url": A}},
                {"frame_type": "last_frame", "url": B},
            ]
        },
        FRAMES,
    ),
    ("wan3.0-video", {"metadata": {"media": [{"type": "first_frame", "url": A}]}}, FRAMES[:1]),
    ("wan3.0-video", {"metadata": {"input": {"img_url": A}}}, FRAMES[:1]),
    ("wan3.0-video", {"input": {"img_url": A}, "parameters": {"duration": 5}}, FRAMES[:1]),
    ("wan3.0-video", {"imageUrls": [A, B]}, FRAMES),
    ("wan3.0-video", {"image": {"type": "image_url", "image_url": {"url": A}}}, FRAMES[:1]),
    (
        "wan3.0-video",
        {"image_list": [{"image_url": A, "type": "first_frame"}, {"image_url": B, "type": "end_frame"}]},
        FRAMES,
    ),
    ("kling/kling-v3-video-generation", {"image": A, "image_tail": B}, FRAMES),
    ("wan3.0-video", {"reference_urls": [A, CLIP]}, [("reference_image", A), ("reference_video", CLIP)]),
]


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize(("model", "fields", "media"), COMBINATIONS)
def test_inputs_of_other_gateways_reach_the_upstream_in_their_roles(
    gateway: httpx.Client,
    upstream: SandboxServer,
    key: str,
    surface: str,
    model: str,
    fields: dict[str, Any],
    media: list[tuple[str, str]],
) -> None:
    body = submitted(upstream, "dashscope", key, send(gateway, surface, "json", model, fields, key))
    assert [(item["type"], item["url"]) for item in body["input"]["media"]] == media


def test_references_of_the_older_protocol(gateway: httpx.Client, upstream: SandboxServer, key: str) -> None:
    fields = {"image_url": A, "reference_video_urls": [CLIP]}
    body = submitted(upstream, "dashscope", key, send(gateway, SURFACES[0], "json", "wan2.6-r2v", fields, key))
    assert body["input"]["reference_urls"] == [A, CLIP]


def test_data_url_under_another_name_is_in_the_request(
    gateway: httpx.Client, upstream: SandboxServer, key: str, session: str
) -> None:
    fields = {"first_frame_url": DATA}
    body = submitted(upstream, "dashscope", key, send(gateway, SURFACES[0], "json", WAN, fields, key))
    [item] = body["input"]["media"]
    assert (item["type"], item["url"][:22]) == ("first_frame", "data:image/png;base64,")
    answer = send(gateway, SURFACES[0], "json", "jimeng-video-3.0-fast", {"first_frame_image": DATA}, session)
    assert '"first_frame_image": {' in json.dumps(submitted(upstream, "jimeng", session, answer))


# --- other fields -------------------------------------------------------------------------------------------------

SCALARS: list[tuple[str, dict[str, Any], str, Any]] = [
    ("wan2.6-t2v", {"width": 720, "height": 1280}, "size", "720*1280"),
    ("wan2.6-t2v", {"width": "720", "height": "1280"}, "size", "720*1280"),
    ("wan2.6-t2v", {"size": "720P"}, "size", "1280*720"),
    ("wan2.6-t2v", {"size": "720P", "aspectRatio": "9:16"}, "size", "720*1280"),
    ("wan2.6-t2v", {"size": "9:16"}, "size", "1080*1920"),
    ("wan2.6-t2v", {"size": "auto"}, "size", "1920*1080"),
    ("wan2.6-t2v", {"quality": "720p"}, "size", "1280*720"),
    ("wan2.6-t2v", {"video_aspect_ratio": "9:16"}, "size", "1080*1920"),
    ("wan2.6-t2v", {"metadata": {"parameters": {"size": "720*1280", "prompt_extend": False}}}, "size", "720*1280"),
    ("wan2.6-t2v", {"metadata": {"parameters": {"prompt_extend": False}}}, "prompt_extend", False),
    ("wan2.6-t2v", {"metadata": {"aspect_ratio": "9:16"}}, "size", "1080*1920"),
    ("wan2.6-t2v", {"parameters": {"resolution": "720P", "duration": 10}}, "duration", 10),
    ("wan2.6-t2v", {"parameters": '{"duration": 10}'}, "duration", 10),
    ("wan2.6-t2v", {"negativePrompt": "x"}, "negative_prompt", "x"),
    ("wan2.6-t2v", {"audio": True}, "audio", None),
    ("wan2.6-i2v-flash", {"img_url": A, "generate_audio": False}, "audio", False),
    ("wan2.6-i2v-flash", {"img_url": A, "generateAudio": "off"}, "audio", False),
    ("wan2.6-i2v-flash", {"img_url": A, "with_audio": 1}, "audio", True),
    ("wan2.6-t2v", {"metadata": {"width": 720, "height": 1280}}, "size", "720*1280"),
    ("wan2.6-t2v", {"metadata": {"aspectRatio": "9:16", "quality": "720p"}}, "size", "720*1280"),
    ("wan2.6-t2v", {"metadata": {"seconds": "10"}}, "duration", 10),
    ("wan2.6-t2v", {"input": {"extend_prompt": True, "function": "video-synthesis"}}, "function", "video-synthesis"),
    ("wan2.6-t2v", {"parameters": {"new_switch": True, "style": "oil"}}, "new_switch", True),
    ("wan2.6-t2v", {"parameters": {"style": "oil"}, "provider_options": {"style": "ink"}}, "style", "ink"),
    ("happyhorse-1.0-video-edit", {"video": CLIP, "parameters": {"audio_setting": "auto"}}, "audio_setting", "auto"),
    ("kling/kling-v3-video-generation", {"mode": "std"}, "mode", "std"),
    ("kling/kling-v3-video-generation", {"mode": "pro", "aspect_ratio": "9:16"}, "aspect_ratio", "9:16"),
    ("kling/kling-v3-video-generation", {"metadata": {"mode": "std"}}, "mode", "std"),
]


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize(("model", "fields", "name", "value"), SCALARS)
def test_what_is_asked_under_another_name_is_in_the_request(
    gateway: httpx.Client,
    upstream: SandboxServer,
    key: str,
    surface: str,
    model: str,
    fields: dict[str, Any],
    name: str,
    value: Any,
) -> None:
    body = submitted(upstream, "dashscope", key, send(gateway, surface, "json", model, fields, key))
    assert body["parameters"].get(name, body["input"].get(name)) == value


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize(
    "fields",
    [{"width": 720, "height": 1280}, {"aspectRatio": "9:16"}, {"video_aspect_ratio": "9/16"}, {"size": "9:16"}],
)
def test_shape_under_another_name_reaches_jimeng(
    gateway: httpx.Client, upstream: SandboxServer, session: str, surface: str, fields: dict[str, Any]
) -> None:
    answer = send(gateway, surface, "json", "jimeng-video-3.0-fast", fields, session)
    assert '"video_aspect_ratio": "9:16"' in json.dumps(submitted(upstream, "jimeng", session, answer))


@pytest.mark.parametrize("model", [None, SEEDANCE, "jimeng-video-3.0-pro"])
def test_resolution_720p_is_accepted_by_jimeng(
    gateway: httpx.Client, upstream: SandboxServer, session: str, model: str | None
) -> None:
    body = {"prompt": "夕阳下海浪", "ratio": "16:9", "resolution": "720p", "duration": 5}
    answer = gateway.post(SURFACES[0], json=body | ({"model": model} if model else {}), headers=bearer(session))
    submitted(upstream, "jimeng", session, answer)


# --- what is refused, and what is ignored -------------------------------------------------------------------------


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize(
    ("fields", "param", "named"),
    [
        ({"attachment": DATA}, "attachment", "images"),
        ({"attachment": {"deep": [{"url": A}]}}, "attachment", "images"),
        ({"durations": 5}, "durations", "duration"),
        ({"ration": "16:9"}, "ration", "ratio"),
        ({"promt": "x"}, "promt", "prompt"),
        ({"video_length": 5}, "video_length", "duration"),
        ({"numFrames": 81}, "numFrames", "duration"),
        ({"output_resolution": "720p"}, "output_resolution", "resolution"),
        ({"orientation": "portrait"}, "orientation", "size"),
        ({"parameters": {"durations": 3}}, "parameters.durations", "duration"),
        ({"metadata": {"poster": DATA}}, "metadata.poster", "images"),
        ({"metadata": {"poster": A}}, "metadata.poster", "images"),
        ({"n": 2}, "n", "一个任务"),
        ({"width": 720}, "height", "width"),
        ({"width": 720, "height": "tall"}, "height", "tall"),
    ],
)
def test_unknown_field_that_decides_the_video_is_refused_by_name(
    gateway: httpx.Client,
    upstream: SandboxServer,
    key: str,
    surface: str,
    fields: dict[str, Any],
    param: str,
    named: str,
) -> None:
    answer = send(gateway, surface, "json", "wan2.6-t2v", fields, key)
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (400, param), answer.text
    assert named in error["message"]
    assert upstream.sandbox.bodies("dashscope", key) == []


@pytest.mark.parametrize("surface", SURFACES)
def test_ignored_fields_are_named_in_the_answer_and_in_a_header(gateway: httpx.Client, key: str, surface: str) -> None:
    fields = {"fps": 24, "style": "vivid", "quality": "hd", "temperature": 0.5}
    answer = send(gateway, surface, "json", "wan2.6-t2v", fields, key)
    assert answer.json()["warnings"] == [{"code": "ignored_field", "field": name} for name in fields]
    assert answer.headers["x-gateway-warnings"] == ", ".join(f"ignored_field {name}" for name in fields)


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize(
    "fields",
    [
        {"metadata": {"user": "u1", "size": "large", "mode": "draft", "duration": "long"}},
        {"user": "u1", "n": 1, "response_format": "url", "stream": False},
        {"fps": None, "style": "", "unknown": []},
        {"return_last_frame": False},
    ],
)
def test_labels_and_meaningless_fields_are_ignored(
    gateway: httpx.Client, key: str, surface: str, fields: dict[str, Any]
) -> None:
    answer = send(gateway, surface, "json", "wan2.6-t2v", fields, key)
    assert answer.status_code == 200, answer.text
    warned = [row["field"] for row in answer.json().get("warnings", [])]
    assert warned == (["return_last_frame"] if "return_last_frame" in fields else [])


def test_problem_names_the_field_as_the_client_sent_it(gateway: httpx.Client, key: str) -> None:
    fields = {"image_url": A, "aspect_ratio": "9:16"}
    answer = send(gateway, SURFACES[0], "json", "happyhorse-1.1-i2v", fields, key)
    assert answer.json()["error"]["param"] == "aspect_ratio"
    assert answer.json()["error"]["message"].startswith("aspect_ratio")


def test_other_resolution_of_a_model_with_one_is_told(gateway: httpx.Client, key: str) -> None:
    answer = send(gateway, SURFACES[0], "json", "wanx2.1-t2v-plus", {"resolution": "1080p"}, key)
    assert answer.json()["warnings"] == [{"code": "adjusted_value", "field": "resolution", "value": "720p"}]
    assert answer.headers["x-gateway-warnings"] == "adjusted_value resolution=720p"
