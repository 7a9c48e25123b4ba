"""Which host a file goes to, and the hosts to fall back on."""

import hashlib
from dataclasses import replace

import httpx
import orjson
import pytest
import respx

from providers.contract.errors import ErrorKind, ProviderError
from providers.jimeng.site.regions import Hosts, Region
from tests.providers.jimeng.files import clip, picture
from tests.providers.jimeng.upload_site import (
    AUTH,
    TOKEN,
    UploadSite,
    envelope,
    result,
    stored,
)
from tests.providers.jimeng.uploads.uploader_fixture import CN, JP, PROXY, US, UploaderFixture, expect_signed, sent


class TestHosts:
    async def test_base_with_http_and_a_path(self, router: respx.MockRouter) -> None:
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
    async def test_token_names_the_host(self, router: respx.MockRouter, written: str) -> None:
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
    async def test_invalid_host_is_not_followed(self, router: respx.MockRouter, domain: object) -> None:
        site = UploadSite(router)
        site.token.side_effect = lambda request: envelope(TOKEN | {"upload_domain": domain})
        env = UploaderFixture(router)
        await env.upload()
        await env.upload(clip())
        assert sent(site.apply_image).url.host == "imagex.bytedanceapi.com"
        assert sent(site.apply_media).url.host == "vod.bytedanceapi.com"

    async def test_host_of_the_other_service_is_not_followed(self, router: respx.MockRouter) -> None:
        site = UploadSite(router)
        site.token.side_effect = lambda request: envelope(TOKEN | {"upload_domain": "imagex.bytedanceapi.com"})
        await UploaderFixture(router).upload(clip())
        assert sent(site.apply_media).url.host == "vod.bytedanceapi.com"

    @pytest.mark.parametrize(("site", "other"), [("https", "http"), ("http", "https")])
    async def test_domain_over_another_scheme_than_the_sites_is_not_followed(
        self, router: respx.MockRouter, site: str, other: str
    ) -> None:
        region = replace(CN, base_url=f"{site}://site.example", imagex_url=f"{site}://own.example")
        upload_site = UploadSite(router, region)
        upload_site.token.side_effect = lambda request: envelope(TOKEN | {"upload_domain": f"{other}://evil.example"})
        await UploaderFixture(router, region).upload()
        assert sent(upload_site.apply_image).url.host == "own.example"

    async def test_host_set_by_the_operator_is_kept(self, router: respx.MockRouter) -> None:
        region = Hosts(imagex_url="https://mirror.example/i", vod_url="https://mirror.example/v").of(CN)
        site = UploadSite(router, region)
        site.token.side_effect = lambda request: envelope(TOKEN | {"upload_domain": "elsewhere.example"})
        env = UploaderFixture(router, region)
        await env.upload()
        await env.upload(clip())
        assert str(sent(site.commit_image).url).startswith("https://mirror.example/i/?")
        assert str(sent(site.commit_media).url).startswith("https://mirror.example/v/?")

    async def test_replaced_site_whose_token_names_no_host_is_trouble_and_never_the_regions_own_host(
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

    async def test_scheme_is_that_of_the_site(self, router: respx.MockRouter) -> None:
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
    async def test_token_names_the_region_of_the_signatures(
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


class TestFallbackAddresses:
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
    async def test_second_host_is_used_and_committed(
        self, router: respx.MockRouter, site: UploadSite, hosts: list[respx.Route], trouble: httpx.Response | Exception
    ) -> None:
        hosts[0].side_effect = [trouble, trouble]
        env = UploaderFixture(router)
        assert (await env.upload(clip())).id == "v2"
        assert sent(hosts[1]).content == clip().read()
        assert (await env.upload()).id == "tos-cn-i-x/1"
        assert [route.call_count for route in hosts] == [2, 2, 0]
        assert site.token.call_count == 2

    async def test_error_of_the_last_host_is_raised(
        self, router: respx.MockRouter, site: UploadSite, hosts: list[respx.Route]
    ) -> None:
        hosts[0].side_effect = [httpx.Response(500)]
        hosts[1].side_effect = [httpx.Response(200, json={"code": 4018, "message": f"crc32 {AUTH}"})]
        error = await UploaderFixture(router).failed(clip())
        assert (error.kind, error.code, error.detail) == (ErrorKind.UPLOAD_FAILED, "4018", "crc32 ***")
        assert not hosts[2].called
        assert not site.commit_media.called

    async def test_refused_authorization_replaces_the_token(
        self, router: respx.MockRouter, site: UploadSite, hosts: list[respx.Route]
    ) -> None:
        env = UploaderFixture(router)

        def stale_at_first(request: httpx.Request) -> httpx.Response:
            env.now += 60
            return httpx.Response(403) if site.token.call_count == 1 else httpx.Response(200, json={"code": 2000})

        hosts[0].side_effect = stale_at_first
        assert (await env.upload(clip())).id == "v1"
        assert site.token.call_count == 2
        assert not hosts[1].called
