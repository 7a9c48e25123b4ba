"""Pictures in every form reach both upstreams, by both surfaces."""

import base64
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

import httpx
import pytest
from openai import OpenAI

from gateway.app import create_app
from gateway.cli.server.background import BackgroundServer
from gateway.core.settings import MediaSettings, TimeoutSettings
from providers.sandbox.server import SandboxServer
from tests.e2e.conftest import FastClock, bearer, follow, settings_for
from tests.pictures import clip, noise, picture, sound

TYPES = ("image/png", "image/jpeg", "image/webp")
SAMPLES = {"image/png": "cat.png", "image/jpeg": "cat.jpg", "image/webp": "cat.webp"}
SURFACES = ("/v1/videos/generations", "/v1/videos")
MODELS = ("jimeng-video-3.0-fast", "wan2.6-i2v")

Sent = dict[str, Any]
"""The arguments of one POST besides its path and headers."""


@dataclass(frozen=True)
class Given:
    """One picture as a client may have it."""

    content: bytes
    media_type: str
    address: str

    @property
    def data_url(self) -> str:
        return f"data:{self.media_type};base64,{base64.b64encode(self.content).decode()}"


def in_json(field: str, shape: Callable[[str], Any] = lambda url: url) -> dict[str, Callable[[Given], Sent]]:
    return {
        f"JSON {field}, address": lambda given: {"json": {field: shape(given.address)}},
        f"JSON {field}, data": lambda given: {"json": {field: shape(given.data_url)}},
    }


def in_form(name: str) -> dict[str, Callable[[Given], Sent]]:
    # Neither the name nor the type that a client gives is believed.
    file = {f"form {name}, file": lambda given: {"files": {name: ("x.bin", given.content, "application/octet-stream")}}}
    text = {f"form {name}, address": lambda given: {"files": {name: (None, given.address)}}}
    return file | text


FORMS: dict[str, Callable[[Given], Sent]] = {}
for name in ("image_url", "image", "first_frame", "image_file_1", "image_file_9"):
    FORMS |= in_json(name) | in_form(name)
for name in ("input_reference", "images", "file_paths", "filePaths"):
    FORMS |= in_json(name) | in_json(f"{name}", lambda url: [url]) | in_form(name) | in_form(f"{name}[]")
FORMS |= {
    "JSON image object": lambda given: {"json": {"image": {"url": given.data_url}}},
    "JSON input_reference object": lambda given: {"json": {"input_reference": {"image_url": given.address}}},
    "JSON images of objects": lambda given: {"json": {"images": [{"image_url": {"url": given.data_url}}]}},
    "form input_reference[image_url]": lambda given: {"files": {"input_reference[image_url]": (None, given.address)}},
    "form input_reference[image_url], data": lambda given: {
        "files": {"input_reference[image_url]": (None, given.data_url)}
    },
    "urlencoded image_url": lambda given: {"data": {"image_url": given.address}},
}

CASES = [
    pytest.param(form, surface, model, media_type, id=f"{name} | {surface} | {model} | {media_type}")
    for (name, form), media_type in zip(FORMS.items(), itertools.cycle(TYPES), strict=False)
    for surface, model in itertools.product(SURFACES, MODELS)
]
EVERY_TYPE = [
    pytest.param(FORMS[name], surface, model, media_type, id=f"{name} | {surface} | {model} | {media_type}")
    for name in ("JSON image, address", "JSON image, data", "form image, file")
    for surface, model, media_type in itertools.product(SURFACES, MODELS, TYPES)
]


@pytest.fixture(scope="module")
def gateway(upstream: SandboxServer) -> Iterator[httpx.Client]:
    """One that may fetch from this machine, where the sandbox's sample pictures lie."""
    media = MediaSettings(networks=(ip_network("127.0.0.1/32"),))
    settings = settings_for(upstream, media=media, timeouts=TimeoutSettings())
    with (
        BackgroundServer(create_app(settings, clock=FastClock())) as server,
        httpx.Client(base_url=server.url, timeout=10) as client,
    ):
        yield client


@pytest.fixture
def credential(session: str, key: str) -> Callable[[str], str]:
    return lambda model: session if model.startswith("jimeng") else key


