"""Files: what goes into the body, what is uploaded, and that nothing counts as lost that goes wrong before a submit."""

import asyncio
import json
from typing import Any

import httpx
import orjson
import pytest
import respx

from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, FieldReason, ProviderError
from providers.contract.media import MediaRole
from providers.contract.models import ModelCard
from providers.contract.requests import Media, VideoRequest
from providers.dashscope.payload import Payload, build
from providers.dashscope.provider import DashScope
from providers.dashscope.uploads import (
    LINK_SECONDS,
    UPLOADS_AT_ONCE,
    data_url,
    form,
)
from providers.dashscope.wires import Wire
from providers.media_files import MediaFile
from providers.transport.client import HttpClient
from providers.validation import ADDRESS_ONLY
from tests.pictures import FORMATS
from tests.providers.dashscope.media import clip, heavy_picture, media, picture, tone
from tests.providers.dashscope.store import DATA, EXPIRED, POLICY, Store, inline, link, oss_error
from tests.providers.dashscope.wire import (
    ACCEPTED,
    HTML,
    ID,
    KEY,
    NOW,
    error_body,
    refused,
    request_for,
    submitted,
    without_key,
)


@pytest.fixture
def store(router: respx.MockRouter) -> Store:
    return Store(router)


# --- into the body ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("media_type", FORMATS)
@pytest.mark.parametrize(
    ("model", "place"),
    [
        ("wan2.6-i2v", lambda body: body["img_url"]),
        ("wan2.2-kf2v-flash", lambda body: body["first_frame_url"]),
        ("wan2.7-i2v", lambda body: body["media"][0]["url"]),
        ("wan3.0-video", lambda body: body["media"][0]["url"]),
        ("happyhorse-1.1-i2v", lambda body: body["media"][0]["url"]),
        ("wan2.9-i2v", lambda body: body["media"][0]["url"]),
    ],
)
async def test_a_picture_goes_into_the_body(
    provider: DashScope, store: Store, account: Account, media_type: str, model: str, place: Any
) -> None:
    file = picture(media_type)
    assert await submitted(provider, account, model=model, media=(media(file),)) == ID
    assert place(store.body["input"]) == inline(file)
    assert "x-dashscope-ossresourceresolve" not in store.submits.calls.last.request.headers
    assert store.policies.call_count == store.files.call_count == 0


async def test_first_and_last_frame(provider: DashScope, store: Store, account: Account) -> None:
    first, last = picture(), picture("image/jpeg")
    await submitted(provider, account, model="wan2.2-kf2v-flash", media=(media(first), media(last)))
    assert store.submits.calls.last.request.url.path.endswith("/image2video/video-synthesis")
    assert store.body["input"] == {"prompt": "a cat", "first_frame_url": inline(first), "last_frame_url": inline(last)}


async def test_an_address_beside_a_file_stays(provider: DashScope, store: Store, account: Account) -> None:
    file = picture()
    sent = (media(file), Media(file.kind, "https://h/l.png", "image"))
    await submitted(provider, account, model="wan2.7-i2v", media=sent)
    assert store.body["input"]["media"] == [
        {"type": "first_frame", "url": inline(file)},
        {"type": "last_frame", "url": "https://h/l.png"},
    ]


async def test_a_body_holds_only_so_much(provider: DashScope, store: Store, account: Account) -> None:
    """What does not fit beside what is there already is uploaded; a smaller one after it may fit again."""
    files = [heavy_picture(3), heavy_picture(3, seed=2), picture()]
    sent = tuple(media(file, MediaRole.REFERENCE_IMAGE) for file in files)
    await submitted(provider, account, model="wan2.7-r2v", media=sent)
    urls = [item["url"] for item in store.body["input"]["media"]]
    assert urls == [inline(files[0]), link(files[1]), inline(files[2])]
    assert store.submits.calls.last.request.headers["x-dashscope-ossresourceresolve"] == "enable"


# --- temporary files ----------------------------------------------------------------------------------------------


