"""The OpenAI Videos API over real HTTP: what the libraries do not show."""

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from gateway.api.schemas.responses import ErrorBody, VideoList, VideoObject
from gateway.app import create_app
from gateway.cli.server.background import BackgroundServer
from providers.sandbox.server import SandboxServer
from providers.sandbox.settings import SandboxSettings
from tests.e2e.conftest import UPSTREAM, FastClock, bearer, settings_for
from tests.e2e.test_openai_clients import boxes
from tests.pictures import picture

JIMENG, WAN = "jimeng-video-3.0-fast", "wan2.6-t2v"


def create(client: httpx.Client, credential: str, prefix: str = "/v1", **body: Any) -> dict[str, Any]:
    answer = client.post(f"{prefix}/videos", json={"prompt": "x", **body}, headers=bearer(*credential.split(",")))
    assert answer.status_code == 200, answer.text
    VideoObject.model_validate(answer.json())
    return answer.json()  # type: ignore[no-any-return]


def finish(client: httpx.Client, id: str, credential: str) -> dict[str, Any]:
    give_up = time.monotonic() + 8
    while time.monotonic() < give_up:
        answer = client.get(f"/v1/videos/{id}", headers=bearer(*credential.split(",")))
        assert answer.status_code == 200, answer.text
        video = answer.json()
        VideoObject.model_validate(video)
        if video["status"] in ("completed", "failed"):
            return video  # type: ignore[no-any-return]
        assert answer.headers["openai-poll-after-ms"].isdigit()
        assert video["status"] in ("queued", "in_progress")
        time.sleep(0.02)
    raise AssertionError("not finished")


