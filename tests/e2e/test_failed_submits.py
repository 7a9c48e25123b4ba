"""What a failed submit leaves behind in the process."""

import base64
import gc
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.app import create_app
from gateway.cli.server.background import BackgroundServer
from gateway.core.settings import Settings, TimeoutSettings
from providers.contract.requests import Media, VideoRequest
from providers.sandbox.server import SandboxServer
from providers.transport.client import HttpClient
from providers.transport.transports import Reply
from tests.bench.held_memory import Case, gateway, growth_by_submits
from tests.e2e.conftest import FastClock, bearer, settings_for
from tests.pictures import picture


@contextmanager
def no_collection() -> Iterator[None]:
    """Without the garbage collector, which would hide what is held by cycles."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def closed_port() -> int:
    """A port of this machine on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def held() -> int:
    return sum(isinstance(one, Media | VideoRequest | Reply) for one in gc.get_objects())


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "k"}], ids=["without a key", "with a key"])
@pytest.mark.parametrize(
    ("model", "credential", "status"),
    [
        ("wan2.6-i2v", "sk-{port}", 502),
        ("jimeng-video-3.0-fast", "http://127.0.0.1:{port}@session{port}", 502),
        ("wan2.6-i2v", "sk-refused-{port}", 400),
        ("no-such-model", "sk-{port}", 404),
    ],
)
def test_failed_submit_holds_no_input(
    upstream: SandboxServer, model: str, credential: str, status: int, headers: dict[str, str]
) -> None:
    port = closed_port()
    changes: dict[str, Any] = {}
    if status == 502:
        dead = {"base_url": f"http://127.0.0.1:{port}"}
        changes = {"providers": {name: own.model_copy(update=dead) for name, own in upstream.settings().items()}}
    app = create_app(settings_for(upstream, timeouts=TimeoutSettings(), **changes), clock=FastClock())
    image = f"data:image/png;base64,{base64.b64encode(picture()).decode()}"
    body = {"model": model, "prompt": "x #refuse=InvalidParameter", "image": image}
    sent = bearer(credential.format(port=port)) | headers
    with BackgroundServer(app) as server, httpx.Client(base_url=server.url, timeout=20) as client:
        assert client.post("/v1/videos/generations", json=body, headers=sent).status_code == status
        with no_collection():
            before = held()
            for number in range(3):
                again = sent | ({"Idempotency-Key": f"k{number}"} if headers else {})
                assert client.post("/v1/videos/generations", json=body, headers=again).status_code == status
            # The last request may still be ending.
            for _ in range(100):
                if held() <= before:
                    break
                time.sleep(0.01)
            assert held() <= before


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "k"}], ids=["without a key", "with a key"])
def test_upload_that_is_tried_again_holds_no_response(headers: dict[str, str]) -> None:
    page = httpx.Response(200, text="<html>" + "x" * 100_000)
    http = HttpClient(transport=lambda proxy: httpx.MockTransport(lambda request: page))
    app = create_app(Settings.model_construct(), http=http, clock=FastClock())
    # Too large to be sent in the body, so that it is uploaded.
    image = f"data:image/png;base64,{base64.b64encode(picture().ljust(8_000_000)).decode()}"
    body = {"model": "wan2.6-i2v", "prompt": "x", "image": image}
    with BackgroundServer(app) as server, httpx.Client(base_url=server.url, timeout=20) as client, no_collection():
        before = held()
        for number in range(3):
            sent = bearer("sk-page") | ({"Idempotency-Key": f"k{number}"} if headers else {})
            answer = client.post("/v1/videos/generations", json=body, headers=sent)
            assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_unavailable")
        for _ in range(100):
            if held() <= before:
                break
            time.sleep(0.01)
        assert held() <= before


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
@pytest.mark.parametrize("keyed", [False, True], ids=["without a key", "with a key"])
def test_failed_submits_of_8_mb_leave_less_than_20_mb(tmp_path: Path, keyed: bool) -> None:
    port = closed_port()
    case = Case("dead proxy", port, "jimeng-video-3.0-fast", f"http://127.0.0.1:{port}@deadsession")
    with gateway(tmp_path, port) as (url, pid):
        assert growth_by_submits(url, pid, case, count=10, keyed=keyed) < 20
