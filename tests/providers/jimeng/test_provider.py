"""Jimeng's requests pinned to the wire, and what it makes of every kind of answer."""

import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx
import orjson
import pytest
import respx

from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.provider import CanCancel, CanFind, CanList
from providers.contract.requests import Media, VideoRequest
from providers.contract.tasks import ListedTask, Phase, Queue, TaskState
from providers.jimeng.draft import SubmitDraft, build_draft
from providers.jimeng.models import extra_model
from providers.jimeng.provider import (
    HISTORY_PATH,
    LIST_CALLS,
    LIST_PAGE,
    SUBMIT_PATH,
    Jimeng,
)
from providers.jimeng.records import BEST_QUALITY_PATH, QUEUE_PATH, STATUS_PATH
from providers.jimeng.site import session
from providers.jimeng.site.regions import REGIONS, Hosts
from providers.media_files import MediaFile, MediaKind
from providers.sandbox import server as sandbox_server
from providers.sandbox.server import SandboxServer
from providers.sandbox.settings import SandboxSettings
from providers.transport.client import HttpClient
from providers.validation import settle
from tests.providers.jimeng.files import clip, picture, reference, sound
from tests.providers.jimeng.upload_site import LENT, UploadSite, envelope

NOW = 1757737934
ID = "7535099487211244578"
BASE = "https://jimeng.jianying.com"
SECRET = "5e55101d0123456789"
KEY = "5b1f6a0e-7f2b-5c33-9d0c-1a2b3c4d5e6f"
CN = Account("jimeng", SECRET, region="cn")
US = Account("jimeng", SECRET, region="us")
REQUEST = VideoRequest("jimeng-video-3.0-fast", "猫", duration=5, ratio="16:9", resolution="720p", seed=7)
ACCEPTED = {"ret": "0", "errmsg": "success", "data": {"aigc_data": {"history_record_id": ID}}}


@pytest.fixture
def router() -> respx.MockRouter:
    return respx.MockRouter(assert_all_called=False)


@pytest.fixture
async def jimeng(router: respx.MockRouter) -> AsyncIterator[Jimeng]:
    async with HttpClient(transport=lambda proxy: httpx.MockTransport(router.async_handler)) as http:
        yield Jimeng(http, now=lambda: NOW + 0.5, seed=lambda: 99, new_id=lambda: "new-id")


def sent(route: respx.Route, number: int = -1) -> httpx.Request:
    return route.calls[number].request  # type: ignore[no-any-return]


async def submit(jimeng: Jimeng, account: Account = CN, key: str = KEY) -> str:
    return (await jimeng.submit(await jimeng.prepare(REQUEST, account), account, submit_key=key)).id


async def failed_submit(jimeng: Jimeng) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await submit(jimeng)
    assert SECRET not in str(caught.value)
    return caught.value


