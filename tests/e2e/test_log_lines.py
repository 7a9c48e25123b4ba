"""Log lines of submits and their fields."""

import logging
import re
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from gateway.app import create_app
from gateway.cli.server.background import BackgroundServer
from gateway.core.settings import AccountSettings
from providers.sandbox.server import SandboxServer
from tests.e2e.conftest import FastClock, bearer, settings_for

SURFACES = {"/v1/videos/generations": "task_id", "/v1/videos": "id"}
MODELS = {"jimeng-video-3.0-fast": "first", "wan2.6-t2v": "second"}
SECRETS = {"first": "log-session", "second": "sk-log-key"}

either_surface = pytest.mark.parametrize("surface", SURFACES)
either_model = pytest.mark.parametrize("model", MODELS)


@pytest.fixture
def managed(upstream: SandboxServer) -> Iterator[httpx.Client]:
    """A gateway with an account of its own at each upstream."""
    settings = settings_for(
        upstream,
        keys=(SecretStr("alice:gw-alice"),),
        secret=(SecretStr("a long secret"),),
        accounts=tuple(AccountSettings(name=name, credential=SecretStr(secret)) for name, secret in SECRETS.items()),
    )
    with (
        BackgroundServer(create_app(settings, clock=FastClock())) as server,
        httpx.Client(base_url=server.url, headers=bearer("gw-alice")) as client,
    ):
        yield client


def line_of(caplog: pytest.LogCaptureFixture, answer: httpx.Response) -> dict[str, Any]:
    """The fields of the one line of a request, which is written once its answer is out."""
    give_up = time.monotonic() + 5
    while time.monotonic() < give_up:
        rows: list[dict[str, Any]] = [record.fields for record in caplog.records if hasattr(record, "fields")]
        found = [row for row in rows if row.get("request_id") == answer.headers["x-request-id"]]
        if found:
            (line,) = found
            return line
        time.sleep(0.01)
    raise AssertionError("no line was written")


@either_surface
@either_model
def test_submit_logs_task_and_caller(
    managed: httpx.Client, upstream: SandboxServer, caplog: pytest.LogCaptureFixture, surface: str, model: str
) -> None:
    with caplog.at_level(logging.INFO, "gateway"):
        answer = managed.post(surface, json={"model": model, "prompt": "a secret garden"})
        line = line_of(caplog, answer)
    id, name = answer.json()[SURFACES[surface]], MODELS[model]
    assert (line["task"], line["model"], line["account"], line["caller"]) == (id, model, name, "alice")
    assert line["provider"] in ("jimeng", "dashscope")
    managed.get(f"/v1/videos/tasks/{id}")
    assert upstream.sandbox.polls(line["upstream_id"]) == 1
    assert "code" not in line
    assert not any(secret in caplog.text for secret in (*SECRETS.values(), "gw-alice", "garden"))


@either_surface
def test_account_of_a_pass_through_caller_is_logged_by_its_tag(
    client: httpx.Client, session: str, caplog: pytest.LogCaptureFixture, surface: str
) -> None:
    with caplog.at_level(logging.INFO, "gateway"):
        answer = client.post(surface, json={"prompt": "x"}, headers=bearer(session))
        line = line_of(caplog, answer)
    assert line["task"] == answer.json()[SURFACES[surface]]
    assert line["account"]
    assert session not in caplog.text


@either_surface
def test_refused_submit_logs_the_reason(
    client: httpx.Client, session: str, caplog: pytest.LogCaptureFixture, surface: str
) -> None:
    with caplog.at_level(logging.INFO, "gateway"):
        answer = client.post(surface, json={"prompt": "x", "size": "1x1"}, headers=bearer(session))
        line = line_of(caplog, answer)
    assert (line["status"], line["code"], line["param"]) == (400, "invalid_value", "size")
    assert "task" not in line


@pytest.mark.parametrize(
    ("word", "code"), [("lost", "submission_unconfirmed"), ("refuse=DataInspectionFailed", "content_policy_violation")]
)
def test_unconfirmed_or_refused_submit_logs_its_account(
    managed: httpx.Client, caplog: pytest.LogCaptureFixture, word: str, code: str
) -> None:
    """The operator needs the account to check its console."""
    body = {"model": "wan2.6-t2v", "prompt": f"x #{word}"}
    with caplog.at_level(logging.INFO, "gateway"):
        line = line_of(caplog, managed.post("/v1/videos/generations", json=body))
    assert line["code"] == code
    assert (line["model"], line["provider"], line["account"]) == ("wan2.6-t2v", "dashscope", "second")


