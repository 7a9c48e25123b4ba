"""The generations surface over real HTTP, field by field as the contract says it."""

import re
import time
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from gateway.api.schemas.language import ModelList
from gateway.api.schemas.responses import (
    ModelObject,
    TaskList,
    TaskObject,
    WaitedTask,
)
from gateway.app import create_app
from gateway.cli.server.background import BackgroundServer
from providers.sandbox.server import SandboxServer
from tests.e2e.conftest import FastClock, bearer, follow, settings_for
from tests.e2e.generations import JIMENG, PNG, SUBMIT, WAN, error_of, submit
from tests.pictures import data_url


class TestSubmitToFile:
    def test_jimeng_video_from_submit_to_file(self, client: httpx.Client, session: str) -> None:
        accepted = submit(client, {"model": JIMENG, "prompt": "一只猫", "duration": "5"}, session)
        assert list(accepted) == ["created", "task_id", "status", "model", "provider"]
        assert accepted["status"] == "pending"
        assert accepted["task_id"].isdigit()
        assert abs(accepted["created"] - time.time()) < 5
        states = follow(client, accepted["task_id"], session)
        assert {state["status"] for state in states} <= {"pending", "processing", "completed"}
        progress = [state["progress"] for state in states]
        assert progress == sorted(progress)
        assert max(progress[:-1], default=0) < 100
        last = states[-1]
        TaskObject.model_validate(last)
        assert list(last) == ["task_id", "status", "progress", "result", "created", "model", "provider", "data"]
        assert last["data"] == [{"url": last["result"]["url"]}]
        assert (last["progress"], last["model"], last["provider"]) == (100, JIMENG, "jimeng")
        assert list(last["result"]) == ["url", "cover_url", "expires_at", "width", "height", "duration"]
        assert "/best.mp4" in last["result"]["url"]
        video = httpx.get(last["result"]["url"])
        assert video.content[4:8] == b"ftyp"
        part = httpx.get(last["result"]["url"], headers={"range": "bytes=4-7"})
        assert (part.status_code, part.content) == (206, b"ftyp")

    def test_dashscope_video_from_submit_to_file(self, client: httpx.Client, key: str) -> None:
        accepted = submit(client, {"model": WAN, "prompt": "a cat", "size": "1280*720", "seconds": 5}, key)
        assert re.fullmatch(r"[0-9a-f-]{36}", accepted["task_id"])
        last = follow(client, accepted["task_id"], key)[-1]
        assert httpx.get(last["result"]["url"]).content[4:8] == b"ftyp"
        assert (last["result"]["width"], last["result"]["height"]) == (1280, 720)

    @pytest.mark.parametrize(
        "body",
        [
            {"model": "wan2.6-i2v", "prompt": "x", "image_url": "https://example.com/a.png"},
            {"model": "wan2.6-i2v", "prompt": "x", "image_url": data_url()},
            {"model": "wan2.7-i2v", "first_frame": "https://h/a.png", "last_frame": "https://h/b.png"},
            {"model": "wan2.2-kf2v-flash", "file_paths": ["https://h/a.png", "https://h/b.png"]},
            {"prompt": "x", "input_reference": {"image_url": "https://h/a.png"}},
            {"model": "wan2.6-r2v", "prompt": "character1 runs", "images": ["https://h/a.png"]},
            {"model": "wan2.7-t2v", "prompt": "x", "ratio": "9:16", "resolution": "720P"},
            {"model": "happyhorse-1.1-t2v", "prompt": "x"},
        ],
    )
    def test_image_url_works_with_both_protocols_of_dashscope(
        self, client: httpx.Client, key: str, body: dict[str, Any]
    ) -> None:
        accepted = submit(client, body, key)
        assert follow(client, accepted["task_id"], key)[-1]["status"] == "completed"
        if "model" not in body:
            assert accepted["model"] == "wan2.6-i2v"

    def test_queued_task_shows_its_queue_position(self, client: httpx.Client, session: str) -> None:
        id = submit(client, {"model": JIMENG, "prompt": "x #pending"}, session)["task_id"]
        time.sleep(0.05)
        answer = client.get(f"/v1/videos/tasks/{id}", headers=bearer(session))
        state = answer.json()
        TaskObject.model_validate(state)
        assert list(state) == ["task_id", "status", "progress", "message", "queue", "created", "model", "provider"]
        assert state["status"] == "pending"
        assert state["queue"]["position"] >= 1
        assert state["message"].startswith(f"排队中，第 {state['queue']['position']} 位")
        assert int(answer.headers["openai-poll-after-ms"]) >= 1000
        assert int(answer.headers["retry-after"]) >= 1

    @pytest.mark.parametrize(
        ("code", "message"),
        [("5000", "积分不足"), ("2038", "内容违规"), ("5001", "生成失败"), ("77777", "生成失败 (错误码: 77777)")],
    )
    def test_failed_task_shows_the_reason(self, client: httpx.Client, session: str, code: str, message: str) -> None:
        id = submit(client, {"model": JIMENG, "prompt": f"x #fail={code}"}, session)["task_id"]
        last = follow(client, id, session)[-1]
        TaskObject.model_validate(last)
        assert list(last) == ["task_id", "status", "error", "error_code", "created", "model", "provider"]
        assert last["error"].startswith(message)
        assert last["error_code"] == code

    def test_failed_dashscope_task_shows_the_reason(self, client: httpx.Client, key: str) -> None:
        id = submit(client, {"model": WAN, "prompt": "x #fail=DataInspectionFailed"}, key)["task_id"]
        last = follow(client, id, key)[-1]
        assert last["error"].startswith("内容违规")
        assert last["error_code"] == "DataInspectionFailed"

    def test_completed_task_without_a_link(self, client: httpx.Client, session: str, key: str) -> None:
        id = submit(client, {"model": WAN, "prompt": "x #nourl"}, key)["task_id"]
        last = follow(client, id, key)[-1]
        assert (last["status"], last["error"]) == ("failed", "视频生成完成但未获取到URL")
        id = submit(client, {"model": JIMENG, "prompt": "x #nourl"}, session)["task_id"]
        time.sleep(0.3)
        state = client.get(f"/v1/videos/tasks/{id}", headers=bearer(session)).json()
        assert (state["status"], state["progress"], state["message"]) == ("processing", 95, "视频生成完成,正在提取URL")

    def test_shot_description_reaches_the_upstream(
        self, client: httpx.Client, upstream: SandboxServer, key: str
    ) -> None:
        body = {
            "model": WAN,
            "prompt": "一只猫",
            "camera_movement": "zoom_in",
            "shot_type": "close_up",
            "lighting": "soft",
        }
        id = submit(client, body, key)["task_id"]
        assert follow_raw(upstream, id, key)["orig_prompt"] == "镜头放大，特写镜头，柔和光线，一只猫"


