"""A submit names the benefit type of its model, resolution and inputs."""

from typing import Any

import pytest

from providers.sandbox.jimeng.models import MODELS
from providers.sandbox.jimeng.sites import SITES, Site
from tests.providers.sandbox.clients import BENEFIT, MODEL, Json, commerce, generate_body, reference_body
from tests.providers.sandbox.jimeng.test_draft_references import IMAGE, film, lead, ret_of

VGFM = "dreamina_ic_generate_video_model_"
S25, PRO, FAST = "dreamina_seedance_45_pro", "dreamina_seedance_40_pro", "dreamina_seedance_40"
PRO_VISION, VISION, MINI = "dreamina_seedance_40_pro_vision", "dreamina_seedance_40_vision", "dreamina_seedance_40_mini"
THREE = "basic_video_operation_vgfm_v_three"

TEXT_ROWS: list[tuple[Site, str, str, str, str]] = [
    ("cn", S25, "480p", "seedance_25_480p_no_input_video_output", "0"),
    ("cn", S25, "720p", "seedance_25_720p_no_input_video_output", "0"),
    ("cn", S25, "720p", "seedance_25_720p_output", "0"),
    ("cn", S25, "1080p", "seedance_25_1080p_output", "0"),
    ("cn", S25, "1080p", "seedance_25_720p_output", "1000"),
    ("cn", S25, "720p", "dreamina_seedance_45_pro", "1000"),
    ("cn", PRO, "720p", "dreamina_video_seedance_20_pro", "0"),
    ("cn", PRO, "720p", "seedance_20_pro_720p_output", "0"),
    ("cn", PRO, "720p", "dreamina_video_seedance_20_video_add", "1000"),
    ("cn", FAST, "720p", "dreamina_seedance_20_fast", "0"),
    ("cn", FAST, "720p", "dreamina_seedance_20_fast_with_video", "1000"),
    ("cn", PRO_VISION, "720p", "seedance_20_pro_720p_output", "0"),
    ("cn", PRO_VISION, "1080p", "seedance_20_pro_1080p_output", "0"),
    ("cn", PRO_VISION, "4k", "seedance_20_pro_4k_output", "0"),
    ("cn", PRO_VISION, "4k", "seedance_20_pro_720p_output", "1000"),
    ("cn", PRO_VISION, "480p", "seedance_20_pro_480p_output", "1000"),
    ("cn", PRO_VISION, "720p", THREE, "1000"),
    ("cn", VISION, "720p", "seedance_20_fast_720p_output", "0"),
    ("cn", VISION, "720p", "dreamina_seedance_20_fast_5s", "0"),
    ("cn", MINI, "720p", "seedance_20_mini_720p_output", "0"),
    ("cn", MINI, "720p", "seedance_20_mini_720p_output_5s", "0"),
    ("us", MINI, "720p", "seedance_20_mini_720p_output_8s", "0"),
    ("cn", VGFM + "vgfm_3.0_pro", "1080p", THREE + "_pro", "0"),
    ("cn", VGFM + "vgfm_3.0_pro", "1080p", THREE, "1000"),
    ("cn", VGFM + "vgfm_3.0_fast", "720p", THREE, "0"),
    ("cn", VGFM + "vgfm_3.0_fast", "1080p", THREE + "_1080", "0"),
    ("cn", VGFM + "vgfm_3.0_fast", "1080p", THREE, "1000"),
    ("asia", VGFM + "vgfm_3.5_pro", "1080p", "dreamina_video_seedance_15_pro", "0"),
    ("us", PRO, "1080p", "seedance_20_pro_1080p_output", "0"),
    ("us", PRO, "1080p", "dreamina_video_seedance_20_pro", "1000"),
    ("us", PRO, "720p", "dreamina_video_seedance_20_pro", "0"),
    ("asia", FAST, "720p", "seedance_20_fast_720p_output", "0"),
    ("cn", "dreamina_minimax_h3", "2K", "minimax_h3_2k_output", "0"),
    ("cn", "dreamina_minimax_h3", "768P", "minimax_h3_768p_output", "0"),
    ("cn", "dreamina_happyhorse_v1_1", "1080P", "happyhorse_11_1080p_output", "0"),
    ("cn", "dreamina_wan_30", "720P", "wan_30_720p_output", "0"),
    ("cn", "dreamina_wan_30", "1080P", "wan_30_1080p_output", "0"),
]


