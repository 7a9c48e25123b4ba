"""The sandbox on a port: quick to start, quick to stop, on an address of its own."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import httpx
import pytest

from providers.sandbox.server import SandboxServer


def test_it_starts_and_stops_quickly_with_connections_open() -> None:
    started = time.perf_counter()
    server = SandboxServer().start()
    assert time.perf_counter() - started < 0.3
    with httpx.Client(base_url=server.url) as client:
        assert client.get("/").status_code == 200
        stopping = time.perf_counter()
        server.stop()
        assert time.perf_counter() - stopping < 0.3
        with pytest.raises(httpx.TransportError):
            client.get("/")
    server.stop()


def test_it_stops_quickly_while_an_answer_hangs() -> None:
    def ask() -> int:
        body = {"model": "qwen-plus", "messages": [{"role": "user", "content": "x #hang-before"}]}
        headers = {"Authorization": "Bearer sk-1"}
        with httpx.Client(timeout=5) as client:
            return client.post(f"{server.compatible_url}/chat/completions", json=body, headers=headers).status_code

    with ThreadPoolExecutor(1) as pool:
        with SandboxServer() as server:
            asked = pool.submit(ask)
            while not server.sandbox.calls("chat"):
                time.sleep(0.002)
            stopping = time.perf_counter()
        assert time.perf_counter() - stopping < 0.3
        with pytest.raises(httpx.TransportError):
            asked.result()


def test_the_addresses() -> None:
    with SandboxServer() as server:
        assert urlsplit(server.url).hostname == "127.0.0.1"
        assert server.jimeng_url == server.url
        assert (server.imagex_url, server.vod_url) == (f"{server.url}/imagex", f"{server.url}/vod")
        assert server.dashscope_url == f"{server.url}/api/v1"
        assert server.modelscope_url == f"{server.url}/v1"
        assert server.compatible_url == f"{server.url}/compatible-mode/v1"
        assert server.sandbox.calls() == 0


def test_two_servers_live_side_by_side() -> None:
    with SandboxServer() as first, SandboxServer() as second:
        assert first.url != second.url
        httpx.get(f"{first.modelscope_url}/models")
        assert (first.sandbox.calls(), second.sandbox.calls()) == (1, 0)


def test_server_that_never_started_can_be_stopped() -> None:
    server = SandboxServer()
    server.stop()
    port = urlsplit(server.url).port
    assert port
    with socket.create_server(("127.0.0.1", port)):
        pass


def test_given_port_is_used() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with SandboxServer(port=port) as server:
        assert server.url == f"http://127.0.0.1:{port}"
