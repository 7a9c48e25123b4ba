"""Errors of the generations surface over real HTTP, and its limit on bodies."""

import re
from typing import Any

import httpx
import pytest

from gateway.app import create_app
from gateway.cli.server.background import BackgroundServer
from gateway.core.settings import LimitSettings
from providers.sandbox.server import SandboxServer
from tests.e2e.conftest import bearer, settings_for
from tests.e2e.generations import JIMENG, SUBMIT, WAN, error_of
from tests.pictures import data_url


class TestErrors:
    def test_missing_credential_is_refused(self, client: httpx.Client) -> None:
        for method, path in (("POST", SUBMIT), ("GET", "/v1/videos/tasks/1"), ("GET", "/v1/models")):
            error = error_of(client.request(method, path), 401, "invalid_api_key")
            assert error["message"] == "未提供认证令牌"

    @pytest.mark.parametrize(
        "content", [b"", b"{", b"[]", b'"x"', b"null", b'{"prompt": NaN}', b"\xff\xfe", b'{"a":' * 2000]
    )
    def test_body_that_is_no_json_object_is_refused(self, client: httpx.Client, session: str, content: bytes) -> None:
        headers = bearer(session) | {"content-type": "application/json"}
        error_of(client.post(SUBMIT, content=content, headers=headers), 400, "invalid_value")

    def test_every_invalid_field_is_named_at_once(self, client: httpx.Client, session: str) -> None:
        body = {"prompt": 5, "duration": "long", "watermark": "maybe", "image_url": "file:///etc/passwd", "seed": -2}
        error = error_of(client.post(SUBMIT, json=body, headers=bearer(session)), 400, "invalid_value")
        assert error["param"] == "prompt"
        for name in body:
            assert name in error["message"]

    def test_unsupported_value_is_answered_with_the_supported_ones(self, client: httpx.Client, session: str) -> None:
        body = {"model": JIMENG, "prompt": "x", "duration": 77, "ratio": "2:1", "resolution": "4k", "watermark": True}
        answer = client.post(SUBMIT, json=body, headers=bearer(session) | {"accept-language": "en"})
        error = error_of(answer, 400, "invalid_value")
        assert error["param"] == "duration"
        for part in ("5–10", "16:9", "720p, 1080p", "watermark"):
            assert part in error["message"]

    def test_references_on_a_jimeng_model_without_them_name_the_alternative(
        self, client: httpx.Client, session: str
    ) -> None:
        body = {"model": JIMENG, "prompt": "x", "image_url": data_url(), "functionMode": "omni_reference"}
        error = error_of(client.post(SUBMIT, json=body, headers=bearer(session)), 400, "unsupported_parameter")
        assert error["param"] == "image_url"
        assert "jimeng-video-seedance-2.0" in error["message"]

    @pytest.mark.parametrize(
        ("word", "status", "code", "retry"),
        [
            ("refuse=2003", 400, "content_policy_violation", "false"),
            ("refuse=1019", 403, "account_restricted", "false"),
            ("refuse=1000", 400, "invalid_value", "false"),
            ("refuse=5000", 429, "insufficient_quota", "false"),
            ("refuse=1010", 429, "rate_limit_exceeded", "true"),
            ("refuse=1015", 401, "invalid_api_key", "false"),
            ("refuse=3018", 403, "account_restricted", "false"),
            ("refuse=5001", 502, "generation_failed", "false"),
            ("refuse=424242", 502, "upstream_error", "false"),
            ("throttle", 429, "rate_limit_exceeded", "true"),
            ("redirect", 504, "submission_unconfirmed", "false"),
        ],
    )
    def test_jimeng_errors_are_mapped(
        self, client: httpx.Client, session: str, word: str, status: int, code: str, retry: str
    ) -> None:
        answer = client.post(SUBMIT, json={"model": JIMENG, "prompt": f"x #{word}"}, headers=bearer(session))
        error = error_of(answer, status, code)
        assert answer.headers["x-should-retry"] == retry
        assert ("retry-after" in answer.headers) == (retry == "true")
        if word.startswith("refuse="):
            assert error["upstream_code"] == word.removeprefix("refuse=")

    @pytest.mark.parametrize(
        ("word", "status", "code"),
        [
            ("refuse=DataInspectionFailed", 400, "content_policy_violation"),
            ("refuse=InvalidApiKey", 401, "invalid_api_key"),
            ("refuse=Arrearage", 429, "insufficient_quota"),
            ("throttle", 429, "rate_limit_exceeded"),
        ],
    )
    def test_dashscope_errors_are_mapped(
        self, client: httpx.Client, key: str, word: str, status: int, code: str
    ) -> None:
        answer = client.post(SUBMIT, json={"model": WAN, "prompt": f"x #{word}"}, headers=bearer(key))
        error_of(answer, status, code)

    def test_error_messages_follow_the_clients_language(self, client: httpx.Client) -> None:
        answer = client.get("/v1/models", headers={"accept-language": "en-GB,en;q=0.9"})
        assert answer.json()["error"]["message"].startswith("Missing credential")

    def test_unknown_paths_and_methods_are_refused(self, client: httpx.Client) -> None:
        error_of(client.get("/v2/nothing"), 404, "not_found")
        answer = client.put("/v1/videos")
        error_of(answer, 405, "method_not_allowed")
        assert "POST" in answer.headers["allow"]
        answer = client.get(SUBMIT, headers={"Authorization": "Bearer any-session"})
        error_of(answer, 405, "method_not_allowed")
        assert answer.headers["allow"] == "POST"

    @pytest.mark.parametrize(
        ("given", "kept"), [("abc-1.2_3", True), ("a b", False), ("x" * 200, False), ("猫", False)]
    )
    def test_request_id_is_echoed_or_made(self, client: httpx.Client, given: str, kept: bool) -> None:
        answer = client.get("/healthz", headers=[(b"x-request-id", given.encode())])
        assert (answer.headers["x-request-id"] == given) is kept
        assert re.fullmatch(r"[A-Za-z0-9._-]{1,128}", answer.headers["x-request-id"])


class TestBodyLimit:
    @pytest.fixture
    def small(self, upstream: SandboxServer) -> Any:
        settings = settings_for(upstream, limits=LimitSettings(body_bytes=2048))
        with BackgroundServer(create_app(settings)) as server, httpx.Client(base_url=server.url) as client:
            yield client

    def test_body_over_the_limit_is_refused(self, small: httpx.Client, session: str) -> None:
        body = {"model": JIMENG, "prompt": "x" * 4000}
        error = error_of(small.post(SUBMIT, json=body, headers=bearer(session)), 413, "too_large")
        assert "2 KB" in error["message"]

    def test_chunked_body_over_the_limit_is_refused(self, small: httpx.Client, session: str) -> None:
        headers = bearer(session) | {"content-type": "application/json"}
        answer = small.post(SUBMIT, content=(b" " * 512 for _ in range(20)), headers=headers)
        error_of(answer, 413, "too_large")

    def test_form_over_the_limit_is_refused(self, small: httpx.Client, session: str) -> None:
        files = {"prompt": (None, "x" * 4000)}
        error_of(small.post(SUBMIT, files=files, headers=bearer(session)), 413, "too_large")