def sample(upstream: SandboxServer, media_type: str) -> Given:
    address = f"{upstream.url}/files/pictures/{SAMPLES[media_type]}"
    return Given(httpx.get(address).content, media_type, address)


def with_fields(sent: Sent, fields: dict[str, str]) -> Sent:
    if "json" in sent:
        return {"json": sent["json"] | fields}
    if "files" in sent:
        return {"files": {**sent["files"], **{name: (None, value) for name, value in fields.items()}}}
    return {"data": sent["data"] | fields}


@pytest.mark.parametrize(("form", "surface", "model", "media_type"), CASES + EVERY_TYPE)
def test_picture_reaches_the_upstream_in_every_form(
    gateway: httpx.Client,
    upstream: SandboxServer,
    credential: Callable[[str], str],
    form: Callable[[Given], Sent],
    surface: str,
    model: str,
    media_type: str,
) -> None:
    # Without a prompt neither upstream would take a submit in which the picture is missing.
    secret = credential(model)
    sent = with_fields(form(sample(upstream, media_type)), {"model": model})
    answer = gateway.post(surface, headers=bearer(secret), **sent)
    assert answer.status_code == 200, answer.text
    assert upstream.sandbox.submits(credential=secret) == 1


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("model", MODELS)
def test_video_is_generated_from_a_picture(
    gateway: httpx.Client, credential: Callable[[str], str], surface: str, model: str
) -> None:
    secret = credential(model)
    answer = gateway.post(surface, headers=bearer(secret), data={"model": model}, files={"image": picture()}).json()
    id = answer.get("task_id") or answer["id"]
    assert follow(gateway, id, secret)[-1]["status"] == "completed"


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("as_file", [True, False])
def test_text_file_named_png_is_refused(
    gateway: httpx.Client,
    upstream: SandboxServer,
    credential: Callable[[str], str],
    surface: str,
    model: str,
    as_file: bool,
) -> None:
    secret, text = credential(model), b"this is no picture at all, whatever its name says"
    if as_file:
        sent: Sent = {"data": {"model": model}, "files": {"image": ("cat.png", text, "image/png")}}
    else:
        given = Given(text, "image/png", "")
        sent = {"json": {"model": model, "image": given.data_url}}
    answer = gateway.post(surface, headers=bearer(secret), **sent)
    assert answer.status_code == 400
    assert (answer.json()["error"]["code"], answer.json()["error"]["param"]) == ("invalid_value", "image")
    assert upstream.sandbox.submits(credential=secret) == 0


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("model", ["jimeng-video-3.0-fast", "wan2.2-kf2v-flash", "wan2.7-i2v"])
def test_first_and_last_frame(
    gateway: httpx.Client, upstream: SandboxServer, credential: Callable[[str], str], surface: str, model: str
) -> None:
    secret = credential(model)
    files = {"first_frame": picture("image/png", 640, 360), "last_frame": picture("image/jpeg", 640, 360)}
    answer = gateway.post(surface, headers=bearer(secret), data={"model": model, "prompt": "变化"}, files=files)
    assert answer.status_code == 200, answer.text
    assert upstream.sandbox.submits(credential=secret) == 1


@pytest.mark.parametrize("surface", SURFACES)
def test_references_with_marks(gateway: httpx.Client, upstream: SandboxServer, session: str, surface: str) -> None:
    answer = gateway.post(
        surface,
        headers=bearer(session),
        data={
            "model": "jimeng-video-seedance-2.0",
            "functionMode": "omni_reference",
            "prompt": "@image_file_1 像 @video_file_1 那样走向 @图2",
        },
        files={
            "image_file_1": picture("image/png", 640, 360),
            "image_file_2": picture("image/webp", 400, 400),
            "video_file_1": clip(),
        },
    )
    assert answer.status_code == 200, answer.text
    assert upstream.sandbox.submits(credential=session) == 1


