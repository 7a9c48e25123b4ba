"""Metrics: names and units as Prometheus has them, series from the start, bounded labels, and their table."""

import re

import pytest
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from gateway.core import metrics
from gateway.core.exposition import exposition
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.models import ModelCard
from providers.contract.tasks import Phase, TaskState
from tests import metrics_table


def value(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


def test_table_is_current() -> None:
    text = metrics_table.FILE.read_text("utf-8")
    assert metrics_table.rewritten(text) == text


def test_every_registered_metric_is_declared_in_one_module() -> None:
    known = {row.name.removesuffix("_total") for row in metrics_table.rows()}
    assert {family.name for family in REGISTRY.collect() if family.name.startswith("gateway_")} == known


def test_names_end_with_their_unit() -> None:
    for name, kind, _, meaning in metrics_table.rows():
        if re.search(r"seconds|duration", meaning, re.IGNORECASE):
            assert re.search(r"_seconds(_total)?$", name), name
        assert not re.search(r"_(ms|millis\w*|minutes)\b", name)
        assert kind in ("counter", "gauge", "histogram")


def test_exposition_has_no_created_series() -> None:
    metrics.observe_request("/v1/models", "GET", 200, 0.1)
    text = exposition({}, ()).decode()
    assert "gateway_request_duration_seconds_count" in text
    assert "_created" not in text


def test_states_without_accounts_are_zero() -> None:
    text = exposition({("p-states", "ready"): 2, ("p-states", "expired"): 0}, ()).decode()
    assert 'gateway_accounts{provider="p-states",state="expired"} 0.0' in text
    assert 'gateway_accounts{provider="p-states",state="ready"} 2.0' in text


def test_known_series_of_a_provider_are_zero_from_the_start() -> None:
    metrics.declare_provider("p-zero", ["query", "submit"], ["m-1"], ["restricted"])
    metrics.declare_account("p-zero", "a-zero")
    for outcome in metrics.TASK_OUTCOMES:
        for model in ("m-1", "other"):
            assert value("gateway_tasks_finished_total", provider="p-zero", model=model, outcome=outcome) == 0
    for kind in (*ErrorKind, "unexpected", "abandoned"):
        assert value("gateway_upstream_errors_total", provider="p-zero", call="submit", kind=kind) == 0
    for outcome in ("accepted", *ErrorKind):
        assert value("gateway_submits_total", account="a-zero", outcome=outcome) == 0
    assert value("gateway_pauses_total", provider="p-zero", reason="restricted") == 0
    assert value("gateway_upstream_duration_seconds_count", provider="p-zero", call="query", outcome="error") == 0
    assert value("gateway_account_credits_spent_total", provider="p-zero", account="a-zero") == 0
    assert value("gateway_account_credits", provider="p-zero", account="a-zero") is None


@pytest.mark.parametrize("kind", ["rate_limited", "unexpected"])
def test_failed_call_is_counted_by_kind(kind: str) -> None:
    metrics.observe_call("p-failed", "query", kind, 0.2)
    assert value("gateway_upstream_errors_total", provider="p-failed", call="query", kind=kind) == 1
    metrics.observe_call("p-failed", "query", "ok", 0.2)
    counted = value("gateway_upstream_duration_seconds_count", provider="p-failed", call="query", outcome="ok")
    assert counted
    assert value("gateway_upstream_errors_total", provider="p-failed", call="query", kind=kind) == 1


@pytest.mark.parametrize(
    ("card", "label"),
    [
        (ModelCard("wan", "p"), "wan"),
        (ModelCard("anything-a-caller-names", "p", unlisted=True), "other"),
        (ModelCard("of-the-configuration", "p", unlisted=True, configured=True), "of-the-configuration"),
        (None, "other"),
    ],
)
def test_label_of_a_model_is_bounded(card: ModelCard | None, label: str) -> None:
    assert metrics.model_label(card) == label


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        (None, "completed"),
        (ErrorKind.CANCELLED, "cancelled"),
        (ErrorKind.CONTENT_REFUSED, "content_refused"),
        (ErrorKind.GENERATION_FAILED, "failed"),
        (ErrorKind.UPSTREAM_ERROR, "failed"),
    ],
)
def test_finished_task_is_counted_by_outcome(kind: ErrorKind | None, outcome: str) -> None:
    model = f"m-{kind}"
    error = ProviderError(kind) if kind else None
    metrics.task_finished("p-ended", model, TaskState("t", Phase.FAILED if kind else Phase.COMPLETED, error=error))
    assert value("gateway_tasks_finished_total", provider="p-ended", model=model, outcome=outcome) == 1


def test_credits_are_spent_where_the_balance_falls() -> None:
    for credits, before in ((100, None), (60, 100), (90, 60), (85, 90)):
        metrics.credits_read("p-spent", "a-spent", credits, before)
    assert value("gateway_account_credits_spent_total", provider="p-spent", account="a-spent") == 45
    assert value("gateway_account_credits", provider="p-spent", account="a-spent") == 85


def test_credits_of_a_removed_account_are_not_shown() -> None:
    for account in ("a-stays", "a-gone"):
        metrics.credits_read("p-shown", account, 7, None)
    text = exposition({}, {"a-stays"}).decode()
    assert 'gateway_account_credits{account="a-stays",provider="p-shown"} 7.0' in text
    assert 'account="a-gone",provider="p-shown"} 7.0' not in text


def test_exposition_can_be_parsed_and_has_no_metric_twice() -> None:
    names = [family.name for family in text_string_to_metric_families(exposition({}, ()).decode())]
    assert len(names) == len(set(names))
    assert {"process_resident_memory_bytes", "python_info", "gateway_build_info"} <= set(names)
