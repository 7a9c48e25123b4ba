"""Failures of the upstream: no task is lost, nothing is sent twice, no credential is shown."""

import logging
import socket
import time
from collections.abc import Iterator

import httpx
import pytest

from gateway.app import create_app
from gateway.cli.server.background import BackgroundServer
from gateway.core.logs import JsonFormatter, TextFormatter
from gateway.core.settings import TimeoutSettings
from providers.sandbox.server import SandboxServer
from tests.e2e.conftest import FastClock, bearer, follow, settings_for

SUBMIT = "/v1/videos/generations"
JIMENG, WAN = "jimeng-video-3.0-fast", "wan2.6-t2v"
QUICK = TimeoutSettings(connect=2, read=1.2, total=1.5)

ACCEPTED_BUT_LOST = [
    "lost",
    "status-after=500",
    "status-after=502",
    "html",
    "empty",
    "halfjson",
    "cut",
    "hang",
    "drip",
    "noid",
]
NOT_ACCEPTED = ["lost-before", "status=500", "html-before", "hang-before"]


@pytest.fixture(scope="module")
def url(upstream: SandboxServer) -> Iterator[str]:
    """A gateway that gives an upstream up soon."""
    with BackgroundServer(create_app(settings_for(upstream, timeouts=QUICK), clock=FastClock())) as gateway:
        yield gateway.url


def submit(client: httpx.Client, model: str, prompt: str, credential: str) -> httpx.Response:
    return client.post(SUBMIT, json={"model": model, "prompt": prompt}, headers=bearer(credential))


class TestSubmitsOnJimeng:
    """A submit can be looked up by its submit key."""

    @pytest.mark.parametrize("word", ACCEPTED_BUT_LOST)
    def test_accepted_submit_is_found_and_never_sent_again(
        self, client: httpx.Client, upstream: SandboxServer, session: str, word: str
    ) -> None:
        answer = submit(client, JIMENG, f"x #{word}", session)
        assert answer.status_code == 200, answer.text
        assert upstream.sandbox.submits("jimeng", session) == 1
        assert follow(client, answer.json()["task_id"], session)[-1]["status"] == "completed"

    @pytest.mark.parametrize("word", NOT_ACCEPTED)
    def test_submit_that_was_not_accepted_is_sent_again_once(
        self, client: httpx.Client, upstream: SandboxServer, session: str, word: str
    ) -> None:
        answer = submit(client, JIMENG, f"x #{word} #times=1", session)
        assert answer.status_code == 200, answer.text
        assert upstream.sandbox.submits("jimeng", session) == 1

    @pytest.mark.parametrize("word", NOT_ACCEPTED)
    def test_submit_that_never_gets_through_is_unconfirmed(
        self, client: httpx.Client, upstream: SandboxServer, session: str, word: str
    ) -> None:
        answer = submit(client, JIMENG, f"x #{word}", session)
        assert (answer.status_code, answer.headers["x-should-retry"]) == (504, "false")
        assert answer.json()["error"]["code"] == "submission_unconfirmed"
        assert upstream.sandbox.submits("jimeng", session) == 0

    def test_submission_that_appears_late_is_waited_for(
        self, client: httpx.Client, upstream: SandboxServer, session: str
    ) -> None:
        answer = submit(client, JIMENG, "x #lost #seconds=1", session)
        assert answer.status_code == 200
        assert upstream.sandbox.submits("jimeng", session) == 1


class TestSubmitsOnDashScope:
    """A submit with a lost answer cannot be looked up: it is reported, and never resent."""

    @pytest.mark.parametrize("word", ACCEPTED_BUT_LOST)
    def test_accepted_submit_with_a_lost_answer_is_unconfirmed(
        self, client: httpx.Client, upstream: SandboxServer, key: str, word: str
    ) -> None:
        answer = submit(client, WAN, f"x #{word}", key)
        assert (answer.status_code, answer.headers["x-should-retry"]) == (504, "false"), answer.text
        assert answer.json()["error"]["code"] == "submission_unconfirmed"
        assert upstream.sandbox.submits("dashscope", key) == 1
        assert upstream.sandbox.calls("dashscope", credential=key) == 1

    @pytest.mark.parametrize("word", NOT_ACCEPTED)
    def test_unaccepted_submit_is_answered_504_and_not_retried(
        self, client: httpx.Client, upstream: SandboxServer, key: str, word: str
    ) -> None:
        answer = submit(client, WAN, f"x #{word}", key)
        assert answer.status_code == 504
        assert upstream.sandbox.calls("dashscope", credential=key) == 1

    def test_redirect_is_not_followed(self, client: httpx.Client, upstream: SandboxServer, key: str) -> None:
        answer = submit(client, WAN, "x #redirect", key)
        assert (answer.status_code, answer.json()["error"]["code"]) == (504, "submission_unconfirmed")
        assert upstream.sandbox.calls("dashscope", credential=key) == 1