@pytest.mark.parametrize(
    ("model", "files"),
    [
        ("wan2.7-r2v", {"images[]": "image", "video_file_1": "clip"}),
        ("wan2.6-r2v", {"image_file_1": "image", "video_file_1": "clip"}),
        ("wan2.7-i2v", {"image": "image", "audio_url": "sound"}),
        ("wan2.7-i2v", {"video_file_1": "clip"}),
        ("wan2.7-videoedit", {"video_file_1": "clip", "image_file_1": "image"}),
        ("wan2.5-i2v-preview", {"image": "image", "audio_url": "sound"}),
        ("wan3.0-video", {"image_file_1": "image", "image_file_2": "image", "functionMode": "omni_reference"}),
        ("happyhorse-1.0-video-edit", {"video_file_1": "clip"}),
    ],
)
def test_other_dashscope_inputs_are_accepted_as_files(
    gateway: httpx.Client, upstream: SandboxServer, key: str, model: str, files: dict[str, str]
) -> None:
    contents = {"image": picture("image/png", 640, 640), "clip": clip(), "sound": sound(4.0)}
    answer = gateway.post(
        "/v1/videos/generations",
        headers=bearer(key),
        data={"model": model, "prompt": "p"} | {name: what for name, what in files.items() if what not in contents},
        files={name: contents[what] for name, what in files.items() if what in contents},
    )
    assert answer.status_code == 200, answer.text
    assert upstream.sandbox.submits(credential=key) == 1


def test_uploaded_clip_can_be_edited(gateway: httpx.Client, key: str) -> None:
    answer = gateway.post(
        "/v1/videos/edits", headers=bearer(key), data={"prompt": "in winter"}, files={"video": ("a.mp4", clip())}
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["model"] == "wan2.7-videoedit"


@pytest.mark.filterwarnings("ignore:The Sora API:DeprecationWarning")
def test_openai_library_uploads_files_of_every_kind(gateway: httpx.Client, session: str, key: str) -> None:
    base = f"{gateway.base_url}/v1"
    for secret, model in ((session, "jimeng-video-3.0-fast"), (key, "wan2.6-i2v")):
        with OpenAI(base_url=base, api_key=secret, max_retries=0) as client:
            files = (picture(), ("cat.webp", picture("image/webp")), ("cat.jpg", picture("image/jpeg"), "x/y"))
            for reference in files:
                video = client.videos.create(model=model, prompt="it wakes up", input_reference=reference)
                assert client.videos.poll(video.id, poll_interval_ms=20).status == "completed"


# --- limits -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("surface", SURFACES)
def test_too_many_pictures_for_the_model_are_refused(gateway: httpx.Client, session: str, surface: str) -> None:
    files = [("images[]", picture("image/png", 300 + number, 300)) for number in range(3)]
    answer = gateway.post(surface, headers=bearer(session), data={"model": "jimeng-video-3.0-fast"}, files=files)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "images"


def test_too_small_picture_is_refused_with_the_allowed_size(gateway: httpx.Client, key: str) -> None:
    headers = bearer(key) | {"Accept-Language": "en"}
    answer = gateway.post(
        "/v1/videos", headers=headers, data={"model": "wan2.6-i2v"}, files={"image": picture("image/png", 100, 300)}
    )
    assert answer.status_code == 400
    assert "≥ 240 px" in answer.json()["error"]["message"]


def test_too_large_picture_for_the_model_is_413(gateway: httpx.Client, key: str) -> None:
    large = noise("image/bmp", 2100, 1700)
    assert len(large) > 10 * 1024 * 1024
    answer = gateway.post("/v1/videos", headers=bearer(key), data={"model": "wan2.2-i2v-flash"}, files={"image": large})
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")
    assert "10 MB" in answer.json()["error"]["message"]


def test_large_picture_within_the_limit_is_uploaded(gateway: httpx.Client, upstream: SandboxServer, key: str) -> None:
    before = upstream.sandbox.calls("dashscope", "/oss")
    answer = gateway.post(
        "/v1/videos", headers=bearer(key), data={"model": "wan2.6-i2v"}, files={"image": noise("image/bmp", 2100, 1700)}
    )
    assert answer.status_code == 200, answer.text
    assert upstream.sandbox.calls("dashscope", "/oss") > before


def test_large_picture_is_resized_if_enabled(upstream: SandboxServer, key: str, session: str) -> None:
    settings = settings_for(upstream, media=MediaSettings(shrink=True), timeouts=TimeoutSettings())
    with BackgroundServer(create_app(settings, clock=FastClock())) as server:
        for secret, model in ((key, "wan2.2-i2v-flash"), (session, "jimeng-video-3.0-fast")):
            answer = httpx.post(
                f"{server.url}/v1/videos",
                headers=bearer(secret),
                data={"model": model},
                files={"image": noise("image/bmp", 2900, 2600)},
                timeout=20,
            )
            assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize(
    "address",
    ["http://127.0.0.1/cat.png", "https://127.0.0.1:1/cat.png", "https://2130706433/cat.png", "https://[::1]/cat.png"],
)
def test_url_into_the_private_network_is_not_fetched(
    client: httpx.Client, session: str, surface: str, address: str
) -> None:
    body = {"model": "jimeng-video-3.0-fast", "image": address}
    answer = client.post(surface, headers=bearer(session), json=body)
    assert answer.status_code == 400
    assert (answer.json()["error"]["code"], answer.json()["error"]["param"]) == ("invalid_value", "image")


# --- trouble on the way -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mark", "status", "code"),
    [(b"#unsafe", 400, "content_policy_violation"), (b"#shaky", 200, None), (b"#lost-upload", 502, None)],
)
def test_picture_error_of_the_site_is_reported(
    gateway: httpx.Client, upstream: SandboxServer, session: str, mark: bytes, status: int, code: str | None
) -> None:
    answer = gateway.post(
        "/v1/videos",
        headers=bearer(session),
        data={"model": "jimeng-video-3.0-fast"},
        files={"image": picture() + mark},
    )
    assert answer.status_code == status, answer.text
    if code:
        assert answer.json()["error"]["code"] == code
    assert upstream.sandbox.submits(credential=session) == (1 if status == 200 else 0)