def error_code(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    ErrorBody.model_validate(answer.json())
    return answer.json()["error"]["code"]  # type: ignore[no-any-return]


class TestObjects:
    def test_fields_of_a_new_video(self, client: httpx.Client, session: str) -> None:
        video = create(client, session, model=JIMENG, seconds="5", size="720x1280")
        assert list(video)[:12] == [
            *("id", "object", "created_at", "model", "status", "progress", "seconds", "size"),
            *("completed_at", "expires_at", "remixed_from_video_id", "error"),
        ]
        assert (video["seconds"], video["size"], video["provider"]) == ("5", "720x1280", "jimeng")

    def test_seconds_chosen_by_the_model_appear_when_known(self, client: httpx.Client, key: str) -> None:
        video = create(client, key, model="wan3.0-video", seconds="-1")
        assert video["seconds"] == "0"
        assert finish(client, video["id"], key)["seconds"] == "5"
        assert client.get("/v1/videos", headers=bearer(key)).json()["data"][0]["seconds"] != "-1"

    def test_prompt_of_a_new_video_is_shown_as_written(self, client: httpx.Client, session: str) -> None:
        """The submitted prompt also contains the camera."""
        video = create(client, session, model=JIMENG, prompt="a cat", camera_movement="pan left")
        assert video["prompt"] == "a cat"

    @pytest.mark.parametrize(
        ("model", "seconds", "size", "given_seconds", "given_size"),
        [
            ("jimeng-video-3.0-fast", 4, "1280x720", "5", "1280x720"),
            ("jimeng-video-seedance-2.0-fast", 12, "1024x1792", "12", "720x1280"),
            ("jimeng-video-3.0-fast", "12", "1792x1024", "10", "1920x1080"),
        ],
    )
    def test_size_and_seconds_are_snapped_to_the_nearest_and_shown(
        self,
        client: httpx.Client,
        session: str,
        model: str,
        seconds: object,
        size: str,
        given_seconds: str,
        given_size: str,
    ) -> None:
        video = create(client, session, model=model, seconds=seconds, size=size)
        assert (video["seconds"], video["size"]) == (given_seconds, given_size)

    def test_both_surfaces_accept_both_kinds_of_ids(self, client: httpx.Client, session: str) -> None:
        signed = create(client, session, model=JIMENG)["id"]
        task = client.get(f"/v1/videos/tasks/{signed}", headers=bearer(session)).json()
        assert (task["task_id"], task["model"]) == (signed, JIMENG)
        body = {"model": JIMENG, "prompt": "x"}
        native = client.post("/v1/videos/generations", json=body, headers=bearer(session)).json()["task_id"]
        assert finish(client, native, session)["id"] == native

    def test_paths_without_the_version_work(self, client: httpx.Client, session: str) -> None:
        id = create(client, session, prefix="", model=JIMENG)["id"]
        assert client.get(f"/videos/{id}", headers=bearer(session)).json()["id"] == id
        assert client.get("/videos", headers=bearer(session)).json()["object"] == "list"

    def test_former_model_names_mean_the_default(self, client: httpx.Client, session: str, key: str) -> None:
        assert create(client, session, model="sora-2")["model"] == "jimeng-video-seedance-2.0-fast"
        assert create(client, key, model="sora-2-pro")["model"] == WAN
        for name in ("Sora-2", "sora-2-2025-10-06", "sora-2-pro-2025-10-06", "SORA-2-2025-12-08"):
            assert create(client, key, model=name)["model"] == WAN
            assert client.get(f"/v1/models/{name}", headers=bearer(key)).json()["alias_of"] == WAN
        models = client.get("/v1/models", headers=bearer(key)).json()["data"]
        assert {"sora-2", "sora-2-pro"} <= {row["id"] for row in models}

    def test_failed_video_has_an_error(self, client: httpx.Client, session: str) -> None:
        video = finish(client, create(client, session, model=JIMENG, prompt="x #fail=2038")["id"], session)
        assert video["status"] == "failed"
        assert (video["error"]["code"], video["error"]["upstream_code"]) == ("content_policy_violation", "2038")
        assert video["error"]["message"].startswith("内容违规")


class TestContent:
    def test_content_is_served_whole_and_in_ranges(self, client: httpx.Client, session: str) -> None:
        id = create(client, session, model=JIMENG)["id"]
        finish(client, id, session)
        path = f"/v1/videos/{id}/content"
        whole = client.get(path, headers=bearer(session))
        assert whole.headers["content-type"] == "video/mp4"
        assert b"moov" in boxes(whole.content)
        assert int(whole.headers["content-length"]) == len(whole.content)
        assert len(whole.headers["content-disposition"].partition("filename=")[2]) <= 80
        head = client.head(path, headers=bearer(session))
        assert (head.status_code, head.headers["content-length"], head.content) == (200, str(len(whole.content)), b"")
        part = client.get(path, headers=bearer(session) | {"range": "bytes=4-7"})
        assert (part.status_code, part.content) == (206, b"ftyp")
        assert part.headers["content-range"] == f"bytes 4-7/{len(whole.content)}"
        beyond = client.get(path, headers=bearer(session) | {"range": "bytes=99999999-"})
        assert beyond.status_code == 416
        cover = client.get(f"{path}?variant=thumbnail", headers=bearer(session))
        assert (cover.headers["content-type"], cover.content[:3]) == ("image/jpeg", b"\xff\xd8\xff")

    def test_unavailable_content_is_not_ready_or_not_found(self, client: httpx.Client, session: str, key: str) -> None:
        id = create(client, session, model=JIMENG, prompt="x #stuck")["id"]
        assert error_code(client.get(f"/v1/videos/{id}/content", headers=bearer(session)), 400) == "not_ready"
        answer = client.get(f"/v1/videos/{id}/content?variant=spritesheet", headers=bearer(session))
        assert error_code(answer, 400) == "invalid_value"
        failed = create(client, session, model=JIMENG, prompt="x #fail=5001")["id"]
        finish(client, failed, session)
        assert error_code(client.get(f"/v1/videos/{failed}/content", headers=bearer(session)), 400) == "not_ready"
        plain = create(client, key, model=WAN)["id"]
        finish(client, plain, key)
        answer = client.get(f"/v1/videos/{plain}/content?variant=thumbnail", headers=bearer(key))
        assert error_code(answer, 404) == "not_found"

    def test_video_is_not_called_unfinished_when_no_upstream_answers(self, session: str) -> None:
        """For a task that its upstream shows at once; one that it hides is taken for new."""
        with SandboxServer(replace(UPSTREAM, visible_after=0.0)) as upstream:
            first, replica = (BackgroundServer(create_app(settings_for(upstream))) for _ in range(2))
            with first, replica, httpx.Client(base_url=first.url) as client:
                id = create(client, session, model=JIMENG, prompt="x #poll-500")["id"]
                answer = httpx.get(f"{replica.url}/v1/videos/{id}/content", headers=bearer(session))
        assert error_code(answer, 502) == "upstream_unavailable"
        assert answer.headers["x-should-retry"] == "true"

    def test_dead_link_is_an_error(self, client: httpx.Client, session: str) -> None:
        id = create(client, session, model=JIMENG, prompt="x #link-404")["id"]
        finish(client, id, session)
        assert client.get(f"/v1/videos/{id}/content", headers=bearer(session)).status_code == 404

    def test_expired_link_is_renewed(self, session: str) -> None:
        """The cached state is finished, and its link has expired since."""
        character = SandboxSettings(task_seconds=0.05, visible_after=0.0, link_seconds=1)
        with (
            SandboxServer(character) as short,
            BackgroundServer(create_app(settings_for(short, poll_freshness=60.0))) as server,
            httpx.Client(base_url=server.url) as client,
        ):
            id = create(client, session, model=JIMENG)["id"]
            time.sleep(0.1)
            video = finish(client, id, session)
            give_up = time.monotonic() + 5
            while httpx.get(video["url"]).status_code == 200 and time.monotonic() < give_up:
                time.sleep(0.1)
            assert client.get(f"/v1/videos/{id}", headers=bearer(session)).json()["url"] == video["url"]
            answer = client.get(f"/v1/videos/{id}/content", headers=bearer(session))
            assert (answer.status_code, answer.content[4:8]) == (200, b"ftyp")


class TestReuse:
    def test_remix_without_references_submits_the_model_with_the_new_prompt(
        self, client: httpx.Client, session: str
    ) -> None:
        id = create(client, session, model=JIMENG, seconds=10, size="720x1280")["id"]
        answer = client.post(f"/v1/videos/{id}/remix", json={"prompt": "y"}, headers=bearer(session))
        video = answer.json()
        assert (video["model"], video["seconds"], video["size"]) == (JIMENG, "10", "720x1280")
        assert video["remixed_from_video_id"] == id

    def test_remix_sends_the_earlier_video_as_a_reference(self, client: httpx.Client, key: str) -> None:
        id = create(client, key, model="wan3.0-video")["id"]
        answer = client.post(f"/v1/videos/{id}/remix", json={"prompt": "y"}, headers=bearer(key))
        assert error_code(answer, 400) == "not_ready"
        finish(client, id, key)
        answer = client.post(f"/v1/videos/{id}/remix", json={"prompt": "y"}, headers=bearer(key))
        assert (answer.status_code, answer.json()["model"]) == (200, "wan3.0-video")

    def test_edits_and_extensions_use_models_that_support_them(self, client: httpx.Client, key: str) -> None:
        id = create(client, key, model=WAN, seconds=5)["id"]
        finish(client, id, key)
        files = {"prompt": (None, "y"), "video[id]": (None, id)}
        edited = client.post("/v1/videos/edits", files=files, headers=bearer(key))
        assert (edited.status_code, edited.json()["model"]) == (200, "wan2.7-videoedit"), edited.text
        extended = client.post("/v1/videos/extensions", files=files | {"seconds": (None, "4")}, headers=bearer(key))
        assert (extended.status_code, extended.json()["model"]) == (200, "wan2.7-i2v"), extended.text
        assert extended.json()["seconds"] == "9"
        assert finish(client, extended.json()["id"], key)["status"] == "completed"

    @pytest.mark.parametrize("path", ["edits", "extensions"])
    def test_model_with_every_operation_takes_the_video_as_a_reference(
        self, client: httpx.Client, key: str, path: str
    ) -> None:
        id = create(client, key, model=WAN, seconds=5)["id"]
        finish(client, id, key)
        body = {"prompt": "y", "model": "wan3.0-video", "video": {"id": id}, "seconds": 4}
        answer = client.post(f"/v1/videos/{path}", json=body, headers=bearer(key))
        assert (answer.status_code, answer.json()["model"], answer.json()["seconds"]) == (200, "wan3.0-video", "4")
        assert finish(client, answer.json()["id"], key)["status"] == "completed"
        body["model"] = "wan2.6-r2v"
        answer = client.post(f"/v1/videos/{path}", json=body, headers=bearer(key))
        assert error_code(answer, 501) == "not_supported"

    def test_file_that_is_no_video_is_refused(self, client: httpx.Client, key: str) -> None:
        for content, param in ((b"no video at all", "video"), (picture(), "video")):
            files = {"prompt": (None, b"y"), "video": ("a.mp4", content)}
            answer = client.post("/v1/videos/edits", files=files, headers=bearer(key))
            assert error_code(answer, 400) == "invalid_value"
            assert answer.json()["error"]["param"] == param
            assert "MP4" in answer.json()["error"]["message"]

    def test_remix_of_a_picture_that_is_gone_is_refused(self, client: httpx.Client, key: str) -> None:
        id = create(client, key, model="wan2.6-i2v", image_url="https://h/a.png")["id"]
        finish(client, id, key)
        answer = client.post(f"/v1/videos/{id}/remix", json={"prompt": "y"}, headers=bearer(key))
        assert error_code(answer, 501) == "not_supported"

    def test_second_delete_succeeds(self, client: httpx.Client, key: str) -> None:
        id = create(client, key, model=WAN, prompt="x #pending")["id"]
        for _ in range(2):
            assert client.delete(f"/v1/videos/{id}", headers=bearer(key)).json()["deleted"] is True

    @pytest.mark.parametrize("size", ["00x00", "00x10", "10x00", "x", "1x1"])
    def test_invalid_size_is_refused(self, client: httpx.Client, session: str, size: str) -> None:
        answer = client.post("/v1/videos", json={"prompt": "x", "size": size}, headers=bearer(session))
        assert error_code(answer, 400) == "invalid_value"

    def test_count_of_thousands_of_digits_is_refused(self, client: httpx.Client, session: str) -> None:
        headers = bearer(session) | {"x-stainless-retry-count": "9" * 5000}
        assert client.post("/v1/videos", json={"prompt": "x"}, headers=headers).status_code == 200
        answer = client.get(f"/v1/videos?limit={'9' * 5000}", headers=bearer(session))
        assert error_code(answer, 400) == "invalid_value"

    @pytest.mark.parametrize(
        "empty", [{"input_reference": None}, {"images": None}, {"functionMode": ""}, {"provider_options": ""}]
    )
    def test_empty_fields_count_as_absent(self, client: httpx.Client, session: str, empty: dict[str, Any]) -> None:
        assert create(client, session, model=JIMENG, **empty)

    def test_upstream_parameters_in_a_form_keep_their_types(self, client: httpx.Client, key: str) -> None:
        files = {"prompt": (None, "x"), "model": (None, WAN), "provider_options[prompt_extend]": (None, "false")}
        assert client.post("/v1/videos", files=files, headers=bearer(key)).status_code == 200

    def test_unsupported_reuse_is_refused_with_a_reason(self, client: httpx.Client, session: str, key: str) -> None:
        for path, credential, body in (
            ("edits", session, {"prompt": "y", "video": {"id": "video_x"}}),
            ("edits", key, {"prompt": "y", "model": WAN, "video": "https://h/v.mp4"}),
            ("extensions", session, {"prompt": "y", "video": {"id": "video_x"}}),
            ("characters", key, {}),
        ):
            answer = client.post(f"/v1/videos/{path}", json=body, headers=bearer(credential))
            assert error_code(answer, 501) == "not_supported"
            assert answer.headers["x-should-retry"] == "false"
        answer = client.get("/v1/videos/characters/x", headers=bearer(key))
        assert error_code(answer, 501) == "not_supported"
        answer = client.post("/v1/videos/edits", json={"prompt": "y"}, headers=bearer(key))
        assert error_code(answer, 400) == "invalid_value"
        answer = client.post("/v1/videos/edits", json={"video": "https://h/v.mp4"}, headers=bearer(key))
        assert error_code(answer, 400) == "invalid_value"


class TestLists:
    def test_pages_cover_two_upstreams(self, client: httpx.Client, session: str, key: str) -> None:
        both = f"{session},{key}"
        made = {create(client, both, model=model)["id"] for model in (JIMENG, WAN, JIMENG, WAN)}
        assert len(made) == 4
        time.sleep(0.1)
        pages, after = [], None
        while True:
            params = {"limit": "3"} | ({"after": after} if after else {})
            answer = client.get("/v1/videos", params=params, headers=bearer(session, key))
            VideoList.model_validate(answer.json())
            pages.append(answer.json())
            after = pages[-1]["last_id"]
            if not pages[-1]["has_more"]:
                break
        rows = [row for page in pages for row in page["data"]]
        assert len(rows) == len({row["id"] for row in rows}) == 4
        assert [row["created_at"] for row in rows] == sorted((row["created_at"] for row in rows), reverse=True)
        assert {row["model"] for row in rows} == {JIMENG, WAN}
        assert pages[0]["first_id"] == pages[0]["data"][0]["id"]
        for row in rows:
            assert client.get(f"/v1/videos/{row['id']}", headers=bearer(session, key)).status_code == 200

    def test_list_returns_the_id_of_the_submit(self, client: httpx.Client, session: str, key: str) -> None:
        for credential, model in ((session, JIMENG), (key, WAN)):
            video = create(client, credential, model=model, seconds=5, size="1280x720")
            time.sleep(0.1)
            (row,) = client.get("/v1/videos", headers=bearer(credential)).json()["data"]
            assert {name: row[name] for name in ("id", "seconds", "size", "model", "created_at")} == {
                name: video[name] for name in ("id", "seconds", "size", "model", "created_at")
            }

    def test_running_videos_are_listed(self, client: httpx.Client, session: str) -> None:
        id = create(client, session, model=JIMENG, prompt="x #stuck")["id"]
        time.sleep(0.1)
        (row,) = client.get("/v1/videos", headers=bearer(session)).json()["data"]
        assert (row["id"], row["status"] in ("queued", "in_progress")) == (id, True)

    def test_more_tasks_in_one_minute_than_a_page_are_all_listed(self, client: httpx.Client, key: str) -> None:
        made = {create(client, key, model=WAN)["id"] for _ in range(70)}
        seen, after = [], None
        while True:
            params = {"limit": "20"} | ({"after": after} if after else {})
            page = client.get("/v1/videos", params=params, headers=bearer(key)).json()
            seen += [row["id"] for row in page["data"]]
            after = page["last_id"]
            if not page["has_more"]:
                break
        assert len(seen) == 70
        assert set(seen) == made

    def test_list_without_tasks_is_empty(self, client: httpx.Client, session: str) -> None:
        answer = client.get("/v1/videos", headers=bearer(session)).json()
        assert answer == {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}

    @pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "order=up", "after=video_x"])
    def test_invalid_list_parameters_are_refused(self, client: httpx.Client, session: str, query: str) -> None:
        answer = client.get(f"/v1/videos?{query}", headers=bearer(session))
        assert error_code(answer, 400) == "invalid_value"
        assert answer.json()["error"]["param"] == query.partition("=")[0]


