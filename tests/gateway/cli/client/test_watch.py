"""`watch` by events and by polls, and what it prints."""

import json
import sys
import time
from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from gateway.cli import main
from gateway.cli.client import event_stream, following
from gateway.cli.client.event_stream import MAX_STREAMS
from gateway.cli.server.background import BackgroundServer
from tests.gateway.cli.client.event_host import CUT, OPEN, EventHost, Json, done, event, status

Out = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, list[EventHost]]]:
    hosts: list[EventHost] = []

    async def answer(request: Request) -> Response:
        return await hosts[-1].answer(request)

    with BackgroundServer(Starlette(routes=[Route("/{path:path}", answer)])) as running:
        yield running.url, hosts


@pytest.fixture
def host(server: tuple[str, list[EventHost]], monkeypatch: pytest.MonkeyPatch) -> EventHost:
    url, hosts = server
    hosts.append(EventHost())
    monkeypatch.setenv("GATEWAY_URL", url)
    monkeypatch.setenv("GATEWAY_KEY", "sk-one")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    nap = time.sleep
    monkeypatch.setattr("gateway.cli.client.following.time.sleep", lambda seconds: nap(min(seconds, 0.01)))
    return hosts[-1]


def lines(capsys: Out) -> list[Json]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_each_change_is_a_line_of_json(host: EventHost, capsys: Out) -> None:
    changes = [status("a", "pending", progress=0), status("a", "processing", progress=40, message="生成中"), done("a")]
    host.polls["a"] = [changes[0]]
    host.streams["a"] = [[": hi\n\n", *(event("status", change) for change in changes), ": hi\n\n", event("end")]]
    assert main(["watch", "a", "--json"]) == 0
    assert lines(capsys) == changes
    assert (host.polled, host.watched) == ([["a"]], ["a"])
    assert host.headers[0]["authorization"] == "Bearer sk-one"
    assert host.headers[0]["accept"] == "text/event-stream"


def test_result_is_printed_at_the_end(host: EventHost, capsys: Out) -> None:
    host.polls["a"] = [status("a", "pending")]
    host.streams["a"] = [[event("status", status("a", "processing", progress=40)), event("end", done("a"))]]
    assert main(["watch", "a"]) == 0
    out, err = capsys.readouterr()
    assert out == "a\tcompleted\thttps://cdn/a.mp4\n"
    assert " 40%  processing" in err


def test_task_that_has_ended_is_not_watched(host: EventHost, capsys: Out) -> None:
    host.polls["a"] = [done("a")]
    assert main(["watch", "a", "a", "--json"]) == 0
    assert lines(capsys) == [done("a")]
    assert host.watched == []


@pytest.mark.parametrize(
    "end",
    [status("a", "failed", error="too blue", progress=3), status("a", "cancelled", progress=3)],
    ids=["failed", "unknown"],
)
def test_task_without_a_video_is_exit_code_1(host: EventHost, capsys: Out, end: Json) -> None:
    host.polls["a"] = [status("a", "pending"), {**end, "status": "failed"}]
    host.streams["a"] = [[event("status", end), event("end")]]
    assert main(["watch", "a"]) == 1
    assert capsys.readouterr().out.startswith("a\tfailed")


def test_time_that_is_over_is_no_failure_of_the_task_and_exit_code_1(host: EventHost, capsys: Out) -> None:
    running = status("a", "processing", progress=40)
    host.polls["a"] = [running]
    host.streams["a"] = [[event("status", running), event("timeout", {"error": {"message": "生成超时，请重试"}})]]
    assert main(["watch", "a", "--json"]) == 1
    assert lines(capsys) == [running, running | {"timed_out": True, "message": "生成超时，请重试"}]
    assert host.polled == [["a"]]
    assert main(["watch", "a"]) == 1
    assert capsys.readouterr().out == "a\tprocessing\t40%\t生成超时，请重试\n"


