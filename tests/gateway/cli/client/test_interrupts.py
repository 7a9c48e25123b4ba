"""Commands that end early: Ctrl-C, SIGTERM, an outage, and a reader of standard output that has left."""

import contextlib
import io
import json
import os
import shlex
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.cli import main
from gateway.cli.client.gateway_client import GatewayClient, UnreachableError
from gateway.cli.progress import MessagesOnly, TaskLines
from providers.sandbox.server import SandboxServer

Out = pytest.CaptureFixture[str]

SUBMIT = ["submit", "a cat", "--model", "wan2.6-t2v"]
GOES_ON = "the task goes on and is charged: "


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("GATEWAY_URL", url)
    monkeypatch.setenv("GATEWAY_KEY", "sk-one")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    # The gateway asks for seconds between polls, the upstream here needs hundredths of one.
    nap = time.sleep
    monkeypatch.setattr("gateway.cli.client.following.time.sleep", lambda seconds: nap(min(seconds, 0.02)))


@contextlib.contextmanager
def left_reader(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Standard output is a pipe whose reader has left."""
    read, write = os.pipe()
    os.close(read)
    with io.TextIOWrapper(os.fdopen(write, "wb"), write_through=True) as pipe:
        with monkeypatch.context() as patched:
            patched.setattr("sys.stdout", pipe)
            yield
        # What is left in the buffer cannot be written either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), pipe.fileno())


def ends_by(number: signal.Signals) -> int:
    """Run `submit --wait` that gets a signal at its first status; returns the exit code."""
    try:
        return main([*SUBMIT, "--wait"])
    except SystemExit as ended:
        assert number == signal.SIGTERM
        return int(str(ended.code))


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize(
    ("error", "code"), [(KeyboardInterrupt(), 130), (UnreachableError("http://x"), 1)], ids=["Ctrl-C", "outage"]
)
def test_wait_that_ends_early_leaves_the_id(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: Out, error: BaseException, code: int, as_json: bool
) -> None:
    def ends(*args: object) -> None:
        raise error

    monkeypatch.setattr("gateway.cli.client.videos.follow", ends)
    assert main([*SUBMIT, "--wait", *(["--json"] if as_json else [])]) == code
    out, err = capsys.readouterr()
    task = json.loads(out)["task_id"] if as_json else out.strip()
    assert f"the task goes on and is charged: video-gateway watch --url {url} {task}\n" in err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signal_during_the_wait_says_that_the_task_goes_on(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: Out, number: signal.Signals, code: int
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(TaskLines, "show", lambda *args: signal.raise_signal(number))
    assert ends_by(number) == code
    out, err = capsys.readouterr()
    assert f"{GOES_ON}video-gateway watch --url {url} {out}" in err
    assert signal.getsignal(signal.SIGTERM) is before


def test_command_that_follows_the_task_works(monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(TaskLines, "show", lambda *args: signal.raise_signal(signal.SIGINT))
        assert main([*SUBMIT, "--wait"]) == 130
    task, err = capsys.readouterr()
    command = next(line.removeprefix(GOES_ON) for line in err.splitlines() if line.startswith(GOES_ON))
    assert main(shlex.split(command)[1:]) == 0
    assert capsys.readouterr().out.split()[:2] == [task.strip(), "completed"]


def test_interrupted_submit_may_be_charged(monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    monkeypatch.setattr(GatewayClient, "submit", lambda *args: signal.raise_signal(signal.SIGINT))
    assert main(SUBMIT) == 130
    assert "may have been accepted and charged" in capsys.readouterr().err


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["id", "json"])
def test_submit_whose_reader_has_left_names_the_task(
    options: list[str], monkeypatch: pytest.MonkeyPatch, url: str, capsys: Out
) -> None:
    with left_reader(monkeypatch):
        assert main([*SUBMIT, *options]) == 141
    assert capsys.readouterr().err.startswith(f"{GOES_ON}video-gateway watch --url {url} ")


def test_wait_whose_reader_has_left_ends_after_the_task(monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    with left_reader(monkeypatch):
        assert main([*SUBMIT, "--wait"]) == 141
    first, *_, last = capsys.readouterr().err.splitlines()
    assert first.startswith("task ") and "completed" in last


@pytest.mark.parametrize("argv", [["models"], ["models", "--json"], ["config"]], ids=" ".join)
def test_reader_that_has_left_ends_the_command_without_a_word(
    argv: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Out
) -> None:
    with left_reader(monkeypatch):
        assert main(argv) == 141
    assert capsys.readouterr().err == ""


def test_interrupted_download_of_a_submit_is_resumed_without_another_submit(
    upstream: SandboxServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out
) -> None:
    file = tmp_path / "a cat.mp4"
    key = ["--key", "session-resumed"]

    def interrupt(self: object, name: str, done: int, total: int) -> None:
        if done:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(MessagesOnly, "show", interrupt)
        assert main(["submit", "a cat", *key, "-o", str(file)]) == 130
    said, finished, interrupted = capsys.readouterr().err.splitlines()[-3:]
    command = finished.removeprefix("the video is finished and charged: ")
    assert said.endswith(f": `{command}` resumes the download")
    assert interrupted == "interrupted"
    assert main([*shlex.split(command)[1:], *key]) == 0
    assert file.read_bytes()[4:8] == b"ftyp"
    assert upstream.sandbox.submits("jimeng", "session-resumed") == 1
