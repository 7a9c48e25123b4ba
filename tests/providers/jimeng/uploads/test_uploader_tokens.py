"""Upload tokens: one per service, replaced once when the site refuses it."""

import httpx
import orjson
import pytest
import respx

from providers.contract.errors import ErrorKind
from tests.providers.jimeng.files import clip, picture, sound
from tests.providers.jimeng.upload_site import (
    SECRET_KEY,
    UploadSite,
    envelope,
    refusal,
    stored,
)
from tests.providers.jimeng.uploads.uploader_fixture import SECRET, UploaderFixture


class TestTokens:
    async def test_token_is_requested_once_for_each_service(self, router: respx.MockRouter) -> None:
        site = UploadSite(router)
        env = UploaderFixture(router)
        for file in (picture(), clip(), picture(colour="blue"), sound()):
            await env.upload(file)
        assert [orjson.loads(call.request.content)["scene"] for call in site.token.calls] == [2, 1]

    @pytest.mark.parametrize("step", ["apply_image", "bytes", "commit_image"])
    async def test_stale_token_is_replaced_once(self, router: respx.MockRouter, step: str) -> None:
        site, env = UploadSite(router), UploaderFixture(router)
        route: respx.Route = getattr(site, step)
        works = {"apply_image": site.image_address, "bytes": stored, "commit_image": site.image}[step]

        def stale_at_first(request: httpx.Request) -> httpx.Response:
            env.now += 60
            return refusal("InvalidSecurityToken", status=403) if site.token.call_count == 1 else works(request)

        route.side_effect = stale_at_first
        assert (await env.upload()).id
        assert site.token.call_count == 2
        assert route.call_count == 2

    async def test_token_refused_at_once_is_not_tried_again(self, router: respx.MockRouter) -> None:
        site = UploadSite(router)
        site.apply_image.side_effect = lambda request: refusal("SignatureDoesNotMatch", f"key {SECRET_KEY} is wrong")
        error = await UploaderFixture(router).failed()
        assert (error.kind, error.code) == (ErrorKind.UNKNOWN_REFUSAL, "SignatureDoesNotMatch")
        assert error.detail == "key *** is wrong"
        assert error.message is not None
        assert (site.token.call_count, site.apply_image.call_count) == (1, 1)

    async def test_stale_token_refused_again_is_an_error(self, router: respx.MockRouter) -> None:
        site, env = UploadSite(router), UploaderFixture(router)

        def refused(request: httpx.Request) -> httpx.Response:
            env.now += 60
            return refusal("CheckAuthenticationError", status=401)

        site.apply_image.side_effect = refused
        assert (await env.failed()).kind is ErrorKind.UNKNOWN_REFUSAL
        assert (site.token.call_count, site.apply_image.call_count) == (2, 2)

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
    async def test_refused_token_request_keeps_its_meaning(
        self, router: respx.MockRouter, ret: str, kind: ErrorKind
    ) -> None:
        site = UploadSite(router)
        site.token.side_effect = lambda request: envelope(None, ret, f"refused {SECRET}")
        error = await UploaderFixture(router).failed()
        assert (error.kind, error.code, error.detail) == (kind, ret, "refused ***")
        assert not site.apply_image.called

    async def test_token_without_keys_is_an_error(self, router: respx.MockRouter) -> None:
        UploadSite(router).token.side_effect = lambda request: envelope({})
        assert (await UploaderFixture(router).failed()).kind is ErrorKind.UPLOAD_FAILED
