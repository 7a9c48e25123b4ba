"""Alert rules and dashboard: valid for Prometheus, and about metrics, labels and values that a gateway has."""

import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
import yaml
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from gateway.accounts.health import AccountState
from gateway.app import all_routes, create_app
from gateway.archive.copier import Outcome
from gateway.cli.server.background import BackgroundServer
from providers.contract.errors import ErrorKind
from providers.sandbox.server import SandboxServer
from tests.deploy.monitoring import ALERTS, JOB, Query, alert_queries, alert_rules, dashboard, dashboard_queries
from tests.deploy.paths import DEPLOY
from tests.deploy.programs import program
from tests.e2e.conftest import UPSTREAM, FastClock, bearer, follow, settings_for
from tests.ports import free_port

QUERIES = [*alert_queries(), *dashboard_queries()]
FOLDER = DEPLOY / "prometheus"
ADMIN_KEY = "metrics-admin-key"

OUTCOMES = {"ok", "accepted", *(kind.value for kind in ErrorKind)}
VALUES: dict[tuple[str, str], set[str]] = {
    ("gateway_accounts", "state"): {state.value for state in AccountState},
    ("gateway_submits_total", "outcome"): OUTCOMES,
    ("gateway_upstream_duration_seconds_count", "outcome"): {"ok", "error"},
    ("gateway_upstream_errors_total", "kind"): OUTCOMES,
    ("gateway_archive_copies_total", "outcome"): {outcome.value for outcome in Outcome},
    ("gateway_webhooks_total", "outcome"): {"delivered", "given_up", "lost"},
}
"""The values that a label can have, where a query names some."""


def promtool(*arguments: str) -> None:
    result = subprocess.run([program("promtool"), *arguments], cwd=FOLDER, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.fixture(scope="module")
def gateway() -> Iterator[str]:
    """The address of a gateway with two accounts that has made a video with each, and has a paused one."""
    tokens = {"jimeng": {"credentials": ["monitored1", "monitored2"]}, "dashscope": {"credentials": ["sk-monitored1"]}}
    keys = (SecretStr("me:gw-monitoring"),)
    with SandboxServer(UPSTREAM) as upstream:
        settings = settings_for(
            upstream, keys=keys, secret=(SecretStr("x" * 32),), admin_key=SecretStr(ADMIN_KEY), **tokens
        )
        with BackgroundServer(create_app(settings, clock=FastClock())) as running:
            with httpx.Client(base_url=running.url, timeout=20) as client:
                for model in ("jimeng-video-3.0-fast", "wan2.6-t2v"):
                    body = {"model": model, "prompt": "x"}
                    answer = client.post("/v1/videos/generations", json=body, headers=bearer("gw-monitoring"))
                    follow(client, answer.json()["task_id"], "gw-monitoring")
            yield running.url


@pytest.fixture(scope="module")
def exposed(gateway: str) -> dict[str, set[str]]:
    """By sample name: its labels, of all series that /metrics shows, and of the others those that they will have."""
    text = httpx.get(f"{gateway}/metrics", headers=bearer(ADMIN_KEY)).text
    found: dict[str, set[str]] = {"up": set()}
    for family in text_string_to_metric_families(text):
        own = getattr(REGISTRY._names_to_collectors.get(family.name), "_labelnames", ())
        endings = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}.get(family.type, ("",))
        for ending in endings:
            found.setdefault(family.name + ending, set()).update(own, {"le"} if ending == "_bucket" else ())
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


@pytest.mark.parametrize("query", QUERIES, ids=str)
def test_metrics_and_labels_of_a_query_exist(query: Query, exposed: dict[str, set[str]]) -> None:
    assert query.selectors and not re.search(
        r"\b(gateway|process|up)\w*(?![\w{])", re.sub(r"\{.*?\}", "{", query.expression)
    )
    labels = {"job", "instance"}
    for name, matchers in query.selectors:
        assert name in exposed, f"{name} is no metric of the gateway"
        assert set(matchers) <= exposed[name] | {"job", "instance"}, f"{name} has the labels {exposed[name]}"
        labels |= exposed[name]
    assert query.grouped_by <= labels


