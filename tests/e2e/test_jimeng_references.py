"""References in prompts, from the client's form to the draft that the site gets."""

from typing import Any

import httpx
import pytest

from providers.sandbox.server import SandboxServer
from tests.e2e.conftest import bearer
from tests.pictures import data_url, picture

SUBMIT, SEEDANCE = "/v1/videos/generations", "jimeng-video-seedance-2.0"


def gen_input(upstream: SandboxServer, session: str) -> dict[str, Any]:
    """The one input of the last draft of a session."""
    body = upstream.sandbox.bodies("jimeng", session)[-1]
    (component,) = body["draft_content"]["component_list"]
    (found,) = component["abilities"]["gen_video"]["text_to_video_params"]["video_gen_inputs"]
    return dict(found)


def parts(upstream: SandboxServer, session: str) -> list[Any]:
    metas = gen_input(upstream, session)["unified_edit_input"]["meta_list"]
    return [meta["text"] or meta["material_ref"]["material_idx"] for meta in metas]


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("@1 和 @2 两人跳舞", [0, " 和 ", 1, " 两人跳舞"]),
        ("@image_file 走向镜头", [1, 0, " 走向镜头"]),
        ("让@图2跳舞", [0, "让", 1, "跳舞"]),
        ("by @someone", [0, 1, "by @someone"]),
    ],
)
def test_references_of_a_json_body(
    client: httpx.Client, upstream: SandboxServer, session: str, prompt: str, expected: list[Any]
) -> None:
    images = [data_url(), data_url(picture(colour="red"))]
    body = {"model": SEEDANCE, "functionMode": "omni_reference", "prompt": prompt, "images": images}
    assert client.post(SUBMIT, json=body, headers=bearer(session)).status_code == 200
    assert parts(upstream, session) == expected


def test_file_names_of_a_form(client: httpx.Client, upstream: SandboxServer, session: str) -> None:
    form = {"model": SEEDANCE, "functionMode": "omni_reference", "prompt": "@dancer2.png 教 @dancer1.png 跳舞"}
    files = [("files", (f"dancer{number}.png", picture(colour=colour))) for number, colour in ((1, "red"), (2, "blue"))]
    answer = client.post(SUBMIT, data=form, files=files, headers=bearer(session))
    assert answer.status_code == 200, answer.text
    assert parts(upstream, session) == [1, " 教 ", 0, " 跳舞"]


def test_frame_is_named_by_a_word(client: httpx.Client, upstream: SandboxServer, session: str) -> None:
    body = {"model": SEEDANCE, "prompt": "@image_file_1 走向镜头", "file_paths": [data_url()]}
    assert client.post(SUBMIT, json=body, headers=bearer(session)).status_code == 200
    assert gen_input(upstream, session)["prompt"] == "图片 走向镜头"


@pytest.mark.parametrize("mode", ["first_last_frames", "omni_reference"])
@pytest.mark.parametrize("reference", ["@image_file_2", "@video_file", "@cat.png", "@图9", "@3"])
def test_reference_to_no_input_is_400_with_those_that_there_are(
    client: httpx.Client, upstream: SandboxServer, session: str, mode: str, reference: str
) -> None:
    body = {"model": SEEDANCE, "functionMode": mode, "prompt": f"{reference} 走向镜头", "image_url": data_url()}
    error = client.post(SUBMIT, json=body, headers=bearer(session)).json()["error"]
    assert (error["code"], error["param"]) == ("invalid_value", "prompt")
    assert reference in error["message"]
    assert "@image_file_1" in error["message"]
    assert upstream.sandbox.submits("jimeng", session) == 0
