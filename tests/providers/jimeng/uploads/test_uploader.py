"""One file to the site: the four steps pinned to the wire, and what becomes of trouble in each of them."""

import hashlib
import itertools
import time
import uuid
from collections.abc import Mapping
from dataclasses import replace
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
from providers.jimeng.provider import Jimeng
from providers.jimeng.site.regions import REGIONS, Hosts, Region
from providers.jimeng.site.session import web_id
from providers.jimeng.uploads.answers import Uploaded
from providers.jimeng.uploads.safety import audit_body, check_body, check_query
from providers.jimeng.uploads.sigv4 import SigningKeys, sign
from providers.jimeng.uploads.uploader import SPACE, Uploader
from providers.media_files import MediaFile, MediaKind
from providers.sandbox import server as sandbox_server
from providers.sandbox.server import SandboxServer
from providers.sandbox.settings import SandboxSettings
from providers.transport.client import HttpClient
from tests.providers.jimeng.files import clip, picture, sound
from tests.providers.jimeng.upload_site import (
    ACCESS_KEY,
    AUTH,
    HOST,
    LENT,
    SECRET_KEY,
    SESSION_TOKEN,
    TOKEN,
    UploadSite,
    envelope,
    refusal,
    result,
    stored,
)

NOW = 1757737934.5
SECRET = "5e55101d0123456789"
PROXY = "http://user:proxy-password@proxy.example:8080"
CN, US, JP = REGIONS["cn"], REGIONS["us"], REGIONS["jp"]
BEST = Path(sandbox_server.__file__).parent / "clip" / "best.mp4"
KEYS = SigningKeys(ACCESS_KEY, SECRET_KEY, SESSION_TOKEN)


@pytest.fixture
def router() -> respx.MockRouter:
    return respx.MockRouter(assert_all_called=False)


class UploaderFixture:
    """An uploader of one account at one site."""

    def __init__(self, router: respx.MockRouter, region: Region = CN, proxy: str | None = None) -> None:
        self.proxies: list[str | None] = []
        account = Account("jimeng", SECRET, region=region.code, proxy=proxy)
        http = HttpClient(transport=lambda proxy: self._transport(router, proxy))
        jimeng = Jimeng(http, hosts=Hosts(region.base_url, region.commerce_url), now=lambda: NOW)
        ids = (f"0000-{number}-abcdefghijk" for number in itertools.count(1))
        self.uploader = Uploader(http, jimeng._call, account, region, now=lambda: NOW, new_id=lambda: next(ids))

    def _transport(self, router: respx.MockRouter, proxy: str | None) -> httpx.AsyncBaseTransport:
        self.proxies.append(proxy)
        return httpx.MockTransport(router.async_handler)

    async def upload(self, file: MediaFile | None = None) -> Uploaded:
        return await self.uploader.upload(file or picture())

    async def failed(self, file: MediaFile | None = None) -> ProviderError:
        with pytest.raises(ProviderError) as caught:
            await self.upload(file)
        error = caught.value
        told = f"{error} {error!r} {error.args} {error.code} {error.detail}"
        assert all(secret not in told for secret in (*LENT, SECRET, "proxy-password"))
        assert error.kind is not ErrorKind.ANSWER_LOST
        return error


def sent(route: respx.Route, number: int = -1) -> httpx.Request:
    return route.calls[number].request  # type: ignore[no-any-return]


def asked(route: respx.Route) -> list[tuple[str, str]]:
    return parse_qsl(sent(route).url.query.decode(), keep_blank_values=True, strict_parsing=True)


def expect_signed(
    request: httpx.Request, region: Region, service: str, headers: Mapping[str, str], signing_region: str = ""
) -> None:
    expected = sign(
        KEYS,
        request.method,
        str(request.url),
        region=signing_region or region.signing_region,
        service=service,
        at=NOW,
        headers=headers,
        body_sha256=hashlib.sha256(request.content).hexdigest(),
    )
    assert {name: request.headers[name] for name in expected} == expected
    assert "cookie" not in request.headers


