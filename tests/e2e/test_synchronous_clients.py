"""Client programs of the Jimeng proxies: they expect the video in the answer to the submit, or poll other paths."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from gateway.app import create_app
from gateway.cli.server.background import BackgroundServer
from gateway.core.settings import ApiSettings
from providers.sandbox.files import PICTURES
from providers.sandbox.server import SandboxServer
from tests.e2e.client_programs import JOURNEYS
from tests.e2e.conftest import FastClock, bearer, settings_for
from tests.e2e.generations import JIMENG
from tests.environment import bare


@pytest.fixture(scope="module")
def holding(upstream: SandboxServer) -> Iterator[str]:
    settings = settings_for(upstream, api=ApiSettings(hold_submits=True))
    with BackgroundServer(create_app(settings, clock=FastClock())) as server:
        yield server.url


def generate(url: str, *arguments: str) -> dict[str, Any]:
    command = [sys.executable, str(JOURNEYS / "synchronous_client.py"), url, *arguments]
    env = bare(os.environ) | {"NO_PROXY": "*"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=env)
    assert done.returncode == 0, done.stderr
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen


@pytest.mark.parametrize("picture", [(), (str(PICTURES / "cat.png"),)], ids=["text", "picture"])
def test_it_has_its_video_for_one_charge(
    holding: str, upstream: SandboxServer, session: str, picture: tuple[str, ...]
) -> None:
    seen = generate(holding, f"{session}-a,{session}-b", "a cat", *picture)
    assert seen["tried"] == [f"{session}-a"]
    assert httpx.get(seen["url"]).headers["content-type"] == "video/mp4"
    assert [upstream.sandbox.submits("jimeng", f"{session}-{name}") for name in "ab"] == [1, 0]


def test_account_without_credits_leaves_it_the_next_token(holding: str, upstream: SandboxServer, session: str) -> None:
    seen = generate(holding, f"{session}-poor,{session}-b", "a cat")
    assert (seen["tried"], bool(seen["url"])) == ([f"{session}-poor", f"{session}-b"], True)
    assert [upstream.sandbox.submits("jimeng", f"{session}-{name}") for name in ("poor", "b")] == [0, 1]


@pytest.mark.parametrize(
    ("submit", "poll"),
    [
        ("/v1/videos/generations/async", "/v1/videos/generations/async/{id}"),
        ("/v1/videos/generations", "/v1/videos/generations/{id}"),
        ("/v1/video/generations", "/v1/video/generations/{id}"),
        ("/videos/generations", "/videos/tasks/{id}"),
        ("/v1/v1/videos/generations/", "/v1/v1/videos/generations/{id}/"),
    ],
)
def test_client_that_polls_another_path_finds_its_video(
    client: httpx.Client, upstream: SandboxServer, session: str, submit: str, poll: str
) -> None:
    client.headers.update(bearer(session))
    accepted = client.post(submit, json={"model": JIMENG, "prompt": "a cat"}).json()
    for _ in range(200):
        task = client.get(poll.format(id=accepted["task_id"])).json()
        if task["status"] in ("completed", "failed"):
            break
        time.sleep(0.02)
    assert task["data"][0]["url"] == task["result"]["url"]
    assert upstream.sandbox.submits("jimeng", session) == 1
