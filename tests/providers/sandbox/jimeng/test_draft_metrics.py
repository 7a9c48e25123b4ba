"""The metrics beside a draft say the same as the draft, where they say it at all."""

import json

import pytest

from tests.providers.sandbox.clients import MODEL, Json, generate_body, image, reference_body
from tests.providers.sandbox.jimeng.test_draft_references import IMAGE, film, lead, ret_of

FRAME = image("tos/known.png")


def scene(*types: object, **more: object) -> Json:
    return {"sceneOptions": json.dumps([{"type": "video", "materialTypes": list(types), **more}])}


@pytest.mark.parametrize(
    ("metrics", "ret"),
    [
        (scene(1, 2), "0"),
        (scene(1, 1, 2), "0"),
        (scene(2, 1), "0"),
        (scene(1, 2, 2), "1000"),
        (scene(1), "1000"),
        (scene(1, 2, 3), "1000"),
        (scene(), "1000"),
        (scene("1", "2"), "1000"),
        (scene([1], [2]), "1000"),
        (scene(1, 2, hasInputVideo=True, inputVideoDuration=5), "0"),
        (scene(1, 2, hasInputVideo=False), "1000"),
        (scene(1, 2, modelReqKey=MODEL, resolution="720p", videoDuration=5), "0"),
        (scene(1, 2, modelReqKey="another"), "1000"),
        (scene(1, 2, resolution="1080p"), "1000"),
        (scene(1, 2, videoDuration=10), "1000"),
        ({"sceneOptions": json.dumps([{"materialTypes": {"1": 2}}])}, "1000"),
        ({"sceneOptions": json.dumps([{}])}, "0"),
        ({"sceneOptions": "[]"}, "1002"),
        ({"sceneOptions": "["}, "1002"),
        ({"sceneOptions": [{"materialTypes": [1, 2]}]}, "1002"),
        ({"functionMode": "first_last_frames"}, "1000"),
        ({"promptType": "original_prompt", "generatorFeature": "omniReference", "hasRejectedAudit": 0}, "0"),
    ],
)
def test_of_a_reference_draft(metrics: Json, ret: str) -> None:
    materials = [IMAGE, IMAGE, film()]
    assert ret_of(reference_body(materials, lead(materials), metrics=metrics)) == ret


@pytest.mark.parametrize(
    ("mode", "fields", "ret"),
    [
        ("first_last_frames", {}, "0"),
        ("omni_reference", {}, "0"),
        ("first_last_frames", {"first_frame_image": FRAME}, "0"),
        ("omni_reference", {"first_frame_image": FRAME}, "1000"),
        ("something", {}, "1000"),
    ],
)
def test_text_alone_is_of_either_mode(mode: str, fields: Json, ret: str) -> None:
    assert ret_of(generate_body(metrics={"functionMode": mode}, **fields)) == ret


def test_metrics_may_be_empty() -> None:
    assert ret_of(generate_body() | {"metrics_extra": "{}"}) == "0"


@pytest.mark.parametrize(("text", "ret"), [("the same", "0"), ('{"functionMode": "omni_reference"}', "1000")])
def test_draft_repeats_the_metrics(text: str, ret: str) -> None:
    body = generate_body()
    content = json.loads(body["draft_content"])
    generation = content["component_list"][0]["abilities"]["gen_video"]
    generation["video_task_extra"] = body["metrics_extra"] if text == "the same" else text
    assert ret_of(body | {"draft_content": json.dumps(content)}) == ret