class TestPictures:
    async def test_the_four_steps(self, router: respx.MockRouter) -> None:
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
    async def test_every_format(self, router: respx.MockRouter, format: str) -> None:
        site = UploadSite(router)
        file = picture(format)
        assert (await UploaderFixture(router).upload(file)).kind is MediaKind.IMAGE
        assert sent(site.bytes).content == file.read()

    async def test_abroad(self, router: respx.MockRouter) -> None:
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
    async def test_the_service(
        self, router: respx.MockRouter, region: Region, token: dict[str, str], service: str
    ) -> None:
        site = UploadSite(router, region)
        keys = {name: TOKEN[name] for name in ("access_key_id", "secret_access_key", "session_token")}
        site.token.side_effect = [envelope(keys | token)]
        await UploaderFixture(router, region).upload()
        assert ("ServiceId", service) in asked(site.apply_image)


class TestClipsAndSounds:
    @pytest.mark.parametrize(("file", "kind"), [(clip(), MediaKind.VIDEO), (sound(), MediaKind.AUDIO)])
    async def test_the_four_steps(self, router: respx.MockRouter, file: MediaFile, kind: MediaKind) -> None:
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

    async def test_abroad(self, router: respx.MockRouter) -> None:
        site = UploadSite(router, JP)
        await UploaderFixture(router, JP).upload(clip())
        assert ("device_platform", "web") in asked(site.apply_media)
        assert ("device_platform", "web") not in asked(site.commit_media)

    async def test_a_space_that_the_token_does_not_name(self, router: respx.MockRouter) -> None:
        site = UploadSite(router)
        site.token.side_effect = [envelope(TOKEN | {"space_name": ""})]
        await UploaderFixture(router).upload(clip())
        assert ("SpaceName", SPACE) in asked(site.apply_media)


