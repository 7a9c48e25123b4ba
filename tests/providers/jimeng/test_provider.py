"""Jimeng's requests pinned to the wire, and what it makes of every kind of answer."""

from typing import Any
from urllib.parse import parse_qsl

import httpx
import orjson
import pytest
import respx

from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.provider import CanCancel, CanFind, CanList
from providers.contract.requests import VideoRequest
from providers.jimeng.models import extra_model
from providers.jimeng.provider import (
    SUBMIT_PATH,
    Jimeng,
)
from providers.jimeng.records import BEST_QUALITY_PATH, STATUS_PATH
from providers.jimeng.site import session
from providers.jimeng.site.regions import REGIONS, Hosts
from providers.transport.client import HttpClient
from tests.providers.jimeng.upload_site import envelope
from tests.providers.jimeng.wire import (
    ACCEPTED,
    BASE,
    CN,
    ID,
    KEY,
    NOW,
    SECRET,
    US,
    failed_submit,
    result_url,
    sent,
    submit,
)


class TestRequests:
    async def test_submit_request(self, jimeng: Jimeng, router: respx.MockRouter) -> None:
        route = router.post(url__startswith=BASE + SUBMIT_PATH).respond(json=ACCEPTED)
        assert await submit(jimeng) == ID
        request = sent(route)
        assert dict(parse_qsl(request.url.query.decode())) == {
            "aid": "513695",
            "device_platform": "web",
            "region": "cn",
            "webId": session.web_id(CN),
            "da_version": session.CURRENT.app_version,
            "os": "windows",
            "web_component_open_flag": "1",
            "web_version": "7.5.0",
            "aigc_features": "app_lip_sync",
        }
        headers = session.headers(CN, REGIONS["cn"], SUBMIT_PATH, NOW, f"{BASE}/ai-tool/generate")
        assert {name: request.headers[name] for name in headers} == headers
        assert request.headers["Sign"] == session.sign("/mweb/v1/aigc_draft/generate", NOW)
        body = orjson.loads(request.content)
        assert body["submit_id"] == KEY
        params = orjson.loads(body["draft_content"])["component_list"][0]["abilities"]["gen_video"]
        assert params["text_to_video_params"]["seed"] == 7

    async def test_submit_request_on_another_site(self, jimeng: Jimeng, router: respx.MockRouter) -> None:
        route = router.post(url__startswith="https://dreamina-api.us.capcut.com" + SUBMIT_PATH).respond(json=ACCEPTED)
        await submit(jimeng, US)
        request = sent(route)
        assert "webId" not in request.url.params
        assert request.url.params["region"] == "US"
        assert request.headers["referer"] == "https://dreamina.capcut.com/ai-tool/generate"
        assert request.headers["origin"] == "https://dreamina-api.us.capcut.com"
        assert orjson.loads(request.content)["http_common_info"] == {"aid": 513641}

    async def test_status_request(self, jimeng: Jimeng, router: respx.MockRouter) -> None:
        route = router.post(url__startswith=BASE + STATUS_PATH).respond(json={"ret": "0", "data": {}})
        await jimeng.query([ID, "7535099487211244579"], CN)
        request = sent(route)
        assert orjson.loads(request.content) == {"history_ids": [ID, "7535099487211244579"]}
        headers = session.headers(CN, REGIONS["cn"], STATUS_PATH, NOW, BASE)
        assert {name: request.headers[name] for name in headers} == headers

    async def test_lookup_request_by_submit_id(self, jimeng: Jimeng, router: respx.MockRouter) -> None:
        data = {KEY: {"history_record_id": int(ID), "status": 20}}
        route = router.post(url__startswith=BASE + STATUS_PATH).respond(json={"ret": "0", "data": data})
        found = await jimeng.find(KEY, CN)
        assert orjson.loads(sent(route).content) == {"submit_ids": [KEY]}
        assert found
        assert found.id == ID

    async def test_lookup_of_an_unknown_submit_is_none(self, jimeng: Jimeng, router: respx.MockRouter) -> None:
        router.post(url__startswith=BASE + STATUS_PATH).respond(json={"ret": 0, "data": {}})
        assert await jimeng.find(KEY, CN) is None

    async def test_best_quality_request(self, jimeng: Jimeng, router: respx.MockRouter) -> None:
        record = {"status": 50, "item_list": [{"item_id": "9", "video": {"play_url": "https://h/preview"}}]}
        router.post(url__startswith=BASE + STATUS_PATH).respond(json={"ret": "0", "data": {ID: record}})
        best = {"item_list": [{"item_id": "9", "video": {"url": "https://h/best"}}]}
        route = router.post(url__startswith=BASE + BEST_QUALITY_PATH).respond(json={"ret": "0", "data": best})
        assert await result_url(jimeng) == "https://h/best"
        assert orjson.loads(sent(route).content) == {
            "item_id_list": ["9"],
            "pack_item_opt": {"scene": 1, "need_data_integrity": True},
            "is_for_video_download": True,
        }

    @pytest.mark.parametrize(
        "answer",
        [
            httpx.Response(500),
            httpx.Response(200, text="<html>"),
            httpx.Response(200, json={"ret": "1015"}),
            httpx.Response(200, json={"ret": "0", "data": None}),
            httpx.Response(200, json={"ret": "0", "data": {"item_list": [{"item_id": "other"}]}}),
            httpx.ConnectError("x"),
        ],
    )
    async def test_failed_best_quality_request_keeps_the_preview(
        self, jimeng: Jimeng, router: respx.MockRouter, answer: httpx.Response | Exception
    ) -> None:
        record = {"status": 50, "item_list": [{"item_id": "9", "video": {"play_url": "https://h/preview"}}]}
        router.post(url__startswith=BASE + STATUS_PATH).respond(json={"ret": "0", "data": {ID: record}})
        router.post(url__startswith=BASE + BEST_QUALITY_PATH).mock(side_effect=[answer])
        assert await result_url(jimeng) == "https://h/preview"

    async def test_many_ids_are_queried_in_batches(self, router: respx.MockRouter) -> None:
        route = router.post(url__startswith=BASE + STATUS_PATH).respond(json={"ret": "0", "data": {}})
        async with HttpClient(transport=lambda proxy: httpx.MockTransport(router.async_handler)) as http:
            await Jimeng(http, query_batch=2).query(["1" * 19, "2" * 19, "3" * 19], CN)
        assert [len(orjson.loads(call.request.content)["history_ids"]) for call in route.calls] == [2, 1]

    async def test_replaced_hosts_are_used(self, router: respx.MockRouter) -> None:
        route = router.post(url__startswith="http://here:1" + SUBMIT_PATH).respond(json=ACCEPTED)
        async with HttpClient(transport=lambda proxy: httpx.MockTransport(router.async_handler)) as http:
            await submit(Jimeng(http, hosts=Hosts("http://here:1/")), US)
        assert sent(route).url.host == "here"