async def test_an_upload_on_the_wire(provider: DashScope, store: Store, account: Account) -> None:
    file = heavy_picture(8)
    assert await submitted(provider, account, model="wan2.6-i2v", media=(media(file),)) == ID
    assert (store.policies.call_count, store.files.call_count, store.submits.call_count) == (1, 1, 1)

    asked = store.policies.calls.last.request
    assert dict(asked.url.params) == {"action": "getPolicy", "model": "wan2.6-i2v"}
    assert asked.headers["authorization"] == f"Bearer {KEY}"

    sent = store.files.calls.last.request
    assert "authorization" not in sent.headers
    assert "transfer-encoding" not in sent.headers
    assert sent.headers["user-agent"] == "video-gateway"
    assert sent.headers["content-length"] == str(len(sent.content))
    kind, _, boundary = sent.headers["content-type"].partition("; boundary=")
    assert kind == "multipart/form-data"
    assert len(boundary) == 32
    head, tail = form(POLICY, file.name, "image/png", boundary)
    assert sent.content == head + file.read() + tail

    assert store.body["input"] == {"prompt": "a cat", "img_url": link(file)}
    assert store.submits.calls.last.request.headers["x-dashscope-ossresourceresolve"] == "enable"


CLIP, TONE, PICTURE = clip(), tone(), picture()
PLACES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("wan2.5-t2v-preview", {"sound": media(TONE, param="audio_url")}, {"audio_url": link(TONE)}),
    ("wan2.7-t2v", {"sound": media(TONE, param="audio_url")}, {"audio_url": link(TONE)}),
    (
        "wan2.6-i2v",
        {"media": (media(PICTURE),), "sound": media(TONE, param="audio_url")},
        {"img_url": inline(PICTURE), "audio_url": link(TONE)},
    ),
    (
        "wan2.7-i2v",
        {"media": (media(PICTURE),), "sound": media(TONE, param="audio_url")},
        {"media": [{"type": "first_frame", "url": inline(PICTURE)}, {"type": "driving_audio", "url": link(TONE)}]},
    ),
    (
        "wan2.9-i2v",
        {"media": (media(PICTURE),), "sound": media(TONE, param="audio_url")},
        {"media": [{"type": "first_frame", "url": inline(PICTURE)}, {"type": "driving_audio", "url": link(TONE)}]},
    ),
    (
        "wan2.7-i2v",
        {"media": (media(CLIP), media(PICTURE, MediaRole.LAST_FRAME))},
        {"media": [{"type": "first_clip", "url": link(CLIP)}, {"type": "last_frame", "url": inline(PICTURE)}]},
    ),
    ("wan2.6-r2v", {"media": (media(CLIP), media(PICTURE))}, {"reference_urls": [link(CLIP), link(PICTURE)]}),
    (
        "wan2.7-r2v",
        {"media": (media(CLIP), media(PICTURE)), "reference_mode": True},
        {
            "media": [
                {"type": "reference_video", "url": link(CLIP)},
                {"type": "reference_image", "url": inline(PICTURE)},
            ]
        },
    ),
    (
        "wan3.0-video",
        {"media": (media(PICTURE),), "reference_mode": True, "sound": media(TONE, param="audio_url")},
        {
            "media": [
                {"type": "reference_image", "url": inline(PICTURE)},
                {"type": "reference_audio", "url": link(TONE)},
            ]
        },
    ),
    (
        "wan2.7-videoedit",
        {"media": (media(CLIP), media(PICTURE))},
        {"media": [{"type": "video", "url": link(CLIP)}, {"type": "reference_image", "url": inline(PICTURE)}]},
    ),
    ("happyhorse-1.0-video-edit", {"media": (media(CLIP),)}, {"media": [{"type": "video", "url": link(CLIP)}]}),
    (
        "wanx2.1-vace-plus",
        {"media": (media(PICTURE, MediaRole.REFERENCE_IMAGE),)},
        {"function": "image_reference", "ref_images_url": [link(PICTURE)]},
    ),
    (
        "wan2.2-s2v",
        {"media": (media(PICTURE),), "sound": media(TONE, param="audio_url")},
        {"image_url": link(PICTURE), "audio_url": link(TONE)},
    ),
    (
        "videoretalk",
        {"media": (media(CLIP), media(TONE), media(PICTURE))},
        {"video_url": link(CLIP), "audio_url": link(TONE), "ref_image_url": link(PICTURE)},
    ),
]


