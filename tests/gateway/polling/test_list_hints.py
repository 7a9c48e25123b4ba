"""When a page of a list is read, and which one."""

from collections.abc import Sequence

import pytest

from gateway.polling.list_hints import (
    LAG_SECONDS,
    MAX_IN_FLIGHT,
    MAX_PAUSE_SECONDS,
    PAGES_IN_A_ROW,
    PAUSE_SECONDS,
    SMALLEST_SIZE,
    ListHints,
    PageRequest,
)
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.tasks import HintPage, Phase, TaskState

SIZE = 100


class Sweeps:
    """Reads pages of 100 rows with one call each tenth of a second, while 1,000 queries are pending."""

    def __init__(self, oldest: float | None = None) -> None:
        self.hints = ListHints(SIZE)
        self.oldest = oldest
        self.now = 0.0

    def next(self) -> PageRequest | None:
        self.now += 0.1
        request = self.hints.next_page(self.now, 1.0, 1000, lambda: self.oldest)
        if request is None:
            self.hints.on_single_query()
        return request

    def page(self) -> PageRequest:
        """The next page, behind single queries."""
        for _ in range(100):
            request = self.next()
            if request is not None:
                return request
        raise AssertionError("no page is read")

    def answer(
        self,
        request: PageRequest,
        rows: int = SIZE,
        size: int | None = SIZE,
        pages: int | None = 3,
        *,
        useful: int = 50,
        created: Sequence[float] = (),
    ) -> None:
        times = created or [0.0] * rows
        states = [TaskState(str(number), Phase.QUEUED, created_at=at) for number, at in enumerate(times)]
        self.hints.on_page(request, HintPage(states, size, pages, True), useful, self.now)

    def sweep(self) -> list[int]:
        """The numbers of the pages up to the next first one."""
        numbers: list[int] = []
        while True:
            request = self.page()
            self.answer(request)
            if numbers and request.number == 1:
                return numbers
            numbers.append(request.number)


def test_first_page_tells_how_many_there_are() -> None:
    sweeps = Sweeps()
    first = sweeps.page()
    assert [sweeps.next() for _ in range(30)] == [None] * 30
    sweeps.answer(first)
    assert [sweeps.page().number for _ in range(2)] == [2, 3]


def test_single_queries_go_between_the_pages() -> None:
    sweeps = Sweeps()
    sweeps.answer(sweeps.page(), pages=1000)
    found = [sweeps.next() is not None for _ in range(6)]
    assert found.count(True) == 6 * PAGES_IN_A_ROW // (PAGES_IN_A_ROW + 1)


def test_list_is_not_read_again_while_its_states_are_fresh() -> None:
    sweeps = Sweeps()
    first = sweeps.page()
    began = sweeps.now
    sweeps.answer(first, pages=1)
    assert sweeps.page().number == 1
    assert 1.0 <= sweeps.now - began < 1.2


def test_pages_of_the_last_answer_count() -> None:
    sweeps = Sweeps()
    sweeps.answer(sweeps.page(), pages=2)
    sweeps.answer(sweeps.page(), pages=4)
    assert [sweeps.page().number for _ in range(2)] == [3, 4]


@pytest.mark.parametrize("rows", [25, 3])
def test_rows_that_come_back_are_the_size_of_the_next_pages(rows: int) -> None:
    sweeps = Sweeps()
    first = sweeps.page()
    assert first.size == SIZE
    sweeps.answer(first, rows, rows, 40)
    assert sweeps.page().size == max(rows, SMALLEST_SIZE)


@pytest.mark.parametrize(("rows", "size", "is_last"), [(SIZE, None, False), (30, None, False), (30, SIZE, True)])
def test_list_that_does_not_tell_its_pages_is_read_to_its_end(rows: int, size: int | None, is_last: bool) -> None:
    sweeps = Sweeps()
    sweeps.answer(sweeps.page(), rows, size, None)
    second = sweeps.page()
    assert second.number == (1 if is_last else 2)
    if not is_last:
        sweeps.answer(second, 0, size, None)
        assert sweeps.page().number == 1


def test_empty_page_is_the_last() -> None:
    sweeps = Sweeps()
    sweeps.answer(sweeps.page(), pages=9)
    sweeps.answer(sweeps.page(), 0, pages=9)
    assert sweeps.page().number == 1


def test_page_older_than_the_oldest_pending_task_is_the_last() -> None:
    sweeps = Sweeps(oldest=5000.0)
    sweeps.answer(sweeps.page(), pages=9, created=[9000.0, 4990.0])
    second = sweeps.page()
    sweeps.answer(second, pages=9, created=[4980.0, 4000.0])
    assert (second.number, sweeps.page().number) == (2, 1)


