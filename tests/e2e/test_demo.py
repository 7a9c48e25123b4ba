"""`demo`: two videos over HTTP, two files, no other files left."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from starlette.types import Receive, Scope, Send

from gateway.cli.errors import CommandError
from gateway.cli.server.background import BackgroundServer
from gateway.cli.server.demo import download, file_name

COMMAND = [sys.executable, "-m", "gateway", "demo"]


def environment() -> dict[str, str]:
    # A configuration of the person's own must not matter: this one would stop any start.
    return {
        **os.environ,
        "GATEWAY_PORT": "none",
        "JIMENG_BASE_URL": "http://192.0.2.1",
        "HTTP_PROXY": "http://192.0.2.1",
    }


def test_demo_writes_two_videos(tmp_path: Path) -> None:
    out = tmp_path / "new" / "videos"
    done = subprocess.run(
        [*COMMAND, "--task-seconds", "0.2", "--out", str(out)],
        capture_output=True,
        text=True,
        timeout=30,
        env=environment(),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [re.sub(r"-.*", "", Path(line.split("  ")[0]).name) for line in lines] == ["jimeng", "dashscope"]
    for line in lines:
        path, size = line.split("  ")
        content = Path(path).read_bytes()
        assert content[4:8] == b"ftyp"
        assert size == f"{len(content):,} bytes"
    assert len(list(out.iterdir())) == 2
    assert "jimeng      100%  completed" in done.stderr
    assert "next: video-gateway serve --sandbox" in done.stderr
    assert "\x1b" not in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
@pytest.mark.parametrize(
    ("moment", "number", "code"),
    [
        ("A gateway listens", signal.SIGTERM, 143),
        ("dashscope: task", signal.SIGINT, 130),
        ("%", signal.SIGINT, 130),
        ("%", signal.SIGTERM, 143),
    ],
)
def test_interrupt_leaves_no_files(tmp_path: Path, moment: str, number: int, code: int) -> None:
    with subprocess.Popen(
        [*COMMAND, "--task-seconds", "60", "--out", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    ) as process:
        assert process.stderr
        while moment not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(number)
        interrupted = time.monotonic()
        out, err = process.communicate(timeout=20)
        assert process.returncode == code
        # Far less than the demo would go on for; a busy machine takes some seconds to end its processes.
        assert time.monotonic() - interrupted < 10
    assert out == ""
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


def test_path_that_is_no_directory_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    done = subprocess.run([*COMMAND, "--out", str(file)], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 2
    assert done.stderr == f"error: --out {file} is not a directory\n"


@pytest.mark.parametrize(("path", "said"), [("cut", "the download of x.mp4 failed"), ("gone", "404")])
def test_interrupted_download_leaves_no_file(path: str, said: str, tmp_path: Path) -> None:
    async def half(scope: Scope, receive: Receive, send: Send) -> None:
        status = 200 if scope["path"] == "/cut" else 404
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"10")]})
        await send({"type": "http.response.body", "body": b"half!", "more_body": status == 200})

    with BackgroundServer(half) as server, pytest.raises(CommandError, match=said):
        download(f"{server.url}/{path}", tmp_path / "x.mp4")
    assert list(tmp_path.iterdir()) == []


def test_unwritable_download_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CommandError, match="cannot be written"):
        download("http://127.0.0.1:1/", tmp_path / "file" / "x.mp4")


@pytest.mark.parametrize("id", ["7535099487211244578", "../../etc/x", "a\\b:c\0", "x" * 900])
def test_file_names_are_safe(id: str) -> None:
    assert re.fullmatch(r"jimeng-[A-Za-z0-9_-]{1,160}\.mp4", file_name("jimeng", id))