@pytest.mark.parametrize(("model", "fields", "inputs"), PLACES, ids=lambda value: value if type(value) is str else "")
async def test_files_find_their_places(
    provider: DashScope, store: Store, account: Account, model: str, fields: dict[str, Any], inputs: dict[str, Any]
) -> None:
    await submitted(provider, account, model=model, **fields)
    assert store.body["input"] == {"prompt": "a cat", **inputs}
    links = json.dumps(inputs).count("oss://")
    assert store.policies.call_count == store.files.call_count == links
    assert {call.request.url.params["model"] for call in store.policies.calls} == {model}
    assert store.submits.calls.last.request.headers["x-dashscope-ossresourceresolve"] == "enable"


async def test_the_model_is_asked_for_by_its_name_on_the_wire(http: HttpClient, store: Store, account: Account) -> None:
    provider = DashScope(http, cards=[ModelCard("house-model", "dashscope", key="wan2.2-s2v", open=True)])
    await submitted(provider, account, model="house-model", sound=media(tone()))
    assert store.policies.calls.last.request.url.params["model"] == store.body["model"] == "wan2.2-s2v"


async def test_a_file_in_two_places_goes_once(provider: DashScope, store: Store, account: Account) -> None:
    sent = (media(picture()), media(picture()), media(clip()))
    await submitted(provider, account, model="wan2.6-r2v", media=sent)
    assert store.body["input"]["reference_urls"] == [link(PICTURE), link(PICTURE), link(CLIP)]
    assert store.files.call_count == 2


async def test_every_call_goes_the_accounts_way(router: respx.MockRouter, store: Store) -> None:
    proxies: list[str | None] = []

    def transport(proxy: str | None) -> httpx.AsyncBaseTransport:
        proxies.append(proxy)
        return httpx.MockTransport(router.async_handler)

    async with HttpClient(transport=transport) as http:
        account = Account("dashscope", KEY, proxy="http://proxy:3128")
        await submitted(DashScope(http), account, sound=media(tone()))
    assert store.files.call_count == 1
    assert set(proxies) == {"http://proxy:3128"}


async def test_an_accounts_region_is_asked(router: respx.MockRouter, store: Store, provider: DashScope) -> None:
    there = "https://dashscope-intl.aliyuncs.com/api/v1"
    asked = router.get(f"{there}/uploads").respond(200, json={"data": DATA})
    await submitted(provider, Account("dashscope", KEY, region="ap-southeast-1"), sound=media(tone()))
    assert (asked.call_count, store.policies.call_count) == (1, 0)


async def test_few_uploads_at_a_time(provider: DashScope, store: Store, account: Account) -> None:
    now = most = 0

    async def answer(request: httpx.Request) -> httpx.Response:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.001)
        now -= 1
        return httpx.Response(200)

    store.files.mock(side_effect=answer)
    sent = tuple(media(heavy_picture(1, seed), MediaRole.REFERENCE_IMAGE) for seed in range(5))
    await submitted(provider, account, model="wan2.6-r2v", media=sent)
    assert store.files.call_count == 5
    assert 1 < most <= UPLOADS_AT_ONCE


# --- links that are used again ------------------------------------------------------------------------------------


async def test_a_link_is_used_again_for_its_model_and_account_only(
    provider: DashScope, store: Store, account: Account
) -> None:
    async def send(account: Account, model: str = "wan2.6-t2v") -> int:
        await submitted(provider, account, model=model, sound=media(tone()))
        return store.files.call_count

    assert [await send(account), await send(account)] == [1, 1]
    assert await send(account, "wan2.7-t2v") == 2
    assert await send(Account("dashscope", "sk-other")) == 3
    assert await send(Account("dashscope", KEY, region="cn-beijing")) == 4
    # A named account whose credential was replaced may belong to another main account now.
    assert await send(Account("dashscope", "sk-new", name="mine")) == 5
    assert await send(Account("dashscope", "sk-newer", name="mine")) == 6
    assert [await send(account), store.submits.call_count] == [6, 8]


