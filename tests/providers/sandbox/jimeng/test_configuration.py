"""The configuration call: which models a site has, in the forms the real site uses, and how that changes."""

from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from providers.sandbox.jimeng.catalogue import JimengModels
from providers.sandbox.jimeng.model_entries import entry
from providers.sandbox.jimeng.models import DEFAULTS, MODELS
from providers.sandbox.jimeng.sites import SITES
from providers.sandbox.server import SandboxServer
from tests.providers.sandbox.clients import JimengClient, Json

PATH = "/mweb/v1/video_generate/get_common_config"
CN = {"aid": "513695", "region": "cn"}
SEEDANCE_25 = "dreamina_seedance_45_pro"
VGFM = "dreamina_ic_generate_video_model_"


@pytest.fixture
def models(app: Starlette) -> JimengModels:
    found: JimengModels = app.state.jimeng_models
    return found


async def configuration(http: httpx.AsyncClient, query: dict[str, str] | None = None, body: Any = None) -> Json:
    answer = await http.post(PATH, params=query or CN, json={} if body is None else body)
    assert answer.status_code == 200
    envelope: Json = answer.json()
    assert envelope["ret"] == "0", envelope
    data: Json = envelope["data"]
    return data


async def keys(http: httpx.AsyncClient, **query: str) -> list[str]:
    return [one["model_req_key"] for one in (await configuration(http, query or CN))["model_list"]]


def option(model: Json, key: str) -> Json:
    (found,) = [one for one in model["options"] if one["key"] == key]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(
    "body",
    [
        {"scene": "video_generate", "params": {}},
        {"scene": "generate_video", "params": {"needCache": True}},
        {"scene": "generate_video", "params": {}},
        {},
    ],
)
@pytest.mark.parametrize("region", ["cn", "US", "SG"])
async def test_guest_reads_it_with_every_body_seen_working(http: httpx.AsyncClient, body: Json, region: str) -> None:
    query = {"aid": "513695" if region == "cn" else "513641", "region": region}
    assert (await configuration(http, query, body))["model_list"]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"scene":"image"}', b'{"scene":[]}', b'{"scene":"video_generate","params":[]}']
)
async def test_other_bodies_are_refused(http: httpx.AsyncClient, body: bytes) -> None:
    assert (await http.post(PATH, params=CN, content=body)).json()["ret"] == "1000"


async def test_mainland_site_has_the_twelve_models_of_autumn(http: httpx.AsyncClient) -> None:
    assert set(await keys(http)) == {
        SEEDANCE_25, "dreamina_seedance_45_pro_draft", "dreamina_seedance_40_pro", "dreamina_seedance_40",
        "dreamina_seedance_40_pro_vision", "dreamina_seedance_40_vision", "dreamina_seedance_40_mini",
        VGFM + "vgfm_3.0_pro", VGFM + "vgfm_3.0_fast", "dreamina_minimax_h3", "dreamina_happyhorse_v1_1",
        "dreamina_wan_30",
    }  # fmt: skip


@pytest.mark.parametrize("region", ["us", "sg", "jp", "hk"])
async def test_dreamina_has_its_seven(http: httpx.AsyncClient, region: str) -> None:
    assert set(await keys(http, aid="513641", region=region)) == {
        SEEDANCE_25, "dreamina_seedance_40_mini", "dreamina_seedance_40", "dreamina_seedance_40_pro",
        VGFM + "vgfm_3.5_pro", VGFM + "vgfm_3.0_pro", VGFM + "vgfm_3.0_fast",
    }  # fmt: skip


async def test_answer_around_the_list(http: httpx.AsyncClient) -> None:
    mainland, abroad = await configuration(http), await configuration(http, {"aid": "513641", "region": "US"})
    assert (mainland["default_model_idx"], abroad["default_model_idx"]) == (1, 6)
    assert (mainland["feature_conf"], bool(abroad["feature_conf"])) == ({}, True)
    assert mainland["video_duration_display_range"] == {"min_duration_ms": 4000, "max_duration_ms": 15_000}
    assert mainland["video_resolution_display_list"][0] == {"value": "720p", "text": "720P"}
    assert {"forbidden_display", "model_req_key_empty_replace", "remember_me", "tag"} <= mainland.keys()


