"""The generations API: the submit orders and the responses of its routes."""

import pytest

from providers.contract.requests import VideoRequest
from providers.contract.tasks import Phase
from tests.gateway.api.routes.conftest import Api, completed, task

PATH = "/v1/videos/generations"
BODY = {"model": "wan2.6-t2v", "prompt": "a cat", "duration": 5}


async def test_submit_returns_its_task_at_once(api: Api) -> None:
    answer = await api.post(PATH, BODY)
    assert answer.status_code == 200
    assert answer.headers["location"] == "/v1/videos/tasks/native"
    assert answer.json() == {
        "created": 1_700_000_000,
        "task_id": "native",
        "status": "pending",
        "model": "wan2.6-t2v",
        "provider": "dashscope",
    }
    assert api.tasks.waited == []


async def test_order_contains_the_request_of_the_client(api: Api) -> None:
    await api.post(PATH, BODY, idempotency_key="key-1", x_stainless_retry_count="2")
    (order,) = api.tasks.orders
    assert isinstance(order.request, VideoRequest)
    assert (order.request.model, order.request.prompt, order.request.duration) == ("wan2.6-t2v", "a cat", 5)
    assert (order.idempotency_key, order.retry_count, order.nearest) == ("key-1", 2, False)
    assert [account.credential for account in order.caller.accounts] == ["sk-one"]


async def test_fingerprints_differ_with_the_request(api: Api) -> None:
    for prompt in ("a cat", "a cat", "a dog"):
        await api.post(PATH, BODY | {"prompt": prompt})
    first, same, other = (order.fingerprint for order in api.tasks.orders)
    assert first == same != other


@pytest.mark.parametrize("count", ["", "-1", "two", "1000", "٣"])
async def test_invalid_retry_count_is_none(api: Api, count: str) -> None:
    headers = {b"x-stainless-retry-count": count.encode()}
    await api.client.post(PATH, json=BODY, headers=headers)
    assert api.tasks.orders[0].retry_count is None


class TestWaiting:
    async def test_ended_task_is_returned_with_its_video(self, api: Api) -> None:
        api.tasks.found["native"] = completed("native", url="https://files.example/v.mp4")
        answer = await api.post(PATH, BODY, prefer="wait=3")
        assert (answer.status_code, answer.json()["status"]) == (200, "completed")
        assert answer.json()["data"] == [{"url": "https://files.example/v.mp4"}]
        assert answer.headers["preference-applied"] == "wait=3"
        assert api.tasks.waited == [3]

    async def test_running_task_is_202(self, api: Api) -> None:
        api.tasks.found["native"] = task("native")
        answer = await api.post(PATH, BODY, prefer="respond-async, wait=3")
        assert (answer.status_code, answer.json()["status"]) == (202, "processing")
        assert "data" not in answer.json()
        assert answer.headers["retry-after"] == "3"

    @pytest.mark.parametrize("options", [{"prefer": "wait=999999"}, {}])
    async def test_wait_is_limited_by_the_settings(self, api: Api, options: dict[str, str]) -> None:
        api.tasks.found["native"] = task("native")
        await api.post(PATH, BODY | ({} if options else {"wait_completion": True}), **options)
        settings = api.app.state.services.settings
        assert api.tasks.waited == [settings.video_timeout / 1000]


class TestStatuses:
    async def test_each_id_has_its_row(self, api: Api) -> None:
        api.tasks.found = {"one": task("one"), "two": completed("two")}
        answer = await api.get("/v1/videos/tasks?ids=one,two&ids=three")
        rows = answer.json()["data"]
        assert [(row["task_id"], row["status"]) for row in rows] == [
            ("one", "processing"),
            ("two", "completed"),
            ("three", "not_found"),
        ]

    async def test_poll_after_is_that_of_the_earliest_task(self, api: Api) -> None:
        api.tasks.found = {"one": task("one", Phase.FINALIZING), "two": task("two"), "three": completed("three")}
        answer = await api.get("/v1/videos/tasks?ids=one,two,three")
        assert answer.headers["openai-poll-after-ms"] == "1000"

    async def test_poll_after_is_missing_when_all_tasks_have_ended(self, api: Api) -> None:
        api.tasks.found = {"one": completed("one")}
        answer = await api.get("/v1/videos/tasks?ids=one")
        assert "openai-poll-after-ms" not in answer.headers
        assert answer.headers["cache-control"] == "no-store"

    async def test_no_cache_forces_a_query(self, api: Api) -> None:
        await api.client.get("/v1/videos/tasks?ids=one", headers={"cache-control": "no-cache"})
        await api.get("/v1/videos/tasks?ids=one")
        assert api.tasks.refreshes == [True, False]

    @pytest.mark.parametrize("query", ["", "ids=", "ids=,", "ids=" + ",".join(map(str, range(101)))])
    async def test_one_to_a_hundred_ids_are_needed(self, api: Api, query: str) -> None:
        answer = await api.get(f"/v1/videos/tasks?{query}")
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "ids")

    async def test_unfinished_tasks_are_those_that_have_not_ended(self, api: Api) -> None:
        api.tasks.found = {"one": task("one"), "two": completed("two")}
        answer = await api.get("/v1/videos/tasks?status=unfinished")
        assert [row["task_id"] for row in answer.json()["data"]] == ["one"]
        assert api.tasks.listed["native"] is True

    async def test_another_status_is_refused(self, api: Api) -> None:
        answer = await api.get("/v1/videos/tasks?status=running")
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "status")


async def test_cancel_returns_the_task(api: Api) -> None:
    api.tasks.found["one"] = task("one", Phase.FAILED)
    answer = await api.post("/v1/videos/tasks/one/cancel")
    assert (answer.json()["task_id"], answer.json()["status"]) == ("one", "failed")
    assert api.tasks.cancelled == ["one"]


async def test_get_of_the_submit_path_says_to_use_post(api: Api) -> None:
    answer = await api.get(PATH)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
