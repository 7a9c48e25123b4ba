"""One file to the site: the four steps pinned to the wire, and what becomes of trouble in each of them."""

import hashlib
import time
import uuid
from io import BytesIO

import httpx
import orjson
import pytest
import respx

from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind
from providers.jimeng.provider import Jimeng
from providers.jimeng.site.regions import REGIONS, Hosts, Region
from providers.jimeng.uploads.answers import Uploaded
from providers.jimeng.uploads.uploader import SPACE, Uploader
from providers.media_files import MediaFile, MediaKind
from providers.sandbox.server import SandboxServer
from providers.sandbox.settings import SandboxSettings
from providers.transport.client import HttpClient
from tests.providers.jimeng.files import clip, picture, sound
from tests.providers.jimeng.upload_site import (
    ACCESS_KEY,
    AUTH,
    HOST,
    SESSION_TOKEN,
    TOKEN,
    UploadSite,
    envelope,
    refusal,
    result,
)
from tests.providers.jimeng.uploads.uploader_fixture import (
    BEST,
    CN,
    JP,
    PROXY,
    SECRET,
    US,
    UploaderFixture,
    asked,
    expect_signed,
    sent,
)


class TestImages:
    async def test_image_upload_requests(self, router: respx.MockRouter) -> None:
        site = UploadSite(router)
        file = picture()
        found = await UploaderFixture(router).upload(file)
        assert found == Uploaded(MediaKind.IMAGE, "tos-cn-i-x/1", 8, 6, "png")

        assert orjson.loads(sent(site.token).content) == {"scene": 2}
        assert sent(site.token).headers["cookie"]

        request = sent(site.apply_image)
        assert request.url.path == "/"
        assert asked(site.apply_image) == [
            ("Action", "ApplyImageUpload"),
            ("Version", "2018-08-01"),
            ("ServiceId", "service"),
            ("FileSize", str(file.size)),
            ("s", "00001abcdef"),
        ]
        expect_signed(request, CN, "imagex", {})

        request = sent(site.bytes)
        assert str(request.url) == f"https://{HOST}/upload/v1/tos-cn-i-x/1"
        assert request.content == file.read()
        assert request.headers["authorization"] == AUTH
        assert request.headers["content-crc32"] == f"{file.crc32:08x}"
        assert request.headers["content-type"] == "application/octet-stream"
        assert request.headers["content-length"] == str(file.size)
        assert "cookie" not in request.headers

        request = sent(site.commit_image)
        assert asked(site.commit_image) == [
            ("Action", "CommitImageUpload"),
            ("Version", "2018-08-01"),
            ("ServiceId", "service"),
        ]
        assert orjson.loads(request.content) == {"SessionKey": "session-key-of-tos-cn-i-x/1"}
        expect_signed(request, CN, "imagex", {"x-amz-content-sha256": hashlib.sha256(request.content).hexdigest()})
        assert request.headers["content-type"] == "application/json"

    @pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "BMP"])
    async def test_every_image_format_is_uploaded(self, router: respx.MockRouter, format: str) -> None:
        site = UploadSite(router)
        file = picture(format)
        assert (await UploaderFixture(router).upload(file)).kind is MediaKind.IMAGE
        assert sent(site.bytes).content == file.read()

    async def test_image_upload_on_an_international_site(self, router: respx.MockRouter) -> None:
        site = UploadSite(router, US)
        await UploaderFixture(router, US).upload()
        assert ("ServiceId", "space") in asked(site.apply_image)
        assert ("device_platform", "web") in asked(site.apply_image)
        assert ("ServiceId", "space") in asked(site.commit_image)
        assert sent(site.apply_image).url.host == "imagex16-normal-us-ttp.capcutapi.us"
        assert sent(site.apply_image).headers["origin"] == US.origin
        expect_signed(sent(site.apply_image), US, "imagex", {})
        assert not site.check.called
        assert orjson.loads(sent(site.audit).content) == {"uri_list": ["tos-cn-i-x/1"]}

    @pytest.mark.parametrize(
        ("region", "token", "service"),
        [
            (CN, {"service_id": "own"}, "own"),
            (CN, {"space_name": "space"}, "tb4s082cfz"),
            (JP, {"service_id": "own", "space_name": "space"}, "space"),
            (JP, {"service_id": "own"}, "own"),
            (JP, {}, "wopfjsm1ax"),
        ],
    )
    async def test_image_upload_names_its_service(
        self, router: respx.MockRouter, region: Region, token: dict[str, str], service: str
    ) -> None:
        site = UploadSite(router, region)
        keys = {name: TOKEN[name] for name in ("access_key_id", "secret_access_key", "session_token")}
        site.token.side_effect = [envelope(keys | token)]
        await UploaderFixture(router, region).upload()
        assert ("ServiceId", service) in asked(site.apply_image)