class TestHosts:
    async def test_a_base_with_http_and_a_path(self, router: respx.MockRouter) -> None:
        region = Hosts(None, None, "http://here:1/imagex/", "http://here:1/vod").of(CN)
        site = UploadSite(router, region, "here:1")
        env = UploaderFixture(router, region)
        await env.upload()
        assert str(sent(site.apply_image).url).startswith("http://here:1/imagex/?Action=ApplyImageUpload&")
        expect_signed(sent(site.apply_image), CN, "imagex", {})
        assert str(sent(site.bytes).url) == "http://here:1/upload/v1/tos-cn-i-x/1"
        await env.upload(clip())
        assert str(sent(site.commit_media).url).startswith("http://here:1/vod/?Action=CommitUploadInner&")

    @pytest.mark.parametrize("written", ["{}", "https://{}", "https://{}/"])
    async def test_the_token_names_the_host(self, router: respx.MockRouter, written: str) -> None:
        other = replace(JP, imagex_url="https://imagex-a.example", vod_url="https://vod-b.example")
        site = UploadSite(router, other)
        named = {2: "imagex-a.example", 1: "vod-b.example"}
        site.token.side_effect = lambda request: envelope(
            TOKEN | {"upload_domain": written.format(named[orjson.loads(request.content)["scene"]])}
        )
        env = UploaderFixture(router, JP)
        assert (await env.upload()).id
        assert (await env.upload(clip())).id
        for route in (site.apply_image, site.commit_image, site.apply_media, site.commit_media):
            assert route.call_count == 1

    @pytest.mark.parametrize(
        "domain",
        [
            *("", None, 5, "http://imagex.evil.example", "ftp://x", "user@evil.example", "evil.example?x", "a b"),
            *("https://user:pw@evil.example", "evil.example#x", "//evil.example", "evil.example:99999999", "{}"),
        ],
    )
    async def test_what_is_no_host_is_not_followed(self, router: respx.MockRouter, domain: object) -> None:
        site = UploadSite(router)
        site.token.side_effect = lambda request: envelope(TOKEN | {"upload_domain": domain})
        env = UploaderFixture(router)
        await env.upload()
        await env.upload(clip())
        assert sent(site.apply_image).url.host == "imagex.bytedanceapi.com"
        assert sent(site.apply_media).url.host == "vod.bytedanceapi.com"

    async def test_the_host_of_the_other_service_is_not_followed(self, router: respx.MockRouter) -> None:
        site = UploadSite(router)
        site.token.side_effect = lambda request: envelope(TOKEN | {"upload_domain": "imagex.bytedanceapi.com"})
        await UploaderFixture(router).upload(clip())
        assert sent(site.apply_media).url.host == "vod.bytedanceapi.com"

    @pytest.mark.parametrize(("site", "other"), [("https", "http"), ("http", "https")])
    async def test_a_domain_over_another_scheme_than_the_sites_is_not_followed(
        self, router: respx.MockRouter, site: str, other: str
    ) -> None:
        region = replace(CN, base_url=f"{site}://site.example", imagex_url=f"{site}://own.example")
        upload_site = UploadSite(router, region)
        upload_site.token.side_effect = lambda request: envelope(TOKEN | {"upload_domain": f"{other}://evil.example"})
        await UploaderFixture(router, region).upload()
        assert sent(upload_site.apply_image).url.host == "own.example"

    async def test_what_the_operator_set_stays(self, router: respx.MockRouter) -> None:
        region = Hosts(imagex_url="https://mirror.example/i", vod_url="https://mirror.example/v").of(CN)
        site = UploadSite(router, region)
        site.token.side_effect = lambda request: envelope(TOKEN | {"upload_domain": "elsewhere.example"})
        env = UploaderFixture(router, region)
        await env.upload()
        await env.upload(clip())
        assert str(sent(site.commit_image).url).startswith("https://mirror.example/i/?")
        assert str(sent(site.commit_media).url).startswith("https://mirror.example/v/?")

    async def test_a_replaced_site_whose_token_names_no_host_is_trouble_and_never_the_regions_own_host(
        self, router: respx.MockRouter
    ) -> None:
        region = Hosts("http://site.example").of(CN)
        site = UploadSite(router, replace(region, imagex_url=CN.imagex_url, vod_url=CN.vod_url))
        site.token.side_effect = lambda request: envelope({**TOKEN, "upload_domain": ""})
        for file in (picture(), clip()):
            with pytest.raises(ProviderError) as caught:
                await UploaderFixture(router, region).upload(file)
            assert caught.value.kind is ErrorKind.UPLOAD_FAILED
            assert "names no host" in caught.value.detail
        assert not site.apply_image.called
        assert not site.apply_media.called

    async def test_the_scheme_is_that_of_the_site(self, router: respx.MockRouter) -> None:
        region = Hosts("http://site.example").of(CN)
        site = UploadSite(router, replace(region, imagex_url="http://imagex.example:1/imagex"), "imagex.example:1")
        site.token.side_effect = lambda request: envelope(TOKEN | {"upload_domain": "imagex.example:1/imagex"})
        await UploaderFixture(router, region).upload()
        assert str(sent(site.apply_image).url).startswith("http://imagex.example:1/imagex/?")
        assert str(sent(site.bytes).url).startswith("http://imagex.example:1/upload/v1/")

    @pytest.mark.parametrize(
        ("region", "told", "signed_for"),
        [
            (CN, "cn", "cn-north-1"),
            (CN, "", "cn-north-1"),
            (CN, "cn-north-1", "cn-north-1"),
            (US, "us", "us-east-1"),
            (US, "us-ttp-1", "us-ttp-1"),
            (JP, "sg", "ap-singapore-1"),
            (JP, "SG", "ap-singapore-1"),
            (JP, None, "ap-southeast-1"),
            (JP, "ap-singapore-1", "ap-singapore-1"),
            (JP, "a/b-1", "ap-southeast-1"),
        ],
    )
    async def test_the_token_names_the_region_of_the_signatures(
        self, router: respx.MockRouter, region: Region, told: object, signed_for: str
    ) -> None:
        site = UploadSite(router, region)
        site.token.side_effect = lambda request: envelope(TOKEN | {"region": told})
        env = UploaderFixture(router, region)
        await env.upload()
        await env.upload(clip())
        expect_signed(sent(site.apply_image), region, "imagex", {}, signed_for)
        expect_signed(sent(site.apply_media), region, "vod", {}, signed_for)
        digest = {"x-amz-content-sha256": hashlib.sha256(sent(site.commit_media).content).hexdigest()}
        expect_signed(sent(site.commit_media), region, "vod", digest, signed_for)

    async def test_everything_goes_through_the_accounts_proxy(self, router: respx.MockRouter) -> None:
        UploadSite(router)
        env = UploaderFixture(router, proxy=PROXY)
        await env.upload()
        await env.upload(clip())
        assert set(env.proxies) == {PROXY}