async def test_a_link_is_not_used_for_ever(http: HttpClient, store: Store, account: Account) -> None:
    now = float(NOW)
    provider = DashScope(http, now=lambda: now)
    for later, uploads in ((0.0, 1), (LINK_SECONDS - 1, 1), (2.0, 2)):
        now += later
        await submitted(provider, account, sound=media(tone()))
        assert store.files.call_count == uploads


@pytest.mark.parametrize(
    ("code", "again"),
    [
        ("InvalidParameter.DataInspection", True),
        ("InvalidURL.ConnectionRefused", True),
        ("InvalidFile.DownloadFailed", True),
        ("InvalidParameter", True),
        ("DataInspectionFailed", False),
        ("Throttling", False),
        ("InternalError", False),
    ],
)
async def test_a_refused_submit_forgets_its_links(
    provider: DashScope, store: Store, account: Account, code: str, again: bool
) -> None:
    store.submits.respond(400, json=error_body(code))
    await refused(provider, account, sound=media(tone()))
    store.submits.respond(200, json=ACCEPTED)
    await submitted(provider, account, sound=media(tone()))
    assert store.files.call_count == 1 + again


async def test_the_same_bytes_at_the_same_time_go_once(provider: DashScope, store: Store, account: Account) -> None:
    await asyncio.gather(*(submitted(provider, account, sound=media(tone())) for _ in range(20)))
    assert (store.policies.call_count, store.files.call_count, store.submits.call_count) == (1, 1, 20)


async def test_who_waited_shares_the_trouble(provider: DashScope, store: Store, account: Account) -> None:
    store.files.respond(403, text=oss_error("SignatureDoesNotMatch", "no"))
    errors = await asyncio.gather(*(refused(provider, account, sound=media(tone())) for _ in range(5)))
    assert {error.code for error in errors} == {"SignatureDoesNotMatch"}
    assert (store.files.call_count, store.submits.call_count) == (1, 0)
    store.files.respond(200)
    assert await submitted(provider, account, sound=media(tone())) == ID


async def test_nobody_waits_for_one_who_goes_another_way(router: respx.MockRouter, store: Store) -> None:
    def transport(proxy: str | None) -> httpx.AsyncBaseTransport:
        def dead(request: httpx.Request) -> httpx.Response:
            raise httpx.ProxyError("dead")

        return httpx.MockTransport(dead if proxy else router.async_handler)

    async with HttpClient(transport=transport) as http:
        provider = DashScope(http)
        error, id = await asyncio.gather(
            refused(provider, Account("dashscope", KEY, proxy="http://dead:1"), sound=media(tone())),
            submitted(provider, Account("dashscope", KEY), sound=media(tone())),
        )
    assert (error.kind, id) == (ErrorKind.UNREACHABLE, ID)


async def test_who_waited_for_one_that_gave_up_goes_on_alone(
    provider: DashScope, store: Store, account: Account
) -> None:
    reached = asyncio.Event()

    async def never(request: httpx.Request) -> httpx.Response:
        reached.set()
        await asyncio.Event().wait()
        raise AssertionError

    store.files.mock(side_effect=never)
    gone = tone()
    leader = asyncio.create_task(submitted(provider, account, sound=media(gone)))
    await reached.wait()
    others = [asyncio.create_task(submitted(provider, account, sound=media(tone()))) for _ in range(3)]
    await asyncio.sleep(0.01)
    others[0].cancel()
    store.files.mock(side_effect=None, return_value=httpx.Response(200))
    leader.cancel()
    gone.close()
    assert [await other for other in others[1:]] == [ID, ID]
    assert (store.policies.call_count, store.submits.call_count) == (2, 2)
    assert isinstance((await asyncio.gather(leader, others[0], return_exceptions=True))[1], asyncio.CancelledError)


