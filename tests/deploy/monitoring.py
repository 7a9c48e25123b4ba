"""The queries of the monitoring files: PromQL of the alert rules and of the dashboard."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from tests.deploy.paths import DEPLOY

ALERTS = DEPLOY / "prometheus" / "alerts.yml"
DASHBOARD = DEPLOY / "grafana" / "dashboards" / "video-gateway.json"
JOB, INTERVAL = "video-gateway", "1m"

_SELECTOR = re.compile(r"\b([a-z][a-z_]*)\{((?:\"(?:[^\"\\]|\\.)*\"|[^}\"])*)\}")
_MATCHER = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"((?:[^\"\\]|\\.)*)\"")
_GROUPING = re.compile(r"\b(?:by|on|without|ignoring)\s*\(([^)]*)\)")


@dataclass(frozen=True, slots=True)
class Query:
    """A query and where it stands."""

    name: str
    expression: str

    def __str__(self) -> str:
        return self.name

    @property
    def selectors(self) -> list[tuple[str, dict[str, str]]]:
        """The series that it reads: the name of each metric, and the values of its labels."""
        return [(name, dict(_MATCHER.findall(labels))) for name, labels in _SELECTOR.findall(self.expression)]

    @property
    def grouped_by(self) -> set[str]:
        """The labels that it groups by."""
        return {label.strip() for group in _GROUPING.findall(self.expression) for label in group.split(",")}


def alert_rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(ALERTS.read_text("utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def alert_queries() -> list[Query]:
    return [Query(rule["alert"], rule["expr"]) for rule in alert_rules()]


def dashboard() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(DASHBOARD.read_text("utf-8"))
    return loaded


def dashboard_queries() -> list[Query]:
    """Those of the panels, with values for the variables."""
    return list(_panel_queries())


def _panel_queries() -> Iterator[Query]:
    values = {"$job": JOB, "$instance": ".*", "$__rate_interval": INTERVAL}
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", ()):
            expression = target["expr"]
            for variable, value in values.items():
                expression = expression.replace(variable, value)
            assert "$" not in expression, expression
            yield Query(f"{panel['title']} {target['refId']}", expression)
