"""Uploads that fail, and files that are refused before anything is sent."""

import asyncio
from typing import Any

import httpx
import orjson
import pytest

from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, FieldReason, ProviderError
from providers.contract.media import MediaRole
from providers.contract.requests import Media
from providers.dashscope.provider import DashScope
from providers.validation import URLS_ONLY
from tests.providers.dashscope.media import clip, heavy_picture, media, picture, tone
from tests.providers.dashscope.store import DATA, EXPIRED, Store, oss_error
from tests.providers.dashscope.wire import (
    HTML,
    KEY,
    error_body,
    refused,
    submitted,
    without_key,
)

CLIP, PICTURE = clip(), picture()

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
async def test_transport_error_of_an_upload_is_never_a_lost_answer(
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
        (401, None, ErrorKind.UPLOAD_FAILED, ""),
        (403, None, ErrorKind.UPLOAD_FAILED, ""),
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
        (413, {}, ErrorKind.UPLOAD_FAILED, ""),
        (499, None, ErrorKind.UPLOAD_FAILED, ""),
        (200, error_body("Throttling"), ErrorKind.RATE_LIMITED, "Throttling"),
        (200, {}, ErrorKind.UPLOAD_FAILED, ""),
        (200, None, ErrorKind.UPLOAD_FAILED, ""),
        (200, {"data": {"policy": 1}}, ErrorKind.UPLOAD_FAILED, ""),
        (302, {}, ErrorKind.UPLOAD_FAILED, ""),
    ],
)
async def test_refused_policy(
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
        (408, HTML, ErrorKind.UPLOAD_FAILED, ""),
        (425, "", ErrorKind.UPLOAD_FAILED, ""),
        (499, "", ErrorKind.UPLOAD_FAILED, ""),
        (503, HTML, ErrorKind.UPLOAD_FAILED, ""),
        (504, HTML, ErrorKind.UPLOAD_FAILED, ""),
        (400, "", ErrorKind.UPLOAD_FAILED, ""),
        (301, "", ErrorKind.UPLOAD_FAILED, ""),
    ],
)
async def test_refused_file(
    provider: DashScope, store: Store, account: Account, status: int, text: str, kind: ErrorKind, code: str
) -> None:
    store.files.respond(status, text=text)
    error = await refused(provider, account, sound=media(tone()))
    assert (error.kind, error.code) == (kind, code)
    assert error.detail
    assert "<" not in error.detail
    assert (store.files.call_count, store.submits.call_count) == (1, 0)


async def test_expired_policy_is_replaced_once(provider: DashScope, store: Store, account: Account) -> None:
    store.files.mock(side_effect=[httpx.Response(403, text=EXPIRED), httpx.Response(200)])
    file = tone()
    await submitted(provider, account, sound=media(file))
    assert (store.policies.call_count, store.files.call_count) == (2, 2)
    assert file.read() in store.files.calls.last.request.content


async def test_policy_that_is_always_expired(provider: DashScope, store: Store, account: Account) -> None:
    store.files.respond(403, text=EXPIRED)
    error = await refused(provider, account, sound=media(tone()))
    assert (error.kind, error.code) == (ErrorKind.UPLOAD_FAILED, "AccessDenied")
    assert (store.files.call_count, store.submits.call_count) == (2, 0)


@pytest.mark.parametrize(("megabytes", "allowed", "uploads"), [(1, ("≤ 1 MB",), 0), (8, (), 1), (None, (), 1)])
async def test_file_larger_than_the_service_takes(
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
    assert error.fields[0].hint is URLS_ONLY
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
async def test_response_that_quotes_a_secret(provider: DashScope, store: Store, account: Account, where: str) -> None:
    said = f"you sent {KEY} {DATA['signature']} {DATA['policy']}"
    answer = orjson.dumps(error_body("Odd", said)) if where == "policies" else oss_error("Odd", said).encode()
    getattr(store, where).respond(400, content=answer)
    error = without_key(await refused(provider, account, sound=media(tone())))
    assert error.detail.startswith("you sent ***")
    if where == "files":
        assert error.detail == "you sent *** *** ***"


async def test_file_that_cannot_be_read(provider: DashScope, store: Store, account: Account) -> None:
    file = tone()
    file.close()
    assert (await refused(provider, account, sound=media(file))).kind is ErrorKind.UPLOAD_FAILED
    assert store.submits.call_count == 0


async def test_credential_invalid_in_a_header_sends_no_file(provider: DashScope, store: Store) -> None:
    with pytest.raises(ProviderError) as caught:
        await submitted(provider, Account("dashscope", "sk-\n"), sound=media(tone()))
    assert caught.value.kind is ErrorKind.INVALID_CREDENTIAL
    assert store.files.call_count == 0