# --- what goes wrong ----------------------------------------------------------------------------------------------

TROUBLES: list[tuple[Exception, ErrorKind]] = [
    (httpx.ConnectError("x"), ErrorKind.UNREACHABLE),
    (httpx.ConnectTimeout("x"), ErrorKind.UNREACHABLE),
    (httpx.ReadTimeout("x"), ErrorKind.UPLOAD_FAILED),
    (httpx.WriteError("x"), ErrorKind.UPLOAD_FAILED),
    (httpx.RemoteProtocolError("x"), ErrorKind.UPLOAD_FAILED),
]


@pytest.mark.parametrize(("trouble", "kind"), TROUBLES)
@pytest.mark.parametrize("where", ["policies", "files"])
async def test_trouble_on_the_way_is_never_a_lost_answer(
    provider: DashScope, store: Store, account: Account, where: str, trouble: Exception, kind: ErrorKind
) -> None:
    getattr(store, where).mock(side_effect=trouble)
    assert (await refused(provider, account, sound=media(tone()))).kind is kind
    assert store.submits.call_count == 0


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (401, error_body("InvalidApiKey"), ErrorKind.INVALID_CREDENTIAL, "InvalidApiKey"),
        (429, error_body("Throttling.RateQuota"), ErrorKind.RATE_LIMITED, "Throttling.RateQuota"),
        (400, error_body("Arrearage"), ErrorKind.NO_CREDITS, "Arrearage"),
        (403, error_body("AccessDenied"), ErrorKind.NOT_ENTITLED, "AccessDenied"),
        (403, error_body("Model.AccessDenied"), ErrorKind.NOT_ENTITLED, "Model.AccessDenied"),
        (403, None, ErrorKind.NOT_ENTITLED, ""),
        (404, error_body("ModelNotFound"), ErrorKind.MODEL_NOT_FOUND, "ModelNotFound"),
        (400, error_body("InvalidParameter", "Model not exist."), ErrorKind.MODEL_NOT_FOUND, "InvalidParameter"),
        (404, {}, ErrorKind.UPLOAD_FAILED, ""),
        (404, error_body("Brand.New"), ErrorKind.UPLOAD_FAILED, "Brand.New"),
        (400, error_body("InvalidParameter"), ErrorKind.UPLOAD_FAILED, "InvalidParameter"),
        (400, error_body("Brand.New"), ErrorKind.UPLOAD_FAILED, "Brand.New"),
        (500, error_body("InternalError"), ErrorKind.UPLOAD_FAILED, "InternalError"),
        (500, error_body("InternalError.Timeout"), ErrorKind.UPLOAD_FAILED, "InternalError.Timeout"),
        (503, {}, ErrorKind.UPLOAD_FAILED, ""),
        (504, error_body("RequestTimeOut"), ErrorKind.UPLOAD_FAILED, "RequestTimeOut"),
        (408, {}, ErrorKind.UPLOAD_FAILED, ""),
        (200, error_body("Throttling"), ErrorKind.RATE_LIMITED, "Throttling"),
        (200, {}, ErrorKind.UPLOAD_FAILED, ""),
        (200, None, ErrorKind.UPLOAD_FAILED, ""),
        (200, {"data": {"policy": 1}}, ErrorKind.UPLOAD_FAILED, ""),
        (302, {}, ErrorKind.UPLOAD_FAILED, ""),
    ],
)
async def test_a_refused_policy(
    provider: DashScope, store: Store, account: Account, status: int, body: Any, kind: ErrorKind, code: str
) -> None:
    store.policies.respond(status, content=orjson.dumps(body))
    error = await refused(provider, account, sound=media(tone()))
    assert (error.kind, error.code) == (kind, code)
    assert (store.policies.call_count, store.files.call_count, store.submits.call_count) == (1, 0, 0)


