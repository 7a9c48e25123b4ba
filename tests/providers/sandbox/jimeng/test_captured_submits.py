"""Submits in the forms that were captured on the sites, whole: each is accepted.

Ids, addresses and names are made up; the fields, their order and their nesting are those of captures from 2026-09-18
to 2026-10-01 on the mainland, in Singapore and in America.
"""

import json
import uuid
from typing import Any

import httpx
import pytest

from tests.providers.sandbox.clients import GENERATE, JimengClient, Json

S25, PRO, MINI = "dreamina_seedance_45_pro", "dreamina_seedance_40_pro", "dreamina_seedance_40_mini"
PRO_30 = "dreamina_ic_generate_video_model_vgfm_3.0_pro"
UNIFIED = "AIGC_Video_UnifiedEdit"


def tagged(**fields: Any) -> Json:
    """An object of a draft: with `type` "" and a fresh id where it names none."""
    return {"type": "", "id": str(uuid.uuid4()), **fields}


def submit(
    video_input: Json,
    *,
    key: str = S25,
    benefit: str = "seedance_25_720p_no_input_video_output",
    mode: str = "omni_reference",
    feature: str = "omniReference",
    types: tuple[int, ...] = (),
    resolution: str = "720p",
    seconds: int = 5,
    written: str = "3.3.28",
    since: str = "3.0.5",
    features: tuple[str, ...] = (),
    amount: int | None = 5,
    aid: int | None = 513695,
    **more_metrics: Any,
) -> Json:
    """The whole body, in the layers of the page."""
    submit_id, component = str(uuid.uuid4()), str(uuid.uuid4())
    scene: Json = {
        "type": "video",
        "scene": "BasicVideoGenerateButton",
        "resolution": resolution,
        "modelReqKey": key,
        "videoDuration": seconds,
        "batchNumber": 1,
        "inputVideoDuration": 5 if 2 in types else 0,
        "chargeInputVideoDuration": True,
        "isLongVideo": False,
        "hasInputVideo": 2 in types,
        "useSeedanceFast5sFreeTrial": False,
        "reportParams": {
            "enterSource": "generate",
            "vipSource": "generate",
            "extraVipFunctionKey": f"{key}-{resolution}",
            "useVipFunctionDetailsReporterHoc": True,
        },
        "materialTypes": list(types),
    }
    metrics = json.dumps(
        {
            "isDefaultSeed": 1,
            "originSubmitId": submit_id,
            "isRegenerate": False,
            "enterFrom": "click",
            "position": "page_bottom_box",
            "promptType": "original_prompt",
            "functionMode": mode,
            "generatorFeature": feature,
            "batchNumber": 1,
            "submitGroupId": str(uuid.uuid4()),
            "hasRejectedAudit": 0,
            **more_metrics,
            "sceneOptions": json.dumps([scene]),
        }
    )
    params = tagged(
        video_gen_inputs=[
            tagged(
                min_version=since,
                video_mode=2,
                fps=24,
                duration_ms=seconds * 1000,
                resolution=resolution,
                idip_meta_list=[],
                **video_input,
            )
        ],
        video_aspect_ratio="16:9",
        seed=1234567890,
        model_req_key=key,
        priority=0,
    )
    draft = {
        "type": "draft",
        "id": str(uuid.uuid4()),
        "min_version": since,
        "min_features": list(features),
        "is_from_tsn": True,
        "version": written,
        "main_component_id": component,
        "component_list": [
            {
                "type": "video_base_component",
                "id": component,
                "min_version": "1.0.0",
                "aigc_mode": "workbench",
                "metadata": tagged(
                    created_platform=3,
                    created_platform_version="",
                    created_time_in_ms="1790000000000",
                    created_did="",
                ),
                "generate_type": "gen_video",
                "abilities": tagged(
                    gen_video=tagged(text_to_video_params=params, video_task_extra=metrics),
                ),
                "process_type": 1,
            }
        ],
    }
    info: Json = {
        "resource_sub_type": "aigc",
        "resource_id_type": "str",
        "resource_id": "generate_video",
        "benefit_type": benefit,
    }
    info |= {} if amount is None else {"amount": amount}
    body: Json = {
        "extend": {"root_model": key, "m_video_commerce_info": info, "m_video_commerce_info_list": [info]},
        "submit_id": submit_id,
        "metrics_extra": metrics,
        "draft_content": json.dumps(draft),
    }
    return body if aid is None else {**body, "http_common_info": {"aid": aid}}


def picture(uri: str = "tos/known.png") -> Json:
    return {
        "type": "image", "id": str(uuid.uuid4()), "source_from": "upload", "platform_type": 1, "name": "",
        "image_uri": uri, "aigc_image": tagged(), "width": 1280, "height": 720, "format": "", "uri": uri,
    }  # fmt: skip


def image_material() -> Json:
    return tagged(material_type="image", image_info={**picture(), "title": ""})


CLIP: Json = {
    "material_type": "video",
    "video_info": {
        "type": "video", "id": "u", "source_from": "upload", "name": "", "vid": "v0known", "fps": 0, "width": 1280,
        "height": 720, "duration": 5000, "cover_image_url": "",
    },
}  # fmt: skip
SOUND: Json = {
    "material_type": "audio",
    "audio_info": {
        "type": "audio", "id": "u", "source_from": "upload", "vid": "v0known", "duration": 4000, "name": "",
    },
}  # fmt: skip