async def test_entry_of_seedance_25(http: httpx.AsyncClient) -> None:
    (model,) = [
        one for one in (await configuration(http))["model_list"] if one["model_req_key"] == SEEDANCE_25
    ]  # fmt: skip
    assert option(model, "resolution") == {
        "key": "resolution", "value_type": "enum", "forbidden_display": False, "lens_motion_val": None,
        "enum_val": {
            "enum_type": "string", "string_value": ["480p", "720p", "1080p"], "double_value": None, "int_value": None,
            "default_val_idx": 0,
        },
    }  # fmt: skip
    assert option(model, "frames_slide_bar")["slide_bar_val"] == {"min": 96, "max": 720, "step": 24, "default": 96}
    frames = option(model, "frames")["enum_val"]
    assert (frames["enum_type"], frames["int_value"][0], frames["int_value"][-1]) == ("int", 96, 720)
    assert option(model, "fps")["forbidden_display"] is True
    assert option(model, "long_video")["long_video_config"]["duration_ms"]["max"] == 180_000
    assert option(model, "video_aspect_ratio")["enum_val"]["default_val_idx"] == 1
    edit = option(model, "unified_edit")["unified_edit_config"]
    assert [one["limit"]["max_count"] for one in edit["supported_materials"]] == [30, 10, 10]
    assert (edit["max_total_count"], edit["max_total_video_duration"]) == (50, 30.2)
    assert "required_material_types" not in edit
    commercial = model["commercial_config"]
    assert commercial["default"] == {
        "resource_sub_type": "aigc", "resource_id_type": "str", "resource_id": "generate_video",
        "benefit_type": "seedance_25_720p_output", "amount": 0,
    }  # fmt: skip
    assert (commercial["format"], commercial["format_conf"], commercial["additional_conf"]) == ("", {}, None)
    row = commercial["resolution_price_configs"][1]
    assert {name: price if name == "resolution" else price["benefit_type"] for name, price in row.items()} == {
        "resolution": "720p", "price": "seedance_25_720p_output",
        "no_input_video_price": "seedance_25_720p_no_input_video_output",
        "long_video_price": "seedance_25_long_video_720p_output",
        "no_input_video_long_video_price": "seedance_25_long_video_720p_no_input_video_output",
    }  # fmt: skip
    assert model["extra"]["enable_task_cancel"] is True
    assert model["extra"]["max_prompt_length"] == 15_000
    assert (model["model_status"], model["pre_audit_policy"]) == (0, "video_generate_seedance25_policy")


async def test_other_forms_of_an_entry(http: httpx.AsyncClient) -> None:
    found = {one["model_req_key"]: one for one in (await configuration(http))["model_list"]}
    pro = found[VGFM + "vgfm_3.0_pro"]
    assert "resolution_price_configs" not in pro["commercial_config"]
    assert option(pro, "input_media_type")["enum_val"]["string_value"] == ["prompt", "first_frame"]
    assert option(pro, "frames_slide_bar")["slide_bar_val"] == {"min": 120, "max": 240, "step": 24, "default": 120}
    assert option(pro, "edit_config")["edit_config_val"].keys() == {"default_model_req_key", "support_model_req_key"}
    assert "max_prompt_length" not in pro["extra"]
    fast = found[VGFM + "vgfm_3.0_fast"]
    commercial = fast["commercial_config"]
    assert commercial["format"] == "{resolution}"
    assert {name: one["benefit_type"] for name, one in commercial["format_conf"].items()} == {
        "720p": "basic_video_operation_vgfm_v_three", "1080p": "basic_video_operation_vgfm_v_three_1080",
    }  # fmt: skip
    added = commercial["additional_conf"][0]
    assert added["condition"] == {"operation": "in", "value": ["1080p"]}
    assert added["commerce_info"]["benefit_type"] == "basic_video_operation_vgfm_v_three_1080_add"
    assert fast["mutex_conf"]["mutex_list"][0][0] == {"option_key": "frames"}
    family = found["dreamina_seedance_40_pro"]
    clip = family["commercial_config"]["format_conf"]["unified_edit_input_video"]
    assert clip["benefit_type"] == "dreamina_video_seedance_20_video_add"
    assert option(family, "unified_edit")["unified_edit_config"]["required_material_types"]["any_of"] == [1, 2]
    assert family["extra"]["switch_guide_config"]["target_model_req_key"] == "dreamina_seedance_40_vision"
    vision = found["dreamina_seedance_40_pro_vision"]
    priced = [row["resolution"] for row in vision["commercial_config"]["resolution_price_configs"]]
    assert priced == ["480p", "720p", "1080p", "4k"]
    assert option(vision, "resolution")["enum_val"]["string_value"] == ["720p", "1080p", "4k"]
    assert option(found["dreamina_minimax_h3"], "duration_ms")["slide_bar_val"]["max"] == 15_000
    assert "9:21" in option(found["dreamina_happyhorse_v1_1"], "video_aspect_ratio")["enum_val"]["string_value"]
    assert found["dreamina_seedance_45_pro_draft"]["extra"]["is_draft_mode"] is True


