"""Accounts, cards and submits: requests pinned to the wire, and what is made of every kind of answer."""

from typing import Any

import httpx
import orjson
import pytest
import respx

from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.models import ModelCard
from providers.contract.provider import CanCancel, CanFind, CanList, Provider
from providers.contract.requests import Media, VideoRequest
from providers.dashscope.models import MODELS
from providers.dashscope.provider import DashScope
from providers.media_files import MediaKind
from providers.transport.client import HttpClient
from tests.providers.dashscope.wire import (
    ACCEPTED,
    BASE,
    HTML,
    ID,
    KEY,
    REQUEST_ID,
    SUBMIT,
    error_body,
    refused,
    submit,
    submitted,
    without_key,
)


def test_it_is_a_provider_that_can_cancel_and_list_but_not_find(provider: DashScope) -> None:
    plain: Provider = provider
    assert plain.name == "dashscope"
    assert plain.query_batch == 1
    assert isinstance(provider, CanCancel)
    assert isinstance(provider, CanList)
    assert not isinstance(provider, CanFind)


@pytest.mark.parametrize("key", [KEY, "sk-a", "sk-sp-1.2_3"])
def test_keys_are_accounts(provider: DashScope, key: str) -> None:
    assert provider.account_from(key) == Account("dashscope", key)
    assert provider.account_from(key, named=True) == Account("dashscope", key)


@pytest.mark.parametrize("text", ["", "sk-", "ms-abc", "token", "SK-abc"])
def test_other_shapes_need_the_name(provider: DashScope, text: str) -> None:
    assert provider.account_from(text) is None
    assert (provider.account_from(text, named=True) is not None) == bool(text)


@pytest.mark.parametrize("text", ["sk-a b", "sk-a\n", "sk-\x00", "sk-密钥", " sk-a", "sk-a\x7f", "sk-\u00e9"])
def test_credential_invalid_in_a_header_is_no_account(provider: DashScope, text: str) -> None:
    assert provider.account_from(text) is None
    assert provider.account_from(text, named=True) is None


def test_ids(provider: DashScope) -> None:
    assert provider.owns(ID)
    assert provider.owns(ID.upper())
    for strange in ("", "7535099487211244578", ID + "\n", ID.replace("-", ""), ID[:-1], "g" + ID[1:]):
        assert not provider.owns(strange)
    assert provider.submitted_at(ID) is None


def test_cards(http: HttpClient) -> None:
    mine = ModelCard("house-model", "dashscope", key="wan2.6-t2v")
    other = ModelCard("wan2.5-t2v-preview", "dashscope", durations=(5,))
    provider = DashScope(http, cards=[mine, other])
    assert provider.models()[0] is MODELS[0]
    assert len(provider.models()) == len(MODELS) + 1
    assert provider.card("house-model") is mine
    assert provider.card("wan2.5-t2v-preview") is other
    assert provider.card("WAN2.6-T2V") is MODELS[0]
    unknown = provider.card("wan2.6-t2v-next")
    assert unknown is not None
    assert unknown.unlisted
    assert provider.card("qwen-vl-plus") is None


# --- submit -------------------------------------------------------------------------------------------------------

A, B = "https://h/a.png", "https://h/b.png"
CAPTURES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (
        "video-generation",
        {
            "model": "wan2.5-t2v-preview",
            "negative_prompt": "blurry",
            "sound": Media(MediaKind.AUDIO, "https://h/a.mp3", "audio_url"),
            "size": "1280*720",
            "duration": 5,
            "prompt_extend": True,
            "watermark": False,
            "seed": 7,
        },
        {
            "model": "wan2.5-t2v-preview",
            "parameters": {
                "size": "1280*720",
                "duration": 5,
                "seed": 7,
                "prompt_extend": True,
                "watermark": False,
            },
            "input": {"prompt": "a cat", "negative_prompt": "blurry", "audio_url": "https://h/a.mp3"},
        },
    ),
    (
        "video-generation",
        {
            "model": "wan2.7-i2v",
            "media": (Media(MediaKind.IMAGE, A, "image"),),
            "sound": Media(MediaKind.AUDIO, "https://h/a.mp3", "audio_url"),
            "duration": 10,
            "resolution": "720P",
        },
        {
            "model": "wan2.7-i2v",
            "parameters": {"duration": 10, "resolution": "720P"},
            "input": {
                "prompt": "a cat",
                "media": [{"type": "first_frame", "url": A}, {"type": "driving_audio", "url": "https://h/a.mp3"}],
            },
        },
    ),
    (
        "image2video",
        {
            "model": "wan2.2-kf2v-flash",
            "media": (Media(MediaKind.IMAGE, A, "image"), Media(MediaKind.IMAGE, B, "image")),
            "resolution": "720P",
            "prompt_extend": True,
        },
        {
            "model": "wan2.2-kf2v-flash",
            "parameters": {"prompt_extend": True, "resolution": "720P", "duration": 5},
            "input": {"prompt": "a cat", "first_frame_url": A, "last_frame_url": B},
        },
    ),
]