def test_unknown_task_is_an_error_alone_and_a_row_among_others(host: EventHost, capsys: Out) -> None:
    assert main(["watch", "x"]) == 1
    assert capsys.readouterr().err.startswith("error: no such task")
    host.polls["a"] = [done("a")]
    assert main(["watch", "a", "x"]) == 1
    assert capsys.readouterr().out == "a\tcompleted\thttps://cdn/a.mp4\nx\tnot_found\n"


@pytest.mark.parametrize("end", ["reconnect", "cut", "clean"])
def test_stream_that_is_lost_is_opened_again_without_losing_a_change(host: EventHost, capsys: Out, end: str) -> None:
    first, second = status("a", "pending", progress=0), status("a", "processing", progress=40)
    host.polls["a"] = [first, second]
    lost = {"reconnect": [event("reconnect"), OPEN], "cut": [CUT], "clean": []}[end]
    host.streams["a"] = [
        [event("status", first), *lost],
        [event("status", second), *lost],
        [event("status", second), event("status", done("a")), event("end")],
    ]
    assert main(["watch", "a", "--json"]) == 0
    assert lines(capsys) == [first, second, done("a")]
    assert len(host.watched) == 3


def test_end_that_is_lost_is_not_needed(host: EventHost, capsys: Out) -> None:
    host.polls["a"] = [status("a", "pending")]
    host.streams["a"] = [[event("status", done("a")), CUT]]
    assert main(["watch", "a"]) == 0
    assert (len(host.polled), len(host.watched)) == (1, 1)


def test_gateway_that_restarts_is_waited_for(host: EventHost, capsys: Out) -> None:
    away = PlainTextResponse("bad gateway", 502)
    host.polls["a"] = [status("a", "pending"), away, away, status("a", "processing")]
    host.streams["a"] = [[event("status", status("a", "pending")), CUT], [event("status", done("a")), event("end")]]
    assert main(["watch", "a"]) == 0
    err = capsys.readouterr().err
    assert err.count("retrying") == 2


@pytest.mark.parametrize(
    "answer",
    [
        JSONResponse({"error": {"message": "no"}}, 404),
        JSONResponse({"error": {"message": "no"}}, 405),
        JSONResponse({"error": {"message": "too many watchers"}}, 429),
        JSONResponse(done("a")),
        PlainTextResponse("<html>"),
        [event("status", None)],
        [event("status", [1])],
    ],
    ids=["404", "405", "429", "json", "text", "no data", "no object"],
)
def test_gateway_without_events_is_polled(host: EventHost, capsys: Out, answer: Response | list[str]) -> None:
    changes = [status("a", "pending"), status("a", "processing", progress=40), done("a")]
    host.polls["a"] = [*changes]
    host.streams["a"] = [answer]
    assert main(["watch", "a", "--json"]) == 0
    assert lines(capsys) == changes
    assert host.watched == ["a"]


@pytest.mark.parametrize(
    "stream",
    [[], [CUT], [": hi\n\n"], [OPEN], PlainTextResponse("", 502)],
    ids=["ends", "cut", "comments", "silent", "502"],
)
def test_stream_that_gives_nothing_is_tried_twice_and_then_polled(
    host: EventHost, monkeypatch: pytest.MonkeyPatch, capsys: Out, stream: list[str] | Response
) -> None:
    monkeypatch.setattr(event_stream, "SILENT_SECONDS", 0.1)
    host.polls["a"] = [*(status("a", "processing", progress=number) for number in range(4)), done("a")]
    host.streams["a"] = [stream]
    assert main(["watch", "a"]) == 0
    assert len(host.watched) == 2


@pytest.mark.parametrize("where", ["before", "within"])
def test_revoked_key_ends_the_command(host: EventHost, capsys: Out, where: str) -> None:
    error = {"error": {"message": "the key is revoked"}}
    refused = JSONResponse(error, 401)
    host.polls["a"] = [status("a", "pending"), refused]
    within = [event("status", status("a", "pending")), event("error", error)]
    host.streams["a"] = [refused if where == "before" else within]
    assert main(["watch", "a"]) == 1
    assert "the key is revoked" in capsys.readouterr().err


