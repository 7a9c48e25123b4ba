"""A short form of the fault table; `python -m tests.faults` runs all of it."""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.deploy.programs import program
from tests.faults.catalog import UPSTREAMS
from tests.faults.routes import ROWS
from tests.faults.rows import Outcome, Row
from tests.faults.runner import Runner

SHORT: dict[str, tuple[str, ...]] = {
    "submit, accepted": (
        *("101 switching protocols", "307 redirect", "403 HTML", "404 HTML", "429 text", "499 HTML", "502 HTML"),
        *("403 foreign JSON: AccessDenied", "429 foreign JSON: Throttling"),
        *("200 HTML", "chunked, invalid size", "endless headers", "#noid"),
    ),
    "submit, not accepted": ("403 HTML", "closed while sending"),
    "submit, not accepted once": ("401 HTML", "closed without an answer"),
    "submit and look-up": ("429 text",),
    "submit, refused": ("ret 2047", "400 DataInspectionFailed"),
    "submit, no connection": ("connection refused", "connection never accepted"),
    "submit, proxy fails": ("407 of the proxy", "proxy answers CONNECT with 502"),
    "submit, SOCKS proxy fails": ("SOCKS proxy forbids it",),
    "upload": ("reset while sending",),
    "upload keys": ("503 HTML with Retry-After",),
    "input by address": ("200 HTML",),
    "poll": ("404 HTML", "200 half the JSON", "closed in the body", "connection refused"),
    "content": ("403 HTML", "HTML as a video", "redirect loop"),
    "content, link renewed": ("403 HTML",),
    "archive, host of the video": ("closed in the body",),
    "archive, S3 fails": ("503 HTML with Retry-After",),
    "list": ("502 HTML",),
    "cancel, accepted": ("502 HTML",),
    "token/check": ("500 HTML",),
    "token/receive, accepted": ("closed without an answer",),
    "native submit, accepted": ("502 HTML", "closed without an answer", "#hang", "hangs"),
    "native submit, not accepted": ("reset while sending",),
    "native submit, refused": ("400 DataInspectionFailed",),
    "native submit, no connection": ("connection refused",),
    "native poll": ("502 HTML", "429 Throttling.RateQuota"),
    "native upload permission": ("closed in the body",),
}
"""Faults by route, for every upstream that has the row."""

SHORT_THROUGH_NGINX: dict[str, tuple[str, ...]] = {
    "submit, accepted": ("502 HTML",),
    "native submit, accepted": ("closed without an answer",),
    "content": ("closed in the body",),
    "gateway's answer lost, accepted": ("closed without an answer", "reset without an answer"),
    "gateway's answer lost, not accepted": ("closed while sending",),
    "first gateway down": ("connection refused",),
    "second gateway down": ("connection refused",),
    "no gateway": ("connection refused",),
    "poll, gateway's answer lost": ("closed without an answer",),
}
"""The same behind nginx, with two gateways."""

_AT_ONCE = 8


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    with Runner() as running:
        yield running


@pytest.mark.parametrize("route", SHORT)
def test_rows_are_as_expected(runner: Runner, route: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    _run(runner, [row for row in ROWS if row.route.name == route and row.fault.name in SHORT[route]])


def test_rows_through_nginx_are_as_expected(caplog: pytest.LogCaptureFixture) -> None:
    """A repeat reaches the gateway that had the first request, and nothing is charged twice."""
    program("nginx")
    caplog.set_level(logging.CRITICAL)
    with Runner("nginx") as runner:
        _run(runner, [row for row in ROWS if row.fault.name in SHORT_THROUGH_NGINX.get(row.route.name, ())])


def _run(runner: Runner, rows: Sequence[Row]) -> None:
    # Each mostly waits: for the start and the end of its gateway, for a task, for a time-out.
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        outcomes = list(threads.map(runner.run, rows))
    problems = {row.name: row.judged(outcome) for row, outcome in zip(rows, outcomes, strict=True)}
    assert {name: found for name, found in problems.items() if found} == {}


def test_each_upstream_has_at_least_95_rows_with_names_of_their_own() -> None:
    assert set(Counter(row.name for row in ROWS).values()) == {1}
    assert min(Counter(row.upstream for row in ROWS)[upstream] for upstream in UPSTREAMS) >= 95


def test_short_form_names_rows_that_exist() -> None:
    names = {(row.route.name, row.fault.name) for row in ROWS}
    for short in (SHORT, SHORT_THROUGH_NGINX):
        assert {(route, fault) for route, faults in short.items() for fault in faults} <= names


@pytest.mark.parametrize(
    ("outcome", "problem"),
    [
        (Outcome("504 submission_unconfirmed", 2, "504 submission_unconfirmed"), "2 charges"),
        (Outcome("504 submission_unconfirmed", 0, "504 submission_unconfirmed"), "0 charges, not 1"),
        (Outcome("502 upstream_error", 1, "504 submission_unconfirmed"), "answered 502 upstream_error"),
        (Outcome("504 submission_unconfirmed", 1, "500 internal_error"), "the same request afterwards: 500"),
        (Outcome("504 submission_unconfirmed", 1, problems=["no video"]), "no video"),
    ],
)
def test_violation_is_reported(outcome: Outcome, problem: str) -> None:
    row = next(row for row in ROWS if row.name == "dashscope, submit, accepted: 502 HTML")
    assert [found for found in row.judged(outcome) if found.startswith(problem)]
    assert row.judged(Outcome("504 submission_unconfirmed", 1, "504 submission_unconfirmed")) == []