@pytest.mark.parametrize(("task", "fields", "body"), CAPTURES)
async def test_request_on_the_wire(
    provider: DashScope,
    router: respx.MockRouter,
    account: Account,
    task: str,
    fields: dict[str, Any],
    body: dict[str, Any],
) -> None:
    route = router.post(f"{BASE}/services/aigc/{task}/video-synthesis").respond(200, json=ACCEPTED)
    assert await submitted(provider, account, **fields) == ID
    assert route.call_count == 1
    sent = route.calls.last.request
    assert orjson.loads(sent.content) == body
    assert sent.headers["authorization"] == f"Bearer {KEY}"
    assert sent.headers["content-type"] == "application/json"
    assert sent.headers["accept"] == "application/json"
    assert sent.headers["user-agent"] == "video-gateway"
    assert sent.headers["x-dashscope-async"] == "enable"
    assert "cookie" not in sent.headers
    assert "x-dashscope-ossresourceresolve" not in sent.headers


async def test_oss_link_is_resolved(provider: DashScope, router: respx.MockRouter, account: Account) -> None:
    route = router.post(SUBMIT).respond(200, json=ACCEPTED)
    media = (Media(MediaKind.IMAGE, "oss://dashscope-instant/abc/loc.png", "image"),)
    await submitted(provider, account, model="wan2.5-i2v-preview", media=media, resolution="480P")
    assert route.calls.last.request.headers["x-dashscope-ossresourceresolve"] == "enable"


async def test_base_url_and_the_proxy_are_the_accounts_way(router: respx.MockRouter) -> None:
    proxies: list[str | None] = []

    def transport(proxy: str | None) -> httpx.AsyncBaseTransport:
        proxies.append(proxy)
        return httpx.MockTransport(router.async_handler)

    route = router.post("http://127.0.0.1:9/api/v1/services/aigc/video-generation/video-synthesis")
    route.respond(200, json=ACCEPTED)
    async with HttpClient(transport=transport) as http:
        provider = DashScope(http, base_url="http://127.0.0.1:9/api/v1/")
        await submitted(provider, Account("dashscope", KEY, proxy="http://proxy:3128"))
    assert proxies == ["http://proxy:3128"]


async def test_configured_card_of_unknown_family_has_a_protocol(router: respx.MockRouter, http: HttpClient) -> None:
    provider = DashScope(http, cards=[ModelCard("atelier", "dashscope", durations=(5,), duration=5)])
    route = router.post(SUBMIT).respond(200, json=ACCEPTED)
    await submitted(provider, Account("dashscope", KEY), model="atelier")
    assert orjson.loads(route.calls.last.request.content) == {
        "model": "atelier",
        "input": {"prompt": "a cat"},
        "parameters": {"duration": 5},
    }


async def test_unknown_model_is_not_submitted(provider: DashScope, account: Account) -> None:
    with pytest.raises(ProviderError) as caught:
        await submit(provider, VideoRequest("qwen-vl-plus", "p"), account)
    assert caught.value.kind is ErrorKind.MODEL_NOT_FOUND


@pytest.mark.parametrize("credential", ["sk-\n", "sk-密钥", ""])
async def test_credential_invalid_in_a_header(provider: DashScope, credential: str) -> None:
    with pytest.raises(ProviderError) as caught:
        await submitted(provider, Account("dashscope", credential))
    assert caught.value.kind is ErrorKind.INVALID_CREDENTIAL


@pytest.mark.parametrize(
    ("output", "id"), [({"task_id": ID}, ID), ({"task_id": 42}, "42"), ({"task_id": f" {ID} ", "task_status": 1}, ID)]
)
async def test_only_the_id_matters(
    provider: DashScope, router: respx.MockRouter, account: Account, output: dict[str, Any], id: str
) -> None:
    router.post(SUBMIT).respond(200, json={"output": output})
    assert await submitted(provider, account) == id


