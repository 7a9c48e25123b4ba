"""The client commands against a real gateway with the sandbox."""

import json
import re
import socket
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.cli import main
from gateway.cli.client.following import follow
from gateway.cli.client.gateway_client import GatewayClient, GatewayResponse, ResponseError, UnreachableError
from gateway.cli.client.videos import SubmitOptions
from gateway.cli.progress import shorten_name
from providers.sandbox.server import SandboxServer

Out = pytest.CaptureFixture[str]

DASHSCOPE = ["--model", "wan2.6-t2v"]


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("GATEWAY_URL", url)
    monkeypatch.setenv("GATEWAY_KEY", "sk-one")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    # The gateway asks for seconds between polls, the upstream here needs hundredths of one.
    nap = time.sleep
    monkeypatch.setattr("gateway.cli.client.following.time.sleep", lambda seconds: nap(min(seconds, 0.02)))


def submitted(capsys: Out, *argv: str) -> str:
    assert main(["submit", *argv]) == 0
    return capsys.readouterr().out.strip()


def test_submit_prints_only_the_id(url: str, capsys: Out) -> None:
    assert main(["submit", "a cat", *DASHSCOPE, "--duration", "5", "--seed", "7", "--option", "watermark=true"]) == 0
    out, err = capsys.readouterr()
    task = out.removesuffix("\n")
    assert task.count("-") == 4
    assert err == f"next: video-gateway watch --url {url} {task}\n"


def test_request_options_reach_the_gateway() -> None:
    assert SubmitOptions("a cat").body() == {"prompt": "a cat"}
    options = SubmitOptions(
        "a cat",
        duration=5,
        seed=0,
        images=["https://a/1.png"],
        fields=["negative_prompt=rain", "audio=false"],
        options=["watermark=true", "note=a=b", 'list=["x"]'],
    )
    assert options.body() == {
        "prompt": "a cat",
        "duration": 5,
        "seed": 0,
        "image_url": "https://a/1.png",
        "provider_options": {"watermark": True, "note": "a=b", "list": ["x"]},
        "negative_prompt": "rain",
        "audio": False,
    }
    assert SubmitOptions("", images=["https://a/1.png", "https://a/2.png"]).body()["images"] == [
        "https://a/1.png",
        "https://a/2.png",
    ]