def follow_raw(upstream: SandboxServer, id: str, key: str) -> dict[str, Any]:
    """The upstream's own `output` of a finished task."""
    for _ in range(100):
        output = httpx.get(f"{upstream.dashscope_url}/tasks/{id}", headers=bearer(key)).json()["output"]
        if output["task_status"] == "SUCCEEDED":
            break
        time.sleep(0.02)
    return output  # type: ignore[no-any-return]


class TestForms:
    def test_multipart_with_bracketed_names(self, client: httpx.Client, key: str) -> None:
        fields = [
            ("model", "wan2.7-i2v"),
            ("prompt", "x"),
            ("images[]", "https://h/a.png"),
            ("images[]", "https://h/b.png"),
            ("seconds", "5"),
            ("watermark", "false"),
            ("provider_options[style]", "x"),
        ]
        answer = client.post(SUBMIT, files=[(name, (None, value)) for name, value in fields], headers=bearer(key))
        assert answer.status_code == 200, answer.text

    def test_openai_style_reference_in_a_form(self, client: httpx.Client, key: str) -> None:
        files = {"prompt": (None, "x"), "input_reference[image_url]": (None, "https://h/a.png")}
        answer = client.post(SUBMIT, files=files, headers=bearer(key))
        assert answer.json()["model"] == "wan2.6-i2v"

    def test_body_without_a_content_type_is_read(self, client: httpx.Client, key: str) -> None:
        headers = bearer(key) | {"content-type": "application/x-www-form-urlencoded"}
        answer = client.post(SUBMIT, content=b'{"model":"wan2.6-t2v","prompt":"x"}', headers=headers)
        assert answer.status_code == 200
        answer = client.post(SUBMIT, content=b"model=wan2.6-t2v&prompt=x", headers=headers)
        assert answer.status_code == 200

    def test_picture_type_is_detected_from_its_content(self, client: httpx.Client, key: str) -> None:
        files = [("prompt", (None, b"x")), ("image", ("a.txt", PNG))]
        answer = client.post(SUBMIT, files=files, headers=bearer(key))
        assert (answer.status_code, answer.json()["model"]) == (200, "wan2.6-i2v")
        files = [("prompt", (None, b"x")), ("image", ("a.png", b"no picture"))]
        error = error_of(client.post(SUBMIT, files=files, headers=bearer(key)), 400, "invalid_value")
        assert (error["param"], "PNG" in error["message"]) == ("image", True)

    def test_numbered_picture_fields_are_read(self, client: httpx.Client, key: str) -> None:
        files = {"images[0]": (None, "https://h/a.png"), "prompt": (None, "x"), "model": (None, "wan2.6-t2v")}
        error = error_of(client.post(SUBMIT, files=files, headers=bearer(key)), 400, "unsupported_parameter")
        assert error["param"] == "images"

    def test_form_with_an_unknown_charset_is_no_server_error(self, client: httpx.Client, key: str) -> None:
        headers = bearer(key) | {"content-type": "multipart/form-data; charset=undefined; boundary=b"}
        body = b'--b\r\nContent-Disposition: form-data; name="prompt"\r\n\r\nx\r\n--b--\r\n'
        assert client.post(SUBMIT, content=body, headers=headers).status_code in (200, 400)


