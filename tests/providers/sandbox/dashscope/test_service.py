"""DashScope's calls: who is let in, what a task does over time, cancel, list, pace."""

import uuid

import httpx
import pytest

from providers.sandbox.app import create_sandbox
from providers.sandbox.settings import SandboxSettings
from providers.sandbox.state import Ledger
from tests.providers.sandbox.clients import IMAGE, VIDEO, Clock, DashScopeClient, refused

PICTURE = {"img_url": "https://example.com/a.png"}


@pytest.mark.parametrize(
    ("authorization", "message"),
    [
        ("", "No API-key provided."),
        ("Bearer ", "No API-key provided."),
        ("sk-one", "No API-key provided."),
        ("Bearer one", "Invalid API-key provided."),
        ("Bearer sk-expired", "Invalid API-key provided."),
    ],
)
async def test_call_without_a_key_is_refused(http: httpx.AsyncClient, authorization: str, message: str) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    for method, path in (("POST", VIDEO), ("GET", "/tasks"), ("GET", "/tasks/1"), ("POST", "/tasks/1/cancel")):
        refused(await http.request(method, f"/api/v1{path}", headers=headers), 401, "InvalidApiKey", message)


async def test_submit_must_be_asynchronous(dashscope: DashScopeClient) -> None:
    answer = await dashscope.post("wan2.6-t2v", {"prompt": "x"}, headers={"X-DashScope-Async": "disable"})
    refused(answer, 403, "AccessDenied", "does not support synchronous calls")


async def test_task_lives_from_pending_to_the_video(dashscope: DashScopeClient, clock: Clock) -> None:
    task = await dashscope.submit("a cat")
    seen = []
    for _ in range(10):
        seen.append((await dashscope.task(task))["output"]["task_status"])
        clock.tick(1)
    assert seen == ["PENDING"] * 2 + ["RUNNING"] * 6 + ["SUCCEEDED"] * 2
    body = await dashscope.task(task)
    url = body["output"].pop("video_url")
    assert url.startswith("http://upstream.test:81/files/")
    assert (await dashscope.http.get(url)).headers["content-type"] == "video/mp4"
    assert body["output"] == {
        "task_id": task,
        "task_status": "SUCCEEDED",
        "submit_time": "2026-09-21 22:13:20.000",
        "scheduled_time": "2026-09-21 22:13:22.000",
        "end_time": "2026-09-21 22:13:28.000",
        "orig_prompt": "a cat",
    }
    assert body["usage"] == {
        "duration": 5.0, "input_video_duration": 0.0, "output_video_duration": 5.0, "size": "1920*1080", "SR": 1080,
        "video_count": 1,
    }  # fmt: skip


async def test_slashes_at_the_end_do_not_matter(dashscope: DashScopeClient) -> None:
    task = await dashscope.submit(path=VIDEO + "/")
    assert (await dashscope.get(f"/tasks/{task}/")).json()["output"]["task_status"] == "PENDING"
    assert (await dashscope.get("/tasks/")).json()["total"] == 1
    body = {"model": "", "parameters": {}, "input": ""}
    path = f"/api/v1/tasks/{task}/cancel/"
    assert (await dashscope.http.post(path, json=body, headers=dashscope.headers)).status_code == 200


async def test_strange_and_foreign_and_old_ids_are_unknown(
    dashscope: DashScopeClient, http: httpx.AsyncClient, clock: Clock, ledger: Ledger
) -> None:
    task, other = await dashscope.submit(), DashScopeClient(http, "sk-two")
    strange = str(uuid.uuid4())
    unknown = {"task_id": strange, "task_status": "UNKNOWN"}
    assert (await dashscope.task(strange))["output"] == unknown
    assert (await other.task(task))["output"] == unknown | {"task_id": task}
    assert (ledger.foreign_polls(task), ledger.foreign_polls(task, "sk-two"), ledger.polls(task)) == (1, 1, 1)
    clock.tick(86_401)
    assert (await dashscope.task(task))["output"] == unknown | {"task_id": task}
    assert (await dashscope.get("/tasks?start_time=20260921000000")).json()["total"] == 0