class TestPlacesToFallBackOn:
    """A second node, or a second host, takes the file where the first one does not."""

    NODES = (("first.example", "v1"), ("second.example", "v2"), ("third.example", "v3"))

    @pytest.fixture
    def site(self, router: respx.MockRouter) -> UploadSite:
        site = UploadSite(router)
        nodes = [
            {
                "UploadHost": host,
                "SessionKey": f"session-key-of-{vid}",
                "StoreInfos": [{"StoreUri": vid, "Auth": AUTH}],
            }
            for host, vid in self.NODES
        ]
        site.apply_media.side_effect = lambda request: result({"InnerUploadAddress": {"UploadNodes": nodes}})
        store = {"StoreUri": "tos-cn-i-x/1", "Auth": AUTH}
        address = {"StoreInfos": [store], "SessionKey": "session-key-of-tos-cn-i-x/1"}
        hosts = [host for host, _ in self.NODES]
        site.apply_image.side_effect = lambda request: result({"UploadAddress": {**address, "UploadHosts": hosts}})
        return site

    @pytest.fixture
    def hosts(self, router: respx.MockRouter, site: UploadSite) -> list[respx.Route]:
        return [
            router.post(host=host, path__startswith="/upload/v1/").mock(side_effect=stored) for host, _ in self.NODES
        ]

    @pytest.mark.parametrize(
        "trouble",
        [
            httpx.ConnectError("x"),
            httpx.ReadTimeout("x"),
            httpx.Response(500),
            httpx.Response(200, json={"code": 4018, "message": "crc32"}),
        ],
    )
    async def test_the_second_one_is_used_and_committed(
        self, router: respx.MockRouter, site: UploadSite, hosts: list[respx.Route], trouble: httpx.Response | Exception
    ) -> None:
        hosts[0].side_effect = [trouble, trouble]
        env = UploaderFixture(router)
        assert (await env.upload(clip())).id == "v2"
        assert sent(hosts[1]).content == clip().read()
        assert (await env.upload()).id == "tos-cn-i-x/1"
        assert [route.call_count for route in hosts] == [2, 2, 0]
        assert site.token.call_count == 2

    async def test_the_trouble_of_the_last_one_is_told(
        self, router: respx.MockRouter, site: UploadSite, hosts: list[respx.Route]
    ) -> None:
        hosts[0].side_effect = [httpx.Response(500)]
        hosts[1].side_effect = [httpx.Response(200, json={"code": 4018, "message": f"crc32 {AUTH}"})]
        error = await UploaderFixture(router).failed(clip())
        assert (error.kind, error.code, error.detail) == (ErrorKind.UPLOAD_FAILED, "4018", "crc32 ***")
        assert not hosts[2].called
        assert not site.commit_media.called

    async def test_a_refused_authorization_is_the_tokens(
        self, router: respx.MockRouter, site: UploadSite, hosts: list[respx.Route]
    ) -> None:
        hosts[0].side_effect = [httpx.Response(403), httpx.Response(200, json={"code": 2000})]
        assert (await UploaderFixture(router).upload(clip())).id == "v1"
        assert site.token.call_count == 2
        assert not hosts[1].called