def part(kind: str, index: int) -> Json:
    return tagged(meta_type=kind, text="", material_ref=tagged(material_idx=index))


def text(directives: str = "let the person sing") -> Json:
    return tagged(meta_type="text", text=directives)


def omni(materials: list[Json], metas: list[Json]) -> Json:
    return {"prompt": "", "unified_edit_input": tagged(material_list=materials, meta_list=metas)}


async def ret(client: JimengClient, body: Json, **query: str) -> str:
    client.query = {**client.query, **query}
    return str((await client.call(GENERATE, body))["ret"])


async def test_text_alone(jimeng: JimengClient) -> None:
    assert await ret(jimeng, submit({"prompt": "a cat"})) == "0"


async def test_text_alone_billed_as_with_a_video(jimeng: JimengClient) -> None:
    """The query says 3.3.28, the draft 3.3.9."""
    body = submit({"prompt": "a cat"}, benefit="seedance_25_720p_output", written="3.3.9", amount=None)
    assert await ret(jimeng, body, da_version="3.3.28") == "0"


async def test_first_and_last_frame(jimeng: JimengClient) -> None:
    frames = {
        "prompt": "a cat",
        "first_frame_image": picture(),
        "end_frame_image": picture("tos/other.png"),
        "ending_control": "1.0",
    }
    body = submit(frames, mode="first_last_frames", feature="firstLastFrames")
    assert await ret(jimeng, body) == "0"


async def test_references_of_each_kind(jimeng: JimengClient) -> None:
    """Clips have no part of their own; pictures and sounds lead the text."""
    given = omni([CLIP, image_material(), SOUND], [part("image", 1), part("audio", 2), text()])
    how: Json = {"since": "3.3.9", "features": (UNIFIED,), "types": (2, 1, 3)}
    body = submit(given, benefit="seedance_25_720p_output", amount=10, **how)
    assert await ret(jimeng, body, commerce_with_input_video="1") == "0"
    body = submit(given, key=PRO, benefit="dreamina_video_seedance_20_video_add", amount=10, **how)
    assert await ret(jimeng, body) == "0"


async def test_images_alone(jimeng: JimengClient) -> None:
    given = omni([image_material(), image_material()], [part("image", 0), part("image", 1), text()])
    how: Json = {"since": "3.3.9", "features": (UNIFIED,)}
    body = submit(given, key=PRO, benefit="dreamina_video_seedance_20_pro", types=(1,), **how)
    assert await ret(jimeng, body) == "0"


async def test_draft_run(jimeng: JimengClient) -> None:
    body = submit(
        {"prompt": "a cat", "is_draft_mode": True},
        key="dreamina_seedance_45_pro_draft",
        benefit="seedance_25_draft_480p_no_input_video_output",
        resolution="480p",
        since="3.3.28",
        features=("AIGC_Video_Seedance25ResultAction",),
        videoStage="draft",
    )
    assert await ret(jimeng, body) == "0"


async def test_model_that_has_one_resolution(jimeng: JimengClient) -> None:
    how: Json = {"key": PRO_30, "benefit": "basic_video_operation_vgfm_v_three_pro", "mode": "first_last_frames"}
    assert await ret(jimeng, submit({"prompt": "a cat"}, resolution="1080p", **how)) == "0"


async def test_in_singapore_references_without_commerce_and_feature(http: httpx.AsyncClient) -> None:
    client = JimengClient(http, region="SG")
    body = submit(omni([image_material()], [part("image", 0), text()]), types=(1,), aid=None)
    body["extend"] = {"root_model": S25}
    assert await ret(client, body) == "0"


async def test_us_submit_with_a_workspace_and_the_pages_query(http: httpx.AsyncClient) -> None:
    client = JimengClient(http, region="US")
    body = submit({"prompt": "a cat"}, key=MINI, benefit="seedance_20_mini_720p_output_8s", aid=513641)
    body["extend"]["workspace_id"] = "7000000000001"
    assert await ret(client, body, generate_id=f"gen-{uuid.uuid4()}", babi_param="{}") == "0"


@pytest.mark.parametrize("seconds", [5, 7, 12])
async def test_abroad_the_model_that_left_the_mainland(http: httpx.AsyncClient, seconds: int) -> None:
    client = JimengClient(http, region="US")
    how: Json = {
        "key": "dreamina_ic_generate_video_model_vgfm_3.5_pro",
        "benefit": "dreamina_video_seedance_15_pro",
        "mode": "first_last_frames",
        "aid": 513641,
        "seconds": seconds,
    }
    assert await ret(client, submit({"prompt": "a cat"}, **how)) == "0"


async def test_submit_of_february_is_no_longer_taken(jimeng: JimengClient) -> None:
    """A picture that no part names, and no resolution: captured on 2026-02-11, and in nothing younger."""
    body = submit(omni([image_material()], [text()]), key=PRO, benefit="dreamina_video_seedance_20_video_add",
                  since="3.3.9", features=(UNIFIED,), written="3.3.9", types=(1,))  # fmt: skip
    assert await ret(jimeng, body) == "1000"