class TestRequests:
    async def test_a_submit(self, jimeng: Jimeng, router: respx.MockRouter) -> None:
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

    async def test_a_submit_on_another_site(self, jimeng: Jimeng, router: respx.MockRouter) -> None:
        route = router.post(url__startswith="https://dreamina-api.us.capcut.com" + SUBMIT_PATH).respond(json=ACCEPTED)
        await submit(jimeng, US)
        request = sent(route)
        assert "webId" not in request.url.params
        assert request.url.params["region"] == "US"
        assert request.headers["referer"] == "https://dreamina.capcut.com/ai-tool/generate"
        assert request.headers["origin"] == "https://dreamina-api.us.capcut.com"
        assert orjson.loads(request.content)["http_common_info"] == {"aid": 513641}

    async def test_a_status_call(self, jimeng: Jimeng, router: respx.MockRouter) -> None:
        route = router.post(url__startswith=BASE + STATUS_PATH).respond(json={"ret": "0", "data": {}})
        await jimeng.query([ID, "7535099487211244579"], CN)
        request = sent(route)
        assert orjson.loads(request.content) == {"history_ids": [ID, "7535099487211244579"]}
        headers = session.headers(CN, REGIONS["cn"], STATUS_PATH, NOW, BASE)
        assert {name: request.headers[name] for name in headers} == headers

    async def test_a_look_up(self, jimeng: Jimeng, router: respx.MockRouter) -> None:
        data = {KEY: {"history_record_id": int(ID), "status": 20}}
        route = router.post(url__startswith=BASE + STATUS_PATH).respond(json={"ret": "0", "data": data})
        found = await jimeng.find(KEY, CN)
        assert orjson.loads(sent(route).content) == {"submit_ids": [KEY]}
        assert found
        assert found.id == ID

    async def test_a_look_up_of_what_is_not_there(self, jimeng: Jimeng, router: respx.MockRouter) -> None:
        router.post(url__startswith=BASE + STATUS_PATH).respond(json={"ret": 0, "data": {}})
        assert await jimeng.find(KEY, CN) is None

    async def test_the_best_quality_call(self, jimeng: Jimeng, router: respx.MockRouter) -> None:
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
    async def test_without_it_the_preview_stays(
        self, jimeng: Jimeng, router: respx.MockRouter, answer: httpx.Response | Exception
    ) -> None:
        record = {"status": 50, "item_list": [{"item_id": "9", "video": {"play_url": "https://h/preview"}}]}
        router.post(url__startswith=BASE + STATUS_PATH).respond(json={"ret": "0", "data": {ID: record}})
        router.post(url__startswith=BASE + BEST_QUALITY_PATH).mock(side_effect=[answer])
        assert await result_url(jimeng) == "https://h/preview"

    async def test_many_ids_go_in_calls_of_the_set_size(self, router: respx.MockRouter) -> None:
        route = router.post(url__startswith=BASE + STATUS_PATH).respond(json={"ret": "0", "data": {}})
        async with HttpClient(transport=lambda proxy: httpx.MockTransport(router.async_handler)) as http:
            await Jimeng(http, query_batch=2).query(["1" * 19, "2" * 19, "3" * 19], CN)
        assert [len(orjson.loads(call.request.content)["history_ids"]) for call in route.calls] == [2, 1]

    async def test_replaced_hosts(self, router: respx.MockRouter) -> None:
        route = router.post(url__startswith="http://here:1" + SUBMIT_PATH).respond(json=ACCEPTED)
        async with HttpClient(transport=lambda proxy: httpx.MockTransport(router.async_handler)) as http:
            await submit(Jimeng(http, hosts=Hosts("http://here:1/")), US)
        assert sent(route).url.host == "here"


class TestAnswersToASubmit:
    @pytest.mark.parametrize("ret", ["1015", 1015])
    async def test_a_refusal(self, jimeng: Jimeng, router: respx.MockRouter, ret: object) -> None:
        router.post(url__startswith=BASE).mock(return_value=envelope(None, ret, f"login error {SECRET}"))
        error = await failed_submit(jimeng)
        assert (error.kind, error.code, error.detail) == (ErrorKind.INVALID_CREDENTIAL, "1015", "login error ***")

    async def test_a_refusal_inside_the_data(self, jimeng: Jimeng, router: respx.MockRouter) -> None:
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
            ({"fail_starling_key": "a_new_key"}, ErrorKind.UPSTREAM_ERROR),
            ({"fail_starling_message": "a new sentence"}, ErrorKind.UPSTREAM_ERROR),
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

    async def test_a_model_that_is_gone(self, jimeng: Jimeng, router: respx.MockRouter) -> None:
        router.post(url__startswith=BASE).mock(return_value=envelope(None, "2061", "模型已不可用，请刷新界面后再试试"))
        error = await failed_submit(jimeng)
        assert (error.kind, error.code) == (ErrorKind.MODEL_NOT_FOUND, "2061")

    async def test_a_refused_signature_is_tried_once_more(self, jimeng: Jimeng, router: respx.MockRouter) -> None:
        route = router.post(url__startswith=BASE)
        route.side_effect = [envelope(None, "1014"), httpx.Response(200, json=ACCEPTED)]
        assert await submit(jimeng) == ID
        assert route.call_count == 2
        assert sent(route, 0).content == sent(route, 1).content

    async def test_a_signature_refused_twice_is_an_error(self, jimeng: Jimeng, router: respx.MockRouter) -> None:
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
            (httpx.Response(302, headers={"location": "https://elsewhere/"}), ErrorKind.UPSTREAM_ERROR),
            (httpx.Response(403, text="<html>"), ErrorKind.UPSTREAM_ERROR),
            (httpx.Response(429, headers={"retry-after": "7"}), ErrorKind.RATE_LIMITED),
            # A 5xx comes from what stands in front of the site, whatever it says.
            (httpx.Response(500, json={"ret": "1019"}), ErrorKind.ANSWER_LOST),
            (httpx.Response(504, json={"ret": "1"}), ErrorKind.ANSWER_LOST),
            (httpx.Response(408), ErrorKind.ANSWER_LOST),
            (httpx.Response(403, json={"ret": "1019"}), ErrorKind.RESTRICTED),
            (httpx.ConnectError("x"), ErrorKind.UNREACHABLE),
        ],
    )
    async def test_what_may_have_been_accepted_is_told_from_what_was_not(
        self, jimeng: Jimeng, router: respx.MockRouter, answer: httpx.Response | Exception, kind: ErrorKind
    ) -> None:
        route = router.post(url__startswith=BASE)
        route.side_effect = [answer]
        error = await failed_submit(jimeng)
        assert error.kind is kind
        assert route.call_count == 1

    async def test_a_rate_limit_keeps_its_pause(self, jimeng: Jimeng, router: respx.MockRouter) -> None:
        router.post(url__startswith=BASE).respond(429, headers={"retry-after": "7"})
        assert (await failed_submit(jimeng)).retry_after == 7

    async def test_an_unknown_model(self, jimeng: Jimeng) -> None:
        with pytest.raises(ProviderError) as caught:
            await jimeng.prepare(VideoRequest("gpt"), CN)
        assert caught.value.kind is ErrorKind.MODEL_NOT_FOUND