def test_every_entry_has_every_field_of_an_entry() -> None:
    fields = {
        "icon", "model_name", "model_name_starling_key", "model_tip", "model_tip_starling_key", "feature_key",
        "icon_tag", "options", "commercial_config", "model_req_key", "extra", "model_status",
        "generation_category_name", "icon_svg", "pre_audit_policy", "subject_pre_audit_policy",
    }  # fmt: skip
    for site in SITES:
        for model in MODELS[site]:
            made = entry(model)
            assert fields <= made.keys()
            assert {"resolution", "input_media_type", "frames", "video_aspect_ratio"} <= {
                one["key"] for one in made["options"]
            }
            assert all({"value_type", "forbidden_display", "lens_motion_val"} <= one.keys() for one in made["options"])


async def test_model_leaves_one_site_or_all_and_comes_back(http: httpx.AsyncClient, models: JimengModels) -> None:
    before = await keys(http)
    models.retire(SEEDANCE_25, "cn")
    assert SEEDANCE_25 not in await keys(http)
    assert SEEDANCE_25 in await keys(http, aid="513641", region="US")
    models.retire(SEEDANCE_25)
    assert SEEDANCE_25 not in await keys(http, aid="513641", region="US")
    models.restore(SEEDANCE_25)
    assert await keys(http) == before
    assert SEEDANCE_25 in await keys(http, aid="513641", region="SG")


async def test_default_index_follows_the_list(http: httpx.AsyncClient, models: JimengModels) -> None:
    models.retire(SEEDANCE_25)
    assert (await configuration(http))["default_model_idx"] == 0
    assert (await keys(http))[0] == DEFAULTS["cn"]
    models.retire(DEFAULTS["cn"])
    assert (await configuration(http))["default_model_idx"] == 0


async def test_site_can_get_a_model_that_only_another_had(http: httpx.AsyncClient, models: JimengModels) -> None:
    key = VGFM + "vgfm_3.5_pro"
    models.restore(key)
    assert key not in await keys(http)
    models.restore(key, "cn")
    assert (await keys(http))[-1] == key


async def test_models_change_over_http(http: httpx.AsyncClient) -> None:
    path = f"/_sandbox/jimeng/models/{SEEDANCE_25}"
    answer = await http.delete(path, params={"site": "cn"})
    assert SEEDANCE_25 not in answer.json()["models"]["cn"]
    assert SEEDANCE_25 in answer.json()["models"]["us"]
    assert (await http.get("/_sandbox/jimeng/models")).json() == answer.json()
    assert SEEDANCE_25 in (await http.put(path)).json()["models"]["cn"]
    assert SEEDANCE_25 not in (await http.delete(path)).json()["models"]["asia"]
    for method, where, site, status in (
        ("DELETE", "never_there", None, 404),
        ("PUT", "never_there", None, 404),
        ("DELETE", SEEDANCE_25, "mars", 400),
    ):
        query = {"site": site} if site else {}
        answer = await http.request(method, f"/_sandbox/jimeng/models/{where}", params=query)
        assert (answer.status_code, bool(answer.json()["error"])) == (status, True)


@pytest.mark.parametrize("status", [404, 500, 503])
async def test_configuration_call_can_fail(http: httpx.AsyncClient, status: int) -> None:
    assert (await http.put("/_sandbox/jimeng/config-trouble", params={"status": status})).status_code == 200
    answer = await http.post(PATH, params=CN, json={})
    assert (answer.status_code, answer.headers["content-type"][:9]) == (status, "text/html")
    assert (await http.delete("/_sandbox/jimeng/config-trouble")).status_code == 200
    assert await keys(http)


async def test_configuration_call_can_be_refused(http: httpx.AsyncClient, models: JimengModels) -> None:
    assert (await http.put("/_sandbox/jimeng/config-trouble", params={"ret": "1015"})).status_code == 200
    assert (await http.post(PATH, params=CN, json={})).json()["ret"] == "1015"
    models.set_config_fault()
    assert await keys(http)


@pytest.mark.parametrize("query", [{}, {"status": "200"}, {"status": "x"}])
async def test_fault_needs_an_error_status(http: httpx.AsyncClient, query: dict[str, str]) -> None:
    assert (await http.put("/_sandbox/jimeng/config-trouble", params=query)).status_code == 400


async def test_running_server_has_the_same_switches() -> None:
    with SandboxServer() as server:
        server.jimeng_models.retire(SEEDANCE_25)
        async with httpx.AsyncClient(base_url=server.url) as http:
            assert SEEDANCE_25 not in await keys(http)


async def test_call_works_with_a_session_too(jimeng: JimengClient) -> None:
    envelope = await jimeng.call(PATH, {"scene": "video_generate", "params": {}})
    assert (envelope["ret"], bool(envelope["data"]["model_list"])) == ("0", True)
