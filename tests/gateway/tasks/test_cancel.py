"""Cancelling a Jimeng task through the gateway, on both surfaces and the command line."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import orjson
import pytest

from gateway.api.schemas.responses import TaskObject
from gateway.app import create_app
from gateway.cli import main
from gateway.cli.server.background import BackgroundServer
from gateway.core.settings import Settings
from providers.jimeng import records
from providers.jimeng.provider import CANCEL_PATH
from providers.jimeng.records import STATUS_PATH
from providers.jimeng.settings import JimengSettings
from providers.transport.client import HttpClient

SESSION = "5e55101d0123456789"
QUEUED = "9481700000001"
RUNNING = "9481700000002"
FINISHED = "9481700000003"
REFUND = "你已取消生成，积分已返还"

RECORDS: dict[str, dict[str, Any]] = {
    QUEUED: {"status": 20, "queue_info": {"queue_idx": 5, "queue_length": 9, "queue_status": 1}},
    RUNNING: {"status": 20, "queue_info": {"queue_idx": 0, "queue_status": 2}},
    FINISHED: {"status": 50, "item_list": [{"video": {"play_url": "https://h/v.mp4"}}]},
}
CANCELLED = {
    "status": 30,
    "task": {"status": 30},
    "queue_info": {"queue_status": 3},
    "fail_starling_message": REFUND,
}


class Site:
    """Jimeng with three tasks. A queued one can be cancelled, the others cannot."""

    def __init__(self) -> None:
        self.records = dict(RECORDS)
        self.cancelled: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        body = orjson.loads(request.content)
        if request.url.path == CANCEL_PATH:
            return self._cancel(body["history_id"])
        if request.url.path == STATUS_PATH:
            return _answer({id: self.records[id] for id in body["history_ids"] if id in self.records})
        return _answer(None, "1000", "invalid parameter")

    def _cancel(self, id: str) -> httpx.Response:
        self.cancelled.append(id)
        if self.records.get(id) != RECORDS[QUEUED]:
            return _answer(None, "1000", "invalid parameter")
        self.records[id] = CANCELLED
        return _answer({})


def _answer(data: Any, ret: str = "0", errmsg: str = "success") -> httpx.Response:
    return httpx.Response(200, json={"ret": ret, "errmsg": errmsg, "data": data})


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "CANCEL_READS", (0.0,))


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture
def url(site: Site) -> Iterator[str]:
    http = HttpClient(transport=lambda proxy: httpx.MockTransport(site))
    settings = Settings.model_construct(
        providers={"jimeng": JimengSettings(base_url="http://jimeng.invalid")}, poll_freshness=0.0
    )
    with BackgroundServer(create_app(settings, http=http)) as server:
        yield server.url


@pytest.fixture
def client(url: str) -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {SESSION}", "accept-language": "zh"}
    with httpx.Client(base_url=url, headers=headers, trust_env=False) as made:
        yield made


def test_queued_task_is_cancelled_with_its_refund(client: httpx.Client) -> None:
    answer = client.post(f"/v1/videos/tasks/{QUEUED}/cancel")
    assert answer.status_code == 200
    TaskObject.model_validate(answer.json())
    assert (answer.json()["status"], answer.json()["error_code"]) == ("failed", "cancelled")
    assert answer.json()["error"] == f"任务已取消，积分已返还：{REFUND}"
    english = client.get(f"/v1/videos/tasks/{QUEUED}", headers={"accept-language": "en"})
    assert english.json()["error"].startswith("The task was cancelled and its credits were returned")


def test_openai_delete_cancels_it(client: httpx.Client, site: Site) -> None:
    answer = client.delete(f"/v1/videos/{QUEUED}")
    assert (answer.status_code, answer.json()["deleted"]) == (200, True)
    assert site.cancelled == [QUEUED]
    video = client.get(f"/v1/videos/{QUEUED}").json()
    assert (video["status"], video["error"]["upstream_code"]) == ("failed", "cancelled")
    assert "积分已返还" in video["error"]["message"]


def test_recently_polled_task_is_shown_as_cancelled(client: httpx.Client) -> None:
    for _ in range(6):
        # At the account's rate limit, and beyond.
        assert client.get(f"/v1/videos/tasks/{QUEUED}").json()["status"] == "pending"
    answer = client.post(f"/v1/videos/tasks/{QUEUED}/cancel")
    assert (answer.json()["status"], answer.json()["error_code"]) == ("failed", "cancelled")
    assert client.get(f"/v1/videos/tasks/{QUEUED}").json()["status"] == "failed"


Cancel = Callable[[httpx.Client, str], httpx.Response]
surfaces = pytest.mark.parametrize(
    "cancel",
    [
        lambda client, task: client.post(f"/v1/videos/tasks/{task}/cancel"),
        lambda client, task: client.delete(f"/v1/videos/{task}"),
    ],
    ids=["cancel", "delete"],
)


@surfaces
@pytest.mark.parametrize(
    ("id", "message"),
    [(RUNNING, "任务已开始生成，网站只能取消排队中的任务"), (FINISHED, "任务已完成，无法取消")],
)
def test_task_that_cannot_be_cancelled_is_409(client: httpx.Client, cancel: Cancel, id: str, message: str) -> None:
    answer = cancel(client, id)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["upstream_code"]) == (409, "not_cancellable", "1000")
    assert error["message"].startswith(message)
    assert answer.headers["x-should-retry"] == "false"


@surfaces
def test_second_cancel_succeeds(client: httpx.Client, cancel: Cancel) -> None:
    assert [cancel(client, QUEUED).status_code for _ in range(2)] == [200, 200]


@surfaces
def test_unknown_task_is_not_found(client: httpx.Client, cancel: Cancel) -> None:
    answer = cancel(client, "9481700000009")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "task_not_found")


class TestCommandLine:
    @pytest.fixture(autouse=True)
    def _environment(self, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
        monkeypatch.setenv("GATEWAY_URL", url)
        monkeypatch.setenv("GATEWAY_KEY", SESSION)
        monkeypatch.setenv("LC_ALL", "C.UTF-8")

    def test_queued_task_is_cancelled(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["cancel", QUEUED]) == 0
        id, status, message = capsys.readouterr().out.rstrip("\n").split("\t")
        assert (id, status) == (QUEUED, "failed")
        assert message.startswith("The task was cancelled and its credits were returned")

    def test_refused_cancel_does_not_stop_the_others(self, capsys: pytest.CaptureFixture[str], site: Site) -> None:
        assert main(["cancel", RUNNING, QUEUED]) == 1
        out, err = capsys.readouterr()
        assert out.startswith(f"{QUEUED}\tfailed\t")
        assert err.startswith(f"error: {RUNNING}: The task is being generated")
        assert site.cancelled == [RUNNING, QUEUED]

    def test_json_output(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["cancel", QUEUED, "--json"]) == 0
        assert orjson.loads(capsys.readouterr().out)["error_code"] == "cancelled"
