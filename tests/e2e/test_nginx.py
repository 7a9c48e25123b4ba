"""The nginx sample, started for real in front of two gateways."""

import asyncio
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import httpx_sse
import pytest
import websockets

from gateway.app import create_app
from gateway.cli.server.background import BackgroundServer
from gateway.core.settings import TimeoutSettings
from providers.sandbox.server import SandboxServer
from tests.e2e.conftest import FastClock, bearer, follow, settings_for
from tests.pictures import clip, data_url, picture

SAMPLE = Path(__file__).parents[2] / "deploy" / "nginx.conf"
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")

MAIN = """
{user}
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/site.conf;
}}
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def proxied(upstream: SandboxServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of nginx with the sample as its site, two gateways behind it."""
    folder = tmp_path_factory.mktemp("nginx")
    port = free_port()
    # A picture of many megabytes takes its time where the machine is busy.
    settings = settings_for(upstream, timeouts=TimeoutSettings())
    gateways = [BackgroundServer(create_app(settings, clock=FastClock())) for _ in range(2)]
    with gateways[0], gateways[1]:
        first, second = (gateway.url.removeprefix("http://") for gateway in gateways)
        site = SAMPLE.read_text("utf-8")
        site = site.replace("# server 127.0.0.1:5101;", f"server {second};").replace("127.0.0.1:5100", first)
        (folder / "site.conf").write_text(site.replace("listen 80;", f"listen 127.0.0.1:{port};"))
        # Started by root, its workers would become a user who may not write into the folder.
        user = "user root;" if os.getuid() == 0 else ""
        (folder / "nginx.conf").write_text(MAIN.format(folder=folder, user=user))
        assert NGINX
        with subprocess.Popen([NGINX, "-p", str(folder), "-c", str(folder / "nginx.conf")]) as process:
            try:
                wait_for(port, process)
                yield f"http://127.0.0.1:{port}"
            finally:
                process.terminate()
                process.wait(10)


def wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    give_up = time.monotonic() + 5
    while time.monotonic() < give_up and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError("nginx did not start with the sample")


def test_video_is_generated_through_the_proxy_and_both_gateways(proxied: str, session: str, key: str) -> None:
    with httpx.Client(base_url=proxied, timeout=10) as client:
        for model, credential in (("jimeng-video-3.0-fast", session), ("wan2.6-t2v", key)):
            body = {"model": model, "prompt": "x"}
            accepted = client.post("/v1/videos/generations", json=body, headers=bearer(credential))
            assert accepted.status_code == 200, accepted.text
            states = follow(client, accepted.json()["task_id"], credential)
            assert states[-1]["status"] == "completed"


def test_body_size_limit_of_the_proxy(proxied: str, key: str) -> None:
    with httpx.Client(base_url=proxied, timeout=10) as client:
        for megabytes, status in ((12, 200), (25, 413)):
            image = data_url(picture().ljust(megabytes * 1024 * 1024))
            body = {"model": "wan2.6-i2v", "prompt": "x", "image_url": image}
            answer = client.post("/v1/videos/generations", json=body, headers=bearer(key))
            assert answer.status_code == status


def test_form_may_be_larger_than_json(proxied: str, key: str) -> None:
    with httpx.Client(base_url=proxied, timeout=20) as client:
        files = {"video_file_1": clip().ljust(40 * 1024 * 1024)}
        answer = client.post("/v1/videos", data={"model": "wan2.7-i2v"}, files=files, headers=bearer(key))
        assert answer.status_code == 200, answer.text


async def test_events_come_through_the_proxy_without_delay(proxied: str, key: str) -> None:
    async with httpx.AsyncClient(base_url=proxied, headers=bearer(key), timeout=10) as client:
        body = {"model": "wan2.6-t2v", "prompt": "x #seconds=0.6"}
        id = (await client.post("/v1/videos/generations", json=body)).json()["task_id"]
        async with httpx_sse.aconnect_sse(client, "GET", f"/v1/videos/tasks/{id}/events") as source:
            times = [(event.event, time.monotonic()) async for event in source.aiter_sse()]
    assert [event for event, _ in times][-2:] == ["status", "end"]
    # A proxy that gathers events passes all of them on at the end.
    assert times[-1][1] - times[0][1] > 0.3


async def test_socket_comes_through_the_proxy(proxied: str, key: str) -> None:
    url = proxied.replace("http", "ws") + "/v1/videos/tasks/ws"
    async with websockets.connect(url, additional_headers=bearer(key)) as socket, asyncio.timeout(5):
        await socket.send('{"type": "ping"}')
        assert json.loads(await socket.recv()) == {"type": "pong"}


def test_request_id_is_the_same_in_proxy_and_gateway(proxied: str) -> None:
    assert len(httpx.get(f"{proxied}/healthz").headers["x-request-id"]) == 32