def test_failed_upload_is_not_charged_and_can_be_retried(
    gateway: httpx.Client, upstream: SandboxServer, session: str
) -> None:
    sent: Sent = {"data": {"model": "jimeng-video-3.0-fast"}, "files": {"image": picture() + b"#bad-upload"}}
    answer = gateway.post("/v1/videos", headers=bearer(session), **sent)
    assert answer.status_code == 502
    assert upstream.sandbox.submits(credential=session) == 0
    good = gateway.post("/v1/videos", headers=bearer(session), data=sent["data"], files={"image": picture()})
    assert good.status_code == 200
    assert upstream.sandbox.submits(credential=session) == 1


def test_repeated_picture_is_uploaded_once(gateway: httpx.Client, upstream: SandboxServer, session: str) -> None:
    sent: Sent = {"data": {"model": "jimeng-video-3.0-fast"}, "files": {"image": picture(colour="#123456")}}
    before = upstream.sandbox.calls("jimeng", "/mweb/v1/get_upload_token", session)
    for _ in range(2):
        assert gateway.post("/v1/videos", headers=bearer(session), **sent).status_code == 200
    assert upstream.sandbox.calls("jimeng", "/mweb/v1/get_upload_token", session) == before + 1


def test_retry_of_the_same_form_is_one_video(gateway: httpx.Client, upstream: SandboxServer, session: str) -> None:
    sent: Sent = {"data": {"model": "jimeng-video-3.0-fast", "prompt": "p"}, "files": {"image": picture()}}
    headers = bearer(session) | {"Idempotency-Key": "one"}
    first, again = (gateway.post("/v1/videos", headers=headers, **sent) for _ in range(2))
    assert first.json()["id"] == again.json()["id"]
    other = sent | {"files": {"image": picture(colour="red")}}
    assert gateway.post("/v1/videos", headers=headers, **other).status_code == 409
    assert upstream.sandbox.submits(credential=session) == 1


def test_remix_of_a_video_with_references_sends_the_earlier_video(
    gateway: httpx.Client, upstream: SandboxServer, session: str
) -> None:
    body = {"model": "jimeng-video-seedance-2.0", "prompt": "a cat"}
    made = gateway.post("/v1/videos", headers=bearer(session), json=body).json()
    follow(gateway, made["id"], session)
    answer = gateway.post(f"/v1/videos/{made['id']}/remix", headers=bearer(session), json={"prompt": "a dog"})
    assert answer.status_code == 200, answer.text
    assert upstream.sandbox.calls("jimeng", "/mweb/v1/get_upload_token", session) == 1
    assert upstream.sandbox.submits(credential=session) == 2
