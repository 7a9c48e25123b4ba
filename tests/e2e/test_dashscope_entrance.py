"""Alibaba's own SDK, 1.x and 2.x, with nothing but its base URL and its key changed: a program of its users runs.

SDK 1.x needs an environment of its own, which `.ci/run` makes: OLD_DASHSCOPE_PYTHON is a Python with dashscope 1.24.
"""

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from gateway.app import create_app
from gateway.cli.server.background import BackgroundServer
from providers.sandbox.server import SandboxServer
from tests import pictures
from tests.e2e.client_programs import JOURNEYS, Json, errors, run
from tests.e2e.conftest import FastClock, settings_for

TEXT = {
    "model": "wan2.6-t2v",
    "prompt": "a cat",
    "size": "1280*720",
    "duration": 10,
    "seed": 12345,
    "prompt_extend": True,
    "watermark": False,
}
ACCOUNTS = ("sk-managed1", "sk-managed2", "sk-managed3")
TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

PYTHONS = [
    pytest.param(sys.executable, id="2.x"),
    pytest.param(
        os.environ.get("OLD_DASHSCOPE_PYTHON", ""),
        id="1.x",
        marks=pytest.mark.skipif(
            "OLD_DASHSCOPE_PYTHON" not in os.environ,
            reason="OLD_DASHSCOPE_PYTHON names no Python with dashscope 1.24",
        ),
    ),
]


@pytest.fixture(scope="module")
def gateway(upstream: SandboxServer) -> Iterator[str]:
    """A gateway with managed accounts and a key, which takes the credentials of others as well."""
    settings = settings_for(
        upstream,
        keys=(SecretStr("team:gw-team"),),
        secret=(SecretStr("a secret for tests"),),
        pass_through=True,
        dashscope={"credentials": ACCOUNTS},
    )
    with BackgroundServer(create_app(settings, clock=FastClock())) as running:
        yield running.url


def journey(python: str, gateway: str, cases: Json) -> Json:
    base = f"{gateway}/api/v1"
    command = [python, str(JOURNEYS / "dashscope_journey.py")]
    return run(command, cases, DASHSCOPE_HTTP_BASE_URL=base, DASHSCOPE_BASE_URL=base)


def credentials(key: str) -> dict[str, str]:
    """Each way to authenticate."""
    return {"one key": key, "two keys": f"{key}a,{key}b", "gateway key": "gw-team"}


def link_works(url: str) -> bool:
    answer = httpx.get(url)
    return (answer.status_code, answer.headers["content-type"]) == (200, "video/mp4")


@pytest.mark.parametrize("python", PYTHONS)
def test_program_of_an_existing_project_runs(
    python: str, gateway: str, upstream: SandboxServer, key: str, tmp_path: Path
) -> None:
    for name in ("first.png", "last.png"):
        (tmp_path / name).write_bytes(pictures.picture())
    first, last = ((tmp_path / name).as_uri() for name in ("first.png", "last.png"))
    frames = {"model": "wan2.2-kf2v-flash", "first_frame_url": first, "last_frame_url": last}
    actions: dict[str, tuple[str, Json]] = {
        "video": ("video", TEXT),
        "local file": ("call", {"model": "wan2.6-i2v", "prompt": "a cat", "img_url": first}),
        "local frames": ("call", frames),
        "asynchronous": ("aio", TEXT),
        "cancel": ("cancel", {"model": "wan2.6-t2v", "prompt": "a cat #pending"}),
        "list": ("listed", {"model_name": "wan2.6-t2v", "status": "SUCCEEDED", "page_size": 1}),
    }
    cases = {
        f"{who}: {what}": {"key": credential, "do": do, "with": arguments}
        for who, credential in credentials(key).items()
        for what, (do, arguments) in actions.items()
    }
    seen = journey(python, gateway, cases)
    assert errors(seen) == {}
    for who in credentials(key):
        for what in ("video", "asynchronous"):
            check_video(seen[f"{who}: {what}"], native=who == "one key")
        for what in ("local file", "local frames"):
            done = seen[f"{who}: {what}"]["done"]
            assert done["output"]["task_status"] == "SUCCEEDED", (who, what, done)
        # The asynchronous cancel of SDK 1.24 sends a GET, which the service does not have either.
        too_late = "UnsupportedOperation" if python == sys.executable else "MethodNotAllowed"
        assert seen[f"{who}: asynchronous"]["cancelled"]["code"] == too_late
        assert seen[f"{who}: cancel"]["cancelled"]["status"] == 200
        assert seen[f"{who}: cancel"]["done"]["output"]["task_status"] == "CANCELED"
        page = seen[f"{who}: list"]["listed"]["output"]
        assert (page["total"] >= 2, page["total_page"] >= 2, len(page["data"])) == (True, True, 1)
        assert {row["model_name"] for row in page["data"]} == {"wan2.6-t2v"}
    sent = upstream.sandbox.bodies("dashscope", key)[0]
    assert sent == {
        "model": "wan2.6-t2v",
        "parameters": {name: value for name, value in TEXT.items() if name not in ("model", "prompt")},
        "input": {"prompt": "a cat", "extend_prompt": True, "function": "video-synthesis"},
    }


