"""Archived videos of an upstream that has lost them, at gateways without state."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from providers.sandbox.server import SandboxServer
from tests.archives import ArchiveLocation, new_location
from tests.e2e.archived_videos import (
    CLIP,
    COVER,
    HOUR,
    JIMENG,
    PROMPT_UPSTREAM,
    WAN,
    WAN_OF_REFERENCES,
    Clock,
    Video,
    content,
    etag,
    listed,
    poll,
    retrieve,
    serving,
    submit,
    until_archived,
)
from tests.e2e.conftest import bearer
from tests.e2e.test_openai_videos import error_code, finish
from tests.e2e.test_poll_shortcut import same

# --- when everything is lost ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Lost:
    """An archive, and an upstream that has lost its tasks."""

    location: ArchiveLocation
    upstream: SandboxServer
    videos: dict[str, Video]
    client: httpx.Client
    """Of a gateway that all tests share. `fresh` gives one that has seen nothing."""

    @contextmanager
    def fresh(self) -> Iterator[httpx.Client]:
        with serving(self.upstream, self.location) as client:
            yield client


@pytest.fixture(scope="module")
def lost(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lost]:
    kind = request.param
    session, key = f"session-lost-{kind}", f"sk-lost-{kind}"
    # An hour ago, since what was submitted just now would be taken for too new to be seen.
    clock = Clock(-HOUR)
    with pytest.MonkeyPatch.context() as monkeypatch:
        location = new_location(kind, tmp_path_factory.mktemp("lost"), monkeypatch)
        with SandboxServer(PROMPT_UPSTREAM, clock=clock.now) as before, serving(before, location, clock) as client:
            ids = {
                "Jimeng, signed": (submit(client, session, signed=True), session),
                "Jimeng, native": (submit(client, session), session),
                "DashScope, signed": (submit(client, key, WAN, signed=True), key),
                "DashScope, native": (submit(client, key, WAN), key),
                "references": (submit(client, key, WAN_OF_REFERENCES, signed=True), key),
            }
            videos = {name: until_archived(client, id, secret) for name, (id, secret) in ids.items()}
        with SandboxServer(PROMPT_UPSTREAM) as upstream, serving(upstream, location) as client:
            yield Lost(location, upstream, videos, client)


ONE_STORE = pytest.mark.parametrize("lost", ["file"], indirect=True)
BUCKET = pytest.mark.parametrize("lost", ["s3"], indirect=True)
EITHER_STORE = pytest.mark.parametrize("lost", ["file", "s3"], indirect=True)
NAMES = ("Jimeng, signed", "Jimeng, native", "DashScope, signed", "DashScope, native")
EACH = pytest.mark.parametrize("name", NAMES)


def same_task(told: dict[str, Any], made: Video) -> bool:
    return {**told, "result": None, "data": None} == {**made.task, "result": None, "data": None}


def same_video(told: dict[str, Any], made: Video) -> bool:
    return {**told, "url": None} == {**made.video, "url": None}


FIRST: dict[str, Callable[[httpx.Client, Video], bool]] = {
    "poll": lambda client, made: same_task(poll(client, made.id, made.secret), made),
    "many": lambda client, made: same_task(listed(client, made.id, made.secret), made),
    "retrieve": lambda client, made: same_video(retrieve(client, made.id, made.secret), made),
    "content": lambda client, made: content(client, made.id, made.secret).content == CLIP,
    "thumbnail": lambda client, made: (
        content(client, made.id, made.secret, variant="thumbnail").status_code
        == (200 if made.provider == "jimeng" else 404)
    ),
}


class TestRestored:
    @ONE_STORE
    @pytest.mark.parametrize("first", FIRST)
    def test_new_gateway_answers_any_first_request_from_the_archive(self, lost: Lost, first: str) -> None:
        with lost.fresh() as client:
            for name in NAMES:
                assert FIRST[first](client, lost.videos[name]), name
            for name in NAMES:
                for then in FIRST.values():
                    assert then(client, lost.videos[name]), name

    @BUCKET
    def test_new_gateway_answers_from_a_bucket(self, lost: Lost) -> None:
        with lost.fresh() as client:
            for name in NAMES:
                assert all(ask(client, lost.videos[name]) for ask in FIRST.values()), name

    @ONE_STORE
    def test_tasks_of_several_upstreams_are_polled_in_one_request(self, lost: Lost) -> None:
        made = [lost.videos[name] for name in NAMES]
        secrets = dict.fromkeys(one.secret for one in made)
        with lost.fresh() as client:
            answer = client.get(f"/v1/videos/tasks?ids={','.join(one.id for one in made)}", headers=bearer(*secrets))
        told = answer.json()["data"]
        assert all(same_task(*pair) for pair in zip(told, made, strict=True))

    @ONE_STORE
    @pytest.mark.parametrize("last", [True, False], ids=["last", "first"])
    def test_task_is_found_for_one_of_several_credentials(self, lost: Lost, last: bool) -> None:
        others = ("session-other", "sk-other")
        with lost.fresh() as client:
            for name in NAMES:
                made = lost.videos[name]
                secrets = (*others, made.secret) if last else (made.secret, *others)
                answer = content(client, made.id, *secrets)
                assert (answer.status_code, answer.content) == (200, CLIP), answer.text[:300]
                assert same_task(poll(client, made.id, *secrets), made)
                assert same_task(listed(client, made.id, *secrets), made)
                assert same_video(retrieve(client, made.id, *secrets), made)

    @EITHER_STORE
    @EACH
    def test_another_credential_finds_no_archived_task(self, lost: Lost, name: str) -> None:
        made = lost.videos[name]
        # The owner has just been here.
        poll(lost.client, made.id, made.secret)
        for secrets in (["session-stranger", "sk-stranger"], ["session-1", "session-2", "sk-1", "sk-2"]):
            for path in ("tasks/{id}", "{id}", "{id}/content", "{id}/content?variant=thumbnail"):
                answer = lost.client.get(f"/v1/videos/{path}".format(id=made.id), headers=bearer(*secrets))
                assert error_code(answer, 404) == "task_not_found"

    @ONE_STORE
    @pytest.mark.parametrize("language", ["zh", "en"])
    @EACH
    def test_poll_shortcut_gives_the_same_response(self, lost: Lost, name: str, language: str) -> None:
        made = lost.videos[name]
        for path in ("/v1/videos/tasks/{id}", "/v1/videos/{id}", "/videos/{id}"):
            headers = bearer(made.secret) | {"Accept-Language": language}
            assert same(lost.client, path.format(id=made.id), headers).json()["archived"] is True

    @ONE_STORE
    def test_links_are_paths_of_the_gateway_that_lead_to_the_files(self, lost: Lost) -> None:
        made = lost.videos["Jimeng, signed"]
        result = poll(lost.client, made.id, made.secret)["result"]
        assert lost.client.get(result["url"], headers=bearer(made.secret)).content == CLIP
        assert lost.client.get(result["cover_url"], headers=bearer(made.secret)).content == COVER
        assert retrieve(lost.client, made.id, made.secret)["url"] == result["url"]
        assert {name: result[name] for name in ("width", "height", "duration")} == {
            name: made.task["result"][name] for name in ("width", "height", "duration")
        }

    @BUCKET
    @EACH
    def test_links_into_a_bucket_are_signed(self, lost: Lost, name: str) -> None:
        made = lost.videos[name]
        result = poll(lost.client, made.id, made.secret)["result"]
        answer = httpx.get(result["url"])
        assert (answer.status_code, answer.headers["content-type"], answer.content) == (200, "video/mp4", CLIP)
        assert 23 * HOUR < result["expires_at"] - time.time() <= 24 * HOUR
        if made.provider == "jimeng":
            assert httpx.get(result["cover_url"]).content == COVER
        assert httpx.get(result["url"].partition("?")[0] + ".jpg").status_code >= 400
        assert httpx.get(retrieve(lost.client, made.id, made.secret)["url"]).content == CLIP

    @EITHER_STORE
    def test_archived_content_honours_ranges(self, lost: Lost) -> None:
        made, size = lost.videos["Jimeng, native"], len(CLIP)
        for asked, start, stop in (
            ("bytes=4-7", 4, 8),
            ("bytes=0-0", 0, 1),
            (f"bytes={size - 10}-", size - 10, size),
            ("bytes=-5", size - 5, size),
            (f"bytes=100-{size * 2}", 100, size),
        ):
            answer = content(lost.client, made.id, made.secret, range=asked)
            assert (answer.status_code, answer.content) == (206, CLIP[start:stop])
            assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{size}"
            assert answer.headers["content-length"] == str(stop - start)
            assert answer.headers["etag"] == etag(CLIP)
        for beyond in (f"bytes={size}-", "bytes=-0"):
            answer = content(lost.client, made.id, made.secret, range=beyond)
            assert error_code(answer, 416) == "range_not_satisfiable"
            assert (answer.headers["content-range"], answer.headers["accept-ranges"]) == (f"bytes */{size}", "bytes")
        for unreadable in ("bytes=9-3", "lines=1-2", "bytes=0-1,4-5"):
            answer = content(lost.client, made.id, made.secret, range=unreadable)
            assert (answer.status_code, answer.content) == (200, CLIP)

    @EITHER_STORE
    def test_if_range_gives_a_part_only_of_the_same_file(self, lost: Lost) -> None:
        made = lost.videos["Jimeng, native"]
        part = content(lost.client, made.id, made.secret, range="bytes=4-7", if_range=etag(CLIP))
        assert (part.status_code, part.content) == (206, b"ftyp")
        whole = content(lost.client, made.id, made.secret, range="bytes=4-7", if_range='"of another"')
        assert (whole.status_code, whole.content) == (200, CLIP)

    @EITHER_STORE
    def test_archived_content_answers_head_with_its_headers(self, lost: Lost) -> None:
        made = lost.videos["Jimeng, native"]
        path, headers = f"/v1/videos/{made.id}/content", bearer(made.secret)
        for query, file, media_type, ending in (
            ("", CLIP, "video/mp4", "mp4"),
            ("thumbnail", COVER, "image/jpeg", "jpg"),
        ):
            address = f"{path}?variant={query}"
            answers = lost.client.head(address, headers=headers), lost.client.get(address, headers=headers)
            assert [answer.content for answer in answers] == [b"", file]
            for answer in answers:
                assert answer.status_code == 200
                assert {name: answer.headers[name] for name in ("content-length", "content-type", "etag")} == {
                    "content-length": str(len(file)),
                    "content-type": media_type,
                    "etag": etag(file),
                }
                assert answer.headers["content-disposition"] == f'attachment; filename="jimeng-{made.id}.{ending}"'
                assert answer.headers["accept-ranges"] == "bytes"
        head = lost.client.head(path, headers=headers | {"range": f"bytes={len(CLIP)}-"})
        assert (head.status_code, head.content) == (416, b"")

    @ONE_STORE
    def test_missing_cover_is_not_found(self, lost: Lost) -> None:
        made = lost.videos["DashScope, native"]
        answer = content(lost.client, made.id, made.secret, variant="thumbnail")
        assert error_code(answer, 404) == "not_found"

    @EITHER_STORE
    def test_remix_by_prompt_alone_needs_no_video(self, lost: Lost) -> None:
        made = lost.videos["Jimeng, native"]
        answer = lost.client.post(f"/v1/videos/{made.id}/remix", json={"prompt": "b"}, headers=bearer(made.secret))
        assert (answer.status_code, answer.json()["model"]) == (200, JIMENG), answer.text

    @ONE_STORE
    def test_archived_video_is_sent_to_the_upstream_as_a_file(self, lost: Lost) -> None:
        made = lost.videos["references"]
        for path, body in (
            (f"/v1/videos/{made.id}/remix", {"prompt": "b"}),
            ("/v1/videos/edits", {"prompt": "b", "video": {"id": made.id}}),
            ("/v1/videos/extensions", {"prompt": "b", "video": {"id": made.id}}),
        ):
            answer = lost.client.post(path, json=body, headers=bearer(made.secret))
            assert answer.status_code == 200, answer.text
        assert lost.upstream.sandbox.calls("dashscope", "/oss") > 0

    @BUCKET
    def test_video_in_a_bucket_is_sent_to_the_upstream_as_a_file(self, lost: Lost) -> None:
        made = lost.videos["references"]
        answer = lost.client.post(f"/v1/videos/{made.id}/remix", json={"prompt": "b"}, headers=bearer(made.secret))
        assert (answer.status_code, answer.json()["model"]) == (200, WAN_OF_REFERENCES), answer.text
        assert finish(lost.client, answer.json()["id"], made.secret)["status"] == "completed"

    @ONE_STORE
    def test_archived_task_cannot_be_cancelled(self, lost: Lost) -> None:
        for name in NAMES:
            made = lost.videos[name]
            answer = lost.client.delete(f"/v1/videos/{made.id}", headers=bearer(made.secret))
            assert answer.status_code in (404, 409)
            assert content(lost.client, made.id, made.secret).content == CLIP


def test_gateway_key_finds_its_own_tasks_in_the_archive(
    session: str, key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    location, clock = new_location("file", tmp_path, monkeypatch), Clock(-HOUR)
    managed: dict[str, Any] = {
        "keys": (SecretStr("alice:gw-alice"), SecretStr("bob:gw-bob")),
        "secret": (SecretStr("a long random text"),),
        "jimeng": {"credentials": (SecretStr(session),)},
        "dashscope": {"credentials": (SecretStr(key),)},
    }
    with (
        SandboxServer(PROMPT_UPSTREAM, clock=clock.now) as before,
        serving(before, location, clock, **managed) as client,
    ):
        ids = [submit(client, "gw-alice"), submit(client, "gw-alice", WAN, signed=True)]
        videos = [until_archived(client, id, "gw-alice") for id in ids]
    with SandboxServer(PROMPT_UPSTREAM) as empty, serving(empty, location, **managed) as client:
        for made in videos:
            for ask in FIRST.values():
                assert ask(client, made)
            native = made.home.rpartition("/")[2]
            for id, secret in ((made.id, "gw-bob"), (native, "gw-bob"), (native, "gw-alice")):
                for path in (f"tasks/{id}", id, f"{id}/content"):
                    answer = client.get(f"/v1/videos/{path}", headers=bearer(secret))
                    assert error_code(answer, 404) == "task_not_found"
