"""Status queries: the place in the queue, and what Jimeng makes of every kind of answer."""

from typing import Any

import httpx
import orjson
import pytest
import respx

from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.tasks import Phase, Queue, TaskState
from providers.jimeng.provider import (
    Jimeng,
)
from providers.jimeng.records import QUEUE_PATH, STATUS_PATH
from tests.providers.jimeng.upload_site import envelope
from tests.providers.jimeng.wire import BASE, CN, ID, sent


class TestQueuePositions:
    """Records that say nothing of a queue are asked for in the queue call."""

    @pytest.fixture
    def records(self, router: respx.MockRouter) -> respx.Route:
        return router.post(url__startswith=BASE + STATUS_PATH)

    @pytest.fixture
    def queue(self, router: respx.MockRouter) -> respx.Route:
        entry = {"queue_info": {"queue_idx": 3, "queue_length": 40}, "forecast_cost_time": {"forecast_queue_cost": 90}}
        return router.post(url__startswith=BASE + QUEUE_PATH).mock(side_effect=lambda request: envelope({ID: entry}))

    async def test_queue_request(self, jimeng: Jimeng, records: respx.Route, queue: respx.Route) -> None:
        records.mock(return_value=envelope({ID: {"status": 20}}))
        state = (await jimeng.query([ID], CN))[ID]
        assert isinstance(state, TaskState)
        assert (state.phase, state.queue) == (Phase.QUEUED, Queue(3, 40, 90))
        assert orjson.loads(sent(queue).content) == {"history_ids": [ID]}

    @pytest.mark.parametrize(
        "record",
        [
            {"status": 20, "queue_info": {"queue_idx": 0, "queue_status": 2}},
            {"status": 20, "queue_info": {}},
            {"status": 20, "queue_info": None},
            {"status": 50},
            {"status": 30},
            {"status": 45},
        ],
    )
    async def test_queue_request_is_skipped_where_the_record_has_the_place(
        self, jimeng: Jimeng, records: respx.Route, queue: respx.Route, record: dict[str, Any]
    ) -> None:
        records.mock(return_value=envelope({ID: record}))
        await jimeng.query([ID], CN)
        assert not queue.called

    @pytest.mark.parametrize(
        "answer", [httpx.Response(500), httpx.ReadTimeout("x"), envelope(None, "1019"), envelope([]), envelope({ID: 5})]
    )
    async def test_failed_queue_request_keeps_the_state(
        self, jimeng: Jimeng, records: respx.Route, queue: respx.Route, answer: httpx.Response | Exception
    ) -> None:
        records.mock(return_value=envelope({ID: {"status": 20}}))
        queue.side_effect = [answer]
        state = (await jimeng.query([ID], CN))[ID]
        assert isinstance(state, TaskState)
        assert (state.phase, state.queue) == (Phase.PROCESSING, None)


class TestAnswersToAQuery:
    async def test_id_that_is_absent_is_not_found(self, jimeng: Jimeng, router: respx.MockRouter) -> None:
        router.post(url__startswith=BASE).mock(return_value=envelope({ID: {"status": 20}}))
        states = await jimeng.query([ID, "7535099487211244579"], CN)
        state, absent = states[ID], states["7535099487211244579"]
        assert isinstance(state, TaskState)
        assert state.phase is Phase.PROCESSING
        assert isinstance(absent, ProviderError)
        assert absent.kind is ErrorKind.TASK_NOT_FOUND

    @pytest.mark.parametrize(
        ("answer", "kind"),
        [
            (httpx.Response(500), ErrorKind.UPSTREAM_ERROR),
            (httpx.Response(200, text="<html>"), ErrorKind.UPSTREAM_ERROR),
            (httpx.Response(200, json={"ret": 1015}), ErrorKind.INVALID_CREDENTIAL),
            (httpx.Response(200, json={"ret": "1057"}), ErrorKind.RATE_LIMITED),
            (httpx.ReadTimeout("x"), ErrorKind.ANSWER_LOST),
            (httpx.ConnectError("x"), ErrorKind.UNREACHABLE),
        ],
    )
    async def test_error_of_the_whole_call_is_raised(
        self, jimeng: Jimeng, router: respx.MockRouter, answer: httpx.Response | Exception, kind: ErrorKind
    ) -> None:
        router.post(url__startswith=BASE).mock(side_effect=[answer])
        with pytest.raises(ProviderError) as caught:
            await jimeng.query([ID], CN)
        assert caught.value.kind is kind

    @pytest.mark.parametrize(
        "body",
        [{}, {"code": 10000, "message": "busy"}, {"ret": None}, {"ret": "0", "data": None}, {"ret": "0", "data": "x"}],
    )
    async def test_answer_without_records_is_not_read_as_their_absence(
        self, jimeng: Jimeng, router: respx.MockRouter, body: object
    ) -> None:
        router.post(url__startswith=BASE).respond(json=body)
        for ask in (jimeng.query([ID], CN), jimeng.find("k", CN)):
            with pytest.raises(ProviderError) as caught:
                await ask
            assert caught.value.kind is ErrorKind.UPSTREAM_ERROR

    async def test_record_without_an_id_proves_that_there_is_a_task(
        self, jimeng: Jimeng, router: respx.MockRouter
    ) -> None:
        router.post(url__startswith=BASE).mock(return_value=envelope({"k": {"status": 20}}))
        with pytest.raises(ProviderError) as caught:
            await jimeng.find("k", CN)
        assert caught.value.kind is ErrorKind.ANSWER_LOST

    @pytest.mark.parametrize("data", [{ID: None}, {ID: []}, {"history_list": None}])
    async def test_odd_data_is_not_found(self, jimeng: Jimeng, router: respx.MockRouter, data: object) -> None:
        router.post(url__startswith=BASE).mock(return_value=envelope(data))
        assert isinstance((await jimeng.query([ID], CN))[ID], ProviderError)
