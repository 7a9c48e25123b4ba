"""Reference mode: materials that a model takes, parts that name them, the mode's own marks."""

from typing import Any

import pytest

from providers.sandbox.jimeng.draft import read_draft
from providers.sandbox.jimeng.errors import Refused
from providers.sandbox.jimeng.models import MODELS
from providers.sandbox.jimeng.resources import Resource
from providers.sandbox.jimeng.sites import Site
from tests.providers.sandbox.clients import MODEL, Json, reference_body

KNOWN = {
    "tos/known.png": Resource(),
    "v0known": Resource(),
    "tos/mine.png": Resource("image", 0.0),
    "tos/unsafe.png": Resource("image", 0.0, unsafe=True),
    "v0film": Resource("video", 9.0),
    "v0short": Resource("video", 6.4),
    "v0tiny": Resource("video", 1.9),
    "v0sound": Resource("audio", 14.0),
    "v0long": Resource("audio", 15.1),
}.get

SEEDANCE_25: Json = {
    "key": "dreamina_seedance_45_pro", "benefit": "seedance_25_720p_output",
}  # fmt: skip
TEXT = {"meta_type": "text", "text": "like "}


def ret_of(body: Json, site: Site = "cn") -> str:
    try:
        read(body, site)
    except Refused as refused:
        return refused.ret
    return "0"


def read(body: Json, site: Site = "cn") -> Any:
    return read_draft(body, {}, site, lambda key: next((one for one in MODELS[site] if one.key == key), None), KNOWN)


def material(kind: str, **info: Any) -> Json:
    return {"material_type": kind, f"{kind}_info": info}


def film(vid: str = "v0known", duration: int = 5000) -> Json:
    return material("video", vid=vid, duration=duration)


def sound(vid: str = "v0known", duration: int = 4000) -> Json:
    return material("audio", vid=vid, duration=duration)


IMAGE = material("image", image_uri="tos/known.png")


def part(kind: str, index: int = 0) -> Json:
    return {"meta_type": kind, "text": "", "material_ref": {"material_idx": index}}


def lead(materials: list[Json]) -> list[Json]:
    """A part for each material, then the text."""
    return [*(part(one["material_type"], index) for index, one in enumerate(materials)), TEXT]


@pytest.mark.parametrize(
    ("materials", "metas", "ret"),
    [
        ([IMAGE], [part("image"), TEXT], "0"),
        ([IMAGE], [TEXT, part("image")], "0"),
        ([film(), IMAGE, sound()], [part("image", 1), part("audio", 2), TEXT], "0"),
        ([film(), IMAGE], [part("video"), part("image", 1), TEXT], "0"),
        ([film()], [TEXT], "0"),
        ([IMAGE], [part("image")], "0"),
        ([IMAGE, IMAGE], [TEXT, part("image", 1), TEXT, part("image"), TEXT, part("image", 1)], "0"),
        ([IMAGE], [TEXT], "1000"),
        ([IMAGE, IMAGE], [part("image"), TEXT], "1000"),
        ([film(), sound()], [part("video"), TEXT], "1000"),
        ([IMAGE], [], "1002"),
        ([IMAGE], [part("image", 1)], "1000"),
        ([IMAGE], [part("image", -1)], "1000"),
        ([IMAGE], [part("video"), TEXT], "1000"),
        ([film()], [part("image"), TEXT], "1000"),
        ([IMAGE], [{"meta_type": "image"}], "1002"),
        ([IMAGE], [part("image"), {"meta_type": "text"}], "1002"),
        ([], [TEXT], "1000"),
        ([material("smell", uri="x")], [TEXT], "1002"),
        ([material("video", vid="v0known", duration="long")], [TEXT], "1002"),
    ],
)
def test_parts_name_the_materials(materials: list[Json], metas: list[Json], ret: str) -> None:
    assert ret_of(reference_body(materials, metas)) == ret