def test_waiting_submit_logs_its_task(client: httpx.Client, session: str, caplog: pytest.LogCaptureFixture) -> None:
    headers = bearer(session) | {"Prefer": "wait=250"}
    with caplog.at_level(logging.INFO, "gateway"):
        answer = client.post("/v1/videos/generations", json={"prompt": "x"}, headers=headers)
        line = line_of(caplog, answer)
    assert answer.json()["status"] == "completed"
    assert answer.json()["task_id"] == line["upstream_id"]


def test_upload_permission_logs_the_account_and_nothing_of_the_permission(
    managed: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        answer = managed.get("/api/v1/uploads", params={"action": "getPolicy", "model": "wan2.6-i2v"})
        line = line_of(caplog, answer)
    assert (line["caller"], line["account"], line["model"]) == ("alice", "second", "wan2.6-i2v")
    written = " ".join(str(record.__dict__) for record in caplog.records if record.name.startswith("gateway"))
    data = answer.json()["data"]
    assert not [secret for secret in (SECRETS["second"], data["policy"], data["signature"]) if secret in written]


@pytest.mark.parametrize("model", MODELS)
def test_native_submit_logs_task_and_caller(
    managed: httpx.Client, caplog: pytest.LogCaptureFixture, model: str
) -> None:
    body = {"model": model, "input": {"prompt": "a secret cat"}, "parameters": {}}
    path = "/api/v1/services/aigc/video-generation/video-synthesis"
    with caplog.at_level(logging.DEBUG):
        answer = managed.post(path, json=body, headers={"X-DashScope-Async": "enable"})
        line = line_of(caplog, answer)
    task = answer.json()["output"]["task_id"]
    assert (line["caller"], line["account"], line["task"]) == ("alice", MODELS[model], task)
    written = " ".join(str(record.__dict__) for record in caplog.records if record.name.startswith("gateway"))
    assert not [secret for secret in (*SECRETS.values(), "gw-alice", "a secret cat") if secret in written]


def test_submit_and_poll_tell_how_long_they_waited_for_the_upstream(
    managed: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "gateway"):
        submitted = managed.post("/v1/videos/generations", json={"prompt": "x", "model": "jimeng-video-3.0-fast"})
        polled = managed.get(f"/v1/videos/tasks/{submitted.json()['task_id']}")
    for answer in (submitted, polled):
        line = line_of(caplog, answer)
        assert (line["client"], line["caller"], line["account"]) == ("127.0.0.1", "alice", "first")
        assert 0 < line["upstream_ms"] <= line["ms"]
        timing = re.fullmatch(r"total;dur=([\d.]+), upstream;dur=([\d.]+)", answer.headers["server-timing"])
        assert timing
        assert 0 < float(timing[2]) <= float(timing[1])


def test_operator_is_the_caller_of_the_operators_paths(managed: httpx.Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "gateway"):
        answer = managed.get("/v1/accounts")
    assert line_of(caplog, answer)["caller"] == "admin"


def test_failed_fetch_of_an_input_carries_the_id_of_its_request(
    managed: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    body = {"prompt": "x", "model": "jimeng-video-3.0-fast", "image_url": "https://127.0.0.1/x.png"}
    with caplog.at_level(logging.INFO, "gateway"):
        answer = managed.post("/v1/videos/generations", json=body)
    (failed,) = (record for record in caplog.records if record.getMessage() == "media fetch failed")
    assert vars(failed)["fields"]["request_id"] == answer.headers["x-request-id"]


def test_no_line_has_a_request_id_that_holds_the_credential(
    managed: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    body = {"prompt": "x", "model": "jimeng-video-3.0-fast", "image_url": "https://127.0.0.1/x.png"}
    key = managed.headers["authorization"].removeprefix("Bearer ")
    with caplog.at_level(logging.DEBUG, "gateway"):
        answer = managed.post("/v1/videos/generations", json=body, headers={"x-request-id": f"id-{key}"})
    assert key not in answer.headers["x-request-id"]
    assert key not in repr([vars(record).get("fields") for record in caplog.records])


def test_pages_may_read_age_and_timing(managed: httpx.Client) -> None:
    exposed = managed.get("/v1/models", headers={"origin": "https://page.example"}).headers
    assert {"age", "server-timing"} <= {
        name.strip() for name in exposed["access-control-expose-headers"].lower().split(",")
    }