async def test_byte_order_mark_is_ignored(provider: DashScope, router: respx.MockRouter, account: Account) -> None:
    router.post(SUBMIT).respond(200, content=b"\xef\xbb\xbf" + orjson.dumps(ACCEPTED))
    assert await submitted(provider, account) == ID


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (400, error_body("InvalidParameter"), ErrorKind.INVALID_REQUEST, "InvalidParameter"),
        (400, error_body("Arrearage"), ErrorKind.NO_CREDITS, "Arrearage"),
        (400, error_body("DataInspectionFailed"), ErrorKind.CONTENT_REFUSED, "DataInspectionFailed"),
        (401, error_body("InvalidApiKey"), ErrorKind.INVALID_CREDENTIAL, "InvalidApiKey"),
        (403, error_body("AccessDenied.Unpurchased"), ErrorKind.NOT_ENTITLED, "AccessDenied.Unpurchased"),
        (404, error_body("ModelNotFound"), ErrorKind.MODEL_NOT_FOUND, "ModelNotFound"),
        (429, error_body("Throttling.RateQuota"), ErrorKind.RATE_LIMITED, "Throttling.RateQuota"),
        (400, error_body("Brand.New"), ErrorKind.INVALID_REQUEST, "Brand.New"),
        (429, error_body(4290), ErrorKind.ANSWER_LOST, ""),
        (404, {"code": "404", "message": "no route"}, ErrorKind.ANSWER_LOST, ""),
        (403, {"code": "Forbidden", "message": "blocked"}, ErrorKind.ANSWER_LOST, ""),
        (403, {"error": {"code": "too_many_requests", "message": "slow down"}}, ErrorKind.ANSWER_LOST, ""),
        (200, {"code": "Success"}, ErrorKind.ANSWER_LOST, ""),
        (
            401,
            {"error": {"code": "invalid_api_key", "message": "m"}, "request_id": REQUEST_ID},
            ErrorKind.INVALID_CREDENTIAL,
            "invalid_api_key",
        ),
        # The service's own codes, which others have, too, without its request id.
        (401, {"error": {"code": "invalid_api_key", "message": "m"}}, ErrorKind.ANSWER_LOST, "invalid_api_key"),
        (403, {"code": "AccessDenied", "message": "blocked"}, ErrorKind.ANSWER_LOST, "AccessDenied"),
        (404, {**error_body("NotFound"), "request_id": "req-17"}, ErrorKind.ANSWER_LOST, "NotFound"),
        (
            429,
            {**error_body("Throttling"), "request_id": REQUEST_ID.replace("-", "")},
            ErrorKind.ANSWER_LOST,
            "Throttling",
        ),
        (404, error_body("NotFound"), ErrorKind.MODEL_NOT_FOUND, "NotFound"),
        # The name of the status is no code of the service.
        (403, error_body("Forbidden"), ErrorKind.ANSWER_LOST, "Forbidden"),
        (429, error_body("too_many_requests"), ErrorKind.ANSWER_LOST, "too_many_requests"),
        (400, {"code": None, "message": None}, ErrorKind.ANSWER_LOST, ""),
        (403, [], ErrorKind.ANSWER_LOST, ""),
        (302, error_body("InvalidParameter"), ErrorKind.ANSWER_LOST, "InvalidParameter"),
        (413, error_body("BadRequest.TooLarge"), ErrorKind.INVALID_REQUEST, "BadRequest.TooLarge"),
        (200, error_body("InvalidParameter"), ErrorKind.INVALID_REQUEST, "InvalidParameter"),
        (200, error_body("Throttling"), ErrorKind.RATE_LIMITED, "Throttling"),
        (200, error_body("Brand.New"), ErrorKind.UPSTREAM_ERROR, "Brand.New"),
        (200, {**error_body("Arrearage"), "output": {}}, ErrorKind.NO_CREDITS, "Arrearage"),
        (200, error_body("InternalError"), ErrorKind.ANSWER_LOST, "InternalError"),
        (400, error_body("InternalError.Algo"), ErrorKind.INVALID_REQUEST, "InternalError.Algo"),
        (400, error_body("InternalError.Algo.Brand.New"), ErrorKind.INVALID_REQUEST, "InternalError.Algo.Brand.New"),
        (400, error_body("SystemError"), ErrorKind.INVALID_REQUEST, "SystemError"),
        (422, error_body("ModelServingError"), ErrorKind.INVALID_REQUEST, "ModelServingError"),
        (429, error_body("ModelServingError"), ErrorKind.RATE_LIMITED, "ModelServingError"),
        (413, error_body("SystemError"), ErrorKind.ANSWER_LOST, "SystemError"),
        (499, error_body("SystemError"), ErrorKind.ANSWER_LOST, "SystemError"),
        (499, error_body("InvalidParameter"), ErrorKind.ANSWER_LOST, "InvalidParameter"),
        (425, error_body("SystemError"), ErrorKind.ANSWER_LOST, "SystemError"),
        (
            500,
            error_body("InternalError.Algo.InvalidParameter"),
            ErrorKind.ANSWER_LOST,
            "InternalError.Algo.InvalidParameter",
        ),
        (
            400,
            error_body("InternalError.Algo.InvalidParameter"),
            ErrorKind.INVALID_REQUEST,
            "InternalError.Algo.InvalidParameter",
        ),
        (
            400,
            error_body("InternalError.Algo.DataInspectionFailed"),
            ErrorKind.CONTENT_REFUSED,
            "InternalError.Algo.DataInspectionFailed",
        ),
        (200, {}, ErrorKind.ANSWER_LOST, ""),
        (200, None, ErrorKind.ANSWER_LOST, ""),
        (200, [], ErrorKind.ANSWER_LOST, ""),
        (200, {"output": None}, ErrorKind.ANSWER_LOST, ""),
        (200, {"output": {"task_id": None}}, ErrorKind.ANSWER_LOST, ""),
        (200, {"output": {"task_id": ""}}, ErrorKind.ANSWER_LOST, ""),
        (500, error_body("InternalError"), ErrorKind.ANSWER_LOST, "InternalError"),
        (503, error_body("ModelUnavailable"), ErrorKind.ANSWER_LOST, "ModelUnavailable"),
        (408, error_body("RequestTimeOut"), ErrorKind.ANSWER_LOST, "RequestTimeOut"),
        (502, {}, ErrorKind.ANSWER_LOST, ""),
    ],
)
async def test_answers_without_a_task(
    provider: DashScope,
    router: respx.MockRouter,
    account: Account,
    status: int,
    body: Any,
    kind: ErrorKind,
    code: str,
) -> None:
    route = router.post(SUBMIT).respond(status, content=orjson.dumps(body))
    error = await refused(provider, account)
    assert (error.kind, error.code) == (kind, code)
    assert route.call_count == 1


