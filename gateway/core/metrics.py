"""What the gateway counts. Labels are bounded: routes, methods, status codes and names of the gateway's own accounts,
never ids or callers.

With several worker processes the figures of all of them are added up, by files in a folder that the server makes and
names in PROMETHEUS_MULTIPROC_DIR before this module is imported.
"""

import os
from collections.abc import Mapping
from functools import cache

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"

REQUESTS = Histogram(
    "gateway_request_seconds",
    "Time to answer a request, by route, method and status.",
    ("route", "method", "status"),
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
UPSTREAM = Histogram(
    "gateway_upstream_seconds",
    "Time of a call to an upstream, by provider, call (query, submit) and outcome (ok, or the kind of failure).",
    ("provider", "call", "outcome"),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
BATCH_SIZES = Histogram(
    "gateway_query_batch_size",
    "Ids in one status query to an upstream, by provider.",
    ("provider",),
    buckets=(1, 2, 5, 10, 20, 50, 100),
)
ANSWER_AGES = Histogram(
    "gateway_answer_age_seconds",
    "Age of what polls were told of unfinished tasks.",
    buckets=(0.1, 0.5, 1, 2, 5, 10, 20, 30, 60),
)
QUERIES_SAVED = Counter("gateway_polls_saved", "Polls of a task that were answered without asking its upstream.")
QUERIES_JOINED = Counter("gateway_polls_joined", "Polls of a task that joined a query of others.")
QUERIES_UNDER_WAY = Gauge(
    "gateway_queries_under_way", "Status queries to upstreams under way.", multiprocess_mode="livesum"
)
SUBMITS = Counter(
    "gateway_submits",
    "Tries to submit, by account and by what came of them: `accepted` or the kind of failure. Accounts that callers "
    "bring along count together.",
    ("account", "outcome"),
)
PAUSES = Counter("gateway_pauses", "Pauses of accounts that began, by provider and reason.", ("provider", "reason"))
ACCOUNTS = Gauge(
    "gateway_accounts",
    "The gateway's own accounts, by provider and state, as the process that answers knows them.",
    ("provider", "state"),
    multiprocess_mode="mostrecent",
)
COPIES = Counter("gateway_archive_copies", "Tries to archive a finished video, by what came of them.", ("outcome",))
_shown: set[tuple[str, str]] = set()


@cache
def _requests(route: str, method: str, status: int) -> Histogram:
    return REQUESTS.labels(route, method, status)


def observe_request(route: str, method: str, status: int, seconds: float) -> None:
    _requests(route, method, status).observe(seconds)


@cache
def _upstream(provider: str, call: str, outcome: str) -> Histogram:
    return UPSTREAM.labels(provider, call, outcome)


def observe_call(provider: str, call: str, outcome: str, seconds: float) -> None:
    _upstream(provider, call, outcome).observe(seconds)


@cache
def batch_sizes(provider: str) -> Histogram:
    return BATCH_SIZES.labels(provider)


def observe_copy(outcome: str) -> None:
    COPIES.labels(outcome).inc()


def exposition(accounts: Mapping[tuple[str, str], int]) -> bytes:
    """The figures as Prometheus reads them. `accounts` counts accounts by provider and state, as of now."""
    _shown.update(accounts)
    for provider, state in _shown:
        ACCOUNTS.labels(provider, state).set(accounts.get((provider, state), 0))
    if FOLDER_VARIABLE not in os.environ:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)
