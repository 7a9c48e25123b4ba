"""Inputs with explicit roles on a model of many functions: the upstream gets each in its place."""

from typing import Any

import httpx
import pytest

from providers.sandbox.server import SandboxServer
from tests.e2e.conftest import bearer
from tests.e2e.generations import SUBMIT

VACE = "wanx2.1-vace-plus"
CLIP, IMAGE = "https://host.example/c.mp4", "https://host.example/i.png"


@pytest.mark.parametrize(
    ("inputs", "sent"),
    [
        ({"first_clip": CLIP}, {"function": "video_extension", "first_clip_url": CLIP}),
        (
            {"first_clip": CLIP, "image_url": IMAGE},
            {"function": "video_extension", "first_clip_url": CLIP, "last_frame_url": IMAGE},
        ),
        (
            {"first_clip": CLIP, "last_frame": IMAGE},
            {"function": "video_extension", "first_clip_url": CLIP, "last_frame_url": IMAGE},
        ),
        (
            {"first_frame": IMAGE, "video_url": CLIP},
            {"function": "video_extension", "first_frame_url": IMAGE, "video_url": CLIP},
        ),
        ({"reference_images": [IMAGE, IMAGE]}, {"function": "image_reference", "ref_images_url": [IMAGE, IMAGE]}),
        (
            {
                "reference_videos": [CLIP],
                "reference_images": [IMAGE],
                "provider_options": {"input": {"function": "video_repainting"}},
            },
            {"function": "video_repainting", "video_url": CLIP, "ref_images_url": [IMAGE]},
        ),
    ],
)
def test_input_reaches_its_place(
    client: httpx.Client, upstream: SandboxServer, key: str, inputs: dict[str, Any], sent: dict[str, Any]
) -> None:
    answer = client.post(SUBMIT, json={"model": VACE, "prompt": "x"} | inputs, headers=bearer(key))
    assert answer.status_code == 200, answer.text
    assert upstream.sandbox.bodies("dashscope", key)[-1]["input"] == {"prompt": "x"} | sent