@pytest.mark.parametrize("text", [HTML, '{"output": {"task_', "", "\x00\xff"])
@pytest.mark.parametrize(
    "status", [101, 200, 204, 304, 400, 401, 403, 404, 405, 407, 410, 413, 421, 425, 429, 451, 499, 502, 526]
)
async def test_unreadable_answer_may_hide_an_accepted_submit(
    provider: DashScope, router: respx.MockRouter, account: Account, text: str, status: int
) -> None:
    router.post(SUBMIT).respond(status, text=text)
    error = await refused(provider, account)
    assert error.kind is ErrorKind.ANSWER_LOST
    assert error.detail.startswith(f"HTTP {status}")
    assert "<" not in error.detail


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirect_is_not_followed(
    provider: DashScope, router: respx.MockRouter, account: Account, status: int
) -> None:
    route = router.route().respond(status, headers={"location": f"{BASE}/elsewhere"})
    assert (await refused(provider, account)).kind is ErrorKind.ANSWER_LOST
    assert route.call_count == 1


@pytest.mark.parametrize(
    ("trouble", "kind"),
    [
        (httpx.ConnectError("refused"), ErrorKind.UNREACHABLE),
        (httpx.ConnectTimeout("slow"), ErrorKind.UNREACHABLE),
        (httpx.ReadTimeout("slow"), ErrorKind.ANSWER_LOST),
        (httpx.RemoteProtocolError("closed"), ErrorKind.ANSWER_LOST),
    ],
)
async def test_transport_errors(
    provider: DashScope, router: respx.MockRouter, account: Account, trouble: Exception, kind: ErrorKind
) -> None:
    route = router.route().mock(side_effect=trouble)
    assert (await refused(provider, account)).kind is kind
    assert route.call_count == 1
    for call in (provider.query([ID], account), provider.cancel(ID, account)):
        with pytest.raises(ProviderError) as caught:
            await call
        assert caught.value.kind is kind


async def test_retry_after_is_kept(provider: DashScope, router: respx.MockRouter, account: Account) -> None:
    router.post(SUBMIT).respond(429, json=error_body("Throttling"), headers={"retry-after": "7"})
    assert (await refused(provider, account)).retry_after == 7.0


@pytest.mark.parametrize("status", [200, 400, 401, 500])
async def test_answer_that_quotes_the_key(
    provider: DashScope, router: respx.MockRouter, account: Account, status: int
) -> None:
    for content in (orjson.dumps(error_body(f"Odd {KEY}", f"you sent {KEY}")), f"you sent {KEY}".encode()):
        router.route().respond(status, content=content)
        error = await refused(provider, account)
        assert "***" in error.detail
        try:
            answer = (await provider.query([ID], account))[ID]
        except ProviderError as raised:
            answer = raised
        assert isinstance(answer, ProviderError)
        without_key(answer)
        with pytest.raises(ProviderError) as caught:
            await provider.cancel(ID, account)
        without_key(caught.value)
