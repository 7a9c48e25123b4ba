"""Server-Timing, and what a request knows of itself while it is answered."""

import re
import time

import pytest
from starlette.types import Scope

from gateway.api.request_measure import RECORD, MeasuredRequest, server_timing
from gateway.core.metrics import REQUESTS_IN_FLIGHT
from gateway.core.request_record import RequestRecord, request_fields, waited_for_upstream


def scope_of(**fields: object) -> Scope:
    return {"type": "http", "method": "GET", "headers": [], "gateway.request_id": "req_1", **fields}


@pytest.mark.parametrize(("milliseconds", "upstream"), [(0.3, 0.0), (50.0, 0.0), (50.0, 0.0421)])
def test_server_timing_has_total_and_upstream_in_milliseconds(milliseconds: float, upstream: float) -> None:
    scope = scope_of(**{RECORD: RequestRecord("r", "a", upstream)})
    header = server_timing(scope, time.perf_counter() - milliseconds / 1000).decode()
    found = re.fullmatch(r"total;dur=([\d.]+), upstream;dur=([\d.]+)", header)
    assert found
    assert float(found[1]) >= milliseconds - 0.1
    assert float(found[2]) == round(upstream * 1000, 1)


def test_answer_from_the_cache_has_no_upstream_time() -> None:
    assert server_timing(scope_of(), time.perf_counter()).endswith(b"upstream;dur=0")


def test_request_is_counted_once_and_its_tasks_know_it() -> None:
    scope, before = scope_of(), REQUESTS_IN_FLIGHT._value.get()
    with MeasuredRequest(scope):
        with MeasuredRequest(scope):
            assert REQUESTS_IN_FLIGHT._value.get() == before + 1
            assert request_fields() == {"request_id": "req_1"}
            waited_for_upstream("a", 0.5)
        assert REQUESTS_IN_FLIGHT._value.get() == before + 1
        waited_for_upstream("b", 0.25)
    assert REQUESTS_IN_FLIGHT._value.get() == before
    assert (scope[RECORD].account, scope[RECORD].upstream_seconds) == ("b", 0.75)
    assert request_fields() == {}