@pytest.mark.parametrize(
    ("status", "text", "kind", "code"),
    [
        (403, oss_error("SignatureDoesNotMatch", "why"), ErrorKind.UPLOAD_FAILED, "SignatureDoesNotMatch"),
        (403, oss_error("AccessDenied", "Policy Condition failed"), ErrorKind.UPLOAD_FAILED, "AccessDenied"),
        (409, oss_error("FileAlreadyExists", "why"), ErrorKind.UPLOAD_FAILED, "FileAlreadyExists"),
        (400, oss_error("RequestTimeout", "why"), ErrorKind.UPLOAD_FAILED, "RequestTimeout"),
        (500, oss_error("InternalError", "why"), ErrorKind.UPLOAD_FAILED, "InternalError"),
        (503, HTML, ErrorKind.UPLOAD_FAILED, ""),
        (504, HTML, ErrorKind.UPLOAD_FAILED, ""),
        (400, "", ErrorKind.UPLOAD_FAILED, ""),
        (301, "", ErrorKind.UPLOAD_FAILED, ""),
    ],
)
async def test_a_refused_file(
    provider: DashScope, store: Store, account: Account, status: int, text: str, kind: ErrorKind, code: str
) -> None:
    store.files.respond(status, text=text)
    error = await refused(provider, account, sound=media(tone()))
    assert (error.kind, error.code) == (kind, code)
    assert error.detail
    assert "<" not in error.detail
    assert (store.files.call_count, store.submits.call_count) == (1, 0)


async def test_an_expired_policy_is_replaced_once(provider: DashScope, store: Store, account: Account) -> None:
    store.files.mock(side_effect=[httpx.Response(403, text=EXPIRED), httpx.Response(200)])
    file = tone()
    await submitted(provider, account, sound=media(file))
    assert (store.policies.call_count, store.files.call_count) == (2, 2)
    assert file.read() in store.files.calls.last.request.content


async def test_a_policy_that_is_always_expired(provider: DashScope, store: Store, account: Account) -> None:
    store.files.respond(403, text=EXPIRED)
    error = await refused(provider, account, sound=media(tone()))
    assert (error.kind, error.code) == (ErrorKind.UPLOAD_FAILED, "AccessDenied")
    assert (store.files.call_count, store.submits.call_count) == (2, 0)


@pytest.mark.parametrize(("megabytes", "allowed", "uploads"), [(1, ("≤ 1 MB",), 0), (8, (), 1), (None, (), 1)])
async def test_a_file_larger_than_the_service_takes(
    provider: DashScope, store: Store, account: Account, megabytes: Any, allowed: tuple[str, ...], uploads: int
) -> None:
    store.policies.respond(200, json={"data": DATA | {"max_file_size_mb": megabytes}})
    store.files.respond(400, text=oss_error("EntityTooLarge", "Your proposed upload exceeds the maximum."))
    sent = (media(heavy_picture(2), param="images[1]"),)
    error = await refused(provider, account, model="wan2.6-r2v", media=sent)
    problem = error.fields[0]
    assert error.kind is ErrorKind.INVALID_REQUEST
    assert (problem.param, problem.reason, problem.allowed) == ("images[1]", FieldReason.NOT_ALLOWED, allowed)
    assert problem.value.startswith("2.0")
    assert problem.value.endswith(" MB")
    assert (store.files.call_count, store.submits.call_count) == (uploads, 0)


async def test_each_names_its_own_field_when_a_file_is_too_large(
    provider: DashScope, store: Store, account: Account
) -> None:
    async def answer(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0)
        return httpx.Response(200, json={"data": DATA | {"max_file_size_mb": 0.001}})

    store.policies.mock(side_effect=answer)
    errors = await asyncio.gather(
        *(refused(provider, account, sound=media(tone(), param=param)) for param in ("audio", "audio_url"))
    )
    assert [error.fields[0].param for error in errors] == ["audio", "audio_url"]
    assert store.policies.call_count == 1