class TestTokens:
    async def test_one_for_each_service(self, router: respx.MockRouter) -> None:
        site = UploadSite(router)
        env = UploaderFixture(router)
        for file in (picture(), clip(), picture(colour="blue"), sound()):
            await env.upload(file)
        assert [orjson.loads(call.request.content)["scene"] for call in site.token.calls] == [2, 1]

    @pytest.mark.parametrize("step", ["apply_image", "bytes", "commit_image"])
    async def test_a_stale_one_is_replaced_once(self, router: respx.MockRouter, step: str) -> None:
        site = UploadSite(router)
        route: respx.Route = getattr(site, step)
        works = {"apply_image": site.image_address, "bytes": stored, "commit_image": site.image}[step]

        def stale_at_first(request: httpx.Request) -> httpx.Response:
            return refusal("InvalidSecurityToken", status=403) if site.token.call_count == 1 else works(request)

        route.side_effect = stale_at_first
        assert (await UploaderFixture(router).upload()).id
        assert site.token.call_count == 2
        assert route.call_count == 2

    async def test_one_refused_twice_is_an_error(self, router: respx.MockRouter) -> None:
        site = UploadSite(router)
        site.apply_image.side_effect = lambda request: refusal("SignatureDoesNotMatch", f"key {SECRET_KEY} is wrong")
        error = await UploaderFixture(router).failed()
        assert (error.kind, error.code) == (ErrorKind.UPLOAD_FAILED, "SignatureDoesNotMatch")
        assert error.detail == "key *** is wrong"
        assert site.apply_image.call_count == 2

    @pytest.mark.parametrize(
        ("ret", "kind"),
        [
            ("1015", ErrorKind.INVALID_CREDENTIAL),
            ("5000", ErrorKind.NO_CREDITS),
            ("1019", ErrorKind.RESTRICTED),
            ("1057", ErrorKind.RATE_LIMITED),
            ("3018", ErrorKind.NOT_ENTITLED),
            # What the site finds wrong with our own call is no fault of the client's.
            ("2008", ErrorKind.UPLOAD_FAILED),
            ("2002", ErrorKind.UPLOAD_FAILED),
            ("777", ErrorKind.UPLOAD_FAILED),
        ],
    )
    async def test_a_refusal_keeps_its_meaning(self, router: respx.MockRouter, ret: str, kind: ErrorKind) -> None:
        site = UploadSite(router)
        site.token.side_effect = lambda request: envelope(None, ret, f"refused {SECRET}")
        error = await UploaderFixture(router).failed()
        assert (error.kind, error.code, error.detail) == (kind, ret, "refused ***")
        assert not site.apply_image.called

    async def test_one_without_keys(self, router: respx.MockRouter) -> None:
        UploadSite(router).token.side_effect = lambda request: envelope({})
        assert (await UploaderFixture(router).failed()).kind is ErrorKind.UPLOAD_FAILED


class TestTrouble:
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
    async def test_in_any_step_nothing_is_left_open(
        self, router: respx.MockRouter, step: str, answer: httpx.Response | Exception, kind: ErrorKind
    ) -> None:
        route: respx.Route = getattr(UploadSite(router), step)
        route.side_effect = [answer]
        error = await UploaderFixture(router, proxy=PROXY).failed()
        assert error.kind is kind
        assert error.words is None
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
    async def test_what_is_no_answer(self, router: respx.MockRouter, step: str, answer: httpx.Response) -> None:
        getattr(UploadSite(router), step).side_effect = [answer]
        assert (await UploaderFixture(router).failed()).kind is ErrorKind.UPLOAD_FAILED

    async def test_bytes_that_came_damaged(self, router: respx.MockRouter) -> None:
        site = UploadSite(router)
        site.bytes.side_effect = [httpx.Response(200, json={"code": 4018, "message": f"crc32 {AUTH}"})]
        error = await UploaderFixture(router).failed()
        assert (error.kind, error.code, error.detail) == (ErrorKind.UPLOAD_FAILED, "4018", "crc32 ***")
        assert not site.commit_image.called


