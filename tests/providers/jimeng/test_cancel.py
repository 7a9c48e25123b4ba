"""Cancelling a Jimeng task: the call on the wire, and the record that decides what it came to."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import orjson
import pytest
import respx

from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.provider import CanCancel
from providers.contract.requests import VideoRequest
from providers.contract.tasks import Phase, TaskState
from providers.jimeng import records
from providers.jimeng.cancel import REASONS, cancel_error, rejects_cancel
from providers.jimeng.history import NoEnvelopeError
from providers.jimeng.provider import CANCEL_PATH, Jimeng
from providers.jimeng.records import STATUS_PATH
from providers.jimeng.site import session
from providers.jimeng.site.regions import REGIONS, Hosts
from providers.sandbox.server import SandboxServer
from providers.sandbox.settings import SandboxSettings
from providers.transport.client import HttpClient
from providers.validation import validate
from tests.providers.jimeng.upload_site import envelope

NOW = 1757737934
ID = "9481700000001"
SECRET = "5e55101d0123456789"
CN = Account("jimeng", SECRET, region="cn")
BASE = "https://jimeng.jianying.com"

QUEUED = {"status": 20, "task": {"status": 20}, "queue_info": {"queue_idx": 7, "queue_length": 9, "queue_status": 1}}
RUNNING = {"status": 20, "task": {"status": 20}, "queue_info": {"queue_idx": 0, "queue_status": 2}}
CANCELLED = {
    "status": 30,
    "task": {"status": 30},
    "queue_info": {"queue_status": 3},
    "fail_starling_message": "你已取消生成，积分已返还",
}
FINISHED = {"status": 50, "item_list": [{"video": {"play_url": "https://h/v.mp4"}}]}
FAILED = {"status": 30, "fail_code": "2002"}


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "CANCEL_READS", (0.0,) * len(records.CANCEL_READS))


@pytest.fixture
def router() -> respx.MockRouter:
    return respx.MockRouter(assert_all_called=False)


@pytest.fixture
async def jimeng(router: respx.MockRouter) -> AsyncIterator[Jimeng]:
    async with HttpClient(transport=lambda proxy: httpx.MockTransport(router.async_handler)) as http:
        yield Jimeng(http, now=lambda: NOW + 0.5)


class Site:
    """A site that answers a cancel with `answer`, and then tells the records one after the other, the last one over
    and over. None is a record that is not there."""

    def __init__(self, router: respx.MockRouter, answer: httpx.Response | Exception, *records: Any) -> None:
        self.cancels = router.post(url__startswith=BASE + CANCEL_PATH)
        self.cancels.side_effect = [answer, answer]
        self._records: Iterator[Any] = iter(records)
        self._last: Any = None
        self.reads = router.post(url__startswith=BASE + STATUS_PATH).mock(side_effect=self._read)

    def _read(self, request: httpx.Request) -> httpx.Response:
        assert orjson.loads(request.content) == {"history_ids": [ID]}
        self._last = next(self._records, self._last)
        if isinstance(self._last, Exception):
            raise self._last
        if isinstance(self._last, httpx.Response):
            return self._last
        return envelope({ID: self._last} if self._last else {})


async def rejection(jimeng: Jimeng) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await jimeng.cancel(ID, CN)
    assert SECRET not in f"{caught.value}"
    return caught.value


def test_it_can_cancel(jimeng: Jimeng) -> None:
    assert isinstance(jimeng, CanCancel)


async def test_on_the_wire(jimeng: Jimeng, router: respx.MockRouter) -> None:
    site = Site(router, envelope(None), CANCELLED)
    await jimeng.cancel(ID, CN)
    request = site.cancels.calls[0].request
    assert CANCEL_PATH == "/mweb/v1/aigc_draft/cancel_generate"
    assert orjson.loads(request.content) == {"history_id": ID}
    headers = session.headers(CN, REGIONS["cn"], CANCEL_PATH, NOW, REGIONS["cn"].referer(CANCEL_PATH))
    assert {name: request.headers[name] for name in headers} == headers
    assert (site.cancels.call_count, site.reads.call_count) == (1, 1)


async def test_store_that_lags_behind_is_read_again(jimeng: Jimeng, router: respx.MockRouter) -> None:
    site = Site(router, envelope({}), None, QUEUED, CANCELLED)
    await jimeng.cancel(ID, CN)
    assert site.reads.call_count == 3


@pytest.mark.parametrize(
    ("record", "phase"), [(QUEUED, Phase.QUEUED), (RUNNING, Phase.PROCESSING), (FINISHED, Phase.COMPLETED)]
)
async def test_running_task_is_not_cancelled_whatever_the_response(
    jimeng: Jimeng, router: respx.MockRouter, record: Any, phase: Phase
) -> None:
    site = Site(router, envelope({}), record)
    error = await rejection(jimeng)
    assert (error.kind, error.message) == (ErrorKind.NOT_CANCELLABLE, REASONS[phase])
    assert site.reads.call_count == (1 if phase.ended else len(records.CANCEL_READS))


@pytest.mark.parametrize("ret", ["1000", "1001", "2002", "98765", "2008"])
@pytest.mark.parametrize(
    ("record", "phase"),
    [(RUNNING, Phase.PROCESSING), (FINISHED, Phase.COMPLETED), (FAILED, Phase.FAILED), (QUEUED, Phase.QUEUED)],
)
async def test_rejected_cancel_reports_reason_and_task_state(
    jimeng: Jimeng, router: respx.MockRouter, ret: str, record: Any, phase: Phase
) -> None:
    site = Site(router, envelope(None, ret, f"cannot cancel {SECRET}"), record)
    error = await rejection(jimeng)
    assert (error.kind, error.code, error.detail) == (ErrorKind.NOT_CANCELLABLE, ret, "cannot cancel ***")
    assert error.message == REASONS[phase]
    # A task that still waits is tried once more: the site may not have known it yet.
    tries = 2 if phase is Phase.QUEUED else 1
    assert (site.cancels.call_count, site.reads.call_count) == (tries, tries)


async def test_cancel_is_idempotent(jimeng: Jimeng, router: respx.MockRouter) -> None:
    Site(router, envelope(None, "1000", "invalid parameter"), CANCELLED)
    await jimeng.cancel(ID, CN)


async def test_task_that_the_site_does_not_know(jimeng: Jimeng, router: respx.MockRouter) -> None:
    Site(router, envelope(None, "1000"))
    assert (await rejection(jimeng)).kind is ErrorKind.TASK_NOT_FOUND


async def test_record_is_read_again_after_a_rejected_cancel_of_a_new_task(
    jimeng: Jimeng, router: respx.MockRouter
) -> None:
    site = Site(router, envelope(None, "1000"), None, RUNNING)
    assert (await rejection(jimeng)).message == REASONS[Phase.PROCESSING]
    assert (site.cancels.call_count, site.reads.call_count) == (1, 2)


async def test_new_task_is_cancelled_by_the_second_attempt(jimeng: Jimeng, router: respx.MockRouter) -> None:
    site = Site(router, envelope(None, "1000"), None, QUEUED, CANCELLED)
    site.cancels.side_effect = [envelope(None, "1000"), envelope({})]
    await jimeng.cancel(ID, CN)
    assert (site.cancels.call_count, site.reads.call_count) == (2, 3)


async def test_accepted_cancel_of_a_task_that_is_too_new_to_be_seen(jimeng: Jimeng, router: respx.MockRouter) -> None:
    site = Site(router, envelope({}))
    await jimeng.cancel(ID, CN)
    assert site.reads.call_count == len(records.CANCEL_READS)


@pytest.mark.parametrize("status", [404, 405])
async def test_site_without_the_call(jimeng: Jimeng, router: respx.MockRouter, status: int) -> None:
    Site(router, httpx.Response(status, text="<html>"), QUEUED)
    assert (await rejection(jimeng)).kind is ErrorKind.NOT_CANCELLABLE


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (envelope(None, "1015"), ErrorKind.INVALID_CREDENTIAL),
        (envelope(None, "1019"), ErrorKind.RESTRICTED),
        (envelope(None, "-6"), ErrorKind.RESTRICTED),
        (envelope(None, "1057"), ErrorKind.RATE_LIMITED),
        (envelope(None, "1014"), ErrorKind.UPSTREAM_ERROR),
        (httpx.Response(429), ErrorKind.RATE_LIMITED),
        (httpx.Response(500), ErrorKind.UPSTREAM_ERROR),
        (httpx.Response(200, text="<html>"), ErrorKind.UPSTREAM_ERROR),
        (httpx.ReadTimeout("x"), ErrorKind.ANSWER_LOST),
        (httpx.ConnectError("x"), ErrorKind.UNREACHABLE),
    ],
)
async def test_error_unrelated_to_the_task_is_raised_unchanged(
    jimeng: Jimeng, router: respx.MockRouter, answer: httpx.Response | Exception, kind: ErrorKind
) -> None:
    site = Site(router, answer, QUEUED)
    assert (await rejection(jimeng)).kind is kind
    assert not site.reads.called


class TestUnreadableRecord:
    @pytest.mark.parametrize("trouble", [httpx.Response(500), httpx.ReadTimeout("x")])
    async def test_sites_word_stays(
        self, jimeng: Jimeng, router: respx.MockRouter, trouble: httpx.Response | Exception
    ) -> None:
        Site(router, envelope({}), trouble)
        await jimeng.cancel(ID, CN)

    async def test_rejection_is_not_a_lost_answer(self, jimeng: Jimeng, router: respx.MockRouter) -> None:
        Site(router, envelope(None, "1000", "no"), httpx.Response(500))
        error = await rejection(jimeng)
        assert (error.kind, error.code, error.detail) == (ErrorKind.NOT_CANCELLABLE, "1000", "no")

    async def test_login_that_expires_meanwhile_is_reported(self, jimeng: Jimeng, router: respx.MockRouter) -> None:
        Site(router, envelope({}), envelope(None, "1015"))
        assert (await rejection(jimeng)).kind is ErrorKind.INVALID_CREDENTIAL


def test_every_state_has_a_reason() -> None:
    assert set(REASONS) == set(Phase)
    for phase in Phase:
        error = cancel_error(TaskState(ID, phase), None)
        assert error
        assert (error.kind, error.message) == (ErrorKind.NOT_CANCELLABLE, REASONS[phase])


@pytest.mark.parametrize("kind", ErrorKind)
def test_what_counts_as_a_refusal_of_the_cancel(kind: ErrorKind) -> None:
    assert rejects_cancel(ProviderError(kind, code="7")) is (
        kind
        in {
            *(
                ErrorKind.INVALID_REQUEST,
                ErrorKind.CONTENT_REFUSED,
                ErrorKind.MODEL_NOT_FOUND,
                ErrorKind.TASK_NOT_FOUND,
            ),
            *(ErrorKind.NOT_CANCELLABLE, ErrorKind.CANCELLED, ErrorKind.GENERATION_FAILED, ErrorKind.UPSTREAM_ERROR),
            *(ErrorKind.UNKNOWN_REFUSAL, ErrorKind.UPLOAD_FAILED),
        }
    )
    assert not rejects_cancel(NoEnvelopeError(500))


class TestAgainstTheSandbox:
    """Its site refuses with ret 1000 what does not wait, and what is of a model without a cancel."""

    @pytest.fixture
    async def sandbox(self) -> AsyncIterator[Jimeng]:
        settings = SandboxSettings(task_seconds=0.001, visible_after=0.0, credits=500, cost=100)
        with SandboxServer(settings) as upstream:
            async with HttpClient() as http:
                yield Jimeng(http, hosts=Hosts(upstream.jimeng_url))

    @staticmethod
    async def submitted(jimeng: Jimeng, prompt: str, model: str = "jimeng-video-seedance-2.0") -> str:
        card = jimeng.card(model)
        assert card
        request = validate(card, VideoRequest(model, prompt))
        return (await jimeng.submit(await jimeng.prepare(request, CN), CN, submit_key=str(uuid.uuid4()))).id

    async def test_queued_task_is_cancelled_once_and_refunded(self, sandbox: Jimeng) -> None:
        before = (await sandbox.credits(CN)).total
        id = await self.submitted(sandbox, "猫 #pending")
        assert (await sandbox.credits(CN)).total < before
        for _ in range(2):
            await sandbox.cancel(id, CN)
        state = (await sandbox.query([id], CN))[id]
        assert isinstance(state, TaskState)
        assert state.error
        assert (state.error.kind, state.error.detail) == (ErrorKind.CANCELLED, "你已取消生成，积分已返还")
        assert (await sandbox.credits(CN)).total == before

    @pytest.mark.parametrize(
        ("prompt", "model", "phase"),
        [
            ("猫", "jimeng-video-seedance-2.0", Phase.COMPLETED),
            ("猫 #stuck", "jimeng-video-seedance-2.0", Phase.PROCESSING),
            ("猫 #pending", "jimeng-video-3.0-fast", Phase.QUEUED),
        ],
    )
    async def test_running_task_cannot_be_cancelled(
        self, sandbox: Jimeng, prompt: str, model: str, phase: Phase
    ) -> None:
        id = await self.submitted(sandbox, prompt, model)
        await asyncio.sleep(0.05)
        with pytest.raises(ProviderError) as caught:
            await sandbox.cancel(id, CN)
        error = caught.value
        assert (error.kind, error.code, error.message) == (ErrorKind.NOT_CANCELLABLE, "1000", REASONS[phase])

    async def test_task_of_another_account_cannot_be_cancelled(self, sandbox: Jimeng) -> None:
        id = await self.submitted(sandbox, "猫 #pending")
        with pytest.raises(ProviderError) as caught:
            await sandbox.cancel(id, Account("jimeng", "another", region="cn"))
        assert caught.value.kind is ErrorKind.TASK_NOT_FOUND
