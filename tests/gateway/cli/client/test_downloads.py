"""`download` against hosts of every kind."""

import fcntl
import socket
import subprocess
import sys
import threading
from itertools import pairwise
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from gateway.cli import main
from gateway.cli.progress import MessagesOnly
from gateway.cli.server.background import BackgroundServer
from tests.gateway.cli.client.download_host import (
    NAME,
    OTHER,
    VIDEO,
    DownloadFixture,
    Host,
    Out,
    cut_after,
    error_step,
    files,
    headers_of,
    well,
)


def test_file_name_is_that_of_the_gateway(env: DownloadFixture, capsys: Out) -> None:
    assert main(["download", "7"]) == 0
    assert files() == {NAME: VIDEO}
    assert capsys.readouterr() == (f"{NAME}\t300,000 bytes\n", "")
    assert env.host.ranges == [(None, None)]
    assert env.host.seen[0]["accept-encoding"] == "identity"
    assert env.host.seen[0]["authorization"] == "Bearer sk-one"


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ('attachment; filename="../../up.mp4"', "up.mp4"),
        ('attachment; filename="..\\..\\.hidden; rm.mp4"', "hidden_rm.mp4"),
        ('attachment; filename="..."', "no_such_task.mp4"),
        ("inline", "no_such_task.mp4"),
    ],
)
def test_file_name_cannot_leave_the_directory(given: str, name: str, env: DownloadFixture, capsys: Out) -> None:
    env.host.steps = [lambda request, host: Response(VIDEO, 200, headers_of(host) | {"content-disposition": given})]
    assert main(["download", "no/such task"]) == 0
    assert files() == {name: VIDEO}


@pytest.mark.parametrize(
    ("out", "path"), [("cat.mp4", "cat.mp4"), ("new/deep/", f"new/deep/{NAME}"), ("there", f"there/{NAME}")]
)
def test_output_can_be_a_file_or_a_directory(out: str, path: str, env: DownloadFixture, capsys: Out) -> None:
    Path("there").mkdir()
    assert main(["download", "7", "-o", out]) == 0
    assert files() == {path: VIDEO}
    assert capsys.readouterr().out == f"{path}\t300,000 bytes\n"


def test_cover_is_downloaded(env: DownloadFixture) -> None:
    def asked(request: Request, host: Host) -> Response:
        assert request.scope["raw_path"] == b"/v1/videos/a%2Fb/content"
        assert request.query_params["variant"] == "thumbnail"
        return Response(b"jpeg", 200, {"content-type": "image/jpeg"})

    env.host.steps = [asked]
    assert main(["download", "a/b", "--thumbnail"]) == 0
    assert files() == {"a_b.jpg": b"jpeg"}


def test_standard_output_gets_only_the_file(env: DownloadFixture, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["download", "7", "-o", "-"]) == 0
    assert capfdbinary.readouterr() == (VIDEO, b"standard output: 300,000 bytes\n")
    assert files() == {}


