"""Lists of recent tasks, page by page."""

import uuid
from collections.abc import Callable, Sequence
from typing import Any

import httpx
import orjson
import pytest
import respx

from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.tasks import ListedTask
from providers.jimeng.provider import (
    HISTORY_PATH,
    LIST_CALLS,
    LIST_PAGE,
    Jimeng,
)
from providers.jimeng.site import session
from providers.jimeng.site.regions import REGIONS, Hosts
from providers.sandbox.server import SandboxServer
from providers.sandbox.settings import SandboxSettings
from providers.transport.client import HttpClient
from tests.providers.jimeng.upload_site import envelope
from tests.providers.jimeng.wire import BASE, CN, ID, KEY, NOW, sent, submit


def record(number: int, **fields: Any) -> dict[str, Any]:
    """One of the history, as many seconds old as its number."""
    return {"history_record_id": str(int(ID) + number), "created_time": NOW - number, "status": 20, **fields}


def numbers(tasks: Sequence[ListedTask]) -> list[int]:
    return [int(task.state.id) - int(ID) for task in tasks]


def history_of(records: list[Any], at_most: int = LIST_PAGE) -> Callable[[httpx.Request], httpx.Response]:
    """A site with these records, newest first."""

    def answer(request: httpx.Request) -> httpx.Response:
        asked = orjson.loads(request.content)
        start = asked.get("offset", 0)
        end = start + min(asked["count"], at_most)
        return envelope({"records_list": records[start:end], "has_more": end < len(records), "next_offset": end})

    return answer