async def test_failure_is_told_with_status_200(dashscope: DashScopeClient, clock: Clock) -> None:
    task = await dashscope.submit("a cat #fail=DataInspectionFailed")
    clock.tick(8)
    body = await dashscope.task(task)
    assert body["output"].pop("message")
    assert body["output"] == {
        "task_id": task,
        "task_status": "FAILED",
        "submit_time": "2026-09-21 22:13:20.000",
        "scheduled_time": "2026-09-21 22:13:22.000",
        "end_time": "2026-09-21 22:13:28.000",
        "code": "DataInspectionFailed",
    }
    assert "usage" not in body


async def test_wrong_size_fails_later(dashscope: DashScopeClient, clock: Clock) -> None:
    task = await dashscope.submit("x", parameters={"size": "1:1"})
    clock.tick(8)
    output = (await dashscope.task(task))["output"]
    assert (output["task_status"], output["code"]) == ("FAILED", "InvalidParameter")
    assert "The size is not match" in output["message"]


async def test_mixed_modes_of_wan3_fail_later(dashscope: DashScopeClient, clock: Clock) -> None:
    media = [{"type": kind, "url": "https://example.com/a.png"} for kind in ("first_frame", "reference_image")]
    task = await dashscope.submit("x", "wan3.0-video", {"media": media})
    clock.tick(8)
    output = (await dashscope.task(task))["output"]
    assert (output["task_status"], output["code"]) == ("FAILED", "InvalidParameter")
    assert "mutually exclusive" in output["message"]


async def test_only_a_pending_task_can_be_cancelled(
    dashscope: DashScopeClient, http: httpx.AsyncClient, clock: Clock
) -> None:
    task = await dashscope.submit()
    refused(await DashScopeClient(http, "sk-two").cancel(task), 400, "UnsupportedOperation")
    clock.tick(1)
    answer = await dashscope.cancel(task)
    assert (answer.status_code, answer.json().keys()) == (200, {"request_id"})
    assert (await dashscope.task(task))["output"] == {
        "task_id": task,
        "task_status": "CANCELED",
        "submit_time": "2026-09-21 22:13:20.000",
        "end_time": "2026-09-21 22:13:21.000",
    }
    refused(await dashscope.cancel(task), 400, "UnsupportedOperation", "PENDING")
    running = await dashscope.submit()
    clock.tick(3)
    refused(await dashscope.cancel(running), 400, "UnsupportedOperation", "PENDING")
    refused(await dashscope.cancel("strange"), 400, "UnsupportedOperation")


async def test_further_tasks_wait_for_a_free_place(
    dashscope: DashScopeClient, http: httpx.AsyncClient, clock: Clock
) -> None:
    tasks = [await dashscope.submit() for _ in range(7)]
    other_model = await dashscope.submit(model="wan2.6-i2v", given=PICTURE)
    other_key = await DashScopeClient(http, "sk-two").submit()
    clock.tick(3)

    async def states() -> list[str]:
        return [(await dashscope.task(task))["output"]["task_status"] for task in tasks]

    assert await states() == ["RUNNING"] * 5 + ["PENDING"] * 2
    assert (await dashscope.task(other_model))["output"]["task_status"] == "RUNNING"
    assert (await DashScopeClient(http, "sk-two").task(other_key))["output"]["task_status"] == "RUNNING"
    clock.tick(5)
    assert await states() == ["SUCCEEDED"] * 5 + ["RUNNING"] * 2
    clock.tick(6)
    assert await states() == ["SUCCEEDED"] * 7


async def test_cancel_lets_the_next_one_move_up(dashscope: DashScopeClient, clock: Clock) -> None:
    tasks = [await dashscope.submit("x #stuck") for _ in range(4)]
    tasks += [await dashscope.submit() for _ in range(3)]
    waiting_for_ever = await dashscope.submit("x #pending")
    assert (await dashscope.cancel(tasks[4])).status_code == 200
    clock.tick(3)
    assert [(await dashscope.task(task))["output"]["task_status"] for task in tasks[3:]] == [
        "RUNNING", "CANCELED", "RUNNING", "PENDING",
    ]  # fmt: skip
    assert (await dashscope.cancel(waiting_for_ever)).status_code == 200
    clock.tick(6)
    assert (await dashscope.task(tasks[6]))["output"]["task_status"] == "RUNNING"


async def test_older_models_run_two_at_a_time(dashscope: DashScopeClient, clock: Clock) -> None:
    tasks = [await dashscope.submit(model="wanx2.1-t2v-turbo") for _ in range(3)]
    clock.tick(3)
    states = [(await dashscope.task(task))["output"]["task_status"] for task in tasks]
    assert states == ["RUNNING", "RUNNING", "PENDING"]