class TestAnswersToASubmit:
    @pytest.mark.parametrize("ret", ["1015", 1015])
    async def test_refused_submit_raises_its_error(self, jimeng: Jimeng, router: respx.MockRouter, ret: object) -> None:
        router.post(url__startswith=BASE).mock(return_value=envelope(None, ret, f"login error {SECRET}"))
        error = await failed_submit(jimeng)
        assert (error.kind, error.code, error.detail) == (ErrorKind.INVALID_CREDENTIAL, "1015", "login error ***")

    async def test_refusal_inside_the_data_raises_its_error(self, jimeng: Jimeng, router: respx.MockRouter) -> None:
        data = {"aigc_data": None, "fail_code": 2003, "fail_starling_message": "不行"}
        router.post(url__startswith=BASE).mock(return_value=envelope(data))
        error = await failed_submit(jimeng)
        assert (error.kind, error.code, error.detail) == (ErrorKind.CONTENT_REFUSED, "2003", "不行")

    @pytest.mark.parametrize(
        ("reason", "kind"),
        [
            ({"fail_starling_key": "web_text_violates_community_guidelines_toast"}, ErrorKind.CONTENT_REFUSED),
            ({"fail_starling_message": "你输入的文字不符合平台规则，请修改后重试"}, ErrorKind.CONTENT_REFUSED),
            ({"fail_code": 2047}, ErrorKind.CONTENT_REFUSED),
            ({"fail_code": "2040"}, ErrorKind.CONTENT_REFUSED),
            ({"fail_starling_key": "a_new_key"}, ErrorKind.UNKNOWN_REFUSAL),
            ({"fail_starling_message": "a new sentence"}, ErrorKind.UNKNOWN_REFUSAL),
            ({"fail_reason": "a new field"}, ErrorKind.UNKNOWN_REFUSAL),
        ],
    )
    async def test_any_reason_in_place_of_a_task_is_a_definite_refusal(
        self, jimeng: Jimeng, router: respx.MockRouter, reason: dict[str, Any], kind: ErrorKind
    ) -> None:
        empty = {"aigc_data": None, "fail_code": "", "fail_starling_key": "", "fail_starling_message": ""}
        route = router.post(url__startswith=BASE).mock(return_value=envelope(empty | reason))
        assert (await failed_submit(jimeng)).kind is kind
        assert route.call_count == 1

    @pytest.mark.parametrize("ret", ["987654", "3099", 1])
    async def test_any_number_but_0_without_a_task_is_a_definite_refusal(
        self, jimeng: Jimeng, router: respx.MockRouter, ret: object
    ) -> None:
        data = {"aigc_data": None, "fail_code": "", "fail_starling_key": "", "fail_starling_message": ""}
        router.post(url__startswith=BASE).mock(return_value=envelope(data, ret))
        error = await failed_submit(jimeng)
        assert error.kind is not ErrorKind.ANSWER_LOST
        assert error.code == str(ret)

    async def test_removed_model_is_not_found(self, jimeng: Jimeng, router: respx.MockRouter) -> None:
        router.post(url__startswith=BASE).mock(return_value=envelope(None, "2061", "模型已不可用，请刷新界面后再试试"))
        error = await failed_submit(jimeng)
        assert (error.kind, error.code) == (ErrorKind.MODEL_NOT_FOUND, "2061")

    async def test_rejected_signature_is_retried_once(self, jimeng: Jimeng, router: respx.MockRouter) -> None:
        route = router.post(url__startswith=BASE)
        route.side_effect = [envelope(None, "1014"), httpx.Response(200, json=ACCEPTED)]
        assert await submit(jimeng) == ID
        assert route.call_count == 2
        assert sent(route, 0).content == sent(route, 1).content

    async def test_signature_refused_twice_is_an_error(self, jimeng: Jimeng, router: respx.MockRouter) -> None:
        route = router.post(url__startswith=BASE).mock(return_value=envelope(None, 1014))
        assert (await failed_submit(jimeng)).code == "1014"
        assert route.call_count == 2

    @pytest.mark.parametrize(
        ("answer", "kind"),
        [
            (httpx.Response(500), ErrorKind.ANSWER_LOST),
            (httpx.Response(502, text="<html>bad gateway"), ErrorKind.ANSWER_LOST),
            (httpx.Response(200, text="<html>"), ErrorKind.ANSWER_LOST),
            (httpx.Response(200, text='{"ret":"0","da'), ErrorKind.ANSWER_LOST),
            (httpx.Response(200, text=""), ErrorKind.ANSWER_LOST),
            (httpx.Response(200, json=[]), ErrorKind.ANSWER_LOST),
            (httpx.Response(200, json={"ret": "0", "data": None}), ErrorKind.ANSWER_LOST),
            (httpx.Response(200, json={"ret": None, "data": {"aigc_data": None}}), ErrorKind.ANSWER_LOST),
            (httpx.Response(200, json={"ret": "0", "data": {"aigc_data": {}}}), ErrorKind.ANSWER_LOST),
            (httpx.ReadTimeout("x"), ErrorKind.ANSWER_LOST),
            (httpx.RemoteProtocolError("x"), ErrorKind.ANSWER_LOST),
            # What is not the site's own envelope may come from something in between.
            *(
                (httpx.Response(status, headers={"location": "https://elsewhere/"}), ErrorKind.ANSWER_LOST)
                for status in (301, 302, 303, 304, 307, 308)
            ),
            *(
                (httpx.Response(status, text="<html>"), ErrorKind.ANSWER_LOST)
                for status in (101, 400, 401, 403, 404, 405, 407, 410, 413, 421, 425, 429, 451, 499)
            ),
            (httpx.Response(429, text="slow down", headers={"retry-after": "7"}), ErrorKind.ANSWER_LOST),
            (httpx.Response(404, json={"code": 404, "message": "no route"}), ErrorKind.ANSWER_LOST),
            (httpx.Response(403, json={"ret": 424242}), ErrorKind.ANSWER_LOST),
            (httpx.Response(403, json={"ret": "0", "data": {}}), ErrorKind.ANSWER_LOST),
            (httpx.Response(302, json={"ret": "1015", "errmsg": "login error"}), ErrorKind.ANSWER_LOST),
            (httpx.Response(499, json={"ret": "1015", "errmsg": "login error"}), ErrorKind.ANSWER_LOST),
            # A 5xx comes from what stands in front of the site, whatever it says.
            (httpx.Response(500, json={"ret": "1019"}), ErrorKind.ANSWER_LOST),
            (httpx.Response(504, json={"ret": "1"}), ErrorKind.ANSWER_LOST),
            (httpx.Response(408), ErrorKind.ANSWER_LOST),
            (httpx.Response(403, json={"ret": "1019"}), ErrorKind.RESTRICTED),
            (httpx.ConnectError("x"), ErrorKind.UNREACHABLE),
        ],
    )
    async def test_only_possibly_accepted_submits_are_lost_answers(
        self, jimeng: Jimeng, router: respx.MockRouter, answer: httpx.Response | Exception, kind: ErrorKind
    ) -> None:
        route = router.post(url__startswith=BASE)
        route.side_effect = [answer]
        error = await failed_submit(jimeng)
        assert error.kind is kind
        assert route.call_count == 1

    async def test_unknown_model_is_not_found(self, jimeng: Jimeng) -> None:
        with pytest.raises(ProviderError) as caught:
            await jimeng.prepare(VideoRequest("gpt"), CN)
        assert caught.value.kind is ErrorKind.MODEL_NOT_FOUND


