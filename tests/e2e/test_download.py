"""`download` from a real gateway with the sandbox."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from gateway.app import create_app
from gateway.cli import main
from gateway.cli.server.background import BackgroundServer
from gateway.core.settings import Settings
from providers.sandbox.clips import CLIPS
from providers.sandbox.server import SandboxServer
from providers.sandbox.settings import SandboxSettings
from tests.gateway.cli.client.download_host import KEY, Out, files

BEGUN = b"what an earlier run left"


@pytest.fixture(scope="module")
def gateway() -> Iterator[str]:
    character = SandboxSettings(task_seconds=0.04, visible_after=0.0, queries_per_second=0, max_running=99)
    with SandboxServer(character) as upstream:
        settings = Settings.model_construct(providers=upstream.settings(), poll_freshness=0.0)
        with BackgroundServer(create_app(settings)) as server:
            yield server.url


@pytest.fixture
def real(gateway: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """In an empty directory, with short pauses between attempts."""
    monkeypatch.setenv("GATEWAY_URL", gateway)
    monkeypatch.setenv("GATEWAY_KEY", "sk-one")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    nap = time.sleep
    monkeypatch.setattr("gateway.cli.client.downloads.time.sleep", lambda seconds: nap(min(seconds, 0.005)))
    monkeypatch.chdir(tmp_path)
    return gateway


def submitted(capsys: Out, prompt: str, *argv: str) -> str:
    assert main(["submit", prompt, "--model", "wan2.6-t2v", *argv]) == 0
    return capsys.readouterr().out.strip()


def test_video_and_cover_are_downloaded(real: str, capsys: Out) -> None:
    assert main(["submit", "a cat", "--key", "session-file"]) == 0
    task = capsys.readouterr().out.strip()
    assert main(["download", task, "--key", "session-file", "--wait"]) == 0
    out, err = capsys.readouterr()
    name, size = out.rstrip("\n").split("\t")
    video = Path(name).read_bytes()
    assert (name[:7], name[-4:]) == ("jimeng-", ".mp4")
    assert size == f"{len(video):,} bytes"
    assert video in {path.read_bytes() for path in CLIPS.glob("*.mp4")}
    assert "100%  completed" in err
    assert main(["download", task, "--key", "session-file", "--thumbnail", "-o", "covers/"]) == 0
    assert capsys.readouterr().out.startswith("covers/jimeng-")
    assert sorted(map(str, Path().rglob("*.*"))) == [*sorted(map(str, Path().rglob("*.jpg"))), name]

    Path(name).rename("old.mp4")
    Path(f"{name}.part").write_bytes(video[:1000])
    with httpx.stream("GET", f"{real}/v1/videos/{task}/content", headers=KEY) as answer:
        Path(f"{name}.part.etag").write_text(answer.headers["etag"])
    assert main(["download", task, "--key", "session-file"]) == 0
    assert Path(name).read_bytes() == video


def test_download_waits_for_an_unfinished_video(real: str, capsys: Out) -> None:
    task = submitted(capsys, "a cat #pending")
    assert main(["download", task]) == 1
    err = capsys.readouterr().err
    assert err.startswith("error: The video is not finished")
    assert err.endswith(f": use --wait, or follow it with `video-gateway watch --url {real} {task}`\n")
    assert files() == {}


def test_download_of_a_failed_video_is_an_error(real: str, capsys: Out) -> None:
    task = submitted(capsys, "a cat #fail=InternalError")
    Path("cat.mp4.part").write_bytes(BEGUN)
    Path("cat.mp4.part.etag").write_text('"one"')
    assert main(["download", task, "--wait", "-o", "cat.mp4"]) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith(f"error: task {task} has no video: ")
    assert files()["cat.mp4.part"] == BEGUN
    assert main(["download", task]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "--wait" not in err
    assert main(["download", "00000000-0000-4000-8000-000000000000"]) == 1
    assert capsys.readouterr().err.startswith("error: The task does not exist")


@pytest.mark.parametrize(("word", "said"), [("link-404", "no longer"), ("link-500", "500")])
def test_file_that_the_upstream_does_not_serve_is_an_error(word: str, said: str, real: str, capsys: Out) -> None:
    task = submitted(capsys, f"a cat #{word}")
    assert main(["download", task, "--wait"]) == 1
    assert files() == {}
    last = capsys.readouterr().err.splitlines()[-1]
    assert said in last
    assert "(request req_" in last


def test_truncated_files_are_an_error(real: str, capsys: Out) -> None:
    task = submitted(capsys, "a cat #link-cut")
    assert main(["download", task, "--wait", "-o", "cat.mp4"]) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith("error: the download of cat.mp4 failed at ")
    assert set(files()) == {"cat.mp4.part"}