async def submit_media(jimeng: Jimeng, *media: Media, account: Account = CN, **fields: Any) -> str:
    """A submit of a request that was settled as the gateway does it."""
    model = fields.pop("model", "jimeng-video-seedance-2.0")
    card = jimeng.card(model)
    assert card
    request = settle(card, VideoRequest(model, fields.pop("prompt", "猫"), media=media, **fields))
    prepared = await jimeng.prepare(request, account)
    return (await jimeng.submit(prepared, account, submit_key=str(uuid.uuid4()))).id


async def failed_media(jimeng: Jimeng, *media: Media, **fields: Any) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await submit_media(jimeng, *media, **fields)
    assert all(secret not in f"{caught.value} {caught.value.args}" for secret in (SECRET, *LENT))
    return caught.value


def draft_input(route: respx.Route) -> dict[str, Any]:
    draft = orjson.loads(orjson.loads(sent(route).content)["draft_content"])
    params = draft["component_list"][0]["abilities"]["gen_video"]["text_to_video_params"]
    return params["video_gen_inputs"][0]  # type: ignore[no-any-return]


def image(file: MediaFile, param: str = "image_url") -> Media:
    return Media(MediaKind.IMAGE, "", param, file=file)


BEST = Path(sandbox_server.__file__).parent / "clip" / "best.mp4"
RED, BLUE, CLIP = picture(), picture(colour="blue"), clip()