class TestWaiting:
    def test_wait_holds_the_response_until_the_task_ends(self, client: httpx.Client, session: str) -> None:
        body = {"model": JIMENG, "prompt": "x", "wait_completion": True}
        answer = client.post(SUBMIT, json=body, headers=bearer(session))
        assert answer.status_code == 200
        WaitedTask.model_validate(answer.json())
        assert answer.json()["status"] == "completed"
        assert answer.json()["data"] == [{"url": answer.json()["result"]["url"]}]
        assert answer.json()["created"]

    def test_prefer_wait_limits_the_wait_and_keeps_the_task(self, client: httpx.Client, session: str) -> None:
        headers = bearer(session) | {"prefer": "wait=1"}
        answer = client.post(SUBMIT, json={"model": JIMENG, "prompt": "x #stuck"}, headers=headers)
        assert answer.status_code == 202
        assert answer.headers["preference-applied"] == "wait=1"
        id = answer.json()["task_id"]
        assert client.get(f"/v1/videos/tasks/{id}", headers=bearer(session)).status_code == 200


class TestIds:
    def test_task_of_several_credentials_has_a_signed_id_valid_on_any_replica(
        self, client: httpx.Client, upstream: SandboxServer, session: str, key: str
    ) -> None:
        credentials = (f"{session}a", f"{session}b", key)
        id = submit(client, {"model": JIMENG, "prompt": "x"}, *credentials)["task_id"]
        assert re.fullmatch(r"video_[A-Za-z0-9_-]{20,154}", id)
        with (
            BackgroundServer(create_app(settings_for(upstream))) as replica,
            httpx.Client(base_url=replica.url) as other,
        ):
            last = follow(other, id, *reversed(credentials))[-1]
            assert (last["task_id"], last["model"], last["status"]) == (id, JIMENG, "completed")
            stranger = other.get(f"/v1/videos/tasks/{id}", headers=bearer(f"{session}b"))
            error_of(stranger, 404, "task_not_found")
        assert upstream.sandbox.foreign_polls(credential=f"{session}b") == 0

    def test_accounts_are_tried_in_order(self, client: httpx.Client, upstream: SandboxServer, session: str) -> None:
        bad = (f"{session}-expired", f"{session}-poor", f"{session}-shark")
        before = upstream.sandbox.charges("jimeng")
        accepted = submit(client, {"model": JIMENG, "prompt": "x"}, *bad, session)
        assert follow(client, accepted["task_id"], *bad, session)[-1]["status"] == "completed"
        assert upstream.sandbox.submits("jimeng", session) == 1
        assert upstream.sandbox.charges("jimeng", session) > 0
        assert upstream.sandbox.charges("jimeng") - before == upstream.sandbox.charges("jimeng", session)

    @pytest.mark.parametrize(
        "id",
        [
            "1",
            "7535099487211244578",
            "0385dc79-5ff8-4d82-bcb6-0123456789ab",
            "video_x",
            "x%2Fy",
            "%00",
            "%E7%8C%AB",
            "video_" + "A" * 400,
            "..%2F..",
            "a b",
        ],
    )
    def test_unknown_ids_are_not_found(self, client: httpx.Client, session: str, key: str, id: str) -> None:
        for credential in (session, key):
            answer = client.get(f"/v1/videos/tasks/{id}", headers=bearer(credential))
            assert answer.status_code == 404
            if "%2F" not in id:
                assert error_of(answer, 404, "task_not_found")["message"] == "任务不存在或已过期"

    def test_new_task_is_pending_before_the_upstream_shows_it(self, client: httpx.Client, session: str) -> None:
        id = submit(client, {"model": JIMENG, "prompt": "x #lag"}, session)["task_id"]
        assert follow(client, id, session)[0]["status"] == "pending"

    def test_several_ids_are_polled_in_one_request(self, client: httpx.Client, session: str, key: str) -> None:
        ids = [submit(client, {"model": JIMENG, "prompt": "x"}, session)["task_id"] for _ in range(3)]
        answer = client.get(f"/v1/videos/tasks?ids={','.join(ids)},1234567890123", headers=bearer(session))
        TaskList.model_validate(answer.json())
        assert [row["task_id"] for row in answer.json()["data"]] == [*ids, "1234567890123"]
        assert answer.json()["data"][-1] == {"task_id": "1234567890123", "status": "not_found"}
        assert answer.json()["object"] == "list"

    def test_list_shows_unfinished_tasks(self, client: httpx.Client, session: str, key: str) -> None:
        running = submit(client, {"model": WAN, "prompt": "x #stuck"}, session, key)["task_id"]
        ended = submit(client, {"model": JIMENG, "prompt": "x"}, session, key)["task_id"]
        follow(client, ended, session, key)
        answer = client.get("/v1/videos/tasks?status=unfinished", headers=bearer(session, key))
        TaskList.model_validate(answer.json())
        (row,) = answer.json()["data"]
        found = client.get(f"/v1/videos/tasks/{row['task_id']}", headers=bearer(session, key)).json()
        assert (found["created"], found["model"]) == (row["created"], WAN)
        # The id is the one that the submit gave.
        assert row["task_id"] == running
        plain = client.get(f"/v1/videos/tasks/{running}", headers=bearer(key)).json()
        assert plain["status"] == found["status"]
        # Estimated by the time that has passed, a little more for the second one.
        assert 0 <= plain["progress"] - found["progress"] <= 1

    def test_list_refuses_other_statuses(self, client: httpx.Client, session: str) -> None:
        answer = client.get("/v1/videos/tasks?status=done", headers=bearer(session) | {"Accept-Language": "en"})
        assert "unfinished" in error_of(answer, 400, "invalid_value")["message"]

    @pytest.mark.parametrize("query", ["", "?ids=", "?ids=" + ",".join(["1"] * 101)])
    def test_poll_refuses_no_ids_and_too_many(self, client: httpx.Client, session: str, query: str) -> None:
        error_of(client.get(f"/v1/videos/tasks{query}", headers=bearer(session)), 400, "invalid_value")