class TestRepeats:
    def test_idempotency_key_repeats_the_first_task(
        self, client: httpx.Client, upstream: SandboxServer, session: str
    ) -> None:
        headers = bearer(session) | {"idempotency-key": "order-1"}
        first, again = (
            client.post("/v1/videos", json={"prompt": "x", "model": JIMENG}, headers=headers).json() for _ in range(2)
        )
        assert first["id"] == again["id"]
        other = client.post("/v1/videos", json={"prompt": "y", "model": JIMENG}, headers=headers)
        assert error_code(other, 409) == "idempotency_mismatch"
        assert upstream.sandbox.submits("jimeng", session) == 1

    def test_idempotency_key_holds_on_another_replica_for_jimeng(
        self, client: httpx.Client, upstream: SandboxServer, session: str
    ) -> None:
        headers = bearer(session) | {"idempotency-key": "order-1"}
        body = {"prompt": "x", "model": JIMENG}
        first = client.post("/v1/videos/generations", json=body, headers=headers).json()["task_id"]
        time.sleep(0.1)
        replica = BackgroundServer(create_app(settings_for(upstream), clock=FastClock()))
        with replica, httpx.Client(base_url=replica.url) as other:
            assert other.post("/v1/videos/generations", json=body, headers=headers).json()["task_id"] == first
        assert upstream.sandbox.charges("jimeng", session) == 10

    def test_idempotency_key_is_shared_by_both_surfaces(
        self, client: httpx.Client, upstream: SandboxServer, key: str
    ) -> None:
        headers = bearer(key) | {"idempotency-key": "order-1"}
        body = {"prompt": "x", "model": WAN}
        native = client.post("/v1/videos/generations", json=body, headers=headers).json()["task_id"]
        signed = client.post("/v1/videos", json=body, headers=headers).json()["id"]
        assert signed.startswith("video_")
        assert client.get(f"/v1/videos/tasks/{native}", headers=bearer(key)).status_code == 200
        assert upstream.sandbox.submits("dashscope", key) == 1
        other = client.post("/v1/videos", json=body | {"prompt": "y"}, headers=headers)
        assert error_code(other, 409) == "idempotency_mismatch"

    def test_idempotency_key_of_a_derived_video_ignores_the_signed_link(
        self, client: httpx.Client, upstream: SandboxServer, key: str
    ) -> None:
        """Its link is signed anew at each query, so the link is not what tells two requests apart."""
        id = create(client, key, model="wan3.0-video")["id"]
        finish(client, id, key)
        headers = bearer(key) | {"idempotency-key": "order-1"}
        ids = set()
        for _ in range(2):
            ids.add(client.post(f"/v1/videos/{id}/remix", json={"prompt": "y"}, headers=headers).json()["id"])
            # The upstream's links differ from second to second.
            time.sleep(0.25)
        assert len(ids) == 1
        for tries in ("0", "1"):
            retried = bearer(key) | {"x-stainless-retry-count": tries}
            answer = client.post(f"/v1/videos/{id}/remix", json={"prompt": "z"}, headers=retried)
            assert answer.status_code == 200
        assert upstream.sandbox.submits("dashscope", key) == 3

    def test_another_model_with_the_same_key_on_another_replica_is_a_mismatch(
        self, client: httpx.Client, upstream: SandboxServer, session: str
    ) -> None:
        headers = bearer(session) | {"idempotency-key": "order-1"}
        assert client.post("/v1/videos", json={"prompt": "x", "model": JIMENG}, headers=headers).status_code == 200
        time.sleep(0.1)
        replica = BackgroundServer(create_app(settings_for(upstream), clock=FastClock()))
        with replica, httpx.Client(base_url=replica.url) as other:
            body = {"prompt": "x", "model": "jimeng-video-seedance-2.0-fast"}
            assert error_code(other.post("/v1/videos", json=body, headers=headers), 409) == "idempotency_mismatch"
        assert upstream.sandbox.charges("jimeng", session) == 10

    def test_idempotency_key_survives_a_rotation_of_the_secret(self, upstream: SandboxServer, session: str) -> None:
        headers = bearer(session) | {"idempotency-key": "order-1"}
        for secret in (("the older long secret",), ("the newer long secret", "the older long secret")):
            settings = settings_for(upstream, secret=tuple(SecretStr(text) for text in secret))
            server = BackgroundServer(create_app(settings, clock=FastClock()))
            with server, httpx.Client(base_url=server.url) as client:
                answer = client.post("/v1/videos", json={"prompt": "x", "model": JIMENG}, headers=headers)
                assert answer.status_code == 200
            time.sleep(0.1)
        assert upstream.sandbox.charges("jimeng", session) == 10

    def test_retry_of_a_library_returns_the_first_task(
        self, client: httpx.Client, upstream: SandboxServer, key: str
    ) -> None:
        ids = []
        for tries in ("0", "1", "2"):
            headers = bearer(key) | {"x-stainless-retry-count": tries}
            files = {"prompt": (None, "x"), "model": (None, WAN)}
            ids.append(client.post("/v1/videos", files=files, headers=headers).json()["id"])
        assert len(set(ids)) == 1
        assert upstream.sandbox.submits("dashscope", key) == 1


