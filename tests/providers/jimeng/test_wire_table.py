"""The cross-check of autumn 2026, row by row: every row in which the gateway once differed from the sites, and whole
submits against the captured forms, object by object.

What is expected here is written down from the captures, and shares nothing with the code that makes the bodies.
"""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind
from providers.contract.models import ModelCard
from providers.jimeng.credits import parse_credits
from providers.jimeng.draft import wire_of
from providers.jimeng.history import open_envelope, parse_record
from providers.jimeng.models import MODELS
from providers.jimeng.results import choose
from providers.jimeng.site.errors import envelope_error
from providers.jimeng.site.regions import REGIONS
from providers.jimeng.site.session import CURRENT, query
from providers.jimeng.uploads.safety import check_query
from tests.providers.jimeng.wire_table import (
    ABROAD_AID,
    BASIC,
    MAINLAND_AID,
    VGFM,
    WAYS,
    WITHOUT_REFERENCES,
    built,
    every_card,
    prices_of,
    the_body,
)

site = pytest.mark.parametrize("site", REGIONS)


@every_card
@pytest.mark.parametrize("way", WAYS)
def test_whole_submit(site: str, card: ModelCard, way: str) -> None:
    aid = MAINLAND_AID if site == "cn" else ABROAD_AID
    for price in prices_of(site)[card.key]:
        body = built(site, card, WAYS[way], price.resolution)
        if body is None:
            assert way not in ("text", "first"), "every model takes these"
            assert way == "first-last" or way.startswith("clip") or "sound" in way or card.key in WITHOUT_REFERENCES
            continue
        assert body == the_body(card.key, WAYS[way], price, aid)


# --- rows of weight 1 and 2 -------------------------------------------------------------------------------------


def inputs_of(body: Any) -> Any:
    component = body["draft_content"]["component_list"][0]
    return component["abilities"]["gen_video"]["text_to_video_params"]["video_gen_inputs"][0]


def benefit_of(body: Any) -> str:
    return str(body["extend"]["m_video_commerce_info"]["benefit_type"])


def card_of(site: str, key: str) -> ModelCard:
    return next(card for card in MODELS if card.key == key and site in card.regions)


@site
def test_da_version(site: str) -> None:
    assert query(Account("jimeng", "s", region=site), REGIONS[site])["da_version"] == "3.3.28"
    assert CURRENT.app_version == "3.3.28"


@site
def test_web_id_is_that_of_the_accounts_own_cookie(site: str) -> None:
    account = Account("jimeng", "s", region=site, cookie="sessionid=s; _tea_web_id=7512345678901234567")
    assert query(account, REGIONS[site]).get("webId") == ("7512345678901234567" if site == "cn" else None)


PAGES = {"cn": "https://jimeng.jianying.com"} | dict.fromkeys(("us", "hk", "jp", "sg"), "https://dreamina.capcut.com")


@site
def test_referer_of_user_credit(site: str) -> None:
    referer = REGIONS[site].referer("/commerce/v1/benefits/user_credit")
    assert referer == PAGES[site] + "/ai-tool/image/generate"


@site
def test_referer_of_credit_receive(site: str) -> None:
    assert REGIONS[site].referer("/commerce/v1/benefits/credit_receive") == PAGES[site] + "/ai-tool/home"


@pytest.mark.parametrize(
    ("site", "key", "resolution"),
    [
        *(
            (site, key, "720p")
            for site in REGIONS
            for key in prices_of(site)
            if "_seedance_4" in key and "draft" not in key
        ),
        *((site, f"{VGFM}_3.0_pro", "1080p") for site in REGIONS),
        *((site, f"{VGFM}_3.5_pro", "720p") for site in REGIONS if site != "cn"),
    ],
)
@pytest.mark.parametrize("way", ["text", "first"])
def test_resolution_is_sent_where_the_client_names_none(site: str, key: str, resolution: str, way: str) -> None:
    assert inputs_of(built(site, card_of(site, key), WAYS[way], None))["resolution"] == resolution


@pytest.mark.parametrize(("way", "ending"), [("text", None), ("first", None), ("first-last", "1.0"), ("picture", None)])
def test_ending_control(way: str, ending: str | None) -> None:
    body = built("cn", card_of("cn", "dreamina_seedance_45_pro"), WAYS[way], None)
    assert inputs_of(body).get("ending_control") == ending


def test_meta_list_without_a_tag() -> None:
    body = built("cn", card_of("cn", "dreamina_seedance_45_pro"), WAYS["clip-picture-sound"], None)
    metas = inputs_of(body)["unified_edit_input"]["meta_list"]
    assert [meta["meta_type"] for meta in metas] == ["video", "image", "audio", "text"]
    assert [meta["material_ref"]["material_idx"] for meta in metas[:-1]] == [0, 1, 2]