@pytest.mark.parametrize(
    ("materials", "ret"),
    [
        ([film("v0film"), film("v0short"), sound("v0sound")], "0"),
        ([film("v0film"), film("v0film")], "1000"),
        ([film("v0film", 90_000)], "0"),
        ([film("v0tiny")], "1000"),
        ([sound("v0long"), IMAGE], "1000"),
        ([sound("v0sound")], "1000"),
        ([sound("v0sound"), IMAGE], "0"),
        ([film("v0sound")], "1000"),
        ([film("tos/mine.png")], "1000"),
        ([sound("v0film"), IMAGE], "1000"),
        ([material("image", image_uri="v0film")], "1000"),
        ([material("image", image_uri="tos/mine.png")], "0"),
        ([material("image", image_uri="tos/unsafe.png")], "2039"),
        ([material("image", image_uri="tos/strange.png")], "1000"),
        ([material("image", image_uri=7)], "1000"),
    ],
)
def test_material_is_what_the_site_knows_it_is(materials: list[Json], ret: str) -> None:
    assert ret_of(reference_body(materials, lead(materials))) == ret


@pytest.mark.parametrize(
    ("materials", "model", "ret"),
    [
        ([IMAGE] * 9, {}, "0"),
        ([IMAGE] * 10, {}, "1000"),
        ([film(duration=4000)] * 3, {}, "0"),
        ([film(duration=3000)] * 4, {}, "1000"),
        ([film(duration=9000)] * 2, {}, "1000"),
        ([film(duration=15_400)], {}, "0"),
        ([film(duration=15_500)], {}, "1000"),
        ([film(duration=1000)], {}, "1000"),
        ([IMAGE, *[sound(duration=5000)] * 3], {}, "0"),
        ([IMAGE, *[sound(duration=8000)] * 2], {}, "1000"),
        ([*[IMAGE] * 9, *[film(duration=3000)] * 3], {}, "0"),
        ([*[IMAGE] * 9, *[film(duration=3000)] * 3, sound()], {}, "1000"),
        ([IMAGE] * 30 + [film(duration=3000)] * 10 + [sound(duration=3000)] * 10, SEEDANCE_25, "0"),
        ([IMAGE] * 31, SEEDANCE_25, "1000"),
        ([film(duration=30_200)], SEEDANCE_25, "0"),
        ([film(duration=20_000)] * 2, SEEDANCE_25, "1000"),
        ([film(duration=1800)], SEEDANCE_25, "0"),
        ([sound()], SEEDANCE_25, "0"),
        ([IMAGE] * 9, {"key": "dreamina_happyhorse_v1_1", "benefit": "happyhorse_11_720p_output",
                       "resolution": "720P"}, "0"),
        ([film()], {"key": "dreamina_happyhorse_v1_1", "benefit": "happyhorse_11_720p_output",
                    "resolution": "720P"}, "1000"),
        ([IMAGE] * 20, {"key": "dreamina_wan_30", "benefit": "wan_30_1080p_output", "resolution": "1080P"}, "0"),
        ([IMAGE] * 21, {"key": "dreamina_wan_30", "benefit": "wan_30_1080p_output", "resolution": "1080P"}, "1000"),
    ],
)  # fmt: skip
def test_each_model_has_limits_of_its_own(materials: list[Json], model: Json, ret: str) -> None:
    assert ret_of(reference_body(materials, lead(materials), **model)) == ret


def test_model_without_references_takes_none() -> None:
    how: Json = {
        "key": "dreamina_ic_generate_video_model_vgfm_3.0_pro",
        "benefit": "basic_video_operation_vgfm_v_three_pro",
        "resolution": "1080p",
    }
    assert ret_of(reference_body([IMAGE], lead([IMAGE]), **how)) == "1000"


def test_references_need_their_version_and_their_feature() -> None:
    assert ret_of(reference_body([IMAGE], lead([IMAGE]))) == "0"
    assert ret_of(reference_body([IMAGE], lead([IMAGE]), features=())) == "1002"
    assert ret_of(reference_body([IMAGE], lead([IMAGE]), since="3.0.5")) == "1002"


def test_in_singapore_they_pass_without_either() -> None:
    body = reference_body([IMAGE], lead([IMAGE]), features=(), since="3.0.5", aid=513641)
    assert (ret_of(body, "asia"), ret_of(body, "us")) == ("0", "1002")


def test_words_of_all_parts_are_the_prompt() -> None:
    metas = [TEXT, part("image"), {"meta_type": "text", "text": "#slow"}]
    found = read(reference_body([IMAGE], metas))
    assert (found.prompt, found.kinds, found.model.key) == ("like #slow", ("image",), MODEL)
    long = reference_body([IMAGE], [part("image"), {"meta_type": "text", "text": "x" * 4001}])
    assert ret_of(long) == "1000"