class TestVideoAndAudio:
    @pytest.mark.parametrize(("file", "kind"), [(clip(), MediaKind.VIDEO), (sound(), MediaKind.AUDIO)])
    async def test_video_upload_requests(self, router: respx.MockRouter, file: MediaFile, kind: MediaKind) -> None:
        site = UploadSite(router)
        assert await UploaderFixture(router).upload(file) == Uploaded(kind, "v1", 1280, 720, milliseconds=5000)
        assert orjson.loads(sent(site.token).content) == {"scene": 1}
        assert asked(site.apply_media) == [
            ("Action", "ApplyUploadInner"),
            ("Version", "2020-11-19"),
            ("SpaceName", "space"),
            ("FileType", "video"),
            ("IsInner", "1"),
            ("FileSize", str(file.size)),
            ("s", "00001abcdef"),
        ]
        assert sent(site.apply_media).url.host == "vod.bytedanceapi.com"
        expect_signed(sent(site.apply_media), CN, "vod", {})
        assert str(sent(site.bytes).url) == f"https://{HOST}/upload/v1/tos-cn-v-x/v1"
        assert sent(site.bytes).content == file.read()
        request = sent(site.commit_media)
        assert asked(site.commit_media) == [
            ("Action", "CommitUploadInner"),
            ("Version", "2020-11-19"),
            ("SpaceName", "space"),
        ]
        assert orjson.loads(request.content) == {
            "SessionKey": "session-key-of-v1",
            "Functions": [{"name": "GetMeta"}],
        }
        expect_signed(request, CN, "vod", {"x-amz-content-sha256": hashlib.sha256(request.content).hexdigest()})
        assert not site.check.called
        assert not site.audit.called

    async def test_video_upload_on_an_international_site(self, router: respx.MockRouter) -> None:
        site = UploadSite(router, JP)
        await UploaderFixture(router, JP).upload(clip())
        assert ("device_platform", "web") in asked(site.apply_media)
        assert ("device_platform", "web") not in asked(site.commit_media)

    async def test_space_that_the_token_does_not_name(self, router: respx.MockRouter) -> None:
        site = UploadSite(router)
        site.token.side_effect = [envelope(TOKEN | {"space_name": ""})]
        await UploaderFixture(router).upload(clip())
        assert ("SpaceName", SPACE) in asked(site.apply_media)


class TestErrors:
    @pytest.mark.parametrize("step", ["token", "apply_image", "bytes", "commit_image"])
    @pytest.mark.parametrize(
        ("answer", "kind"),
        [
            (httpx.ConnectError("x"), ErrorKind.UNREACHABLE),
            (httpx.ReadTimeout("x"), ErrorKind.UPLOAD_FAILED),
            (httpx.RemoteProtocolError("x"), ErrorKind.UPLOAD_FAILED),
            (httpx.WriteError("x"), ErrorKind.UPLOAD_FAILED),
            (httpx.Response(502, text="<html>"), ErrorKind.UPLOAD_FAILED),
            (httpx.Response(500), ErrorKind.UPLOAD_FAILED),
            (httpx.Response(302, headers={"location": "https://elsewhere/"}), ErrorKind.UPLOAD_FAILED),
        ],
    )
    async def test_failure_in_any_step_is_a_definite_error(
        self, router: respx.MockRouter, step: str, answer: httpx.Response | Exception, kind: ErrorKind
    ) -> None:
        route: respx.Route = getattr(UploadSite(router), step)
        route.side_effect = [answer]
        error = await UploaderFixture(router, proxy=PROXY).failed()
        assert error.kind is kind
        assert error.message is None
        assert route.call_count == 1

    @pytest.mark.parametrize("step", ["apply_image", "commit_image"])
    @pytest.mark.parametrize(
        "answer",
        [
            httpx.Response(200, text=""),
            httpx.Response(200, json=[]),
            result(None),
            result({}),
            result({"UploadAddress": {}, "Results": [{"Uri": "x", "UriStatus": 2001}]}),
            refusal("QuotaExceeded", f"{ACCESS_KEY} {SESSION_TOKEN}"),
        ],
    )
    async def test_invalid_answer_is_an_error(
        self, router: respx.MockRouter, step: str, answer: httpx.Response
    ) -> None:
        getattr(UploadSite(router), step).side_effect = [answer]
        assert (await UploaderFixture(router).failed()).kind is ErrorKind.UPLOAD_FAILED

    async def test_damaged_bytes_are_an_error(self, router: respx.MockRouter) -> None:
        site = UploadSite(router)
        site.bytes.side_effect = [httpx.Response(200, json={"code": 4018, "message": f"crc32 {AUTH}"})]
        error = await UploaderFixture(router).failed()
        assert (error.kind, error.code, error.detail) == (ErrorKind.UPLOAD_FAILED, "4018", "crc32 ***")
        assert not site.commit_image.called


@pytest.mark.parametrize("code", REGIONS)
async def test_sandbox_names_its_hosts_in_the_token(code: str) -> None:
    film = MediaFile.inspect(BytesIO(BEST.read_bytes()))
    assert film
    with SandboxServer(SandboxSettings()) as upstream:
        async with HttpClient() as http:
            jimeng = Jimeng(http, hosts=Hosts(upstream.jimeng_url))
            account = Account("jimeng", SECRET, region=code)
            region = Hosts(upstream.jimeng_url).of(REGIONS[code])
            uploader = Uploader(http, jimeng._call, account, region, now=time.time, new_id=lambda: str(uuid.uuid4()))
            assert (await uploader.upload(picture())).id
            assert (await uploader.upload(film)).milliseconds > 0