def test_unreachable_upstream_is_retryable_and_a_poll_is_stale(upstream: SandboxServer, session: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{taken.getsockname()[1]}"
        settings = settings_for(upstream, jimeng={"base_url": nowhere}, dashscope={"base_url": nowhere})
        with BackgroundServer(create_app(settings)) as server, httpx.Client(base_url=server.url) as client:
            for model, credential in ((JIMENG, session), (WAN, "sk-nobody")):
                answer = submit(client, model, "x", credential)
                assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_unavailable")
                assert answer.headers["x-should-retry"] == "true"
                assert int(answer.headers["retry-after"]) >= 1
            answer = client.get("/v1/videos/tasks/7535099487211244578", headers=bearer(session))
            assert answer.status_code == 200
            assert (answer.json()["status"], answer.json()["progress"], answer.json()["stale"]) == (
                "processing",
                0,
                True,
            )
            assert answer.json()["error"].startswith("查询失败: ")


POLL_WORDS = ["500", "429", "html", "empty", "halfjson", "lost", "drip", "hang", "status=503", "refuse={}"]


class TestPolls:
    """A poll fails a task only if the upstream says so."""

    @pytest.mark.parametrize("word", POLL_WORDS)
    @pytest.mark.parametrize("model", [JIMENG, WAN])
    def test_failed_poll_returns_the_last_state_until_it_recovers(
        self, client: httpx.Client, session: str, key: str, model: str, word: str
    ) -> None:
        credential = session if model == JIMENG else key
        word = word.format("1057" if model == JIMENG else "Throttling.RateQuota")
        # A GET whose kept connection breaks is sent again by the transport, once: it may be.
        times = 2 if (word, model) == ("lost", WAN) else 1
        id = submit(client, model, f"x #stuck #poll-{word} #poll-times={times}", credential).json()["task_id"]
        time.sleep(0.05)
        first = client.get(f"/v1/videos/tasks/{id}", headers=bearer(credential))
        assert first.status_code == 200
        assert first.json()["stale"] is True
        assert first.json()["status"] in ("pending", "processing")
        assert first.json()["error"].startswith("查询失败: ")
        assert int(first.headers["openai-poll-after-ms"]) > 0
        later = [client.get(f"/v1/videos/tasks/{id}", headers=bearer(credential)).json() for _ in range(times)]
        assert "stale" not in later[-1]

    def test_rejected_credential_is_an_error_and_not_stale(self, client: httpx.Client, session: str) -> None:
        id = submit(client, JIMENG, "x #poll-refuse=1015", session).json()["task_id"]
        time.sleep(0.05)
        answer = client.get(f"/v1/videos/tasks/{id}", headers=bearer(session) | {"cache-control": "no-cache"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_api_key")


def test_no_credential_is_ever_logged(
    client: httpx.Client, upstream: SandboxServer, caplog: pytest.LogCaptureFixture, session: str, key: str
) -> None:
    caplog.set_level(logging.DEBUG)
    proxied = f"http://user:{session}pw@127.0.0.1:1@{session}"
    for credential, model in ((session, JIMENG), (key, WAN), (proxied, JIMENG)):
        for prompt in ("x", "x #lost", "x #refuse=1015", "x #refuse=InvalidApiKey", "x #html", "x #status=500"):
            answer = submit(client, model, prompt, credential)
            assert session not in answer.text.replace(str(answer.request.url), "")
            assert key not in answer.text
            client.get("/v1/videos/tasks/1234567890123", headers=bearer(credential))
    lines = [form.format(record) for record in caplog.records for form in (TextFormatter(), JsonFormatter())]
    assert lines
    for line in lines:
        assert session not in line
        assert key not in line


class TestRawRequests:
    """Requests that no client library sends."""

    def exchange(self, url: str, head: bytes, body: bytes = b"") -> bytes:
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            connection.sendall(head + body)
            connection.shutdown(socket.SHUT_WR)
            answer = b""
            while chunk := connection.recv(65536):
                answer += chunk
        return answer

    @pytest.mark.parametrize(
        "header",
        [
            b"Authorization: Bearer a\x01b",
            b"Authorization: Bearer \xff\xfe",
            b"Authorization: Bearer a\tb",
            b"Authorization: Bearer " + "令牌".encode(),
            b"X-Odd: \x7f\x01",
            b"Accept-Language: \xff",
            b"x-request-id: a\x01b",
        ],
    )
    def test_headers_with_control_characters_are_refused(self, url: str, header: bytes) -> None:
        answer = self.exchange(
            url, b"GET /v1/models HTTP/1.1\r\nHost: h\r\nConnection: close\r\n" + header + b"\r\n\r\n"
        )
        assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 401 "))
        assert b"Traceback" not in answer

    def test_body_shorter_than_announced_leaves_the_gateway_running(self, url: str) -> None:
        head = b"POST /v1/videos/generations HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer abcdef\r\n"
        self.exchange(url, head + b"Content-Length: 500\r\n\r\n", b'{"prompt":')
        assert httpx.get(f"{url}/ping").text == "pong"


def test_internal_error_is_an_error_response(
    upstream: SandboxServer, monkeypatch: pytest.MonkeyPatch, session: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = create_app(settings_for(upstream), clock=FastClock())

    def broken(authorization: str) -> None:
        raise RuntimeError(f"quoting {authorization}")

    monkeypatch.setattr(app.state.services.callers, "identify", broken)
    with BackgroundServer(app) as server:
        answer = httpx.get(f"{server.url}/v1/models", headers=bearer(session))
    assert answer.status_code == 500
    error = answer.json()["error"]
    assert (error["code"], error["request_id"]) == ("internal_error", answer.headers["x-request-id"])
    assert session not in answer.text
    lines = [TextFormatter().format(record) for record in caplog.records]
    assert any("RuntimeError at test_trouble.py:" in line for line in lines)
    assert not any(session in line or "Traceback" in line for line in lines)