class TestManaged:
    @pytest.fixture
    def managed(self, upstream: SandboxServer, session: str, key: str) -> Any:
        settings = settings_for(
            upstream,
            keys=(SecretStr("alice:gw-alice"), SecretStr("bob:gw-bob")),
            secret=(SecretStr("a long secret"),),
            jimeng={"credentials": (SecretStr(session),)},
            dashscope={"credentials": (SecretStr(key),)},
        )
        with (
            BackgroundServer(create_app(settings, clock=FastClock())) as server,
            httpx.Client(base_url=server.url) as client,
        ):
            yield client

    def test_responses_never_name_the_accounts(self, managed: httpx.Client, session: str) -> None:
        accepted = submit(managed, {"prompt": "x"}, "gw-alice")
        assert accepted["task_id"].startswith("video_")
        last = follow(managed, accepted["task_id"], "gw-alice")[-1]
        assert last["status"] == "completed"
        assert last["model"] == "jimeng-video-seedance-2.0-fast"
        assert session not in str(last)

    def test_tasks_belong_to_the_key_that_submitted_them(self, managed: httpx.Client) -> None:
        id = submit(managed, {"model": WAN, "prompt": "x"}, "gw-alice")["task_id"]
        error_of(managed.get(f"/v1/videos/tasks/{id}", headers=bearer("gw-bob")), 404, "task_not_found")

    def test_managed_gateway_refuses_upstream_credentials(self, managed: httpx.Client, session: str) -> None:
        error_of(managed.get("/v1/models", headers=bearer(session)), 401, "invalid_api_key")
        error_of(managed.get("/v1/models", headers=bearer("gw-eve")), 401, "invalid_api_key")


