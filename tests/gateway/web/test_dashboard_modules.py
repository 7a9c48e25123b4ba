"""The dashboard's own modules, run in the browser: metrics, rates, history, lines."""

import math

import pytest
from playwright.async_api import Page
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from tests.gateway.web.conftest import run

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_metrics_are_read_as_prometheus_reads_them(page: Page) -> None:
    odd = 'odd{a="x\\"y\\\\z\\n,} 1",b=""} 2.5e3\n'
    text = f"{generate_latest().decode()}{odd}nothing NaN\n"
    expected: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if not math.isnan(sample.value):
                expected[sample.name] = expected.get(sample.name, 0) + sample.value
    code = (
        "((one) => [Object.fromEntries([...one.samples.keys()].map((name) => [name, one.sum(name)])),"
        " one.samples.get('odd')[0].labels])(new module.Reading(given, 1))"
    )
    sums, labels = await run(page, "dashboard/metrics.js", code, f"{text}broken{{ 1\n")
    assert sums == pytest.approx(expected)
    assert labels == {"a": 'x"y\\z\n,} 1', "b": ""}


READINGS = "given.reduce((all, text) => [...all, new module.Reading(text, 1, all.at(-1))], [])"


@pytest.mark.parametrize(
    ("readings", "rises"),
    [
        (["c_total 5", "c_total 9"], [4]),
        (["c_total 5", "c_total 2", "c_total 3"], [2, 1]),
        (['c_total{a="1"} 5\nc_total{a="2"} 50', 'c_total{a="2"} 1', 'c_total{a="1"} 2\nc_total{a="2"} 9'], [1, 10]),
        (["other 1", "c_total 3"], [3]),
        (["c_total 100", "c_total 3", "c_total 200"], [3, 197]),
    ],
    ids=["rises", "restart", "series_missing_after_restart", "new_series", "restart_exceeded_before_next"],
)
async def test_counter_continues_after_a_restart(page: Page, readings: list[str], rises: list[float]) -> None:
    code = f"{READINGS}.map((now, at, all) => at && module.increase(all[at - 1], now, 'c_total'))"
    assert await run(page, "dashboard/metrics.js", code, readings) == [0, *rises]


async def test_gauge_is_what_the_last_reading_says(page: Page) -> None:
    code = f"{READINGS}.map((one) => one.sum('level'))"
    assert await run(page, "dashboard/metrics.js", code, ["level 5", "level 2", "other 1"]) == [5, 2, 0]


async def test_quantile_lies_within_its_bucket(page: Page) -> None:
    def buckets(*counts: int) -> str:
        return "".join(f'h_bucket{{le="{le}"}} {count}\n' for le, count in zip(("1", "2", "+Inf"), counts, strict=True))

    readings = [buckets(1, 1, 1), buckets(1, 5, 6), buckets(0, 2, 2)]
    code = (
        f"((rs) => [[0, 1, 0.5], [1, 2, 0.5], [0, 1, 1], [0, 0, 0.5], [0, 2, 0.5]]"
        f".map(([from, to, share]) => module.quantile(share, rs[from], rs[to], 'h')))({READINGS})"
    )
    restarted = 1 + 3.5 / 6
    assert await run(page, "dashboard/metrics.js", code, readings) == [1.625, 1.5, 2, None, restarted]


def reading(submits: int, polls: int, spent: float, balance: bool = True) -> str:
    credits = 'gateway_account_credits{provider="jimeng",account="a"} 50\n' if balance else ""
    route = "gateway_request_duration_seconds_count"
    return (
        f'gateway_submits_total{{account="a",outcome="accepted"}} {submits}\n'
        f'gateway_submits_total{{account="a",outcome="rate_limited"}} {7 * submits}\n'
        f'{route}{{method="GET",route="/v1/videos/{{id}}",status="200"}} {polls}\n'
        f'{route}{{method="GET",route="/metrics",status="200"}} {9 * polls}\n'
        f'{route}{{method="GET",route="/v1/accounts",status="401"}} {9 * polls}\n'
        f'{route}{{method="POST",route="/v1/videos",status="503"}} {2 * polls}\n'
        f'gateway_account_credits_spent_total{{provider="jimeng",account="a"}} {spent}\n{credits}'
    )


def history(each: str, result: str) -> str:
    """The code that runs `each` for every reading given as `[text, at]`, and returns `result`."""
    return f"((history) => (given.forEach(([text, at]) => {each}), {result}))(new module.History())"


async def test_rates_are_those_of_half_a_minute(page: Page) -> None:
    readings = [(reading(second, 10 * second, second / 2), second) for second in range(0, 60, 2)]
    readings[-1] = (reading(60, 580, 30), 58)
    code = history("history.add(text, at, [{ running: 2 }, { running: 1 }])", "history.points.at(-1)")
    last = await run(page, "dashboard/history.js", code, readings)
    assert last["submits"] == pytest.approx((60 - 28) / 30 * 60)
    assert (last["polls"], last["running"], last["oldest"]) == (10, 3, None)
    assert last["answers"] == {"2": 10, "4": 0, "5": 20}
    assert last["credits"] == {"jimeng": pytest.approx(32)}


async def test_history_ends_after_fifteen_minutes_and_shows_where_the_gateway_was_away(page: Page) -> None:
    readings = [(reading(second, 0, 0, balance=False), second) for second in range(0, 1000, 50)]
    code = history(
        "{ if (at === 950) history.interrupt(); history.add(text, at, []); }",
        "({ at: history.points.map((point) => [point.at, point.submits ?? null]), span: history.span,"
        " near: history.pointAt(120).at, credits: history.points[0].credits })",
    )
    found = await run(page, "dashboard/history.js", code, readings)
    assert found["at"] == [*([second, 60] for second in range(50, 950, 50)), [900, None], [950, 60]]
    assert (found["span"], found["near"], found["credits"]) == (900, 850, {})


async def test_line_is_interrupted_where_nothing_is_known(page: Page) -> None:
    points = [[0, 0], [50, 5], [60, None], [80, 10], [100, 20]]
    code = (
        "[...module.lines([{ points: given, tone: 'tone-1', dash: '' }], { now: 100, span: 100, top: 10, height: 100 })"
        ".children].map((one) => [one.getAttribute('class'), one.getAttribute('d')])"
    )
    area, line = await run(page, "dashboard/drawing.js", code, points)
    assert line == ["line tone-1", "M0.0 100.0L150.0 50.0M240.0 0.0L300.0 0.0"]
    assert area[1] == "M0.0 100L0.0 100.0L150.0 50.0L150.0 100ZM240.0 100L240.0 0.0L300.0 0.0L300.0 100Z"


async def test_scale_ends_at_a_round_number(page: Page) -> None:
    code = "given.map(([values, least]) => module.roundTop(values, least))"
    cases = [[[3, None, 17], 1], [[0.031], 0.01], [[], 0.5], [[100], 1], [[610], 1]]
    assert await run(page, "dashboard/drawing.js", code, cases) == pytest.approx([20, 0.04, 0.6, 100, 1000])