def test_outage_that_lasts_ends_the_command(host: EventHost, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    monkeypatch.setattr(following, "_MAX_OUTAGE_SECONDS", 0.0)
    host.polls["a"] = [status("a", "pending"), PlainTextResponse("bad gateway", 502)]
    host.streams["a"] = [[event("status", status("a", "pending")), CUT]]
    assert main(["watch", "a"]) == 1
    assert "502" in capsys.readouterr().err


def test_few_tasks_have_a_stream_each(host: EventHost, capsys: Out) -> None:
    names = [f"t{number}" for number in range(MAX_STREAMS)]
    for name in names:
        host.polls[name] = [status(name, "pending")]
        host.streams[name] = [[event("status", status(name, "pending")), event("status", done(name)), event("end")]]
    assert main(["watch", *names]) == 0
    assert [line.split("\t")[:2] for line in capsys.readouterr().out.splitlines()] == [[n, "completed"] for n in names]
    assert host.most_watching > 1
    assert (len(host.polled), sorted(host.watched)) == (1, names)


def test_one_stream_that_is_lost_closes_the_others(host: EventHost, capsys: Out) -> None:
    for name in "ab":
        host.polls[name] = [status(name, "pending")]
    host.streams["a"] = [[event("status", done("a")), event("end")]]
    host.streams["b"] = [[event("status", status("b", "pending")), CUT], [event("status", done("b")), event("end")]]
    host.polls["c"] = [status("c", "pending")]
    host.streams["c"] = [[event("status", status("c", "pending")), OPEN], [event("status", done("c")), event("end")]]
    assert main(["watch", "a", "b", "c"]) == 0
    assert host.polled == [["a", "b", "c"], ["b", "c"]]


def test_many_tasks_are_polled_together(host: EventHost, capsys: Out) -> None:
    names = [f"t{number}" for number in range(230)]
    for name in names:
        host.polls[name] = [status(name, "pending"), done(name)]
        host.streams[name] = [[OPEN]]
    assert main(["watch", *names, "--json"]) == 0
    assert len(lines(capsys)) == 460
    assert [len(ids) for ids in host.polled] == [100, 100, 30] * 2
    assert host.watched == []


def test_last_few_of_many_are_watched(host: EventHost, capsys: Out) -> None:
    names = [f"t{number}" for number in range(MAX_STREAMS + 1)]
    for name in names[1:]:
        host.polls[name] = [done(name)]
    host.polls["t0"] = [status("t0", "pending")]
    host.streams["t0"] = [[event("status", done("t0")), event("end")]]
    assert main(["watch", *names]) == 0
    assert host.watched == ["t0"]


def test_terminal_shows_a_bar_for_each_task(host: EventHost, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")
    late = {"message": "[bold]generation timed out"}
    for name in "ab":
        host.polls[name] = [status(name, "pending")]
    host.streams["a"] = [[event("status", done("a")), event("end")]]
    host.streams["b"] = [[event("status", status("b", "processing", progress=37)), event("timeout", late)]]
    assert main(["watch", "a", "b"]) == 1
    err = capsys.readouterr().err
    for shown in ("━", "100%", "completed", " 37%", "processing", "[bold]generation timed out"):
        assert shown in err


def test_interrupt_closes_the_streams(host: EventHost, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    class Interrupts:
        def show(self, name: str, task: object) -> None:
            if host.watching:
                raise KeyboardInterrupt

        def note(self, text: str) -> None: ...

    monkeypatch.setattr("gateway.cli.client.videos._JsonLines", Interrupts)
    host.polls["a"] = [status("a", "pending")]
    host.streams["a"] = [[event("status", status("a", "pending")), OPEN]]
    assert main(["watch", "a", "--json"]) == 130
    assert capsys.readouterr().err == "interrupted\n"
    give_up = time.monotonic() + 5
    while host.watching:
        assert time.monotonic() < give_up
        time.sleep(0.01)