@pytest.mark.parametrize(("site", "key"), [(site, key) for site in REGIONS for key in prices_of(site)])
def test_benefit_of_images_alone_is_the_plain_one(site: str, key: str) -> None:
    card = card_of(site, key)
    body = built(site, card, WAYS["picture"], prices_of(site)[key][0].resolution)
    assert (body is None) == (key in WITHOUT_REFERENCES)
    if body is not None:
        assert benefit_of(body) == prices_of(site)[key][0].plain


def test_benefit_of_seedance_2_0_with_a_video() -> None:
    body = built("cn", card_of("cn", "dreamina_seedance_40_pro"), WAYS["clip-picture-sound"], None)
    assert benefit_of(body) == "dreamina_video_seedance_20_video_add"


@site
def test_benefit_of_3_0_pro(site: str) -> None:
    assert benefit_of(built(site, card_of(site, f"{VGFM}_3.0_pro"), WAYS["text"], None)) == f"{BASIC}_pro"


@site
@pytest.mark.parametrize(("resolution", "benefit"), [("720p", BASIC), ("1080p", f"{BASIC}_1080")])
def test_benefit_of_3_0_fast_by_resolution(site: str, resolution: str, benefit: str) -> None:
    assert benefit_of(built(site, card_of(site, f"{VGFM}_3.0_fast"), WAYS["text"], resolution)) == benefit


@site
def test_seedance_2_0_is_on_every_site(site: str) -> None:
    for key in ("dreamina_seedance_40", "dreamina_seedance_40_pro"):
        assert wire_of(card_of(site, key)).by_reference


def test_babi_param_of_algo_proxy() -> None:
    assert json.loads(check_query()["babi_param"]) == {
        "scenario": "image_video_generation",
        "feature_key": "aigc_to_image",
        "feature_entrance": "to-generate",
        "feature_entrance_detail": "to-generate-algo_proxy",
    }


def test_cancelled_record() -> None:
    record = {
        "status": 30,
        "task": {"status": 30},
        "queue_info": {"queue_status": 3},
        "fail_starling_message": "你已取消生成，积分已返还",
    }
    error = parse_record("9481700000001", record).error
    assert error is not None
    assert error.kind is ErrorKind.CANCELLED


def stream(name: str) -> dict[str, Any]:
    return {"video_url": f"https://v.example/{name}.mp4", "width": 0, "height": 0}


@pytest.mark.parametrize(
    ("names", "best"),
    [
        (("360p", "480p", "720p"), "720p"),
        (("720p", "360p"), "720p"),
        (("480p",), "480p"),
        (("720p", "origin"), "origin"),
    ],
)
def test_result_url_by_any_key_of_transcoded_video(names: Sequence[str], best: str) -> None:
    choice = choose({"video": {"transcoded_video": {name: stream(name) for name in names}}})
    assert choice is not None
    assert choice.result.url == f"https://v.example/{best}.mp4"


def test_best_quality_is_the_stream_without_a_tag() -> None:
    # "https://v.example/clean.mp4"
    streams = {"video_1": {"main_url": "aHR0cHM6Ly92LmV4YW1wbGUvY2xlYW4ubXA0", "vwidth": 640, "vheight": 360}}
    item = {
        "video": {
            "video_model": json.dumps({"video_list": streams}),
            "transcoded_video": {"origin": stream("marked") | {"width": 1920, "height": 1080}},
        }
    }
    choice = choose(item)
    assert choice is not None
    assert choice.result.url == "https://v.example/clean.mp4"


def test_user_credit_of_the_us() -> None:
    text = '{"credit":{"vip_credit":1,"gift_credit":50,"purchase_credit":2}}'
    envelope = open_envelope({"ret": "0", "errmsg": "success", "response": text, "sign": "x"})
    assert envelope is not None
    credits = parse_credits(envelope.data)
    assert credits is not None
    assert (credits.vip, credits.gift, credits.purchase) == (1, 50, 2)


@pytest.mark.parametrize(
    ("ret", "errmsg", "kind"),
    [
        ("2061", "模型已不可用，请刷新界面后再试试", ErrorKind.MODEL_NOT_FOUND),
        ("34010105", "login error", ErrorKind.INVALID_CREDENTIAL),
        ("-6", "shark not pass reject", ErrorKind.RESTRICTED),
    ],
)
def test_error_numbers(ret: str, errmsg: str, kind: ErrorKind) -> None:
    assert envelope_error(ret, errmsg).kind is kind