class TestCancel:
    def test_waiting_task_is_cancelled(self, client: httpx.Client, key: str) -> None:
        id = submit(client, {"model": WAN, "prompt": "x #pending"}, key)["task_id"]
        answer = client.post(f"/v1/videos/tasks/{id}/cancel", headers=bearer(key))
        assert answer.status_code == 200
        TaskObject.model_validate(answer.json())
        assert (answer.json()["status"], answer.json()["error_code"]) == ("failed", "cancelled")

    def test_running_task_cannot_be_cancelled(self, client: httpx.Client, key: str) -> None:
        id = submit(client, {"model": WAN, "prompt": "x #stuck"}, key)["task_id"]
        time.sleep(0.15)
        answer = client.post(f"/v1/videos/tasks/{id}/cancel", headers=bearer(key))
        error_of(answer, 409, "not_cancellable")

    def test_cancel_of_a_queued_jimeng_task_mentions_the_refund(self, client: httpx.Client, session: str) -> None:
        id = submit(client, {"model": "jimeng-video-seedance-2.0", "prompt": "x #pending"}, session)["task_id"]
        answer = client.post(f"/v1/videos/tasks/{id}/cancel", headers=bearer(session))
        assert answer.status_code == 200, answer.text
        assert (answer.json()["status"], answer.json()["error_code"]) == ("failed", "cancelled")
        assert "积分已返还" in answer.json()["error"]

    def test_jimeng_model_without_cancel_is_not_cancellable(self, client: httpx.Client, session: str) -> None:
        id = submit(client, {"model": JIMENG, "prompt": "x #pending"}, session)["task_id"]
        answer = client.post(f"/v1/videos/tasks/{id}/cancel", headers=bearer(session))
        error_of(answer, 409, "not_cancellable")


class TestModels:
    def test_models_of_the_callers_credentials_are_listed(self, client: httpx.Client, session: str, key: str) -> None:
        def listed(*credentials: str) -> dict[str, Any]:
            answer = client.get("/v1/models", headers=bearer(*credentials))
            ModelList.model_validate(answer.json())
            return {row["id"]: row for row in answer.json()["data"]}

        assert {row["owned_by"] for row in listed(session).values()} == {"jimeng"}
        assert {row["owned_by"] for row in listed(key).values()} == {"dashscope"}
        assert "jimeng-video-seedance-2.0-vip" in listed(session)
        assert "jimeng-video-seedance-2.0-vip" not in listed(f"us-{session}")
        assert listed(session, key)[JIMENG]["durations"] == [5, 6, 7, 8, 9, 10]

    def test_single_model_is_retrieved(self, client: httpx.Client, key: str) -> None:
        answer = client.get("/v1/models/kling/kling-v3-video-generation", headers=bearer(key))
        ModelObject.model_validate(answer.json())
        assert answer.json()["id"] == "kling/kling-v3-video-generation"
        error_of(client.get("/v1/models/gpt-9", headers=bearer(key)), 404, "model_not_found")


class TestOperations:
    def test_health_endpoint_answers(self, client: httpx.Client) -> None:
        assert client.get("/healthz").json()["status"] == "ok"
        assert client.get("/ping").text == "pong"

    def test_docs_page_loads_nothing_from_other_hosts(self, client: httpx.Client) -> None:
        page = client.get("/docs")
        assert page.headers["content-type"].startswith("text/html")
        assert not re.findall(r"(?:src|href)=[\"']?(?:https?:)?//", page.text)
        for path in ("/v1/videos/generations", "/v1/videos/tasks/{id}", "negative_prompt", "ErrorDetail"):
            assert path in page.text

    def test_metrics_count_routes_not_ids(self, client: httpx.Client, session: str) -> None:
        client.get("/v1/videos/tasks/1234567890123", headers=bearer(session))
        text = client.get("/metrics").text
        assert 'route="/v1/videos/tasks/{id}"' in text
        assert "1234567890123" not in text
