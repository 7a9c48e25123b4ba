"""The safety check of pictures and the audit of clips."""

from typing import Any

import httpx
import orjson
import pytest
import respx

from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind
from providers.jimeng.site.regions import Region
from providers.jimeng.site.session import web_id
from providers.jimeng.uploads.safety import audit_body, check_body, check_query
from tests.providers.jimeng.upload_site import (
    UploadSite,
    envelope,
)
from tests.providers.jimeng.uploads.uploader_fixture import CN, JP, SECRET, US, UploaderFixture, asked, sent


class TestSafetyCheck:
    async def test_safety_check_request(self, router: respx.MockRouter) -> None:
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
    async def test_safety_check_refuses_content(self, router: respx.MockRouter, ret: object) -> None:
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
    async def test_other_errors_of_the_safety_check_are_ignored(
        self, router: respx.MockRouter, answer: httpx.Response | Exception
    ) -> None:
        UploadSite(router).check.side_effect = [answer]
        assert (await UploaderFixture(router).upload()).id == "tos-cn-i-x/1"


class TestAudit:
    @pytest.mark.parametrize("region", [CN, US, JP], ids=lambda region: region.code)
    async def test_audit_request(self, router: respx.MockRouter, region: Region) -> None:
        site = UploadSite(router, region)
        await UploaderFixture(router, region).upload()
        request = sent(site.audit)
        assert request.url.path == "/mweb/v1/imagex/submit_audit_job"
        assert orjson.loads(request.content) == audit_body("tos-cn-i-x/1") == {"uri_list": ["tos-cn-i-x/1"]}
        assert request.headers["cookie"]

    async def test_audit_refuses_content(self, router: respx.MockRouter) -> None:
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
    async def test_other_errors_of_the_audit_are_ignored(
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