class TestInputs:
    @pytest.fixture
    def site(self, router: respx.MockRouter) -> UploadSite:
        return UploadSite(router)

    @pytest.fixture
    def submits(self, router: respx.MockRouter) -> respx.Route:
        return router.post(url__startswith=BASE + SUBMIT_PATH).mock(
            side_effect=lambda request: httpx.Response(200, json=ACCEPTED)
        )

    async def test_a_first_frame(self, jimeng: Jimeng, site: UploadSite, submits: respx.Route) -> None:
        assert await submit_media(jimeng, image(RED), model="jimeng-video-3.0-fast") == ID
        assert draft_input(submits)["first_frame_image"]["image_uri"] == "tos-cn-i-x/1"
        assert draft_input(submits)["prompt"] == "猫"
        assert (site.token.call_count, site.uploads, site.check.call_count, submits.call_count) == (1, 1, 1, 1)

    async def test_both_frames(self, jimeng: Jimeng, site: UploadSite, submits: respx.Route) -> None:
        await submit_media(jimeng, image(RED), image(BLUE), model="jimeng-video-3.0-fast")
        uris = [draft_input(submits)[name]["uri"] for name in ("first_frame_image", "end_frame_image")]
        assert sorted(uris) == ["tos-cn-i-x/1", "tos-cn-i-x/2"]
        bytes_of = {call.request.url.path: call.request.content for call in site.bytes.calls}
        assert [bytes_of[f"/upload/v1/{uri}"] for uri in uris] == [RED.read(), BLUE.read()]
        assert site.token.call_count == 1

    async def test_references(self, jimeng: Jimeng, site: UploadSite, submits: respx.Route) -> None:
        media = (image(RED, "image_file_1"), image(BLUE, "image_file_2"), reference(CLIP, "video_file_1"))
        await submit_media(jimeng, *media, reference_mode=True, prompt="@image_file_2像@video_file_1")
        unified = draft_input(submits)["unified_edit_input"]
        assert [item["material_type"] for item in unified["material_list"]] == ["image", "image", "video"]
        assert unified["material_list"][2]["video_info"]["duration"] == 5000
        assert [meta.get("material_ref") for meta in unified["meta_list"]] == [
            {"type": "", "id": "new-id", "material_idx": 0},
            {"type": "", "id": "new-id", "material_idx": 1},
            None,
            {"type": "", "id": "new-id", "material_idx": 2},
        ]
        assert sent(submits).url.params["commerce_with_input_video"] == "1"
        assert sorted(orjson.loads(call.request.content)["scene"] for call in site.token.calls) == [1, 2]

    async def test_the_sound_of_an_unknown_model(self, jimeng: Jimeng, site: UploadSite, submits: respx.Route) -> None:
        heard = Media(MediaKind.AUDIO, "", "audio_url", file=sound())
        model = "dreamina_seedance_45_pro"
        await submit_media(jimeng, image(RED), model=model, sound=heard, reference_mode=True)
        materials = draft_input(submits)["unified_edit_input"]["material_list"]
        assert [item["material_type"] for item in materials] == ["image", "audio"]

    async def test_text_alone_uploads_nothing(self, jimeng: Jimeng, site: UploadSite, submits: respx.Route) -> None:
        await submit_media(jimeng)
        assert not site.token.called
        assert draft_input(submits)["prompt"] == "猫"

    async def test_on_a_site_abroad(self, jimeng: Jimeng, router: respx.MockRouter) -> None:
        site = UploadSite(router, REGIONS["us"])
        route = router.post(url__startswith=REGIONS["us"].base_url + SUBMIT_PATH).respond(json=ACCEPTED)
        await submit_media(jimeng, image(RED), model="jimeng-video-3.0-fast", account=US)
        assert draft_input(route)["first_frame_image"]["uri"] == "tos-cn-i-x/1"
        assert (site.uploads, site.check.call_count) == (1, 0)

    async def test_one_without_a_file_is_refused_before_anything_is_sent(
        self, jimeng: Jimeng, site: UploadSite, submits: respx.Route
    ) -> None:
        error = await failed_media(jimeng, Media(MediaKind.IMAGE, "https://h/a.png", "image_url"))
        assert (error.kind, error.fields[0].param) == (ErrorKind.INVALID_REQUEST, "image_url")
        assert not site.token.called
        assert not submits.called

    async def test_videos_that_are_too_long_are_refused_before_the_charged_call(
        self, jimeng: Jimeng, site: UploadSite, submits: respx.Route
    ) -> None:
        site.seconds = iter([9.0, 9.0])
        media = (reference(CLIP, "video_file_1"), reference(clip(b"another"), "video_file_2"))
        error = await failed_media(jimeng, *media)
        assert (error.kind, error.fields[0].param) == (ErrorKind.INVALID_REQUEST, "video_file_2")
        assert error.fields[0].allowed == ("≤ 15.4 s",)
        assert not submits.called

    @pytest.mark.parametrize(
        ("answer", "kind"),
        [
            (httpx.ReadTimeout("x"), ErrorKind.UPLOAD_FAILED),
            (httpx.Response(500), ErrorKind.UPLOAD_FAILED),
            (httpx.Response(200, json={"ret": "1015"}), ErrorKind.INVALID_CREDENTIAL),
            (httpx.Response(200, json={"ret": "1000"}), ErrorKind.UPLOAD_FAILED),
        ],
    )
    async def test_trouble_with_an_upload_leaves_no_submit_open(
        self,
        jimeng: Jimeng,
        site: UploadSite,
        submits: respx.Route,
        answer: httpx.Response | Exception,
        kind: ErrorKind,
    ) -> None:
        site.token.side_effect = [answer]
        assert (await failed_media(jimeng, image(RED))).kind is kind
        assert not submits.called

    async def test_a_picture_that_the_site_refuses(
        self, jimeng: Jimeng, site: UploadSite, submits: respx.Route
    ) -> None:
        site.check.side_effect = [envelope(None, "2003", "risk not pass")]
        assert (await failed_media(jimeng, image(RED))).kind is ErrorKind.CONTENT_REFUSED
        assert not submits.called

    async def test_an_upload_serves_the_next_submit(
        self, jimeng: Jimeng, site: UploadSite, submits: respx.Route
    ) -> None:
        for _ in range(2):
            await submit_media(jimeng, image(RED))
        assert (site.uploads, site.check.call_count, submits.call_count) == (1, 1, 2)

    @pytest.mark.parametrize(
        ("answer", "uploads"),
        [
            (envelope(None, "1000"), 2),
            (envelope({"aigc_data": None, "fail_code": "1000"}), 2),
            (envelope(None, "777"), 2),
            (envelope(None, "5000"), 1),
            (envelope(None, "1057"), 1),
            (httpx.Response(502), 1),
            (httpx.ConnectError("x"), 1),
        ],
    )
    async def test_a_refused_submit_may_mean_that_the_site_has_it_no_more(
        self,
        jimeng: Jimeng,
        site: UploadSite,
        submits: respx.Route,
        answer: httpx.Response | Exception,
        uploads: int,
    ) -> None:
        submits.side_effect = [answer, httpx.Response(200, json=ACCEPTED)]
        await failed_media(jimeng, image(RED))
        assert submits.call_count == 1
        assert await submit_media(jimeng, image(RED)) == ID
        assert site.uploads == uploads

    async def test_against_the_sandbox(self) -> None:
        settings = SandboxSettings(task_seconds=0.001, visible_after=0.0, credits=9999)
        film = MediaFile.inspect(BytesIO(BEST.read_bytes()))
        assert film
        references = (image(RED, "image_file_1"), image(BLUE, "image_file_3"), reference(film, "video_file_1"))
        with SandboxServer(settings) as upstream:
            async with HttpClient() as http:
                hosts = Hosts(upstream.jimeng_url, None, upstream.imagex_url, upstream.vod_url)
                jimeng = Jimeng(http, hosts=hosts)
                ids = [
                    await submit_media(jimeng, *inputs, account=account, **fields)
                    for account, inputs, fields in (
                        (CN, (image(RED),), {}),
                        (US, (image(RED), image(BLUE)), {"model": "jimeng-video-3.0-fast"}),
                        (CN, references, {"reference_mode": True, "prompt": "@image_file_3像@video_file_1"}),
                    )
                ]
        assert len(set(ids)) == 3


