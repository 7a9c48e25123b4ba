"""Files: what goes into the body, what is uploaded, and that nothing counts as lost that goes wrong before a submit."""

import asyncio
import json
from typing import Any

import httpx
import pytest
import respx

from providers.contract.accounts import Account
from providers.contract.media import MediaRole
from providers.contract.models import ModelCard
from providers.contract.requests import Media, VideoRequest
from providers.dashscope.payload import Payload, build
from providers.dashscope.provider import DashScope
from providers.dashscope.request_protocols import RequestProtocol
from providers.dashscope.uploads import (
    UPLOADS_AT_ONCE,
    data_url,
    form,
)
from providers.media_files import MediaFile
from providers.transport.client import HttpClient
from tests.pictures import FORMATS
from tests.providers.dashscope.media import clip, heavy_picture, media, picture, tone
from tests.providers.dashscope.store import DATA, POLICY, Store, inline, link
from tests.providers.dashscope.wire import (
    ID,
    KEY,
    request_for,
    submitted,
)

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
async def test_image_goes_into_the_body(
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


async def test_address_beside_a_file_stays(provider: DashScope, store: Store, account: Account) -> None:
    file = picture()
    sent = (media(file), Media(file.kind, "https://h/l.png", "image"))
    await submitted(provider, account, model="wan2.7-i2v", media=sent)
    assert store.body["input"]["media"] == [
        {"type": "first_frame", "url": inline(file)},
        {"type": "last_frame", "url": "https://h/l.png"},
    ]


async def test_body_size_is_limited(provider: DashScope, store: Store, account: Account) -> None:
    """What does not fit beside what is there already is uploaded; a smaller one after it may fit again."""
    files = [heavy_picture(3), heavy_picture(3, seed=2), picture()]
    sent = tuple(media(file, MediaRole.REFERENCE_IMAGE) for file in files)
    await submitted(provider, account, model="wan2.7-r2v", media=sent)
    urls = [item["url"] for item in store.body["input"]["media"]]
    assert urls == [inline(files[0]), link(files[1]), inline(files[2])]
    assert store.submits.calls.last.request.headers["x-dashscope-ossresourceresolve"] == "enable"


# --- temporary files ----------------------------------------------------------------------------------------------


async def test_upload_on_the_wire(provider: DashScope, store: Store, account: Account) -> None:
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


async def test_model_is_asked_for_by_its_name_on_the_wire(http: HttpClient, store: Store, account: Account) -> None:
    provider = DashScope(http, cards=[ModelCard("house-model", "dashscope", key="wan2.2-s2v", unlisted=True)])
    await submitted(provider, account, model="house-model", sound=media(tone()))
    assert store.policies.calls.last.request.url.params["model"] == store.body["model"] == "wan2.2-s2v"


async def test_same_file_twice_is_uploaded_once(provider: DashScope, store: Store, account: Account) -> None:
    sent = (media(picture()), media(picture()), media(clip()))
    await submitted(provider, account, model="wan2.6-r2v", media=sent)
    assert store.body["input"]["reference_urls"] == [link(PICTURE), link(PICTURE), link(CLIP)]
    assert store.files.call_count == 2


async def test_every_call_uses_the_accounts_proxy(router: respx.MockRouter, store: Store) -> None:
    proxies: list[str | None] = []

    def transport(proxy: str | None) -> httpx.AsyncBaseTransport:
        proxies.append(proxy)
        return httpx.MockTransport(router.async_handler)

    async with HttpClient(transport=transport) as http:
        account = Account("dashscope", KEY, proxy="http://proxy:3128")
        await submitted(DashScope(http), account, sound=media(tone()))
    assert store.files.call_count == 1
    assert set(proxies) == {"http://proxy:3128"}


async def test_accounts_region_is_asked(router: respx.MockRouter, store: Store, provider: DashScope) -> None:
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


async def test_submit_encodes_its_images_and_builds_its_body_once(
    provider: DashScope, store: Store, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that is sent again after a lost answer."""
    counted: list[str] = []

    def built(request: VideoRequest, card: ModelCard, protocol: RequestProtocol) -> Payload:
        counted.append("body")
        return build(request, card, protocol)

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