class TestLists:
    async def test_list_request(self, jimeng: Jimeng, router: respx.MockRouter) -> None:
        data = {
            "records_list": [record(1, submit_id=KEY, model_info={"model_req_key": "dreamina_x"}), record(2)],
            "has_more": False,
        }
        route = router.post(url__startswith=BASE + HISTORY_PATH).mock(return_value=envelope(data))
        first, second = await jimeng.list(CN, before=None, limit=20)
        assert (first.submit_key, first.state.model, first.state.created_at) == (KEY, "dreamina_x", NOW - 1)
        assert (second.submit_key, second.state.model) == ("", None)
        request = sent(route)
        assert orjson.loads(request.content) == {"count": LIST_PAGE}
        headers = session.headers(CN, REGIONS["cn"], HISTORY_PATH, NOW, BASE)
        assert {name: request.headers[name] for name in headers} == headers
        assert route.call_count == 1

    async def test_further_pages_are_asked_for_by_the_sites_own_offset(
        self, jimeng: Jimeng, router: respx.MockRouter
    ) -> None:
        route = router.post(url__startswith=BASE)
        route.side_effect = [
            envelope({"records_list": [record(1), record(2)], "has_more": True, "next_offset": "c-2"}),
            envelope({"records_list": [record(2), record(3)], "has_more": True}),
            envelope({"records_list": [record(4)], "has_more": False, "next_offset": 0}),
        ]
        assert numbers(await jimeng.list(CN, before=None, limit=9)) == [1, 2, 3, 4]
        asked = [orjson.loads(call.request.content).get("offset") for call in route.calls]
        assert asked == [None, "c-2", 4]

    async def test_list_stops_at_its_limit(self, jimeng: Jimeng, router: respx.MockRouter) -> None:
        route = router.post(url__startswith=BASE).mock(side_effect=history_of([record(n) for n in range(300)]))
        assert len(await jimeng.list(CN, before=None, limit=LIST_PAGE)) == LIST_PAGE
        assert route.call_count == 1
        found = await jimeng.list(CN, before=None, limit=LIST_PAGE + 1)
        assert numbers(found) == list(range(2 * LIST_PAGE))
        assert route.call_count == 3

    async def test_before_includes_its_whole_second(self, jimeng: Jimeng, router: respx.MockRouter) -> None:
        records = [record(0), record(9, created_time=NOW - 8.001), record(10), record(11)]
        router.post(url__startswith=BASE).mock(side_effect=history_of(records))
        assert numbers(await jimeng.list(CN, before=NOW - 9, limit=9)) == [9, 10, 11]
        assert numbers(await jimeng.list(CN, before=NOW - 9.5, limit=9)) == [10, 11]

    async def test_newer_tasks_are_paged_over(self, jimeng: Jimeng, router: respx.MockRouter) -> None:
        route = router.post(url__startswith=BASE).mock(side_effect=history_of([record(n) for n in range(300)]))
        found = await jimeng.list(CN, before=NOW - 120, limit=30)
        assert numbers(found) == list(range(120, 150))
        assert route.call_count == 3

    async def test_images_are_passed_over(self, jimeng: Jimeng, router: respx.MockRouter) -> None:
        images = [record(n, model_info={"model_req_key": "high_aes_general_v50"}) for n in range(60)]
        router.post(url__startswith=BASE).mock(side_effect=history_of([*images, record(60)]))
        assert numbers(await jimeng.list(CN, before=None, limit=1)) == [60]

    async def test_ascending_history_is_read_to_its_end(self, jimeng: Jimeng, router: respx.MockRouter) -> None:
        records = [record(n) for n in reversed(range(9))]
        router.post(url__startswith=BASE).mock(side_effect=history_of(records, at_most=3))
        assert numbers(await jimeng.list(CN, before=None, limit=2)) == list(range(9))

    async def test_repeated_page_is_the_last(self, jimeng: Jimeng, router: respx.MockRouter) -> None:
        page = {"records_list": [record(1), None, {}], "has_more": True, "next_offset": 3}
        route = router.post(url__startswith=BASE).mock(return_value=envelope(page))
        assert numbers(await jimeng.list(CN, before=None, limit=9)) == [1]
        assert route.call_count == 2

    async def test_endless_history_is_limited(self, jimeng: Jimeng, router: respx.MockRouter) -> None:
        route = router.post(url__startswith=BASE)
        route.mock(side_effect=lambda _: envelope({"records_list": [record(route.call_count)], "has_more": True}))
        assert len(await jimeng.list(CN, before=None, limit=1000)) == LIST_CALLS
        assert route.call_count == LIST_CALLS

    @pytest.mark.parametrize("data", [None, [], {}, {"records_list": None, "has_more": True}])
    async def test_empty_history_is_an_empty_list(self, jimeng: Jimeng, router: respx.MockRouter, data: object) -> None:
        route = router.post(url__startswith=BASE).mock(return_value=envelope(data))
        assert await jimeng.list(CN, before=None, limit=9) == []
        assert route.call_count == 1

    @pytest.mark.parametrize("body", [{}, {"status": "ok"}, {"ret": "", "data": None}, {"code": 403}])
    async def test_answer_of_something_in_between_is_neither_a_list_nor_a_cancel(
        self, jimeng: Jimeng, router: respx.MockRouter, body: object
    ) -> None:
        router.post(url__startswith=BASE).respond(200, json=body)
        for call in (jimeng.list(CN, before=None, limit=9), jimeng.cancel(ID, CN)):
            with pytest.raises(ProviderError) as caught:
                await call
            assert caught.value.kind is ErrorKind.UPSTREAM_ERROR

    @pytest.mark.parametrize(
        ("answer", "kind"),
        [
            (httpx.Response(500), ErrorKind.UPSTREAM_ERROR),
            (httpx.Response(200, text=""), ErrorKind.UPSTREAM_ERROR),
            (httpx.Response(200, json={"ret": "2008"}), ErrorKind.INVALID_REQUEST),
            (httpx.Response(200, json={"ret": 1015}), ErrorKind.INVALID_CREDENTIAL),
            (httpx.Response(429), ErrorKind.RATE_LIMITED),
            (httpx.ReadTimeout("x"), ErrorKind.ANSWER_LOST),
        ],
    )
    async def test_error_on_any_page_is_raised(
        self, jimeng: Jimeng, router: respx.MockRouter, answer: httpx.Response | Exception, kind: ErrorKind
    ) -> None:
        page = envelope({"records_list": [record(1)], "has_more": True, "next_offset": 1})
        router.post(url__startswith=BASE).mock(side_effect=[page, answer])
        with pytest.raises(ProviderError) as caught:
            await jimeng.list(CN, before=None, limit=9)
        assert caught.value.kind is kind

    async def test_list_against_the_sandbox(self) -> None:
        settings = SandboxSettings(task_seconds=0.001, visible_after=0.0, max_running=99, credits=9999)
        count = LIST_PAGE + 5
        with SandboxServer(settings) as upstream:
            async with HttpClient() as http:
                jimeng = Jimeng(http, hosts=Hosts(upstream.jimeng_url))
                keys = [str(uuid.uuid4()) for _ in range(count)]
                ids = [await submit(jimeng, CN, key) for key in keys]
                found = await jimeng.list(CN, before=None, limit=count)
                assert [(task.state.id, task.submit_key) for task in found] == [*zip(ids, keys, strict=True)][::-1]
                assert {task.state.model for task in found} == {"dreamina_ic_generate_video_model_vgfm_3.0_fast"}
                newest = found[0].state.created_at
                assert newest is not None
                assert len(await jimeng.list(CN, before=int(newest), limit=count)) == count
                assert await jimeng.list(CN, before=int(newest) - 60, limit=count) == []
                assert await jimeng.list(Account("jimeng", "another", region="cn"), before=None, limit=9) == []
