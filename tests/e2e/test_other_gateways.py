"""Requests as clients of other gateways and of the upstreams' own HTTP APIs send them, with no more than the base URL
and the key changed. "Coming from another gateway" of gateway/README.md promises them."""

import json
from typing import Any

import httpx
import pytest

from providers.sandbox.files import PICTURES
from providers.sandbox.server import SandboxServer
from tests.e2e.conftest import bearer, follow
from tests.e2e.generations import JIMENG
from tests.pictures import data_url

PNG = (PICTURES / "cat.png").read_bytes()
FIRST_FRAME = '"first_frame_image": {'
RATIO, SIDES = '"video_aspect_ratio": "9:16"', '"size": "720*1280"'

Body = dict[str, Any]

JIMENG_API: dict[str, tuple[Body, dict[str, bytes], str]] = {
    "text": ({"model": JIMENG, "prompt": "a cat", "ratio": "9:16", "duration": 5}, {}, RATIO),
    "sides": ({"model": JIMENG, "prompt": "a cat", "width": 720, "height": 1280, "resolution": "720p"}, {}, RATIO),
    "paths": ({"model": JIMENG, "prompt": "a cat", "file_paths": [data_url(PNG)], "ratio": "16:9"}, {}, FIRST_FRAME),
    "files": (
        {"model": "jimeng-video-seedance-2.0", "prompt": "@image_file_1 runs", "functionMode": "omni_reference"},
        {"image_file_1": PNG},
        '"material_type": "image"',
    ),
}
"""Case → fields, files, and part of the request that the upstream gets."""

NEW_API: dict[str, tuple[Body, str]] = {
    "text": (
        {
            "model": "wan2.6-t2v",
            "prompt": "a cat",
            "duration": 5.0,
            "width": 720,
            "height": 1280,
            "fps": 30,
            "n": 1,
            "response_format": "url",
            "user": "u1",
            "metadata": {"quality_level": "standard"},
        },
        SIDES,
    ),
    "image": (
        {"model": "wan2.6-i2v", "prompt": "a cat", "image": data_url(PNG), "duration": 5, "size": "720P"},
        '"resolution": "720P"',
    ),
    "metadata": (
        {"model": "wan2.6-t2v", "prompt": "a cat", "metadata": {"parameters": {"size": "720*1280", "duration": 5}}},
        SIDES,
    ),
}

DASHSCOPE: dict[str, tuple[Body, str]] = {
    "text": (
        {
            "model": "wan2.6-t2v",
            "input": {"prompt": "a cat", "negative_prompt": "blurry"},
            "parameters": {"size": "720*1280", "duration": 5, "prompt_extend": True, "watermark": False, "seed": 7},
        },
        SIDES,
    ),
    "image": (
        {
            "model": "wan2.6-i2v",
            "input": {"prompt": "a cat", "img_url": "https://example.com/cat.png"},
            "parameters": {"resolution": "720P", "duration": 5},
        },
        '"img_url": "https://example.com/cat.png"',
    ),
    "frames": (
        {
            "model": "wan2.7-i2v",
            "input": {
                "prompt": "a cat",
                "media": [
                    {"type": "first_frame", "url": "https://example.com/first.png"},
                    {"type": "last_frame", "url": "https://example.com/last.png"},
                ],
            },
            "parameters": {"resolution": "720P"},
        },
        '{"type": "last_frame", "url": "https://example.com/last.png"}',
    ),
}


def made(client: httpx.Client, upstream: SandboxServer, provider: str, answer: httpx.Response, key: str) -> str:
    """The request that the upstream got for a submit, as text. The task ends well."""
    assert answer.status_code == 200, answer.text
    assert follow(client, answer.json()["task_id"], key)[-1]["status"] == "completed"
    [body] = upstream.sandbox.bodies(provider, key)
    return json.dumps(body)


@pytest.mark.parametrize("case", JIMENG_API)
def test_jimeng_api(client: httpx.Client, upstream: SandboxServer, session: str, case: str) -> None:
    fields, files, part = JIMENG_API[case]
    headers = bearer(session)
    if files:
        named = {name: ("a.png", content, "image/png") for name, content in files.items()}
        answer = client.post("/v1/videos/generations", data=fields, files=named, headers=headers)
    else:
        answer = client.post("/v1/videos/generations", json=fields, headers=headers)
    assert "warnings" not in answer.json()
    assert part in made(client, upstream, "jimeng", answer, session)


@pytest.mark.parametrize("case", NEW_API)
def test_new_api(client: httpx.Client, upstream: SandboxServer, key: str, case: str) -> None:
    fields, part = NEW_API[case]
    answer = client.post("/v1/video/generations", json=fields, headers=bearer(key))
    ignored = [row["field"] for row in answer.json().get("warnings", ())]
    assert ignored == (["fps"] if "fps" in fields else [])
    assert part in made(client, upstream, "dashscope", answer, key)


@pytest.mark.parametrize("case", DASHSCOPE)
def test_dashscope_over_http(client: httpx.Client, upstream: SandboxServer, key: str, case: str) -> None:
    """Its body stays as it is, its path changes."""
    fields, part = DASHSCOPE[case]
    headers = bearer(key) | {"X-DashScope-Async": "enable", "Content-Type": "application/json; charset=utf-8"}
    answer = client.post("/v1/videos/generations", content=json.dumps(fields), headers=headers)
    assert "warnings" not in answer.json(), answer.text
    assert part in made(client, upstream, "dashscope", answer, key)
