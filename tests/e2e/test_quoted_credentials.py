"""No answer and no log line has a part of a caller's credential, which the upstreams quote in their errors."""

import logging
import time
from collections.abc import Iterator

import httpx
import pytest

from gateway.app import all_routes, create_app
from gateway.cli.server.background import BackgroundServer
from gateway.core.logs import JsonFormatter, TextFormatter
from providers.jimeng import records
from providers.sandbox.directives import DIRECTIVES
from providers.sandbox.server import SandboxServer
from tests.e2e.conftest import FastClock, bearer, settings_for

HEAD, TAIL = "Q7w8zkx4v9jy", "t2h5mu3p6nrg"
PART = 6
"""Characters of a part that would be too much."""
CREDENTIALS = {"jimeng": f"{HEAD}-quoting-{{}}-{TAIL}", "dashscope": f"sk-{HEAD}-quoting-{{}}-{TAIL}"}
MODELS = {"jimeng": "jimeng-video-3.0-fast", "dashscope": "wan2.6-t2v"}
UNKNOWN_IDS = {"jimeng": "7412345678901234567", "dashscope": "0385dc79-5ff8-4275-a30d-25daff24c6c0"}
SLOW = frozenset({"hang", "hang-before", "poll-hang", "drip", "poll-drip", "delay", "lag", "retire", "slow", "stuck"})

either_upstream = pytest.mark.parametrize("upstream_name", CREDENTIALS)


def words(upstream_name: str, *stages: str) -> list[str]:
    """The directives of these stages, as they are written."""
    rows = [row for row in DIRECTIVES if row.stage in stages and upstream_name in row.upstreams]
    values = {"status": "=500", "number": "=1"}
    return [row.directive + values.get(row.argument, "") for row in rows if row.directive not in SLOW]


class Log(logging.Handler):
    """Every line of the gateway in both formats."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines += [TextFormatter().format(record), JsonFormatter().format(record)]


@pytest.fixture
def log() -> Iterator[Log]:
    handler, logger = Log(), logging.getLogger("gateway")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(level)


@pytest.fixture(scope="module")
def gateway(upstream: SandboxServer) -> Iterator[httpx.Client]:
    app = create_app(settings_for(upstream), clock=FastClock())
    with (
        pytest.MonkeyPatch.context() as patch,
        BackgroundServer(app) as server,
        httpx.Client(base_url=server.url, timeout=10) as client,
    ):
        patch.setattr(records, "CANCEL_READS", (0.0,))
        yield client


def leaks(text: str) -> list[str]:
    """The parts of the credential in a text."""
    folded = text.lower()
    parts = {half[at : at + PART].lower() for half in (HEAD, TAIL) for at in range(len(half) - PART + 1)}
    return sorted(part for part in parts if part in folded)


class Calls:
    """Sends requests of one caller and keeps what is answered."""

    def __init__(self, client: httpx.Client, credential: str) -> None:
        self.client, self.headers = client, bearer(credential)
        self.answers: list[str] = []

    def send(self, method: str, path: str, **options: object) -> httpx.Response:
        answer = self.client.request(method, path, headers=self.headers, **options)  # type: ignore[arg-type]
        self.answers += [f"{method} {path} {answer.status_code} {answer.headers} {answer.text}"]
        return answer

    def submit(self, model: str, prompt: str) -> str:
        body = {"model": model, "prompt": prompt}
        return str(self.send("POST", "/v1/videos/generations", json=body).json().get("task_id") or "")


def check(calls: Calls, log: Log) -> None:
    time.sleep(0.02)
    found = {text: parts for text in (*calls.answers, *log.lines) if (parts := leaks(text))}
    assert found == {}
    assert any("***" in answer for answer in calls.answers), "no answer quotes the credential"
    assert log.lines


@either_upstream
def test_every_route_with_every_kind_of_credential(gateway: httpx.Client, log: Log, upstream_name: str) -> None:
    for word in ("none", *words(upstream_name, "credential")):
        calls = Calls(gateway, CREDENTIALS[upstream_name].format(word))
        for route in all_routes():
            if word not in ("none", "expired") and "{" in route.path:
                continue
            path = route.path.replace("{id:path}", MODELS[upstream_name]).replace("{name}", "x")
            path = path.replace("{id}", UNKNOWN_IDS[upstream_name])
            body = {"model": MODELS[upstream_name], "prompt": "x"}
            for method in route.methods or ():
                calls.send(method, path, json=body if method == "POST" else None)
        calls.send("GET", "/v1/videos/tasks", params={"ids": UNKNOWN_IDS[upstream_name]})
        calls.send("GET", "/v1/videos/tasks", params={"status": "unfinished"})
        calls.send("GET", "/v1/videos", params={"limit": 3})
        if word == "expired":
            check(calls, log)
        else:
            assert not [answer for answer in calls.answers if leaks(answer)]
    assert not [line for line in log.lines if leaks(line)]


@either_upstream
def test_every_fault_of_a_submit(gateway: httpx.Client, log: Log, upstream_name: str) -> None:
    calls = Calls(gateway, CREDENTIALS[upstream_name].format("submits"))
    for word in words(upstream_name, "refusal", "answer"):
        calls.submit(MODELS[upstream_name], f"a cat #{word}")
    check(calls, log)


@either_upstream
def test_every_fault_of_a_task(gateway: httpx.Client, log: Log, upstream_name: str) -> None:
    calls = Calls(gateway, CREDENTIALS[upstream_name].format("tasks"))
    found = [calls.submit(MODELS[upstream_name], f"a cat #{word}") for word in words(upstream_name, "task", "poll")]
    ids = [id for id in found if id]
    time.sleep(0.25)
    for id in ids:
        for path in (f"/v1/videos/tasks/{id}", f"/v1/videos/{id}", f"/v1/videos/{id}/content"):
            calls.send("GET", path)
        calls.send("POST", f"/v1/videos/tasks/{id}/cancel")
        calls.send("DELETE", f"/v1/videos/{id}")
    calls.send("GET", "/v1/videos/tasks", params={"ids": ",".join(ids)})
    calls.send("GET", "/v1/videos")
    check(calls, log)


@either_upstream
def test_credential_in_a_path_is_not_logged(gateway: httpx.Client, log: Log, upstream_name: str) -> None:
    credential = CREDENTIALS[upstream_name].format("path")
    for path in (f"/v1/videos/tasks/{credential}", f"/{credential}/v1/videos", f"/v1/videos/{credential}/content"):
        gateway.get(path, headers=bearer(credential))
    time.sleep(0.02)
    assert [line for line in log.lines if "***" in line]
    assert not [line for line in log.lines if leaks(line)]


@pytest.mark.parametrize("id", UNKNOWN_IDS.values())
def test_id_in_a_path_is_logged(gateway: httpx.Client, log: Log, id: str) -> None:
    gateway.get(f"/v1/videos/tasks/{id}", headers=bearer("1a2b3c4d5e6f708192a3b4c5d6e79f8e"))
    time.sleep(0.02)
    assert [line for line in log.lines if f"/v1/videos/tasks/{id}" in line]