@pytest.mark.parametrize("query", QUERIES, ids=str)
def test_values_of_labels_can_occur(query: Query) -> None:
    for name, matchers in query.selectors:
        assert matchers.get("job") == JOB
        for label, pattern in matchers.items():
            possible = VALUES.get((name, label))
            if possible is not None:
                assert set(pattern.split("|")) <= possible, f"{name}: {label} is never one of {pattern}"


def test_routes_of_queries_are_routes_of_the_gateway() -> None:
    paths = {route.path for route in all_routes()}
    named = {matchers["route"] for query in QUERIES for _, matchers in query.selectors if "route" in matchers}
    assert named and named <= paths


def test_prometheus_accepts_the_rules() -> None:
    promtool("check", "rules", str(ALERTS))


def test_alerts_fire_when_they_should() -> None:
    promtool("test", "rules", "alerts.test.yml")


def test_prometheus_accepts_its_configuration() -> None:
    promtool("check", "config", "--syntax-only", "prometheus.yml")


def test_queries_of_the_dashboard_are_valid(tmp_path: Path) -> None:
    rules = [
        {"record": f"query:{number}", "expr": query.expression} for number, query in enumerate(dashboard_queries())
    ]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}), "utf-8")
    promtool("check", "rules", str(file))


@pytest.mark.parametrize("rule", alert_rules(), ids=lambda rule: rule["alert"])
def test_alert_says_what_it_is_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    assert set(rule["annotations"]) == {"summary", "description"}
    used = set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"])))
    query = Query(rule["alert"], rule["expr"])
    kept = query.grouped_by - {"le"} if query.grouped_by else {"instance", "job"}
    assert used <= kept


def test_panels_of_the_dashboard_do_not_overlap_and_have_descriptions() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken and max(x for x, _ in cells) < 24, panel["title"]
        taken |= cells
        assert panel["type"] == "row" or panel["description"].endswith(".")
    ids = [panel["id"] for panel in dashboard()["panels"]]
    assert len(set(ids)) == len(ids)


QUIET = {"Open streams", "Pauses of accounts", "Archived videos", "Webhooks that ended"}
"""Panels that show nothing where nothing of the kind has happened."""


def test_dashboard_shows_what_a_real_prometheus_has_scraped(gateway: str, tmp_path: Path) -> None:
    address, port = gateway.removeprefix("http://"), free_port()
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text("utf-8"))
    config["global"] = {"scrape_interval": "200ms", "scrape_timeout": "200ms"}
    del config["rule_files"]
    (job,) = config["scrape_configs"]
    (tmp_path / "admin_key").write_text(ADMIN_KEY)
    job["authorization"]["credentials_file"] = str(tmp_path / "admin_key")
    job["static_configs"] = [{"targets": [address]}]
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config), "utf-8")
    command = [
        program("prometheus"),
        f"--config.file={tmp_path}/prometheus.yml",
        f"--storage.tsdb.path={tmp_path}/data",
    ]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=10) as client:
                _wait_for_scrapes(client, 3)
                for query in dashboard_queries():
                    assert _result(client, query) or query.name[:-2] in QUIET, f"{query} shows nothing"
        finally:
            process.terminate()
            process.wait(20)


def _result(client: httpx.Client, query: Query) -> list[Any]:
    """What a query shows, once it shows something: a scrape that timed out on a busy machine hides the series until the
    next one."""
    for _ in range(1 if query.name[:-2] in QUIET else 30):
        answer = client.get("/query", params={"query": query.expression}).json()
        assert answer["status"] == "success", f"{query}: {answer}"
        if result := cast(list[Any], answer["data"]["result"]):
            return result
        time.sleep(0.2)
    return []


def _wait_for_scrapes(client: httpx.Client, scrapes: int) -> None:
    give_up = time.monotonic() + 30
    while time.monotonic() < give_up:
        try:
            answer = client.get("/query", params={"query": f'count_over_time(up{{job="{JOB}"}}[1m])'}).json()
            if answer["data"]["result"] and int(answer["data"]["result"][0]["value"][1]) >= scrapes:
                return
        except (httpx.TransportError, ValueError, KeyError):
            pass
        time.sleep(0.05)
    raise AssertionError("Prometheus scraped nothing")