def test_response_of_the_gateway_is_printed_unchanged(capsys: Out) -> None:
    assert main(["submit", "a cat", *DASHSCOPE, "--json"]) == 0
    accepted = capsys.readouterr().out
    assert json.loads(accepted)["status"] == "pending"
    assert main(["status", json.loads(accepted)["task_id"], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["provider"] == "dashscope"
    assert main(["models", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["object"] == "list"


def test_submit_can_wait_for_the_video(capsys: Out) -> None:
    assert main(["submit", "a cat", "--key", "session-wait", "--wait"]) == 0
    out, err = capsys.readouterr()
    task, status, link = out.rstrip("\n").split("\t")
    assert (status, link[:7]) == ("completed", "http://")
    assert err.startswith(f"task {task}\n")
    assert "100%  completed" in err


def test_fields_of_every_kind_reach_the_gateway(capsys: Out) -> None:
    assert main(["submit", "a cat", "--key", "s", "--field", "camera_movement=static", "--field", "seed=-2"]) == 1
    assert "seed" in capsys.readouterr().err


def test_status_of_one_and_of_several_tasks(capsys: Out) -> None:
    task = submitted(capsys, "a cat #pending", *DASHSCOPE)
    assert main(["status", task]) == 0
    assert capsys.readouterr().out == f"{task}\tpending\t0%\tQueued\n"
    unknown = "00000000-0000-4000-8000-000000000000"
    assert main(["status", task, unknown]) == 1
    assert capsys.readouterr().out.splitlines() == [f"{task}\tpending\t0%\tQueued", f"{unknown}\tnot_found"]


def test_unknown_task_is_an_error_of_the_gateway(capsys: Out) -> None:
    assert main(["status", "no?such#task"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("error: The task does not exist")
    assert "(request req_" in err
    assert err.count("\n") == 1


def test_messages_are_in_the_language_of_the_terminal(monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    monkeypatch.setenv("LC_ALL", "")
    monkeypatch.setenv("LC_MESSAGES", "zh_CN.UTF-8")
    assert main(["status", "7"]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"错误：任务不存在或已过期（请求 req_\w+）", line)


def test_refused_key_is_said_in_one_language_with_what_to_do(monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert main(["models", "--key", "gw-x"]) == 1
    error, hint = capsys.readouterr().err.splitlines()
    assert error.startswith("错误：凭证无效")
    assert hint == "提示：请检查 --key 或 GATEWAY_KEY 中的凭证"


def test_submit_that_waits_is_said_in_one_language(url: str, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert main(["submit", "一只猫", *DASHSCOPE]) == 0
    out, err = capsys.readouterr()
    assert err == f"下一步：video-gateway watch --url {url} {out}"
    assert main(["submit", "一只猫", *DASHSCOPE, "--wait"]) == 0
    first, *_ = capsys.readouterr().err.splitlines()
    assert first.startswith("任务 ")


def test_watch_follows_to_the_end_and_reports_failures(capsys: Out) -> None:
    good = submitted(capsys, "a cat", *DASHSCOPE)
    bad = submitted(capsys, "a cat #fail=InternalError", *DASHSCOPE)
    assert main(["watch", good]) == 0
    assert capsys.readouterr().out.startswith(f"{good}\tcompleted\thttp://")
    assert main(["watch", good, bad]) == 1
    out, err = capsys.readouterr()
    first, second = out.splitlines()
    assert first.startswith(f"{good}\tcompleted\t")
    assert second.startswith(f"{bad}\tfailed\t")
    assert "InternalError" in second or "error" in second.lower()
    assert shorten_name(bad) in err


def test_watch_prints_each_status_object_as_json(capsys: Out) -> None:
    good = submitted(capsys, "a cat", *DASHSCOPE)
    assert main(["watch", good, "--json"]) == 0
    objects = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {one["task_id"] for one in objects} == {good}
    assert objects[-1]["result"]["url"].startswith("http://")


def test_watch_needs_one_poll_and_then_the_events(monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    polled: list[object] = []
    for name in ("status", "statuses"):
        real = getattr(GatewayClient, name)

        def counted(client: GatewayClient, ids: object, real: Any = real) -> Any:
            polled.append(ids)
            return real(client, ids)

        monkeypatch.setattr(GatewayClient, name, counted)
    ids = [submitted(capsys, f"a cat {number} #seconds=0.3", *DASHSCOPE) for number in range(2)]
    assert main(["watch", *ids]) == 0
    assert polled == [ids]


def test_submit_that_waits_prints_the_last_status_object(capsys: Out) -> None:
    assert main(["submit", "a cat", *DASHSCOPE, "--wait", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["status"] == "completed"


def test_submit_waits_and_saves_the_video(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, upstream: SandboxServer, capsys: Out
) -> None:
    file = tmp_path / "cat.mp4"
    assert main(["submit", "a cat", "--key", "session-out", "-o", str(file)]) == 0
    out, err = capsys.readouterr()
    assert out == f"{file}\t{file.stat().st_size:,} bytes\n"
    assert file.read_bytes()[4:8] == b"ftyp"
    assert "completed" in err
    before = upstream.sandbox.submits("jimeng", "session-out")
    assert main(["submit", "a cat", "--key", "session-out", "-o", str(file)]) == 2
    assert "already exists" in capsys.readouterr().err
    assert main(["submit", "a cat", "--key", "session-out", "-o", str(tmp_path / "no" / "x.mp4")]) == 2
    assert upstream.sandbox.submits("jimeng", "session-out") == before
    assert main(["submit", "a cat", "--key", "session-out", "-f", "-o", str(file)]) == 0


def test_models_are_tab_separated_in_a_pipe(capsys: Out) -> None:
    assert main(["models", "--key", "session,sk-one"]) == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split("\t")[:3] == ["model", "type", "provider"]
    assert len({row.count("\t") for row in rows} | {header.count("\t")}) == 1
    assert {row.split("\t")[2] for row in rows} == {"jimeng", "dashscope"}
    assert any(row.startswith("sora-2 = jimeng-video-3.0-fast\t") for row in rows)
    assert any("\t5* 10\t" in row for row in rows)
    assert any("\t2–15, 5*\t" in row for row in rows)


def test_models_are_a_table_on_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "160")
    assert main(["models"]) == 0
    assert "\nwan2.6-t2v" in re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)


def test_terminal_shows_progress_bars(monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")
    assert main(["submit", "a [bold]cat", "--key", "session-bars", "--wait"]) == 0
    out, err = capsys.readouterr()
    assert "\tcompleted\thttp://" in out
    assert "━" in err
    assert "100%" in err
    assert "completed" in err


def test_error_response_is_one_line_with_the_request_id(capsys: Out) -> None:
    assert main(["submit", "a cat", "--model", "no-such-model"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: Model no-such-model does not exist")
    assert "(request req_" in err
    assert err.count("\n") == 1


def test_refused_connection_is_one_line(capsys: Out) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    assert main(["models", "--url", f"127.0.0.1:{port}/v1/"]) == 1
    assert capsys.readouterr().err == (
        f"error: no gateway responds at http://127.0.0.1:{port}: start one with `video-gateway serve`, "
        "or set another --url\n"
    )


def test_url_with_v1_is_accepted(url: str, capsys: Out) -> None:
    assert main(["models", "--url", f"{url}/v1"]) == 0
    assert "wan2.6-t2v" in capsys.readouterr().out


def test_response_of_another_server_is_one_line(upstream: SandboxServer, capsys: Out) -> None:
    assert main(["status", "7", "--url", upstream.url]) == 1
    assert "is it the gateway?" in capsys.readouterr().err


def test_long_names_are_shortened_in_the_middle() -> None:
    names = [f"video_{'x' * 90}{number}" for number in range(10, 13)]
    assert all(len(shorten_name(name)) <= 24 for name in names)
    assert all(one != other for one, other in pairwise(map(shorten_name, names)))


@pytest.mark.parametrize(
    ("link", "shown"),
    [("/v1/videos/7/content", "http://h:5100/v1/videos/7/content"), ("https://cdn/v.mp4?s=1", "https://cdn/v.mp4?s=1")],
)
def test_link_into_the_gateway_is_shown_whole(link: str, shown: str) -> None:
    body = {"task_id": "7", "status": "completed", "result": {"url": link}}
    (task,) = GatewayResponse("", body, 0.0, "http://h:5100").tasks
    assert task.outcome == shown


class _Script:
    """A client with scripted status calls."""

    def __init__(self, *steps: Exception | str) -> None:
        self.steps = list(steps)

    def stream_client(self, silent_seconds: float) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url="http://127.0.0.1:1", trust_env=False)

    def events_path(self, id: str) -> str:
        return "/"

    def status(self, ids: list[str]) -> GatewayResponse:
        step = self.steps.pop(0)
        if isinstance(step, Exception):
            raise step
        return GatewayResponse("", {"task_id": ids[0], "status": step}, 0.0)


class _Notes:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def show(self, name: str, task: object) -> None:
        self.lines.append(name)

    def note(self, text: str) -> None:
        self.lines.append(text)


def test_following_survives_a_restart_of_the_gateway() -> None:
    away, busy = UnreachableError("http://x"), ResponseError("busy", 503)
    notes = _Notes()
    tasks = follow(_Script("pending", away, busy, "completed"), ["1"], notes)  # type: ignore[arg-type]
    assert tasks[0].status == "completed"
    assert [line for line in notes.lines if line.endswith("retrying")] == [
        f"{away}; retrying",
        "busy; retrying",
    ]


@pytest.mark.parametrize(
    "steps", [(UnreachableError("http://x"),), ("pending", ResponseError("no such task", 404))], ids=["first", "final"]
)
def test_following_ends_without_unfinished_tasks(steps: tuple[Exception | str, ...]) -> None:
    with pytest.raises((UnreachableError, ResponseError)):
        follow(_Script(*steps), ["1"], _Notes())  # type: ignore[arg-type]


def test_following_gives_up_on_an_unreachable_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.cli.client.following._MAX_OUTAGE_SECONDS", 0.0)
    away = UnreachableError("http://x")
    with pytest.raises(UnreachableError):
        follow(_Script("pending", away, away), ["1"], _Notes())  # type: ignore[arg-type]