class TestBrowsers:
    def test_page_of_another_origin_may_call(self, client: httpx.Client) -> None:
        preflight = client.options(
            "/v1/videos",
            headers={
                "origin": "https://app.example",
                "access-control-request-method": "POST",
                "access-control-request-headers": "authorization,content-type,x-stainless-retry-count,x-stainless-lang",
            },
        )
        assert preflight.status_code == 200
        assert preflight.headers["access-control-allow-origin"] == "*"
        assert "x-stainless-retry-count" in preflight.headers["access-control-allow-headers"]
        answer = client.get("/v1/videos/video_x", headers={"origin": "https://app.example"})
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "openai-poll-after-ms" in answer.headers["access-control-expose-headers"]

    def test_allowed_origins_are_configurable(self, upstream: SandboxServer) -> None:
        settings = settings_for(upstream, cors_origins=("https://app.example",))
        with BackgroundServer(create_app(settings)) as server:
            allowed = httpx.get(f"{server.url}/ping", headers={"origin": "https://app.example"})
            refused = httpx.get(f"{server.url}/ping", headers={"origin": "https://evil.example"})
        assert allowed.headers["access-control-allow-origin"] == "https://app.example"
        assert "access-control-allow-origin" not in refused.headers


class TestManagedKeys:
    @pytest.fixture
    def managed(self, upstream: SandboxServer, session: str) -> Iterator[httpx.Client]:
        settings = settings_for(
            upstream,
            keys=(SecretStr("alice:gw-alice"), SecretStr("bob:gw-bob")),
            secret=(SecretStr("a long random text"),),
            jimeng={"credentials": (SecretStr(session),)},
        )
        server = BackgroundServer(create_app(settings, clock=FastClock()))
        with server, httpx.Client(base_url=server.url) as client:
            yield client

    def test_gateway_key_lists_only_its_own_tasks(self, managed: httpx.Client) -> None:
        mine = create(managed, "gw-alice", model=JIMENG)["id"]
        create(managed, "gw-bob", model=JIMENG)
        time.sleep(0.1)
        listed = managed.get("/v1/videos", headers=bearer("gw-alice")).json()["data"]
        assert len(listed) == 1
        assert error_code(managed.get(f"/v1/videos/{listed[0]['id']}", headers=bearer("gw-bob")), 404)
        assert managed.get(f"/v1/videos/{mine}", headers=bearer("gw-alice")).status_code == 200
        assert error_code(managed.get(f"/v1/videos/{mine}/content", headers=bearer("gw-bob")), 404)
