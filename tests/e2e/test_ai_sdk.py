"""Vercel's AI SDK with `@ai-sdk/alibaba`, unchanged, against DashScope's sandbox: it sends what real users send.

It needs an environment of its own, which `.ci/run` makes: AI_SDK names a folder with `ai` 6 and `@ai-sdk/alibaba` 1.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from providers.sandbox.server import SandboxServer
from providers.sandbox.settings import SandboxSettings
from tests.e2e.client_programs import JOURNEYS, Json, errors, is_film, run

pytestmark = [
    pytest.mark.clients,
    pytest.mark.skipif("AI_SDK" not in os.environ, reason="AI_SDK names no folder with @ai-sdk/alibaba"),
]

KEY = "sk-ai-sdk"
URL = "https://example.com/a.png"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxServer]:
    with SandboxServer(SandboxSettings(task_seconds=0.05, queries_per_second=0)) as running:
        yield running


def journey(sandbox: SandboxServer, cases: Json, folder: Path) -> Json:
    command = ["node", str(JOURNEYS / "ai_sdk.mjs"), sandbox.url, f"{sandbox.url}/files/pictures/cat.png", str(folder)]
    return run(command, cases, AI_SDK=os.environ["AI_SDK"])


def case(model: str, *, key: str = KEY, own: Json | None = None, options: Json | None = None, **more: Any) -> Json:
    """`own` are options of the provider for Alibaba."""
    return {"model": model, "key": key, "options": {**(options or {}), "providerOptions": own or {}}, **more}


def media(*kinds: str) -> Json:
    return {"media": [{"type": kind, "url": URL} for kind in kinds]}


VIDEOS: dict[str, tuple[Json, Json]] = {
    "text-2.7": (
        case("wan2.7-t2v", own={"negativePrompt": "blurry"}, options={"aspectRatio": "9:16", "resolution": "1280x720"}),
        {"duration": 5, "resolution": 720, "ratio": "9:16"},
    ),
    "text-2.6": (
        case("wan2.6-t2v", options={"resolution": "1280x720", "duration": 10}),
        {"duration": 10, "size": "1280*720"},
    ),
    "text-3.0": (case("wan3.0-video", options={"resolution": "832x480"}), {"duration": 5, "resolution": 480}),
    "text-happyhorse": (case("happyhorse-1.1-t2v"), {"resolution": 1080}),
    "image-2.6": (case("wan2.6-i2v", image="url"), {"resolution": 1080}),
    "image-2.6-flash": (case("wan2.6-i2v-flash", image="url", options={"generateAudio": False}), {"duration": 5}),
    "image-3.0": (case("wan3.0-video", image="bytes"), {"fps": 30}),
    "frames-3.0": (case("wan3.0-video", image="url", last="bytes"), {"inputVideoDuration": 0}),
    "references-2.6": (case("wan2.6-r2v", references=["url"]), {"size": "1920*1080"}),
    "references-2.7": (
        case("wan2.7-r2v", references=["bytes", "https://example.com/a.mp4"], own={"negativePrompt": "blurry"}),
        {"duration": 10, "inputVideoDuration": 5},
    ),
    "references-3.0": (case("wan3.0-video", own=media("reference_image", "reference_audio", "link")), {"duration": 5}),
}
"""Case → what it sends, and part of what it is told about the finished video."""


def test_videos_are_generated_and_downloaded(sandbox: SandboxServer, tmp_path: Path) -> None:
    seen = journey(sandbox, {name: sent for name, (sent, _) in VIDEOS.items()}, tmp_path)
    assert errors(seen) == {}
    for name, (_, usage) in VIDEOS.items():
        one = seen[name]
        assert (one["mediaType"], one["warnings"]) == ("video/mp4", []), name
        assert usage.items() <= one["metadata"]["usage"].items(), one["metadata"]
        assert one["calls"][:2] == ["POST", "GET"]
        assert is_film(tmp_path / f"{name}.mp4")


REFUSED: dict[str, tuple[Json, tuple[int, str, str]]] = {
    # It still sends `img_url`, which the service stopped taking with wan2.7 and never took for happyhorse.
    "image-2.7": (case("wan2.7-i2v", image="url"), (400, "InvalidParameter", "Field required: input.media")),
    "image-happyhorse": (
        case("happyhorse-1.1-i2v", image="url"),
        (400, "InvalidParameter", "Field required: input.media"),
    ),
    # It sends the bytes as base64 without the `data:` that makes them an address.
    "bytes-2.6": (case("wan2.6-i2v", image="bytes"), (400, "InvalidURL", "The URL is invalid.")),
    # It knows nothing of other makers' required parameters.
    "kling": (
        case("kling/kling-v3-video-generation"),
        (400, "InvalidParameter", "Field required: parameters.aspect_ratio"),
    ),
    "minimax": (
        case("MiniMax/MiniMax-H3", options={"duration": 5}),
        (400, "InvalidParameter", "Field required: parameters.resolution"),
    ),
    "file-and-link": (
        case("wan3.0-video", own=media("file", "link")),
        (400, "InvalidParameter", "input.media: this combination of types is not supported"),
    ),
    "no-model": (case("vidu/no-such-model"), (400, "InvalidParameter", "Model not exist.")),
    "bad-key": (case("wan2.6-t2v", key="sk-expired"), (401, "InvalidApiKey", "Invalid API-key provided.")),
    "no-quota": (
        case("wan2.6-t2v", key="sk-exhausted-1"),
        (429, "Throttling.AllocationQuota", "token-plan 1-week quota has been exhausted"),
    ),
}


def test_every_error_response_is_parsed(sandbox: SandboxServer, tmp_path: Path) -> None:
    before = sandbox.sandbox.submits("dashscope")
    seen = errors(journey(sandbox, {name: sent for name, (sent, _) in REFUSED.items()}, tmp_path))
    told = {name: (one["status"], one["body"]["code"], one["message"]) for name, one in seen.items()}
    assert told == {name: answer for name, (_, answer) in REFUSED.items()}
    assert sandbox.sandbox.submits("dashscope") == before


def test_failure_reason_of_a_task_is_read(sandbox: SandboxServer, tmp_path: Path) -> None:
    cases = {
        "unsafe": case("wan2.6-t2v", prompt="a cat #fail=DataInspectionFailed"),
        "two-modes": case("wan3.0-video", own=media("first_frame", "reference_image")),
        "size": case("wan2.6-t2v", options={"resolution": "1000x1000"}),
    }
    seen = errors(journey(sandbox, cases, tmp_path))
    assert {one["kind"] for one in seen.values()} == {"ALIBABA_VIDEO_GENERATION_FAILED"}
    assert "may contain inappropriate content" in seen["unsafe"]["message"]
    assert "The two modes are mutually exclusive" in seen["two-modes"]["message"]
    assert "The size is not match" in seen["size"]["message"]


def test_usage_of_models_of_other_makers_is_not_parsed(sandbox: SandboxServer, tmp_path: Path) -> None:
    """Their `SR` is a text, and it wants a number: the video is made and its user never sees it."""
    pixverse = case("pixverse/pixverse-v6-t2v", options={"resolution": "1280x720", "duration": 5})
    one = journey(sandbox, {"pixverse": pixverse}, tmp_path)["pixverse"]["error"]
    assert (one["message"], one["status"]) == ("Invalid JSON response", 200)
    assert (one["body"]["output"]["task_status"], one["body"]["usage"]["SR"]) == ("SUCCEEDED", "720")
