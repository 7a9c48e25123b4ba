"""Submits of clients of DashScope's own API: the body goes over the wire byte for byte."""

from typing import Any

import httpx
import pytest
import respx

from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.models import ModelCard
from providers.contract.provider import GrantsUploads
from providers.contract.requests import RawSubmit, VideoRequest
from providers.dashscope.provider import DashScope
from providers.transport.client import HttpClient
from tests.providers.dashscope.store import DATA
from tests.providers.dashscope.wire import ACCEPTED, BASE, ID, SUBMIT, error_body, submit

BODY = b'{ "model":"wan2.6-t2v", "input": {"prompt": "\xe7\x8c\xab", "extend_prompt": true}, "new": [1e2] }'
PATH = "/services/aigc/video-generation/video-synthesis"


def raw(model: str = "wan2.6-t2v", body: bytes = BODY, named: str = "", **headers: str) -> VideoRequest:
    passed = {name.replace("_", "-"): value for name, value in headers.items()}
    return VideoRequest(model, raw=RawSubmit("dashscope", PATH, named or model, body, passed))


async def test_body_and_headers_are_sent_as_they_are(
    provider: DashScope, account: Account, router: respx.MockRouter
) -> None:
    route = router.post(SUBMIT).respond(200, json=ACCEPTED)
    assert await submit(provider, raw(X_DashScope_OssResourceResolve="enable"), account) == ID
    sent = route.calls.last.request
    assert sent.content == BODY
    assert sent.headers["content-type"] == "application/json"
    assert sent.headers["x-dashscope-async"] == "enable"
    assert sent.headers["x-dashscope-ossresourceresolve"] == "enable"
    assert sent.headers["authorization"] == f"Bearer {account.credential}"


@pytest.mark.parametrize(
    ("named", "on_the_wire"), [("mine", "wan2.6-t2v"), ("WAN2.6-T2V", "wan2.6-t2v"), ("keyed", "the-key")]
)
async def test_other_name_of_a_model_becomes_the_one_of_the_service(
    http: HttpClient, account: Account, router: respx.MockRouter, named: str, on_the_wire: str
) -> None:
    provider = DashScope(http, cards=[ModelCard("keyed", "dashscope", key="the-key")])
    route = router.post(SUBMIT).respond(200, json=ACCEPTED)
    body = BODY.replace(b"wan2.6-t2v", named.encode())
    card = provider.card(named)
    await submit(provider, raw(card.name if card else "wan2.6-t2v", body, named), account)
    assert route.calls.last.request.content == BODY.replace(b"wan2.6-t2v", on_the_wire.encode())


async def test_refusal_is_that_of_any_submit(provider: DashScope, account: Account, router: respx.MockRouter) -> None:
    router.post(SUBMIT).respond(400, json=error_body("Arrearage", "overdue"))
    with pytest.raises(ProviderError) as caught:
        await submit(provider, raw(), account)
    assert (caught.value.kind, caught.value.code) == (ErrorKind.NO_CREDITS, "Arrearage")


async def test_upload_is_granted_in_the_words_of_the_service(
    provider: DashScope, account: Account, router: respx.MockRouter
) -> None:
    route = router.get(f"{BASE}/uploads").respond(200, json={"request_id": "r", "data": DATA})
    assert isinstance(provider, GrantsUploads)
    assert await provider.upload_grant("WAN2.6-I2V", account) == DATA
    assert dict(route.calls.last.request.url.params) == {"action": "getPolicy", "model": "wan2.6-i2v"}


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, error_body("InvalidApiKey", "bad"), ErrorKind.INVALID_CREDENTIAL),
        (400, error_body("InvalidParameter", "Model not exist."), ErrorKind.MODEL_NOT_FOUND),
        (200, {"request_id": "r", "data": {}}, ErrorKind.UPLOAD_FAILED),
    ],
)
async def test_refused_grant_has_the_kind_of_its_error(
    provider: DashScope, account: Account, router: respx.MockRouter, status: int, body: Any, kind: ErrorKind
) -> None:
    router.get(f"{BASE}/uploads").respond(status, json=body)
    with pytest.raises(ProviderError) as caught:
        await provider.upload_grant("wan2.6-i2v", account)
    assert caught.value.kind is kind


@pytest.mark.parametrize(
    ("error", "kind"),
    [(httpx.ReadError("cut"), ErrorKind.UPLOAD_FAILED), (httpx.ConnectError("refused"), ErrorKind.UNREACHABLE)],
)
async def test_grant_whose_answer_is_lost_is_no_submit(
    provider: DashScope, account: Account, router: respx.MockRouter, error: Exception, kind: ErrorKind
) -> None:
    router.get(f"{BASE}/uploads").mock(side_effect=error)
    with pytest.raises(ProviderError) as caught:
        await provider.upload_grant("wan2.6-i2v", account)
    assert caught.value.kind is kind
