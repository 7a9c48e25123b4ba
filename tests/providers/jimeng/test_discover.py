"""The models that an account's site lists, read live."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import respx

from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.models import ModelCard
from providers.contract.provider import CanDiscover
from providers.jimeng.configuration import CONFIGURATION_PATH
from providers.jimeng.models import MODELS, extra_model
from providers.jimeng.provider import Jimeng
from providers.jimeng.site.regions import REGIONS
from providers.transport.client import HttpClient
from tests.providers.jimeng.upload_site import envelope

CN = Account("jimeng", "5e55101d0123456789", region="cn")
SG = Account("jimeng", "5e55101d0123456789", region="sg")
ANSWER = json.loads((Path(__file__).parent / "recorded" / "configuration_mainland.json").read_text("utf-8"))["answer"]

UNUSABLE = {"model_req_key": "dreamina_new", "commercial_config": {"default": {"benefit_type": "b"}}}
"""An entry that does not say what the model takes."""


@pytest.fixture
def router() -> respx.MockRouter:
    return respx.MockRouter(assert_all_called=False)


@pytest.fixture
async def jimeng(router: respx.MockRouter) -> AsyncIterator[Jimeng]:
    async with HttpClient(transport=lambda proxy: httpx.MockTransport(router.async_handler)) as http:
        yield Jimeng(http)


def answered(router: respx.MockRouter, answer: Any, region: str = "cn") -> respx.Route:
    response = answer if isinstance(answer, httpx.Response) else httpx.Response(200, json=answer)
    return router.post(url__startswith=REGIONS[region].base_url + CONFIGURATION_PATH).mock(return_value=response)


async def test_it_asks_the_accounts_own_site_once_and_uncharged(jimeng: Jimeng, router: respx.MockRouter) -> None:
    assert isinstance(jimeng, CanDiscover)
    route = answered(router, ANSWER, "sg")
    await jimeng.discover(SG)
    assert route.call_count == 1
    request = route.calls.last.request
    assert orjson.loads(request.content) == {"scene": "video_generate", "params": {}}
    assert request.url.params["region"] == "SG"


async def test_names_of_the_table_stay_and_a_new_key_is_its_own_name(jimeng: Jimeng, router: respx.MockRouter) -> None:
    answer = json.loads(json.dumps(ANSWER))
    answer["data"]["model_list"][1]["model_req_key"] = "dreamina_seedance_50"
    answered(router, answer)
    names = [card.name for card in await jimeng.discover(CN)]
    assert names[:2] == ["jimeng-video-seedance-2.5", "dreamina_seedance_50"]


async def test_what_only_the_table_knows_is_kept(jimeng: Jimeng, router: respx.MockRouter) -> None:
    answered(router, ANSWER)
    found = {card.name: card for card in await jimeng.discover(CN)}
    table: dict[str, ModelCard] = {card.name: card for card in MODELS}
    assert found["jimeng-video-3.0-fast"].typical_seconds == table["jimeng-video-3.0-fast"].typical_seconds == 60


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (httpx.Response(404, text="<html>"), ErrorKind.UPSTREAM_ERROR),
        (httpx.Response(500), ErrorKind.UPSTREAM_ERROR),
        (envelope({}), ErrorKind.UPSTREAM_ERROR),
        (envelope({"model_list": []}), ErrorKind.UPSTREAM_ERROR),
        (envelope({"model_list": [UNUSABLE]}), ErrorKind.UPSTREAM_ERROR),
        (envelope(None, "1015"), ErrorKind.INVALID_CREDENTIAL),
    ],
)
async def test_no_list_is_an_error_and_not_an_empty_site(
    jimeng: Jimeng, router: respx.MockRouter, answer: httpx.Response, kind: ErrorKind
) -> None:
    answered(router, answer)
    with pytest.raises(ProviderError) as caught:
        await jimeng.discover(CN)
    assert caught.value.kind is kind


async def test_model_without_supported_inputs_is_skipped(jimeng: Jimeng, router: respx.MockRouter) -> None:
    answer = json.loads(json.dumps(ANSWER))
    for option in answer["data"]["model_list"][0]["options"]:
        if option["key"] == "input_media_type":
            option["enum_val"]["string_value"] = ["long_video"]
    answered(router, answer)
    found = await jimeng.discover(CN)
    assert len(found) == len(answer["data"]["model_list"]) - 1
    assert "jimeng-video-seedance-2.5" not in {card.name for card in found}


def test_models_of_the_configuration_stand_in_the_table_and_replace_its_own() -> None:
    same = extra_model("jimeng-video-seedance-2.0", "dreamina_seedance_40_pro", "other_benefit", (5,))
    jimeng = Jimeng(HttpClient(), extra_models=[same])
    cards = [card for card in jimeng.models() if card.name == same.name]
    assert cards == [same]
    assert jimeng.card(same.name) is same


def test_withdrawn_model_is_known_and_not_listed() -> None:
    jimeng = Jimeng(HttpClient())
    card = jimeng.card("jimeng-video-3.0")
    assert card is not None
    assert not card.unlisted
    assert card.name not in {listed.name for listed in jimeng.models()}


def test_key_of_the_table_keeps_the_tables_name_beside_a_model_of_the_configuration() -> None:
    mine = extra_model("my-model", "dreamina_minimax_h3", "other_benefit", (5,))
    jimeng = Jimeng(HttpClient(), extra_models=[mine])
    by_key = jimeng.card("dreamina_minimax_h3")
    assert by_key is not None
    assert by_key.name == "jimeng-video-minimax-h3"
    assert jimeng.card("my-model") is mine