def test_video_is_not_written_to_a_terminal(env: DownloadFixture, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert main(["download", "7", "-o", "-"]) == 2
    assert capsys.readouterr().err.startswith("error: a terminal cannot show a video")
    assert env.host.seen == []


@pytest.mark.parametrize("out", [[], ["-o", NAME], ["-o", "./"]])
def test_existing_file_is_replaced_only_with_force(out: list[str], env: DownloadFixture, capsys: Out) -> None:
    Path(NAME).write_bytes(b"mine")
    assert main(["download", "7", *out]) == 2
    assert capsys.readouterr().err == (
        f"error: {NAME} already exists: replace it with --force, or name another with -o\n"
    )
    assert files() == {NAME: b"mine"}
    assert main(["download", "7", *out, "--force"]) == 0
    assert files() == {NAME: VIDEO}


def test_download_to_standard_output_is_resumed(
    env: DownloadFixture, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    env.host.steps = [cut_after(100_000)]
    assert main(["download", "7", "-o", "-"]) == 0
    assert capfdbinary.readouterr().out == VIDEO


def test_download_to_standard_output_is_not_restarted(
    env: DownloadFixture, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    def changed(request: Request, host: Host) -> Response:
        host.content, host.etag = OTHER, '"two"'
        return well(request, host)

    env.host.steps = [cut_after(100_000), changed]
    assert main(["download", "7", "-o", "-"]) == 1
    out, err = capfdbinary.readouterr()
    assert out == VIDEO[:100_000]
    assert err.splitlines()[-1] == (b"error: the file is incomplete after 100,000 bytes and cannot be resumed")


def test_closed_pipe_ends_the_download_in_one_line(env: DownloadFixture) -> None:
    env.host.content = VIDEO * 20
    command = [sys.executable, "-m", "gateway", "download", "7", "-o", "-"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None and running.stderr is not None
        assert running.stdout.read(10) == VIDEO[:10]
        running.stdout.close()
        assert running.stderr.read() == b"error: standard output was closed by its reader\n"
        assert running.wait(10) == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
def test_full_device_ends_the_download_in_one_line(env: DownloadFixture) -> None:
    command = [sys.executable, "-m", "gateway", "download", "7", "-o", "-"]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.stderr == b"error: standard output cannot be written: No space left on device\n"
    assert done.returncode == 1


def test_memory_use_is_limited_to_small_pieces(env: DownloadFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[int] = []
    monkeypatch.setattr(MessagesOnly, "show", lambda self, name, done, total: steps.append(done))
    env.host.content = VIDEO * 10
    assert main(["download", "7"]) == 0
    assert max(later - earlier for earlier, later in pairwise(steps)) <= 256 * 1024


def test_interrupt_says_how_to_resume(env: DownloadFixture, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    def interrupt(self: object, name: str, done: int, total: int) -> None:
        if done:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(MessagesOnly, "show", interrupt)
        assert main(["download", "7", "-o", "cat.mp4"]) == 130
    message, interrupted = capsys.readouterr().err.splitlines()
    assert message.startswith("cat.mp4.part has ")
    assert message.endswith(" bytes: the same command resumes the download")
    assert interrupted == "interrupted"
    partial = files()["cat.mp4.part"]
    assert partial and VIDEO.startswith(partial)
    assert main(["download", "7", "-o", "cat.mp4"]) == 0
    assert env.host.ranges[-1] == (f"bytes={len(partial)}-", '"one"')
    assert files() == {"cat.mp4": VIDEO}


def test_concurrent_downloads_do_not_write_the_same_file(env: DownloadFixture, capsys: Out) -> None:
    env.part(NAME, VIDEO[:100_000])
    with Path(f"{NAME}.part").open("r+b") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        for out in ([], ["-o", NAME]):
            assert main(["download", "7", *out]) == 1
            assert capsys.readouterr().err.startswith(f"error: another download is writing {NAME}.part")
    assert main(["download", "7"]) == 0
    assert files() == {NAME: VIDEO}


def test_full_disk_is_an_error(env: DownloadFixture, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("gateway.cli.client.downloads.os.fsync", full)
        assert main(["download", "7", "-o", "cat.mp4"]) == 1
    assert capsys.readouterr().err == "error: cat.mp4 cannot be written: No space left on device\n"
    assert main(["download", "7", "-o", "cat.mp4"]) == 0
    assert files() == {"cat.mp4": VIDEO}


def test_directory_that_cannot_be_created_is_an_error(env: DownloadFixture, capsys: Out) -> None:
    Path("taken").write_bytes(b"")
    assert main(["download", "7", "-o", "taken/"]) == 1
    assert capsys.readouterr().err == "error: taken cannot be written: File exists\n"


def test_terminal_shows_a_progress_bar(env: DownloadFixture, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    def changed(request: Request, host: Host) -> Response:
        host.etag = '"two"'
        return well(request, host)

    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")
    env.host.steps = [cut_after(100_000), changed]
    assert main(["download", "7", "-o", "[b]cat.mp4"]) == 0
    out, err = capsys.readouterr()
    assert out == "[b]cat.mp4\t300,000 bytes\n"
    assert "━" in err
    assert "[b]cat.mp4" in err
    assert "300.0/300.0 kB" in err
    assert "retrying" in err


def test_redirect_to_another_host_is_not_followed(env: DownloadFixture, capsys: Out) -> None:
    with BackgroundServer(Starlette(routes=[Route("/{path:path}", lambda request: Response(VIDEO))])) as other:
        env.host.steps = [lambda request, host: RedirectResponse(f"{other.url}/cat.mp4")]
        assert main(["download", "7"]) == 1
    assert "responded 307 without JSON: is it the gateway?" in capsys.readouterr().err
    assert files() == {}


def test_html_page_is_no_video(env: DownloadFixture, capsys: Out) -> None:
    env.host.steps = [lambda request, host: Response("<p>Log in", media_type="text/html")]
    assert main(["download", "7", "-o", "cat.mp4"]) == 1
    assert "did not respond with a file: is it the gateway?" in capsys.readouterr().err
    assert files() == {}


@pytest.mark.parametrize("status", [401, 404, 502])
def test_client_error_is_not_retried(status: int, env: DownloadFixture, capsys: Out) -> None:
    env.host.steps = [error_step(status)]
    assert main(["download", "7"]) == 1
    message, *hints = capsys.readouterr().err.splitlines()
    assert message == "error: that is it"
    assert hints == (["hint: check the key in --key or GATEWAY_KEY"] if status == 401 else [])
    assert env.pauses == []


def test_refused_connection_is_one_line(env: DownloadFixture, capsys: Out) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    assert main(["download", "7", "--url", f"127.0.0.1:{port}"]) == 1
    assert capsys.readouterr().err.startswith("error: no gateway responds at ")
    assert env.pauses == []


def test_missing_response_is_a_timeout(env: DownloadFixture, capsys: Out) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closing:

        def hang_up() -> None:
            for _ in range(5):
                connection, _ = closing.accept()
                connection.recv(65536)
                connection.close()

        thread = threading.Thread(target=hang_up, daemon=True)
        thread.start()
        assert main(["download", "7", "--url", f"127.0.0.1:{closing.getsockname()[1]}"]) == 1
        thread.join(10)
    assert env.pauses == [0.5, 1.0, 2.0, 4.0]
    assert "did not arrive" in capsys.readouterr().err.splitlines()[-1]