@pytest.mark.parametrize(
    "model",
    [
        "kling/kling-v3-video-generation",
        "vidu/viduq3",
        "pixverse/pixverse-v7-it2v",
        "pixverse/pixverse-v7-kf2v",
        "MiniMax/MiniMax-H3",
    ],
)
async def test_models_that_take_addresses_only(provider: DashScope, store: Store, account: Account, model: str) -> None:
    first = Media(PICTURE.kind, "https://h/i.png", "first_frame", MediaRole.FIRST_FRAME)
    last = media(picture(), MediaRole.LAST_FRAME, "last_frame")
    error = await refused(provider, account, model=model, media=(first, last))
    assert error.kind is ErrorKind.INVALID_REQUEST
    assert [(problem.param, problem.reason) for problem in error.fields] == [("last_frame", FieldReason.UNSUPPORTED)]
    assert error.fields[0].allowed == ("https://…",)
    assert error.fields[0].hint is ADDRESS_ONLY
    assert store.policies.call_count == store.submits.call_count == 0
    await submitted(provider, account, model=model, media=(first,))


async def test_what_the_model_has_no_place_for_is_not_sent_first(
    provider: DashScope, store: Store, account: Account
) -> None:
    sent = (media(clip(), param="video"),)
    error = await refused(provider, account, model="wan2.6-t2v-next", media=sent)
    assert (error.kind, error.fields[0].param) == (ErrorKind.INVALID_REQUEST, "video")
    assert store.policies.call_count == 0


async def test_one_bad_file_ends_the_others(provider: DashScope, store: Store, account: Account) -> None:
    async def answer(request: httpx.Request) -> httpx.Response:
        if CLIP.name.encode() in request.content:
            return httpx.Response(403, text=oss_error("AccessDenied", "no"))
        await asyncio.Event().wait()
        raise AssertionError

    store.files.mock(side_effect=answer)
    error = await refused(provider, account, model="wan2.6-r2v", media=(media(picture()), media(clip())))
    assert (error.kind, error.code) == (ErrorKind.UPLOAD_FAILED, "AccessDenied")


@pytest.mark.parametrize("where", ["policies", "files"])
async def test_an_answer_that_quotes_what_is_secret(
    provider: DashScope, store: Store, account: Account, where: str
) -> None:
    said = f"you sent {KEY} {DATA['signature']} {DATA['policy']}"
    answer = orjson.dumps(error_body("Odd", said)) if where == "policies" else oss_error("Odd", said).encode()
    getattr(store, where).respond(400, content=answer)
    error = without_key(await refused(provider, account, sound=media(tone())))
    assert error.detail.startswith("you sent ***")
    if where == "files":
        assert error.detail == "you sent *** *** ***"


async def test_a_file_that_cannot_be_read(provider: DashScope, store: Store, account: Account) -> None:
    file = tone()
    file.close()
    assert (await refused(provider, account, sound=media(file))).kind is ErrorKind.UPLOAD_FAILED
    assert store.submits.call_count == 0


async def test_a_credential_no_header_can_carry_sends_no_file(provider: DashScope, store: Store) -> None:
    with pytest.raises(ProviderError) as caught:
        await submitted(provider, Account("dashscope", "sk-\n"), sound=media(tone()))
    assert caught.value.kind is ErrorKind.INVALID_CREDENTIAL
    assert store.files.call_count == 0


async def test_a_submit_encodes_its_pictures_and_builds_its_body_once(
    provider: DashScope, store: Store, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that is sent again after a lost answer."""
    counted: list[str] = []

    def built(request: VideoRequest, card: ModelCard, wire: Wire) -> Payload:
        counted.append("body")
        return build(request, card, wire)

    async def encoded(file: MediaFile) -> str:
        counted.append("picture")
        return await data_url(file)

    monkeypatch.setattr("providers.dashscope.provider.build", built)
    monkeypatch.setattr("providers.dashscope.uploads.data_url", encoded)
    request = request_for(provider, model="wan2.6-i2v", media=(media(picture()),))
    prepared = await provider.prepare(request, account)
    for _ in range(2):
        await provider.submit(prepared, account, submit_key="k")
    assert sorted(counted) == ["body", "picture"]
    first, second = (call.request.content for call in store.submits.calls)
    assert first == second