async def test_list_has_pages_and_filters(dashscope: DashScopeClient, http: httpx.AsyncClient, clock: Clock) -> None:
    first = await dashscope.submit()
    clock.tick(10)
    second = await dashscope.submit(model="wan2.6-i2v", given=PICTURE)
    clock.tick(10)
    third = await dashscope.submit()
    page = (await dashscope.get("/tasks?page_size=2")).json()
    assert [row["task_id"] for row in page["data"]] == [third, second]
    assert {key: page[key] for key in ("total", "total_page", "page_no", "page_size")} == {
        "total": 3, "total_page": 2, "page_no": 1, "page_size": 2,
    }  # fmt: skip
    page = (await dashscope.get("/tasks?page_size=2&page_no=2")).json()
    assert [row["task_id"] for row in page["data"]] == [first]
    row = page["data"][0]
    assert (row["start_time"], row["end_time"]) == (1_790_000_000_000, 1_790_000_008_000)
    assert (row["status"], row["model_name"]) == ("SUCCEEDED", "wan2.6-t2v")
    assert row["user_api_unique_key"] == "apikey:v1:aigc:video-generation:video-synthesis:wan2.6-t2v"

    async def listed(query: str) -> list[str]:
        return [one["task_id"] for one in (await dashscope.get(f"/tasks?{query}")).json()["data"]]

    assert await listed("model_name=wan2.6-i2v") == [second]
    assert await listed("status=PENDING") == [third]
    assert await listed(f"task_id={second}") == [second]
    assert await listed("start_time=20260921221330&end_time=20260921221330") == [second]
    assert await listed("end_time=20260921221325") == [first]
    assert "end_time" not in (await dashscope.get(f"/tasks?task_id={third}")).json()["data"][0]
    assert (await DashScopeClient(http, "sk-two").get("/tasks")).json()["data"] == []


@pytest.mark.parametrize(
    "query",
    [
        "page_size=0", "page_no=x", "page_size=101", "start_time=yesterday",
        "start_time=20260920000000&end_time=20260921000001", "start_time=20260921000001&end_time=20260921000000",
    ],
)  # fmt: skip
async def test_lists_that_are_refused(dashscope: DashScopeClient, query: str) -> None:
    refused(await dashscope.get(f"/tasks?{query}"), 400, "InvalidParameter")


@pytest.mark.parametrize("most", [20, 1000])
async def test_how_long_a_page_may_be_is_a_setting(clock: Clock, most: int) -> None:
    app = create_sandbox(SandboxSettings(list_page_max=most), clock)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as http:
        client = DashScopeClient(http)
        assert (await client.get(f"/tasks?page_size={most}")).json()["page_size"] == most
        refused(await client.get(f"/tasks?page_size={most + 1}"), 400, "InvalidParameter", f"[1, {most}]")


async def test_page_of_a_capped_list_tells_its_size(clock: Clock) -> None:
    app = create_sandbox(SandboxSettings(list_page_cap=2), clock)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as http:
        client = DashScopeClient(http)
        ids = [await client.submit() for _ in range(5)]
        pages = [(await client.get(f"/tasks?page_size=100&page_no={number}")).json() for number in (1, 2, 3)]
        assert [row["task_id"] for page in pages for row in page["data"]] == ids[::-1]
        assert [(page["page_size"], page["total_page"], page["total"]) for page in pages] == [(2, 3, 5)] * 3
        assert (await client.get("/tasks?page_size=1")).json()["page_size"] == 1


async def test_list_that_lags_shows_tasks_as_they_were(clock: Clock) -> None:
    app = create_sandbox(SandboxSettings(task_seconds=8, list_lag=5), clock)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as http:
        client = DashScopeClient(http)
        id = await client.submit()
        shown = []
        for _ in range(14):
            rows = (await client.get("/tasks")).json()["data"]
            shown.append(rows[0]["status"] if rows else "")
            clock.tick(1)
        assert shown == [""] * 5 + ["PENDING"] * 2 + ["RUNNING"] * 6 + ["SUCCEEDED"]
        assert (await client.get(f"/tasks/{id}")).json()["output"]["task_status"] == "SUCCEEDED"