def check_video(seen: Json, *, native: bool) -> None:
    submitted, fetched, done = (seen[name] for name in ("submitted", "fetched", "done"))
    id = submitted["output"]["task_id"]
    assert bool(UUID.fullmatch(id)) == native
    assert id.startswith("video_") != native
    assert (submitted["status"], submitted["output"]["task_status"]) == (200, "PENDING")
    assert fetched["output"]["task_status"] in ("PENDING", "RUNNING", "SUCCEEDED")
    output = done["output"]
    assert (output["task_id"], output["task_status"], output["orig_prompt"]) == (id, "SUCCEEDED", "a cat")
    assert all(TIME.fullmatch(output[name]) for name in ("submit_time", "scheduled_time", "end_time"))
    assert output["submit_time"] < output["scheduled_time"] < output["end_time"]
    usage = done["usage"]
    assert (usage["duration"], usage["SR"], usage["size"], usage["video_count"]) == (10.0, 720, "1280*720", 1)
    assert len({answer["request_id"] for answer in (submitted, fetched, done)}) == 3
    assert link_works(output["video_url"])


@pytest.mark.parametrize("python", PYTHONS)
def test_errors_have_the_codes_and_statuses_of_the_service(python: str, gateway: str, key: str) -> None:
    wanted: dict[str, tuple[str, Json, tuple[int, str]]] = {
        "unknown key": ("nobody", TEXT, (401, "InvalidApiKey")),
        "expired key": ("sk-expired-1", TEXT, (401, "InvalidApiKey")),
        "arrears": ("sk-poor-1", TEXT, (400, "Arrearage")),
        "not activated": ("sk-banned-1", TEXT, (403, "AccessDenied.Unpurchased")),
        "bad parameter": (key, {**TEXT, "duration": 1}, (400, "InvalidParameter")),
        "unknown model": (key, {**TEXT, "model": "no-such-model"}, (400, "InvalidParameter")),
        "throttled": (key + "t", {**TEXT, "prompt": "a cat #throttle"}, (429, "Throttling.RateQuota")),
        "wrong path": (key, {**TEXT, "model": "wan2.2-kf2v-flash-x"}, (400, "InvalidParameter")),
        "content": (key, {**TEXT, "prompt": "a cat #refuse=DataInspectionFailed"}, (400, "DataInspectionFailed")),
    }
    cases = {name: {"key": who, "do": "submit", "with": arguments} for name, (who, arguments, _) in wanted.items()}
    cases["unknown task"] = {"key": key, "do": "fetch", "with": {"task": "no-such-task"}}
    failing = {**TEXT, "prompt": "a cat #fail=DataInspectionFailed"}
    cases["failed task"] = {"key": key, "do": "call", "with": failing}
    seen = journey(python, gateway, cases)
    assert errors(seen) == {}
    refused = {name: seen[name]["submitted"] for name in wanted}
    assert {name: (answer["status"], answer["code"]) for name, answer in refused.items()} == {
        name: expected for name, (_, _, expected) in wanted.items()
    }
    assert all(answer["message"] and answer["request_id"] for answer in refused.values())
    assert refused["bad parameter"]["message"].startswith("duration must be in [2")
    assert seen["unknown task"]["fetched"]["output"]["task_status"] == "UNKNOWN"
    failed = seen["failed task"]["done"]
    assert (failed["status"], failed["output"]["task_status"]) == (200, "FAILED")
    assert failed["output"]["code"] == "DataInspectionFailed"


