"""Submits with files: what is uploaded first, and what the draft then names."""

import uuid
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import respx

from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.requests import Media, VideoRequest
from providers.jimeng.draft import SubmitDraft, build_draft
from providers.jimeng.provider import (
    SUBMIT_PATH,
    Jimeng,
)
from providers.jimeng.site.regions import REGIONS, Hosts
from providers.media_files import MediaFile, MediaKind
from providers.sandbox import server as sandbox_server
from providers.sandbox.server import SandboxServer
from providers.sandbox.settings import SandboxSettings
from providers.transport.client import HttpClient
from providers.validation import validate
from tests.providers.jimeng.files import clip, picture, reference, sound
from tests.providers.jimeng.upload_site import LENT, UploadSite, envelope
from tests.providers.jimeng.wire import ACCEPTED, BASE, CN, ID, KEY, REQUEST, SECRET, US, sent


async def submit_media(jimeng: Jimeng, *media: Media, account: Account = CN, **fields: Any) -> str:
    """A submit of a request that was settled as the gateway does it."""
    model = fields.pop("model", "jimeng-video-seedance-2.0")
    card = jimeng.card(model)
    assert card
    request = validate(card, VideoRequest(model, fields.pop("prompt", "猫"), media=media, **fields))
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

    async def test_first_frame_is_uploaded(self, jimeng: Jimeng, site: UploadSite, submits: respx.Route) -> None:
        assert await submit_media(jimeng, image(RED), model="jimeng-video-3.0-fast") == ID
        assert draft_input(submits)["first_frame_image"]["image_uri"] == "tos-cn-i-x/1"
        assert draft_input(submits)["prompt"] == "猫"
        assert (site.token.call_count, site.uploads, site.check.call_count, submits.call_count) == (1, 1, 1, 1)

    async def test_first_and_last_frame_are_uploaded(
        self, jimeng: Jimeng, site: UploadSite, submits: respx.Route
    ) -> None:
        await submit_media(jimeng, image(RED), image(BLUE), model="jimeng-video-3.0-fast")
        uris = [draft_input(submits)[name]["uri"] for name in ("first_frame_image", "end_frame_image")]
        assert sorted(uris) == ["tos-cn-i-x/1", "tos-cn-i-x/2"]
        bytes_of = {call.request.url.path: call.request.content for call in site.bytes.calls}
        assert [bytes_of[f"/upload/v1/{uri}"] for uri in uris] == [RED.read(), BLUE.read()]
        assert site.token.call_count == 1

    async def test_reference_materials_are_uploaded(
        self, jimeng: Jimeng, site: UploadSite, submits: respx.Route
    ) -> None:
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

    async def test_audio_of_an_unknown_model(self, jimeng: Jimeng, site: UploadSite, submits: respx.Route) -> None:
        heard = Media(MediaKind.AUDIO, "", "audio_url", file=sound())
        model = "dreamina_seedance_45_pro"
        await submit_media(jimeng, image(RED), model=model, sound=heard, reference_mode=True)
        materials = draft_input(submits)["unified_edit_input"]["material_list"]
        assert [item["material_type"] for item in materials] == ["image", "audio"]

    async def test_text_alone_uploads_nothing(self, jimeng: Jimeng, site: UploadSite, submits: respx.Route) -> None:
        await submit_media(jimeng)
        assert not site.token.called
        assert draft_input(submits)["prompt"] == "猫"

    async def test_upload_on_an_international_site(self, jimeng: Jimeng, router: respx.MockRouter) -> None:
        site = UploadSite(router, REGIONS["us"])
        route = router.post(url__startswith=REGIONS["us"].base_url + SUBMIT_PATH).respond(json=ACCEPTED)
        await submit_media(jimeng, image(RED), model="jimeng-video-3.0-fast", account=US)
        assert draft_input(route)["first_frame_image"]["uri"] == "tos-cn-i-x/1"
        assert (site.uploads, site.check.call_count) == (1, 0)

    async def test_input_without_a_file_is_refused_before_anything_is_sent(
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
    async def test_upload_error_leaves_no_submit_pending(
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

    async def test_image_that_the_site_refuses(self, jimeng: Jimeng, site: UploadSite, submits: respx.Route) -> None:
        site.check.side_effect = [envelope(None, "2003", "risk not pass")]
        assert (await failed_media(jimeng, image(RED))).kind is ErrorKind.CONTENT_REFUSED
        assert not submits.called

    async def test_upload_serves_the_next_submit(self, jimeng: Jimeng, site: UploadSite, submits: respx.Route) -> None:
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
    async def test_rejected_submit_drops_cached_uploads(
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

    async def test_submit_with_files_against_the_sandbox(self) -> None:
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


async def test_submit_that_is_sent_again_has_the_same_draft(
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