def test_what_it_can_do_besides() -> None:
    jimeng = Jimeng(HttpClient())
    assert isinstance(jimeng, CanFind)
    assert isinstance(jimeng, CanList)
    assert isinstance(jimeng, CanCancel)


@pytest.mark.parametrize(
    ("id", "owned"),
    [(ID, True), ("123456789012", True), ("12345678901", False), ("1" * 21, False), ("٧" * 15, False), ("", False)],
)
def test_its_ids_are_digits(id: str, owned: bool) -> None:
    assert Jimeng(HttpClient()).owns(id) is owned


def test_long_id_tells_its_time_and_a_short_one_does_not() -> None:
    jimeng = Jimeng(HttpClient())
    assert jimeng.submitted_at(str(NOW << 32 | 12345)) == NOW
    assert jimeng.submitted_at("123456789012") is None
    assert jimeng.submitted_at("x") is None


def test_models_are_known_by_name_and_by_key() -> None:
    extra = extra_model("jimeng-video-next", "dreamina_next", "b", (5,))
    jimeng = Jimeng(HttpClient(), extra_models=[extra])
    names = [card.name for card in jimeng.models()]
    assert names[0] == "jimeng-video-3.5-pro"
    assert names[-1] == "jimeng-video-next"
    by_key = jimeng.card("dreamina_next")
    assert by_key
    assert by_key.name == "jimeng-video-next"
