"""LiteLLM, unchanged: its own DashScope wire against the sandbox, and its OpenAI wire against the gateway.

It needs an environment of its own, which `.ci/run` makes: LITELLM_PYTHON is a Python with litellm 1.110.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from providers.sandbox.files import PICTURES
from providers.sandbox.server import SandboxServer
from providers.sandbox.settings import SandboxSettings
from tests.e2e.client_programs import JOURNEYS, Json, errors, is_film, run
from tests.pictures import data_url, picture

pytestmark = [
    pytest.mark.clients,
    pytest.mark.skipif("LITELLM_PYTHON" not in os.environ, reason="LITELLM_PYTHON names no Python with litellm"),
]

KEY = "sk-litellm"
URL = "https://example.com/a.png"
FAST = SandboxSettings(task_seconds=0.05, queries_per_second=0)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxServer]:
    with SandboxServer(FAST) as running:
        yield running


def journey(api_base: str, cases: Json, folder: Path) -> Json:
    command = [os.environ["LITELLM_PYTHON"], str(JOURNEYS / "litellm_journey.py")]
    # Its price list comes from the package instead of the network.
    settings = {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    return run([*command, api_base, str(PICTURES / "cat.png"), str(folder)], cases, **settings)


def case(model: str, *, key: str = KEY, how: str = "sync", prompt: str = "a cat", **options: Any) -> Json:
    """A submit on its own DashScope wire."""
    return {"model": f"dashscope/{model}", "key": key, "how": how, "prompt": prompt, "options": options}


def body_of(error: Json) -> Json:
    """What the other side answered: litellm puts it behind words of its own."""
    message: str = error["message"]
    body: Json = json.loads(message[message.index("{") :])
    return body


def refusal(error: Json) -> tuple[int, str, str]:
    """(status, code, message) of DashScope."""
    body = body_of(error)
    return error["status"], body["code"], body["message"]


VIDEOS: dict[str, tuple[Json, Json]] = {
    "text-2.7": (
        case("wan2.7-t2v", size="720x1280", seconds="5", negative_prompt="blurry"),
        {"seconds": "5.0", "size": "720x1280"},
    ),
    "text-2.6": (case("wan2.6-t2v", parameters={"size": "1280*720"}), {"seconds": "5.0"}),
    "text-3.0": (case("wan3.0-video", size="854x480"), {"size": "853x480"}),
    "text-3.0-async": (case("wan3.0-video", how="async", ratio="9:16", resolution="720P"), {"size": "720x1280"}),
    "image-2.6": (case("wan2.6-i2v", input_reference=URL), {"seconds": "5.0"}),
    "image-2.7": (case("wan2.7-i2v", input_reference="file", negative_prompt="blurry"), {"seconds": "5.0"}),
    "image-3.0": (case("wan3.0-video", input_reference="file"), {"size": "1920x1080"}),
    "reference-2.7": (case("wan2.7-r2v", input_reference=URL, negative_prompt="blurry"), {"size": "1920x1080"}),
    "happyhorse-text-480": (case("happyhorse-1.1-t2v", size="832x480"), {"size": "853x480"}),
    "happyhorse-image-480": (case("happyhorse-1.1-i2v", size="832x480", input_reference=URL), {"seconds": "5.0"}),
    "happyhorse-reference-480": (
        case("happyhorse-1.1-r2v", size="832x480", input_reference=URL),
        {"size": "853x480"},
    ),
    "kling": (
        case("kling/kling-v3-video-generation", parameters={"aspect_ratio": "16:9", "mode": "std"}),
        {"seconds": "5.0"},
    ),
    "kling-omni": (
        case(
            "kling/kling-v3-omni-video-generation",
            media=[{"type": "refer", "url": URL}],
            parameters={"aspect_ratio": "9:16"},
            seconds="8",
        ),
        {"seconds": "8.0"},
    ),
    "vidu": (
        case("vidu/viduq3-pro_text2video", parameters={"size": "720*1280", "resolution": "720P"}),
        {"seconds": "5.0"},
    ),
    "pixverse": (case("pixverse/pixverse-v6-t2v", parameters={"size": "720*1280"}, seconds="5"), {"seconds": "5.0"}),
    "minimax": (
        case("MiniMax/MiniMax-H3", parameters={"resolution": "768P", "ratio": "16:9"}, seconds="5"),
        {"seconds": "5.0"},
    ),
}
"""Case → what is asked for, and part of what litellm says of the finished video."""


REFUSED: dict[str, tuple[Json, tuple[int, str, str]]] = {
    # It knows one path alone, and models of two frames have another.
    "two-frames": (
        case("wan2.2-kf2v-flash", first_frame_url=URL),
        (400, "InvalidParameter", "url error, please check url！"),
    ),
    # It has no field for the references of wan2.6.
    "references-2.6": (
        case("wan2.6-r2v", extra_body={"reference_urls": [URL]}),
        (400, "InvalidParameter", "Field required: input.reference_urls"),
    ),
    "kling-without-ratio": (
        case("kling/kling-v3-video-generation"),
        (400, "InvalidParameter", "Field required: parameters.aspect_ratio"),
    ),
    "kling-illegal-media": (
        case(
            "kling/kling-v3-omni-video-generation",
            media=[{"type": "first_frame", "url": URL}, {"type": "refer", "url": URL}],
        ),
        (400, "InvalidParameter", "input.media: this combination of types is not supported"),
    ),
    "pixverse-without-size": (
        case("pixverse/pixverse-v6-t2v", seconds="5"),
        (400, "InvalidParameter", "Field required: parameters.size"),
    ),
    "no-model": (case("vidu/no-such-model"), (400, "InvalidParameter", "Model not exist.")),
    "bad-key": (case("wan2.7-t2v", key="sk-expired"), (401, "InvalidApiKey", "Invalid API-key provided.")),
    "no-quota": (
        case("wan2.7-t2v", key="sk-exhausted-1"),
        (429, "Throttling.AllocationQuota", "token-plan 1-week quota has been exhausted"),
    ),
}


ENDED_BADLY: dict[str, Json] = {
    "unsafe": case("wan2.7-t2v", prompt="a cat #fail=DataInspectionFailed"),
    "lipsync": case(
        "pixverse/pixverse-lipsync", media=[{"type": "video_url", "url": URL}, {"type": "audio_url", "url": URL}]
    ),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("videos")


@pytest.fixture(scope="module")
def seen(sandbox: SandboxServer, folder: Path) -> Json:
    """All cases in one process: it takes seconds to start."""
    cases = {name: asked for table in (VIDEOS, REFUSED) for name, (asked, _) in table.items()}
    return journey(sandbox.url, cases | ENDED_BADLY, folder)


def test_videos_are_generated_and_downloaded(seen: Json, folder: Path) -> None:
    for name, (_, told) in VIDEOS.items():
        one = seen[name]
        assert "error" not in one, str(one)
        assert (one["created"]["status"], one["ended"]["status"]) == ("queued", "completed"), name
        assert told.items() <= one["ended"].items(), one["ended"]
        assert one["ended"]["created_at"] <= one["ended"]["completed_at"]
        assert is_film(folder / f"{name}.mp4")


def test_every_error_response_is_parsed(seen: Json, sandbox: SandboxServer) -> None:
    told = {name: refusal(one) for name, one in errors(seen).items() if name in REFUSED}
    assert told == {name: expected for name, (_, expected) in REFUSED.items()}
    assert sandbox.sandbox.submits("dashscope") == len(VIDEOS) + len(ENDED_BADLY)


def test_failure_reason_of_a_task_is_read(seen: Json) -> None:
    ended = seen["unsafe"]["ended"]
    assert (ended["status"], ended["error"]["code"]) == ("failed", "DataInspectionFailed")


def test_usage_of_lipsync_is_not_parsed(seen: Json) -> None:
    """`SR` is "" there, and it wants a number: the video is made and its user never sees it."""
    error = seen["lipsync"]["error"]
    assert (error["status"], "usage.SR" in error["message"]) == (502, True)


def test_status_query_may_be_refused_as_an_asynchronous_call(tmp_path: Path) -> None:
    """It sends `X-DashScope-Async` with every status query too."""
    strict = SandboxSettings(task_seconds=0.05, queries_per_second=0, refuse_async_queries=True)
    with SandboxServer(strict) as sandbox:
        cases = {"sync": case("wan2.7-t2v"), "async": case("wan2.7-t2v", how="async")}
        seen = errors(journey(sandbox.url, cases, tmp_path))
        refused = (403, "AccessDenied", "current user api does not support asynchronous calls.")
        assert {name: refusal(one) for name, one in seen.items()} == dict.fromkeys(cases, refused)
        assert sandbox.sandbox.submits("dashscope") == 2


def openai_case(model: str, key: str, **more: Any) -> Json:
    """A submit to the gateway, which is an OpenAI to litellm."""
    return {"model": f"openai/{model}", "key": key, "how": "sync", "options": {}, **more}


def test_gateway_works_as_a_custom_openai_provider(url: str, session: str, key: str, tmp_path: Path) -> None:
    videos = {
        "text": openai_case("wan2.6-t2v", key, options={"size": "720x1280", "seconds": "5"}, then=["list"]),
        "file": openai_case("wan2.6-i2v", key, options={"input_reference": "file"}),
        "address": openai_case("wan2.6-i2v", key, options={"extra_body": {"image_url": URL}}),
        "async": openai_case("wan2.7-t2v", key, how="async"),
        "edit": openai_case("wan2.7-t2v", key, then=["edit", "extension"]),
        "default": openai_case("sora-2", session, then=["remix"]),
    }
    refused = {
        "no such model": openai_case("gpt-9", key),
        "no money": openai_case("wan2.6-t2v", f"{key}-poor"),
        "content": openai_case("wan2.6-t2v", key, prompt="x #refuse=DataInspectionFailed"),
    }
    seen = journey(f"{url}/v1", videos | refused, tmp_path)
    for name in videos:
        one = seen[name]
        assert "error" not in one, str(one)
        assert (one["created"]["status"], one["ended"]["status"]) == ("queued", "completed"), name
        assert is_film(tmp_path / f"{name}.mp4")
    assert (seen["text"]["ended"]["size"], seen["text"]["ended"]["seconds"]) == ("720x1280", "5")
    assert len(seen["text"]["list"]) == 1
    assert seen["default"]["remix"]["remixed_from_video_id"]
    assert seen["edit"]["edit"]["model"] == "wan2.7-videoedit"
    assert seen["edit"]["extension"]["model"] == "wan2.7-i2v"
    told = {name: (one["status"], body_of(one)["error"]["code"]) for name, one in errors(seen).items()}
    assert told == {
        "no such model": (404, "model_not_found"),
        "no money": (429, "insufficient_quota"),
        "content": (400, "content_policy_violation"),
    }


PORTRAIT = {"width": 720, "height": 1280}


@pytest.mark.parametrize("provider", ["openai", "hosted_vllm"])
def test_fields_of_other_apis_reach_the_upstream(
    url: str, upstream: SandboxServer, key: str, tmp_path: Path, provider: str
) -> None:
    """Its `hosted_vllm/…` models send a form, in which objects are JSON text."""
    videos = {
        "sides": {"model": "wan2.6-t2v", "options": {"extra_body": PORTRAIT}},
        "ratio": {"model": "wan2.6-t2v", "options": {"extra_body": {"aspectRatio": "9:16", "resolution": "720p"}}},
        "first frame": {"model": "wan2.6-i2v", "options": {"extra_body": {"first_frame_image": data_url()}}},
        "reference": {"model": "wan2.6-r2v", "options": {"extra_body": {"image_reference": {"image_url": data_url()}}}},
        "file": {"model": "wan2.6-i2v", "options": {"input_reference": "file", "seconds": "5"}},
        "two frames": {
            "model": "wan2.7-i2v",
            "options": {"extra_body": {"image_url": data_url(), "last_image_url": data_url(picture(colour="#000"))}},
        },
        "ignored": {"model": "wan2.6-t2v", "options": {"extra_body": {"fps": 24, "guidance_scale": 4.5, **PORTRAIT}}},
    }
    refused = {"length": {"model": "wan2.6-t2v", "options": {"extra_body": {"num_frames": 81}}}}
    cases = {
        name: {**one, "model": f"{provider}/{one['model']}", "key": key, "how": "sync"}
        for name, one in (videos | refused).items()
    }
    seen = journey(f"{url}/v1", cases, tmp_path)
    for name in videos:
        assert "error" not in seen[name], str(seen[name])
        assert seen[name]["ended"]["status"] == "completed", name
        assert is_film(tmp_path / f"{name}.mp4")
    for name in ("sides", "ratio", "ignored"):
        assert seen[name]["ended"]["size"] == "720x1280", name
    told = {name: (one["status"], body_of(one)["error"]["param"]) for name, one in errors(seen).items()}
    assert told == {"length": (400, "num_frames")}
    assert upstream.sandbox.submits("dashscope", key) == len(videos)