def aid(site: Site) -> int:
    return 513695 if site == "cn" else 513641


@pytest.mark.parametrize(("site", "key", "resolution", "benefit", "ret"), TEXT_ROWS)
def test_of_text_alone(site: Site, key: str, resolution: str, benefit: str, ret: str) -> None:
    body = generate_body(key=key, benefit=benefit, resolution=resolution, aid=aid(site))
    assert ret_of(body, site) == ret


@pytest.mark.parametrize(
    ("site", "materials", "how", "ret"),
    [
        ("cn", [IMAGE], {"benefit": BENEFIT}, "0"),
        ("cn", [IMAGE], {"benefit": "dreamina_video_seedance_20_video_add"}, "1000"),
        ("cn", [film()], {"benefit": "dreamina_video_seedance_20_video_add"}, "0"),
        ("cn", [film(), IMAGE], {"benefit": "seedance_20_pro_720p_output"}, "0"),
        ("cn", [film()], {"benefit": BENEFIT}, "1000"),
        ("cn", [film()], {"key": FAST, "benefit": "dreamina_seedance_20_fast_with_video"}, "0"),
        ("cn", [IMAGE], {"key": FAST, "benefit": "dreamina_seedance_20_fast"}, "0"),
        ("cn", [film()], {"key": S25, "benefit": "seedance_25_720p_output"}, "0"),
        ("cn", [film()], {"key": S25, "benefit": "seedance_25_720p_no_input_video_output"}, "1000"),
        ("cn", [IMAGE], {"key": S25, "benefit": "seedance_25_720p_no_input_video_output"}, "0"),
        ("cn", [film()], {"key": PRO_VISION, "benefit": "seedance_20_pro_1080p_output", "resolution": "1080p"}, "0"),
        ("us", [film()], {"benefit": "seedance_20_pro_720p_output"}, "0"),
        ("us", [film()], {"benefit": "dreamina_video_seedance_20_video_add"}, "0"),
    ],
)
def test_of_references(site: Site, materials: list[Json], how: Json, ret: str) -> None:
    assert ret_of(reference_body(materials, lead(materials), aid=aid(site), **how), site) == ret


def with_extend(**changed: Any) -> Json:
    body = generate_body()
    return body | {"extend": {**body["extend"], **changed}}


def info(**changed: Any) -> Json:
    made = commerce(BENEFIT, **changed)
    return with_extend(m_video_commerce_info=made, m_video_commerce_info_list=[made])


@pytest.mark.parametrize(
    ("body", "ret"),
    [
        (info(amount=5), "0"),
        (info(amount=0), "0"),
        (info(amount=7.5), "0"),
        (info(amount=-1), "1000"),
        (info(amount="5"), "1000"),
        (info(amount=True), "1000"),
        (info(resource_id="generate_image"), "1000"),
        (info(resource_id_type="int"), "1000"),
        (info(resource_sub_type=""), "1000"),
        (info(benefit_type=""), "1000"),
        (info(benefit_type=None), "1000"),
        (with_extend(m_video_commerce_info_list=[]), "1000"),
        (with_extend(m_video_commerce_info=None), "1002"),
        (with_extend(workspace_id=0), "0"),
        (with_extend(workspace_id="7001"), "0"),
    ],
)
def test_commerce_information(body: Json, ret: str) -> None:
    assert ret_of(body) == ret


def test_in_singapore_a_submit_may_name_none() -> None:
    body = generate_body(aid=513641) | {"extend": {"root_model": MODEL}}
    assert (ret_of(body, "asia"), ret_of(body, "us")) == ("0", "1002")


def test_every_model_accepts_what_the_configuration_bills() -> None:
    for site in SITES:
        for model in MODELS[site]:
            for resolution in model.resolutions:
                price = model.price(resolution)
                if price is not None:
                    assert price.price in model.benefits(resolution, with_clip=True)
                    assert (price.no_clip or price.price) in model.benefits(resolution, with_clip=False)
                    if price.no_clip:
                        assert price.no_clip not in model.benefits(resolution, with_clip=True)