@pytest.mark.parametrize("python", PYTHONS)
def test_model_of_another_provider_is_translated(python: str, gateway: str, session: str, tmp_path: Path) -> None:
    (tmp_path / "first.png").write_bytes(pictures.picture())
    model = "jimeng-video-seedance-2.0-fast"
    plain = {"model": model, "prompt": "a cat", "size": "1280*720", "duration": 5}
    with_data = {"model": model, "prompt": "a cat", "img_url": pictures.data_url()}
    cases = {
        "video": {"key": session, "do": "video", "with": plain},
        "data": {"key": session, "do": "submit", "with": with_data},
        "bad length": {"key": session, "do": "submit", "with": {**plain, "duration": 99}},
        "local": {"key": session, "do": "submit", "with": {**with_data, "img_url": (tmp_path / "first.png").as_uri()}},
        "no account": {"key": "sk-x", "do": "submit", "with": {**TEXT, "model": model}},
        "unknown model": {"key": session, "do": "submit", "with": {**TEXT, "model": "jimeng-video-none"}},
    }
    seen = journey(python, gateway, cases)
    done = seen["video"]["done"]
    assert done["output"]["task_status"] == "SUCCEEDED"
    assert done["usage"]["video_count"] == 1
    assert TIME.fullmatch(done["output"]["submit_time"])
    assert link_works(done["output"]["video_url"])
    assert seen["data"]["submitted"]["status"] == 200
    refused = seen["bad length"]["submitted"]
    assert (refused["status"], refused["code"], "duration" in refused["message"]) == (400, "InvalidParameter", True)
    assert "https" in seen["local"]["error"]
    assert seen["no account"]["submitted"]["code"] == "InvalidApiKey"
    assert seen["unknown model"]["submitted"]["code"] == "ModelNotFound"


def test_client_of_sdk_2_generates_and_lists(gateway: str, key: str) -> None:
    cases = {
        name: {"key": credential, "do": "client", "with": {"model": "wan2.6-t2v", "prompt": "a cat"}}
        for name, credential in credentials(key).items()
    }
    seen = journey(sys.executable, gateway, cases)
    assert errors(seen) == {}
    for name, job in seen.items():
        assert (job["status"], job["total"] >= 1, link_works(job["url"])) == ("SUCCEEDED", True, True), name


def test_gateway_key_spreads_submits_over_its_accounts(gateway: str, upstream: SandboxServer) -> None:
    before = {account: upstream.sandbox.submits("dashscope", account) for account in ACCOUNTS}
    body: Any = {"model": "wan2.6-t2v", "input": {"prompt": "a cat"}, "parameters": {}}
    headers = {"Authorization": "Bearer gw-team", "X-DashScope-Async": "enable"}
    for _ in range(6):
        path = "/api/v1/services/aigc/video-generation/video-synthesis"
        assert httpx.post(f"{gateway}{path}", json=body, headers=headers).status_code == 200
    used = {account: upstream.sandbox.submits("dashscope", account) for account in ACCOUNTS}
    assert all(used[account] - before[account] == 2 for account in ACCOUNTS)
