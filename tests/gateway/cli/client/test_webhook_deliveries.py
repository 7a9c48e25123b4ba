"""`watch --webhook`."""

import json
import time
from collections.abc import Iterator

import pytest
from standardwebhooks import Webhook
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.cli import main
from gateway.cli.client import webhook_deliveries
from gateway.cli.client.gateway_client import TaskView
from gateway.cli.progress import TaskProgress
from gateway.cli.server.background import BackgroundServer
from gateway.live.webhooks.events import event_of
from gateway.task_ids.signed import TaskId, sign
from providers.contract.tasks import Phase
from tests.gateway.cli.client.event_host import Json, done, status

Out = pytest.CaptureFixture[str]

SECRET = "whsec_" + "A" * 44
MAKER = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class Receiver:
    """Answers polls of `tasks`, and events with the next of `answers`, the last one again and again."""

    def __init__(self) -> None:
        self.url = ""
        self.tasks: dict[str, Json] = {}
        self.answers = [204]
        self.received: list[tuple[dict[str, str], str]] = []

    async def answer(self, request: Request) -> Response:
        if request.url.path == "/hook":
            self.received.append((dict(request.headers), (await request.body()).decode()))
            return Response(status_code=self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])
        ids = request.query_params.get("ids", request.url.path.rpartition("/")[2]).split(",")
        rows = [self.tasks.get(id, status(id, "not_found")) for id in ids]
        return JSONResponse({"object": "list", "data": rows} if len(rows) > 1 else rows[0])

    def events(self) -> list[Json]:
        """What was received, verified."""
        events: list[Json] = [Webhook(MAKER).verify(body, headers) for headers, body in self.received]
        return events


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, list[Receiver]]]:
    receivers: list[Receiver] = []

    async def answer(request: Request) -> Response:
        return await receivers[-1].answer(request)

    with BackgroundServer(Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST"])])) as running:
        yield running.url, receivers


@pytest.fixture
def receiver(server: tuple[str, list[Receiver]], monkeypatch: pytest.MonkeyPatch) -> Receiver:
    url, receivers = server
    receivers.append(Receiver())
    receivers[-1].url = f"{url}/hook"
    monkeypatch.setenv("GATEWAY_URL", url)
    monkeypatch.setenv("GATEWAY_KEY", "sk-one")
    monkeypatch.setenv("GATEWAY_WEBHOOK_SECRET", MAKER)
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setattr(webhook_deliveries, "RETRY_PAUSES", (0.01, 0.01))
    return receivers[-1]


def test_each_ended_task_has_a_signed_event(receiver: Receiver, capsys: Out) -> None:
    failed = status("b", "failed", error="too blue")
    receiver.tasks = {"a": done("a"), "b": failed}
    assert main(["watch", "a", "b", "x", "--webhook", receiver.url, "--json"]) == 1
    events = {event["data"]["task_id"]: event for event in receiver.events()}
    assert {id: event["type"] for id, event in events.items()} == {"a": "video.completed", "b": "video.failed"}
    assert events["b"]["data"] == failed
    assert events["a"]["object"] == "event"
    assert {headers["webhook-id"] for headers, _ in receiver.received} == {event["id"] for event in events.values()}
    out, err = capsys.readouterr()
    assert len([json.loads(line) for line in out.splitlines()]) == 3
    assert "webhook of a delivered" in err


def test_event_is_sent_again_until_it_is_taken(receiver: Receiver, capsys: Out) -> None:
    receiver.tasks = {"a": done("a")}
    receiver.answers = [500, 503, 200]
    assert main(["watch", "a", "--webhook", receiver.url]) == 0
    assert len({headers["webhook-id"] for headers, _ in receiver.received}) == 1
    assert len(receiver.events()) == 3
    assert capsys.readouterr().err.count("again in 0.01 s") == 2


def test_webhook_that_is_not_taken_is_exit_code_1(receiver: Receiver, capsys: Out) -> None:
    receiver.tasks = {"a": done("a")}
    receiver.answers = [500]
    assert main(["watch", "a", "--webhook", receiver.url]) == 1
    out, err = capsys.readouterr()
    assert out.startswith("a\tcompleted\t")
    assert "webhook of a given up" in err
    assert len(receiver.received) == 3


def test_task_that_is_not_finished_in_time_has_no_event(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    def times_out(client: object, ids: list[str], progress: TaskProgress) -> list[object]:
        task = TaskView("a", "processing", timed_out=True)
        progress.show("a", task)
        return [task]

    monkeypatch.setattr("gateway.cli.client.videos.follow", times_out)
    assert main(["watch", "a", "--webhook", receiver.url]) == 1
    assert receiver.received == []


def test_event_of_a_signed_id_is_the_gateways(receiver: Receiver) -> None:
    id = sign(TaskId("scripted", "123", "a" * 12), b"k" * 32)
    receiver.tasks = {id: done(id)}
    assert main(["watch", id, "--webhook", receiver.url]) == 0
    (event,) = receiver.events()
    assert event["id"] == event_of(id, Phase.COMPLETED, {}, 0).id


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--webhook", "https://example.com/hook"], "--webhook needs the secret"),
        (["--webhook", "https://example.com/hook", "--webhook-secret", "hush"], "--webhook-secret: must be whsec_"),
        (["--webhook", "ftp://example.com", "--webhook-secret", SECRET], "--webhook ftp://example.com: not https"),
        (["--webhook", "http://169.254.169.254/", "--webhook-secret", SECRET], "not a public address"),
    ],
)
def test_wrong_webhook_is_refused_before_anything_is_followed(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, capsys: Out, argv: list[str], message: str
) -> None:
    monkeypatch.delenv("GATEWAY_WEBHOOK_SECRET")
    assert main(["watch", "a", *argv]) == 2
    assert message in capsys.readouterr().err


def test_interrupt_gives_up_what_is_pending(receiver: Receiver, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    monkeypatch.setattr(webhook_deliveries, "RETRY_PAUSES", (60.0,))
    receiver.tasks = {"a": done("a")}
    receiver.answers = [500]

    def interrupted(self: object) -> bool:
        while not receiver.received:
            time.sleep(0.005)
        raise KeyboardInterrupt

    monkeypatch.setattr(webhook_deliveries.WebhookDeliveries, "wait", interrupted)
    began = time.monotonic()
    assert main(["watch", "a", "--webhook", receiver.url]) == 130
    assert time.monotonic() - began < 5