def test_list_of_no_use_is_paused_twice_as_long_each_time() -> None:
    sweeps, pauses = Sweeps(), []
    for _ in range(4):
        sweeps.answer(sweeps.page(), pages=1, useful=1)
        began = sweeps.now
        sweeps.page()
        pauses.append(sweeps.now - began)
        sweeps.hints._sweep = None
    assert pauses == pytest.approx([PAUSE_SECONDS * 2**number for number in range(4)], abs=0.11)
    sweeps.answer(sweeps.page(), pages=1)
    sweeps.answer(sweeps.page(), pages=1, useful=1)
    began = sweeps.now
    sweeps.page()
    assert sweeps.now - began == pytest.approx(PAUSE_SECONDS, abs=0.11)


@pytest.mark.parametrize(("kind", "retry_after", "pause"), [
    (ErrorKind.RATE_LIMITED, 40.0, 40.0),
    (ErrorKind.RATE_LIMITED, 1e9, MAX_PAUSE_SECONDS),
    (ErrorKind.INVALID_CREDENTIAL, None, PAUSE_SECONDS),
    (ErrorKind.UPSTREAM_ERROR, None, PAUSE_SECONDS),
])  # fmt: skip
def test_error_pauses_the_list(kind: ErrorKind, retry_after: float | None, pause: float) -> None:
    sweeps = Sweeps()
    sweeps.hints.on_error(sweeps.page(), ProviderError(kind, retry_after=retry_after), sweeps.now)
    assert sweeps.hints.next_page(sweeps.now + pause - 0.01, 1.0, 1000, lambda: None) is None
    assert sweeps.hints.next_page(sweeps.now + pause + 0.01, 1.0, 1000, lambda: None) is not None


def test_refused_size_is_halved_down_to_the_smallest() -> None:
    sweeps, sizes = Sweeps(), []
    for _ in range(5):
        request = sweeps.page()
        sizes.append(request.size)
        sweeps.hints.on_error(request, ProviderError(ErrorKind.INVALID_REQUEST), sweeps.now)
    assert sizes == [100, 50, 25, 12, 10]
    assert sweeps.next() is None


def test_later_page_that_is_refused_is_no_question_of_size() -> None:
    sweeps = Sweeps()
    sweeps.answer(sweeps.page())
    sweeps.hints.on_error(sweeps.page(), ProviderError(ErrorKind.INVALID_REQUEST), sweeps.now)
    assert sweeps.next() is None
    assert sweeps.page().size == SIZE


def test_pages_that_do_not_come_back_are_few() -> None:
    sweeps = Sweeps()
    sweeps.answer(sweeps.page(), pages=1000)
    requests = [request for request in (sweeps.next() for _ in range(100)) if request is not None]
    assert len(requests) == MAX_IN_FLIGHT
    sweeps.answer(requests[0], pages=1000)
    sweeps.hints.on_error(requests[1], ProviderError(ErrorKind.UNREACHABLE), sweeps.now)
    assert sweeps.page().number == 1


def test_late_errors_of_one_sweep_pause_once() -> None:
    sweeps = Sweeps()
    sweeps.answer(sweeps.page(), pages=9)
    requests = [sweeps.page() for _ in range(4)]
    error = ProviderError(ErrorKind.UPSTREAM_ERROR)
    for request in requests:
        sweeps.hints.on_error(request, error, sweeps.now)
    began = sweeps.now
    sweeps.page()
    assert sweeps.now - began == pytest.approx(PAUSE_SECONDS, abs=0.11)


def test_measured_lag_holds_for_a_while() -> None:
    hints = ListHints(SIZE)
    hints.measure_lag(5.0, 100.0)
    hints.measure_lag(2.0, 110.0)
    assert (hints.lag(110.0), hints.lag(110.0 + LAG_SECONDS)) == (5.0, 0.0)
    hints.measure_lag(1.0, 110.0 + LAG_SECONDS)
    assert hints.lag(110.0 + LAG_SECONDS) == 1.0


def test_calls_of_a_sweep_are_known_once_it_was_of_use() -> None:
    sweeps = Sweeps()
    assert sweeps.hints.calls_per_sweep == float("inf")
    assert sweeps.sweep() == [1, 2, 3]
    assert sweeps.hints.calls_per_sweep == 4.5
    sweeps.hints.on_error(sweeps.page(), ProviderError(ErrorKind.UPSTREAM_ERROR), sweeps.now)
    assert sweeps.hints.calls_per_sweep == float("inf")
