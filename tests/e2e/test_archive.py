"""Finished videos are archived and served from there, also by gateways without any other state."""

import json
import statistics
import time
from pathlib import Path

import httpx
import pytest

from gateway.core.settings import ArchiveSettings
from providers.sandbox.server import SandboxServer
from tests.archives import new_location
from tests.e2e.archived_videos import (
    CLIP,
    COVER,
    HOUR,
    JIMENG,
    PROMPT_UPSTREAM,
    WAN,
    Clock,
    content,
    etag,
    poll,
    serving,
    submit,
    until_archived,
)
from tests.e2e.conftest import bearer, follow
from tests.e2e.test_openai_videos import error_code, finish

BOTH_STORES = pytest.mark.parametrize("kind", ["file", "s3"])


# --- while everything is there ----------------------------------------------------------------------------------


@BOTH_STORES
def test_finished_video_is_archived(
    kind: str, upstream: SandboxServer, session: str, key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    location = new_location(kind, tmp_path, monkeypatch)
    with serving(upstream, location) as client:
        native, signed = submit(client, session), submit(client, key, WAN, signed=True)
        failing = submit(client, session, prompt="a #fail=2038")
        assert location.visible() == set()
        videos = [until_archived(client, native, session), until_archived(client, signed, key)]
        assert location.visible() == videos[0].paths | videos[1].paths
        for made in videos:
            fields = list(made.task)
            assert fields[fields.index("result") + 1] == "archived"
            assert (made.video["archived"], made.video["expires_at"]) == (True, None)
            # As long as the upstream gives a link, it is told.
            assert made.task["result"]["url"].startswith(upstream.url)
            answer = content(client, made.id, made.secret)
            assert (answer.status_code, answer.headers["etag"], answer.content) == (200, etag(CLIP), CLIP)
        assert "archived" not in follow(client, failing, session)[-1]
        assert 'gateway_archive_copies_total{outcome="copied"}' in client.get("/metrics").text
        if location.folder:
            assert (location.folder / f"{videos[0].home}.mp4").read_bytes() == CLIP
            assert (location.folder / f"{videos[0].home}.jpg").read_bytes() == COVER
            record = json.loads((location.folder / f"{videos[0].home}.json").read_text())
            assert (record["id"], record["model"], record["prompt"]) == (native, JIMENG, None)


def test_without_an_archive_responses_do_not_mention_it(client: httpx.Client, session: str) -> None:
    id = submit(client, session)
    task, video = follow(client, id, session)[-1], finish(client, id, session)
    assert "archived" not in task
    assert "archived" not in video
    assert video["expires_at"]


def test_submitted_task_is_archived_without_a_poll(
    upstream: SandboxServer, session: str, key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    location = new_location("file", tmp_path, monkeypatch)
    assert location.folder
    with serving(upstream, location, archive=ArchiveSettings(follow=True, prompt=True)) as client:
        ids = [submit(client, session, prompt="a cat"), submit(client, key, WAN, prompt="a dog")]
        give_up = time.monotonic() + 8
        while sum(path.startswith("index/") for path in location.visible()) < 2 and time.monotonic() < give_up:
            time.sleep(0.02)
    records = [json.loads(file.read_text()) for file in location.folder.rglob("*.json")]
    assert {record["id"]: record["prompt"] for record in records} == dict(zip(ids, ("a cat", "a dog"), strict=True))


def test_unreachable_archive_neither_fails_nor_delays_requests(
    upstream: SandboxServer, session: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    location = new_location("file", tmp_path, monkeypatch)
    assert location.folder
    with serving(upstream, location) as client:
        # Nobody can write below what is no folder, not even root.
        location.folder.rmdir()
        location.folder.write_bytes(b"")
        id = submit(client, session)
        follow(client, id, session)
        took = []
        for _ in range(20):
            began = time.monotonic()
            task = poll(client, id, session)
            took.append(time.monotonic() - began)
            assert "archived" not in task
            assert "stale" not in task
        assert statistics.median(took) < 0.3
        assert content(client, id, session).content == CLIP
        # Of a task that the upstream does not know nobody can say that it is gone.
        answer = client.get("/v1/videos/7535099487211244578", headers=bearer(session))
        assert error_code(answer, 502) == "upstream_unavailable"
        assert answer.headers["x-should-retry"] == "true"

        # It is kept once that is possible.
        location.folder.unlink()
        until_archived(client, id, session)


# --- when the upstream forgets ----------------------------------------------------------------------------------


def test_archived_video_is_served_after_the_upstream_forgot_the_task(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    location, clock = new_location("file", tmp_path, monkeypatch), Clock()
    with SandboxServer(PROMPT_UPSTREAM, clock=clock.now) as upstream, serving(upstream, location, clock) as client:
        made = until_archived(client, submit(client, key, WAN, signed=True), key)
        lost = until_archived(client, submit(client, key, WAN), key)
        assert location.folder
        (location.folder / f"{lost.home}.mp4").unlink()
        clock.by = 25 * HOUR
        assert httpx.get(made.task["result"]["url"]).status_code == 403

        task = poll(client, made.id, key)
        assert task["result"]["url"] == f"/v1/videos/{made.id}/content"
        assert {**task, "result": None, "data": None} == {**made.task, "result": None, "data": None}
        assert content(client, made.id, key).content == CLIP
        # What somebody has deleted is gone, whatever the record says of it.
        assert error_code(content(client, lost.id, key), 404) == "task_not_found"