async def test_key_without_permission_to_list_may_query(http: httpx.AsyncClient) -> None:
    client = DashScopeClient(http, "sk-nolist")
    id = await client.submit()
    refused(await client.get("/tasks"), 403, "AccessDenied", "not authorized")
    assert (await client.get(f"/tasks/{id}")).json()["output"]["task_status"] == "PENDING"


@pytest.mark.parametrize("strict", [False, True])
async def test_query_with_the_header_of_submits(clock: Clock, strict: bool) -> None:
    app = create_sandbox(SandboxSettings(refuse_async_queries=strict), clock)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as http:
        client = DashScopeClient(http)
        task = await client.submit()
        headers = client.headers | {"X-DashScope-Async": "enable"}
        answer = await http.get(f"/api/v1/tasks/{task}", headers=headers)
        if strict:
            refused(answer, 403, "AccessDenied", "current user api does not support asynchronous calls.")
        else:
            assert answer.json()["output"]["task_status"] == "PENDING"
        assert (await client.task(task))["output"]["task_status"] == "PENDING"


async def test_more_than_twenty_queries_a_second_are_refused(
    dashscope: DashScopeClient, http: httpx.AsyncClient, clock: Clock
) -> None:
    task = await dashscope.submit()
    for _ in range(20):
        await dashscope.task(task)
    refused(await dashscope.get(f"/tasks/{task}"), 429, "Throttling.RateQuota")
    assert (await dashscope.get("/tasks")).status_code == 200
    assert (await DashScopeClient(http, "sk-two").get(f"/tasks/{task}")).status_code == 200
    clock.tick(1)
    assert (await dashscope.task(task))["output"]["task_status"] == "PENDING"
    for _ in range(20):
        await dashscope.get("/tasks")
    refused(await dashscope.get("/tasks"), 429, "Throttling.RateQuota")


async def test_submits_can_be_paced_too(clock: Clock) -> None:
    app = create_sandbox(SandboxSettings(submits_per_second=5), clock)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as http:
        client = DashScopeClient(http)
        for _ in range(5):
            await client.submit()
        refused(await client.post("wan2.6-t2v", {"prompt": "x"}), 429, "Throttling.RateQuota")
        await client.submit(model="wan2.5-t2v-preview")


async def test_unknown_paths_have_three_fields_too(dashscope: DashScopeClient) -> None:
    refused(await dashscope.get("/videos"), 404, "NotFound")


async def test_body_must_be_a_json_object(dashscope: DashScopeClient) -> None:
    for content in (b"", b"{", b"[]"):
        answer = await dashscope.http.post(f"/api/v1{VIDEO}", content=content, headers=dashscope.headers)
        refused(answer, 400, "InvalidParameter")


async def test_url_of_portraits_is_in_results(dashscope: DashScopeClient, clock: Clock) -> None:
    given = {"image_url": "https://example.com/a.png", "audio_url": "https://example.com/a.mp3"}
    task = await dashscope.submit(model="wan2.2-s2v", given=given, path=IMAGE)
    clock.tick(8)
    body = await dashscope.task(task)
    assert "video_url" not in body["output"]
    assert body["output"]["results"]["video_url"].startswith("http://")
    assert body["usage"]["SR"] == 480


async def test_credential_directives(http: httpx.AsyncClient) -> None:
    for key, status, code in (
        ("sk-poor-1", 400, "Arrearage"),
        ("sk-banned", 403, "AccessDenied.Unpurchased"),
        ("sk-shark", 429, "Throttling.BurstRate"),
        ("sk-limited", 429, "Throttling.AllocationQuota"),
    ):
        refused(await DashScopeClient(http, key).post("wan2.6-t2v", {"prompt": "x"}), status, code)


async def test_token_plan_can_be_used_up(http: httpx.AsyncClient, ledger: Ledger) -> None:
    client = DashScopeClient(http, "sk-exhausted-1")
    answer = await client.post("wan2.6-t2v", {"prompt": "x"})
    refused(answer, 429, "Throttling.AllocationQuota", "token-plan 1-week quota has been exhausted")
    assert ledger.submits("dashscope") == 0
    assert (await client.get("/tasks")).status_code == 200


async def test_ledger_counts_accepted_submits(dashscope: DashScopeClient, ledger: Ledger) -> None:
    await dashscope.submit()
    await dashscope.post("wan2.6-t2v", {})
    assert ledger.submits("dashscope") == ledger.submits("dashscope", "sk-one") == 1
    assert ledger.calls("dashscope", f"/api/v1{VIDEO}") == 2
