"""`serve` and `sandbox` as processes: start, printed URLs and stop."""

import contextlib
import os
import re
import signal
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

import httpx
import pytest

from gateway.cli.errors import CommandError
from gateway.cli.server.listening import listen, url_of
from tests.process import running

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")

KEY = {"authorization": "Bearer session-one"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_serve_runs_until_it_is_stopped(tmp_path: Path, number: int) -> None:
    with running(tmp_path, "serve", "--port", "0") as process:
        url = process.find(r"listening on (http://127\.0\.0\.1:\d+), documentation at http://127\.0\.0\.1:\d+/docs")
        answer = httpx.get(f"{url}/healthz", timeout=20, trust_env=False)
        assert answer.json()["status"] == "ok"
        assert "server" not in answer.headers
        assert "date" in answer.headers
        assert process.end(number) == 0
        first, *others = [line for line in process.lines if "request method" not in line]
        assert f"video-gateway {version('video-gateway')} listening on {url}" in first
        fields = ("configuration=environment", "mode=pass-through", "accounts=none", "archive=off", "workers=1")
        assert all(field in first for field in fields)
        assert [re.sub(r"^\S+ info +|seconds=\S+ ", "", line) for line in others] == ["stopped requests=0 aborted=0\n"]
        assert "Traceback" not in process.output


def test_serve_with_the_sandbox_makes_videos(tmp_path: Path) -> None:
    sandbox = ("--sandbox", "--task-seconds", "0.1")
    # Variables of the real services are replaced.
    leading_out = {"JIMENG_BASE_URL": "http://192.0.2.1", "JIMENG_COMMERCE_URL": "http://192.0.2.1"}
    with running(tmp_path, "serve", "--port", "0", *sandbox, **leading_out, VIDEO_POLL_INTERVAL="100") as process:
        url = process.find(r"try: curl (http://127\.0\.0\.1:\d+)/v1/videos/generations")
        assert "any credential of the right form is accepted: a Jimeng sessionid" in process.output
        body = {"prompt": "a cat", "wait_completion": True}
        made = httpx.post(f"{url}/v1/videos/generations", json=body, headers=KEY, timeout=10, trust_env=False)
        assert made.json()["status"] == "completed"
        assert process.end() == 0


def test_stop_waits_for_running_requests(tmp_path: Path) -> None:
    sandbox = ("--sandbox", "--task-seconds", "0.5")
    with running(tmp_path, "serve", "--port", "0", *sandbox, VIDEO_POLL_INTERVAL="100") as process:
        url = process.find(r"listening on (http://\S+),")

        def make() -> str:
            body = {"prompt": "a cat", "wait_completion": True}
            answer = httpx.post(f"{url}/v1/videos/generations", json=body, headers=KEY, timeout=10, trust_env=False)
            return str(answer.json()["status"])

        with ThreadPoolExecutor(1) as pool:
            made = pool.submit(make)
            submitted = httpx.Client(base_url=url, timeout=20, trust_env=False)
            with submitted:
                while 'route="/v1/models"' not in submitted.get("/metrics").text:
                    submitted.get("/v1/models", headers=KEY)
            time.sleep(0.2)
            assert process.end() == 0
            assert made.result() == "completed"
        assert re.search(
            r'stopping: running requests have .* requests=\d running=".*POST /v1/videos/gen', process.output
        )
        assert re.search(r"stopped seconds=\S+ requests=\d aborted=0", process.output)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_not_ready_while_running_requests_end(tmp_path: Path, workers: str) -> None:
    argv = ("serve", "--port", "0", "--workers", workers, "--sandbox", "--task-seconds", "1")
    with running(tmp_path, *argv, VIDEO_POLL_INTERVAL="100") as process:
        url = process.find(r"listening on (http://\S+),")

        def make() -> httpx.Response:
            body = {"prompt": "a cat", "wait_completion": True}
            return httpx.post(f"{url}/v1/videos/generations", json=body, headers=KEY, timeout=20, trust_env=False)

        assert httpx.get(f"{url}/readyz", timeout=20, trust_env=False).json()["status"] == "ready"
        with ThreadPoolExecutor(1) as pool:
            made = pool.submit(make)
            while "gateway_requests_in_flight 2.0" not in httpx.get(f"{url}/metrics", timeout=20).text:
                time.sleep(0.02)
            process.process.terminate()
            process.find("(stopping: running requests have)")
            answer = httpx.get(f"{url}/readyz", timeout=20, trust_env=False)
            assert (answer.status_code, answer.json()["status"]) == (503, "stopping")
            assert httpx.get(f"{url}/healthz", timeout=20, trust_env=False).status_code == 200
            assert made.result().json()["status"] == "completed"
        assert process.wait() == 0
        last = "stopped workers=2" if workers == "2" else "stopped seconds="
        assert last in process.lines[-1]


@pytest.mark.parametrize(
    ("keys", "host", "warned"), [("", "0.0.0.0", True), ("a:gw-123456", "0.0.0.0", False), ("", "127.0.0.1", False)]
)
def test_gateway_that_is_open_to_everybody_warns(tmp_path: Path, keys: str, host: str, warned: bool) -> None:
    with running(
        tmp_path, "serve", "--port", "0", "--host", host, GATEWAY_KEYS=keys, GATEWAY_SECRET="x" * 32
    ) as process:
        process.find(rf"listening on (http://{host}:\d+), documentation at http://127.0.0.1:\d+/docs")
        assert process.end() == 0
        assert ("open to everybody who reaches http://0.0.0.0:" in process.output) is warned


def test_start_tells_what_it_runs_with(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    accounts = "".join(f'[[accounts]]\nname = "a{number}"\ncredential = "secret-{number}"\n' for number in (1, 2))
    archive = (tmp_path / "videos").as_uri()
    text = (
        f'port = 0\nkeys = ["me:gw-123456"]\nsecret = ["{"x" * 32}"]\npass_through = true\narchive_url = "{archive}"\n'
    )
    file.write_text(f"{text}{accounts}[providers.dashscope]\ncredentials = ['sk-secret']\n")
    with running(tmp_path, "serve", "--config", str(file), JIMENG_BASE_URL="http://user:pw@127.0.0.1:9") as process:
        process.find(r"listening on (http://\S+),")
        assert process.end() == 0
        (line,) = (line for line in process.lines if "listening on" in line)
        for field in (
            f"configuration={file}",
            'mode="keys and pass-through"',
            "keys=1",
            'accounts="dashscope 1, jimeng 2"',
            f"archive={archive}",
            'upstreams="jimeng 127.0.0.1:9"',
        ):
            assert field in line
        assert "secret" not in process.output and "pw" not in process.output


def test_workers_share_a_port_and_a_secret(tmp_path: Path) -> None:
    configured = {"GATEWAY_KEYS": "bob:gw-123456", "JIMENG_TOKENS": "session-one"}
    argv = ("serve", "--port", "0", "--workers", "2", "--sandbox", "--task-seconds", "60")
    with running(tmp_path, *argv, **configured) as process:
        url = process.find(r"listening on (http://\S+),")
        headers = {"authorization": "Bearer gw-123456", "connection": "close"}
        with httpx.Client(base_url=url, headers=headers, timeout=20, trust_env=False) as client:
            task = client.post("/v1/videos/generations", json={"prompt": "a cat"}).json()["task_id"]
            assert task.startswith("video_")
            assert {client.get(f"/v1/videos/tasks/{task}").status_code for _ in range(12)} == {200}
        assert process.end() == 0
        assert "Traceback" not in process.output
        for remark in ("GATEWAY_SECRET is not set", "GATEWAY_ADMIN_KEY is not set"):
            assert process.output.count(remark) == 1


def test_configuration_file_reaches_the_workers(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('log_format = "json"\nlanguage = "en"\nport = 0\nworkers = 2\n')
    with running(tmp_path, "serve", "--config", str(file)) as process:
        url = process.find(r'listening on (http://\S+),.*"')
        refused = httpx.get(f"{url}/v1/models", timeout=20, trust_env=False).json()
        assert refused["error"]["message"].startswith("Missing credential")
        assert process.end() == 0


@pytest.mark.parametrize(("options", "folders"), [((), 1), (("--no-draw",), 0)], ids=["draws", "does not draw"])
def test_stopped_sandbox_leaves_no_drawn_clips(tmp_path: Path, options: tuple[str, ...], folders: int) -> None:
    for name in ("bin", "tmp"):
        (tmp_path / name).mkdir()
    program = tmp_path / "bin" / "ffmpeg"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    places = {"PATH": f"{program.parent}:{os.environ['PATH']}", "TMPDIR": str(tmp_path / "tmp")}
    with running(tmp_path, "sandbox", "--port", "0", *options, **places) as process:
        process.find("Ready for any (credential)")
        assert len(list((tmp_path / "tmp").iterdir())) == folders
        assert process.end() == 0
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize("command", ["serve", "sandbox"])
def test_port_in_use_is_one_line(tmp_path: Path, command: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with running(tmp_path, command, "--port", str(port)) as process:
            assert process.wait() == 1
            assert process.output == (
                f"error: port {port} on 127.0.0.1 is already in use: stop the process that uses it, "
                "or choose another with --port\n"
            )


@pytest.mark.parametrize("workers", ["1", "2"])
def test_invalid_account_stops_the_start(tmp_path: Path, workers: str) -> None:
    environment = {"JIMENG_TOKENS": "good,bad;one", "GATEWAY_KEYS": "gw-123456", "GATEWAY_SECRET": "x" * 32}
    with running(tmp_path, "serve", "--port", "0", "--workers", workers, **environment) as process:
        assert process.wait() == 2
        assert process.output == "error: configuration: JIMENG_TOKENS: entry 2 is not a credential of jimeng\n"


def test_sandbox_runs_alone(tmp_path: Path) -> None:
    with running(tmp_path, "sandbox", "--port", "0", "--task-seconds", "0.1", "--credits", "5") as process:
        process.find(r"(Ready) for any credential of the right form")
        url = process.find(r"JIMENG_BASE_URL=(http://\S+)\n")
        assert f"DASHSCOPE_BASE_URL={url}/api/v1\n" in process.output
        assert re.search(r"^#fail=CODE\t[a-z, ]+\tfails with this code", process.output, re.MULTILINE)
        assert httpx.get(url, timeout=20, trust_env=False).text.startswith("video-gateway sandbox")
        assert process.end(signal.SIGINT) == 0


def test_printed_urls_can_be_opened() -> None:
    with listen("0.0.0.0", 0) as everywhere:
        assert url_of(everywhere) == f"http://127.0.0.1:{everywhere.getsockname()[1]}"
    if socket.has_ipv6:
        with contextlib.suppress(CommandError), listen("::1", 0) as six:
            assert url_of(six) == f"http://[::1]:{six.getsockname()[1]}"


@pytest.mark.parametrize("host", ["192.0.2.1", "no host"])
def test_address_of_another_machine_cannot_be_bound(host: str) -> None:
    with pytest.raises(CommandError, match=re.escape(f"cannot listen on {host}, port 0 (")):
        listen(host, 0)


def test_metrics_of_all_workers_are_summed(tmp_path: Path) -> None:
    with running(tmp_path, "serve", "--sandbox", "--port", "0", "--workers", "2") as process:
        url = process.find(r"listening on (http://\S+),")
        for _ in range(40):
            # A connection each, so that both of them get some.
            assert httpx.get(f"{url}/v1/models", headers=KEY, timeout=20).status_code == 200
        for _ in range(4):
            text = httpx.get(f"{url}/metrics", timeout=20).text
            counted = re.search(
                r'gateway_request_duration_seconds_count\{method="GET",route="/v1/models",status="200"\} (\S+)', text
            )
            assert counted
            assert float(counted[1]) == 40
            assert re.search(r"^process_resident_memory_bytes [1-9]", text, re.MULTILINE)
            assert "_created" not in text
        assert process.end() == 0