async def test_a_submit_that_is_sent_again_has_the_same_draft(
    jimeng: Jimeng, router: respx.MockRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Built once, with one set of ids, one seed and one time; only the id of the submit comes with each call."""
    route = router.post(url__startswith=BASE).respond(json=ACCEPTED)
    built: list[str] = []

    def build(*args: Any, **options: Any) -> SubmitDraft:
        built.append("draft")
        return build_draft(*args, **options)

    monkeypatch.setattr("providers.jimeng.draft.build_draft", build)
    prepared = await jimeng.prepare(REQUEST, CN)
    assert (route.call_count, built) == (0, ["draft"])
    for key in (KEY, KEY, "another-key"):
        await jimeng.submit(prepared, CN, submit_key=key)
    first, second, other = (orjson.loads(call.request.content) for call in route.calls)
    assert first == second
    assert built == ["draft"]
    assert first["submit_id"] == orjson.loads(first["metrics_extra"])["originSubmitId"] == KEY
    assert KEY not in str(other)


class TestQueuePlaces:
    """Records that say nothing of a queue are asked for in the queue call."""

    @pytest.fixture
    def records(self, router: respx.MockRouter) -> respx.Route:
        return router.post(url__startswith=BASE + STATUS_PATH)

    @pytest.fixture
    def queue(self, router: respx.MockRouter) -> respx.Route:
        entry = {"queue_info": {"queue_idx": 3, "queue_length": 40}, "forecast_cost_time": {"forecast_queue_cost": 90}}
        return router.post(url__startswith=BASE + QUEUE_PATH).mock(side_effect=lambda request: envelope({ID: entry}))

    async def test_on_the_wire(self, jimeng: Jimeng, records: respx.Route, queue: respx.Route) -> None:
        records.mock(return_value=envelope({ID: {"status": 20}}))
        state = (await jimeng.query([ID], CN))[ID]
        assert isinstance(state, TaskState)
        assert (state.phase, state.queue) == (Phase.QUEUED, Queue(3, 40, 90))
        assert orjson.loads(sent(queue).content) == {"history_ids": [ID]}

    @pytest.mark.parametrize(
        "record",
        [
            {"status": 20, "queue_info": {"queue_idx": 0, "queue_status": 2}},
            {"status": 20, "queue_info": {}},
            {"status": 20, "queue_info": None},
            {"status": 50},
            {"status": 30},
            {"status": 45},
        ],
    )
    async def test_it_is_not_made_where_the_record_tells(
        self, jimeng: Jimeng, records: respx.Route, queue: respx.Route, record: dict[str, Any]
    ) -> None:
        records.mock(return_value=envelope({ID: record}))
        await jimeng.query([ID], CN)
        assert not queue.called

    @pytest.mark.parametrize(
        "answer", [httpx.Response(500), httpx.ReadTimeout("x"), envelope(None, "1019"), envelope([]), envelope({ID: 5})]
    )
    async def test_without_it_the_state_stays(
        self, jimeng: Jimeng, records: respx.Route, queue: respx.Route, answer: httpx.Response | Exception
    ) -> None:
        records.mock(return_value=envelope({ID: {"status": 20}}))
        queue.side_effect = [answer]
        state = (await jimeng.query([ID], CN))[ID]
        assert isinstance(state, TaskState)
        assert (state.phase, state.queue) == (Phase.PROCESSING, None)


class TestAnswersToAQuery:
    async def test_an_id_that_is_absent_is_not_found(self, jimeng: Jimeng, router: respx.MockRouter) -> None:
        router.post(url__startswith=BASE).mock(return_value=envelope({ID: {"status": 20}}))
        states = await jimeng.query([ID, "7535099487211244579"], CN)
        state, absent = states[ID], states["7535099487211244579"]
        assert isinstance(state, TaskState)
        assert state.phase is Phase.PROCESSING
        assert isinstance(absent, ProviderError)
        assert absent.kind is ErrorKind.TASK_NOT_FOUND

    @pytest.mark.parametrize(
        ("answer", "kind"),
        [
            (httpx.Response(500), ErrorKind.UPSTREAM_ERROR),
            (httpx.Response(200, text="<html>"), ErrorKind.UPSTREAM_ERROR),
            (httpx.Response(200, json={"ret": 1015}), ErrorKind.INVALID_CREDENTIAL),
            (httpx.Response(200, json={"ret": "1057"}), ErrorKind.RATE_LIMITED),
            (httpx.ReadTimeout("x"), ErrorKind.ANSWER_LOST),
            (httpx.ConnectError("x"), ErrorKind.UNREACHABLE),
        ],
    )
    async def test_what_concerns_the_whole_call_is_raised(
        self, jimeng: Jimeng, router: respx.MockRouter, answer: httpx.Response | Exception, kind: ErrorKind
    ) -> None:
        router.post(url__startswith=BASE).mock(side_effect=[answer])
        with pytest.raises(ProviderError) as caught:
            await jimeng.query([ID], CN)
        assert caught.value.kind is kind

    @pytest.mark.parametrize(
        "body",
        [{}, {"code": 10000, "message": "busy"}, {"ret": None}, {"ret": "0", "data": None}, {"ret": "0", "data": "x"}],
    )
    async def test_an_answer_without_records_is_not_read_as_their_absence(
        self, jimeng: Jimeng, router: respx.MockRouter, body: object
    ) -> None:
        router.post(url__startswith=BASE).respond(json=body)
        for ask in (jimeng.query([ID], CN), jimeng.find("k", CN)):
            with pytest.raises(ProviderError) as caught:
                await ask
            assert caught.value.kind is ErrorKind.UPSTREAM_ERROR

    async def test_a_record_without_an_id_proves_that_there_is_a_task(
        self, jimeng: Jimeng, router: respx.MockRouter
    ) -> None:
        router.post(url__startswith=BASE).mock(return_value=envelope({"k": {"status": 20}}))
        with pytest.raises(ProviderError) as caught:
            await jimeng.find("k", CN)
        assert caught.value.kind is ErrorKind.ANSWER_LOST

    @pytest.mark.parametrize("data", [{ID: None}, {ID: []}, {"history_list": None}])
    async def test_odd_data_is_not_found(self, jimeng: Jimeng, router: respx.MockRouter, data: object) -> None:
        router.post(url__startswith=BASE).mock(return_value=envelope(data))
        assert isinstance((await jimeng.query([ID], CN))[ID], ProviderError)


def record(number: int, **fields: Any) -> dict[str, Any]:
    """One of the history, as many seconds old as its number."""
    return {"history_record_id": str(int(ID) + number), "created_time": NOW - number, "status": 20, **fields}


def numbers(tasks: Sequence[ListedTask]) -> list[int]:
    return [int(task.state.id) - int(ID) for task in tasks]


def history_of(records: list[Any], at_most: int = LIST_PAGE) -> Callable[[httpx.Request], httpx.Response]:
    """A site with these records, newest first."""

    def answer(request: httpx.Request) -> httpx.Response:
        asked = orjson.loads(request.content)
        start = asked.get("offset", 0)
        end = start + min(asked["count"], at_most)
        return envelope({"records_list": records[start:end], "has_more": end < len(records), "next_offset": end})

    return answer


class TestLists:
    async def test_on_the_wire(self, jimeng: Jimeng, router: respx.MockRouter) -> None:
        data = {
            "records_list": [record(1, submit_id=KEY, model_info={"model_req_key": "dreamina_x"}), record(2)],
            "has_more": False,
        }
        route = router.post(url__startswith=BASE + HISTORY_PATH).mock(return_value=envelope(data))
        first, second = await jimeng.list(CN, before=None, limit=20)
        assert (first.submit_key, first.state.model, first.state.created_at) == (KEY, "dreamina_x", NOW - 1)
        assert (second.submit_key, second.state.model) == ("", None)
        request = sent(route)
        assert orjson.loads(request.content) == {"count": LIST_PAGE}
        headers = session.headers(CN, REGIONS["cn"], HISTORY_PATH, NOW, BASE)
        assert {name: request.headers[name] for name in headers} == headers
        assert route.call_count == 1

    async def test_further_pages_are_asked_for_by_the_sites_own_offset(
        self, jimeng: Jimeng, router: respx.MockRouter
    ) -> None:
        route = router.post(url__startswith=BASE)
        route.side_effect = [
            envelope({"records_list": [record(1), record(2)], "has_more": True, "next_offset": "c-2"}),
            envelope({"records_list": [record(2), record(3)], "has_more": True}),
            envelope({"records_list": [record(4)], "has_more": False, "next_offset": 0}),
        ]
        assert numbers(await jimeng.list(CN, before=None, limit=9)) == [1, 2, 3, 4]
        asked = [orjson.loads(call.request.content).get("offset") for call in route.calls]
        assert asked == [None, "c-2", 4]

    async def test_it_stops_when_there_is_enough(self, jimeng: Jimeng, router: respx.MockRouter) -> None:
        route = router.post(url__startswith=BASE).mock(side_effect=history_of([record(n) for n in range(300)]))
        assert len(await jimeng.list(CN, before=None, limit=LIST_PAGE)) == LIST_PAGE
        assert route.call_count == 1
        found = await jimeng.list(CN, before=None, limit=LIST_PAGE + 1)
        assert numbers(found) == list(range(2 * LIST_PAGE))
        assert route.call_count == 3

    async def test_before_counts_its_whole_second_in(self, jimeng: Jimeng, router: respx.MockRouter) -> None:
        records = [record(0), record(9, created_time=NOW - 8.001), record(10), record(11)]
        router.post(url__startswith=BASE).mock(side_effect=history_of(records))
        assert numbers(await jimeng.list(CN, before=NOW - 9, limit=9)) == [9, 10, 11]
        assert numbers(await jimeng.list(CN, before=NOW - 9.5, limit=9)) == [10, 11]

    async def test_what_is_newer_is_paged_over(self, jimeng: Jimeng, router: respx.MockRouter) -> None:
        route = router.post(url__startswith=BASE).mock(side_effect=history_of([record(n) for n in range(300)]))
        found = await jimeng.list(CN, before=NOW - 120, limit=30)
        assert numbers(found) == list(range(120, 150))
        assert route.call_count == 3

    async def test_images_are_passed_over(self, jimeng: Jimeng, router: respx.MockRouter) -> None:
        images = [record(n, model_info={"model_req_key": "high_aes_general_v50"}) for n in range(60)]
        router.post(url__startswith=BASE).mock(side_effect=history_of([*images, record(60)]))
        assert numbers(await jimeng.list(CN, before=None, limit=1)) == [60]

    async def test_a_history_that_runs_the_other_way_is_read_to_its_end(
        self, jimeng: Jimeng, router: respx.MockRouter
    ) -> None:
        records = [record(n) for n in reversed(range(9))]
        router.post(url__startswith=BASE).mock(side_effect=history_of(records, at_most=3))
        assert numbers(await jimeng.list(CN, before=None, limit=2)) == list(range(9))

    async def test_a_page_that_brings_nothing_new_is_the_last(self, jimeng: Jimeng, router: respx.MockRouter) -> None:
        page = {"records_list": [record(1), None, {}], "has_more": True, "next_offset": 3}
        route = router.post(url__startswith=BASE).mock(return_value=envelope(page))
        assert numbers(await jimeng.list(CN, before=None, limit=9)) == [1]
        assert route.call_count == 2

    async def test_a_history_without_an_end_is_left(self, jimeng: Jimeng, router: respx.MockRouter) -> None:
        route = router.post(url__startswith=BASE)
        route.mock(side_effect=lambda _: envelope({"records_list": [record(route.call_count)], "has_more": True}))
        assert len(await jimeng.list(CN, before=None, limit=1000)) == LIST_CALLS
        assert route.call_count == LIST_CALLS

    @pytest.mark.parametrize("data", [None, [], {}, {"records_list": None, "has_more": True}])
    async def test_nothing_there(self, jimeng: Jimeng, router: respx.MockRouter, data: object) -> None:
        route = router.post(url__startswith=BASE).mock(return_value=envelope(data))
        assert await jimeng.list(CN, before=None, limit=9) == []
        assert route.call_count == 1

    @pytest.mark.parametrize(
        ("answer", "kind"),
        [
            (httpx.Response(500), ErrorKind.UPSTREAM_ERROR),
            (httpx.Response(200, text=""), ErrorKind.UPSTREAM_ERROR),
            (httpx.Response(200, json={"ret": "2008"}), ErrorKind.INVALID_REQUEST),
            (httpx.Response(200, json={"ret": 1015}), ErrorKind.INVALID_CREDENTIAL),
            (httpx.Response(429), ErrorKind.RATE_LIMITED),
            (httpx.ReadTimeout("x"), ErrorKind.ANSWER_LOST),
        ],
    )
    async def test_trouble_on_any_page_is_raised(
        self, jimeng: Jimeng, router: respx.MockRouter, answer: httpx.Response | Exception, kind: ErrorKind
    ) -> None:
        page = envelope({"records_list": [record(1)], "has_more": True, "next_offset": 1})
        router.post(url__startswith=BASE).mock(side_effect=[page, answer])
        with pytest.raises(ProviderError) as caught:
            await jimeng.list(CN, before=None, limit=9)
        assert caught.value.kind is kind

    async def test_against_the_sandbox(self) -> None:
        settings = SandboxSettings(task_seconds=0.001, visible_after=0.0, max_running=99, credits=9999)
        count = LIST_PAGE + 5
        with SandboxServer(settings) as upstream:
            async with HttpClient() as http:
                jimeng = Jimeng(http, hosts=Hosts(upstream.jimeng_url))
                keys = [str(uuid.uuid4()) for _ in range(count)]
                ids = [await submit(jimeng, CN, key) for key in keys]
                found = await jimeng.list(CN, before=None, limit=count)
                assert [(task.state.id, task.submit_key) for task in found] == [*zip(ids, keys, strict=True)][::-1]
                assert {task.state.model for task in found} == {"dreamina_ic_generate_video_model_vgfm_3.0_fast"}
                newest = found[0].state.created_at
                assert newest is not None
                assert len(await jimeng.list(CN, before=int(newest), limit=count)) == count
                assert await jimeng.list(CN, before=int(newest) - 60, limit=count) == []
                assert await jimeng.list(Account("jimeng", "another", region="cn"), before=None, limit=9) == []


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


def test_a_long_id_tells_its_time_and_a_short_one_does_not() -> None:
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


async def result_url(jimeng: Jimeng) -> str:
    state = (await jimeng.query([ID], CN))[ID]
    assert isinstance(state, TaskState)
    assert state.result
    return state.result.url