class TestTheSafetyCheck:
    async def test_on_the_wire(self, router: respx.MockRouter) -> None:
        site = UploadSite(router)
        await UploaderFixture(router).upload()
        request = sent(site.check)
        assert orjson.loads(request.content) == {
            "scene": "image_face_ip",
            "options": {"ip_check": True},
            "req_key": "benchmark_test_user_upload_image_input",
            "file_list": [{"file_uri": "tos-cn-i-x/1"}],
            "req_params": {},
        }
        query = dict(asked(site.check))
        assert query["aid"] == "513695"
        assert query["webId"] == web_id(Account("jimeng", SECRET, region="cn"))
        assert orjson.loads(query["babi_param"]) == orjson.loads(check_query()["babi_param"])
        assert orjson.loads(request.content) == check_body("tos-cn-i-x/1")

    @pytest.mark.parametrize("ret", ["2003", 2039, "1159"])
    async def test_refused_content_ends_it(self, router: respx.MockRouter, ret: object) -> None:
        UploadSite(router).check.side_effect = [envelope(None, ret, "risk not pass")]
        error = await UploaderFixture(router).failed()
        assert (error.kind, error.code, error.detail) == (ErrorKind.CONTENT_REFUSED, str(ret), "risk not pass")

    @pytest.mark.parametrize(
        "answer",
        [
            envelope(None, "1000"),
            envelope(None, "1019"),
            httpx.Response(500),
            httpx.Response(200, text="<html>"),
            httpx.Response(429),
            httpx.ReadTimeout("x"),
            httpx.ConnectError("x"),
        ],
    )
    async def test_any_other_trouble_is_ignored(
        self, router: respx.MockRouter, answer: httpx.Response | Exception
    ) -> None:
        UploadSite(router).check.side_effect = [answer]
        assert (await UploaderFixture(router).upload()).id == "tos-cn-i-x/1"


class TestTheAudit:
    @pytest.mark.parametrize("region", [CN, US, JP], ids=lambda region: region.code)
    async def test_on_the_wire(self, router: respx.MockRouter, region: Region) -> None:
        site = UploadSite(router, region)
        await UploaderFixture(router, region).upload()
        request = sent(site.audit)
        assert request.url.path == "/mweb/v1/imagex/submit_audit_job"
        assert orjson.loads(request.content) == audit_body("tos-cn-i-x/1") == {"uri_list": ["tos-cn-i-x/1"]}
        assert request.headers["cookie"]

    async def test_refused_content_ends_it(self, router: respx.MockRouter) -> None:
        UploadSite(router).audit.side_effect = [envelope(None, "2003", "risk not pass")]
        error = await UploaderFixture(router).failed()
        assert (error.kind, error.code, error.detail) == (ErrorKind.CONTENT_REFUSED, "2003", "risk not pass")

    @pytest.mark.parametrize(
        "answer",
        [
            httpx.Response(200, json={"ret": ""}),
            httpx.Response(404, text="<html>"),
            httpx.Response(500),
            envelope(None, "1000"),
            envelope(None, "1015"),
            httpx.ReadTimeout("x"),
            httpx.ConnectError("x"),
        ],
    )
    async def test_any_other_trouble_is_ignored(
        self, router: respx.MockRouter, answer: httpx.Response | Exception
    ) -> None:
        UploadSite(router).audit.side_effect = [answer]
        assert (await UploaderFixture(router).upload()).id == "tos-cn-i-x/1"


def test_what_the_check_says_of_the_place() -> None:
    place: dict[str, Any] = orjson.loads(check_query()["babi_param"])
    assert place == {
        "scenario": "image_video_generation",
        "feature_key": "aigc_to_image",
        "feature_entrance": "to-generate",
        "feature_entrance_detail": "to-generate-algo_proxy",
    }


@pytest.mark.parametrize("code", REGIONS)
async def test_the_sandbox_names_its_hosts_in_the_token(code: str) -> None:
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
