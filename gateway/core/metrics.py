"""Prometheus metrics. Label values are bounded: routes, methods, status codes and names of managed accounts, never
ids or callers.

Several worker processes aggregate their metrics through files in PROMETHEUS_MULTIPROC_DIR, a folder that the server
creates and sets before this module is imported.
"""

import os
from collections.abc import Mapping
from functools import cache

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"

REQUESTS = Histogram(
    "gateway_request_seconds",
    "Request duration in seconds, by route, method and status.",
    ("route", "method", "status"),
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
UPSTREAM = Histogram(
    "gateway_upstream_seconds",
    "Upstream call duration in seconds, by provider, call (query, submit, upload, discover, chat, embedding: the last "
    "two until the first byte of the response) and outcome (`ok` or an error kind).",
    ("provider", "call", "outcome"),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
BATCH_SIZES = Histogram(
    "gateway_query_batch_size",
    "Number of ids per upstream status query, by provider.",
    ("provider",),
    buckets=(1, 2, 5, 10, 20, 50, 100),
)
STATUS_AGES = Histogram(
    "gateway_answer_age_seconds",
    "Age in seconds of the status returned to polls of unfinished tasks.",
    buckets=(0.1, 0.5, 1, 2, 5, 10, 20, 30, 60),
)
QUERIES_SAVED = Counter("gateway_polls_saved", "Task polls answered from the cache, without an upstream query.")
QUERIES_JOINED = Counter("gateway_polls_joined", "Task polls that joined a status query already in flight.")
QUERIES_IN_FLIGHT = Gauge(
    "gateway_queries_under_way", "Upstream status queries in flight.", multiprocess_mode="livesum"
)
SUBMITS = Counter(
    "gateway_submits",
    "Submit attempts, by account and outcome (`accepted` or an error kind). All accounts of pass-through "
    "callers share one label.",
    ("account", "outcome"),
)
PAUSES = Counter("gateway_pauses", "Account pauses started, by provider and reason.", ("provider", "reason"))
ACCOUNTS = Gauge(
    "gateway_accounts",
    "Managed accounts, by provider and state, as seen by the responding process.",
    ("provider", "state"),
    multiprocess_mode="mostrecent",
)
EVENT_STREAMS = Gauge(
    "gateway_event_streams",
    "Open event streams, by kind (sse, websocket).",
    ("kind",),
    multiprocess_mode="livesum",
)
ANSWER_STREAMS = Gauge("gateway_answer_streams", "Open streams of chat completions.", multiprocess_mode="livesum")
COPIES = Counter("gateway_archive_copies", "Attempts to archive a finished video, by outcome.", ("outcome",))
WEBHOOK_ATTEMPTS = Histogram(
    "gateway_webhook_seconds",
    "Duration of an attempt to deliver a webhook in seconds, by outcome (`delivered` or why it failed).",
    ("outcome",),
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
WEBHOOKS = Counter(
    "gateway_webhooks",
    "Webhooks that ended, by outcome: `delivered`, `given_up` after the last attempt, `lost` when the process stopped.",
    ("outcome",),
)
WEBHOOKS_PENDING = Gauge(
    "gateway_webhooks_pending",
    "Webhooks whose task has not ended or whose receiver has not answered.",
    multiprocess_mode="livesum",
)
_exposed: set[tuple[str, str]] = set()


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


def observe_webhook(outcome: str, seconds: float) -> None:
    WEBHOOK_ATTEMPTS.labels(outcome).observe(seconds)


def exposition(accounts: Mapping[tuple[str, str], int]) -> bytes:
    """The metrics in the Prometheus text format. `accounts` is the current number of accounts by provider and state."""
    _exposed.update(accounts)
    for provider, state in _exposed:
        ACCOUNTS.labels(provider, state).set(accounts.get((provider, state), 0))
    if FOLDER_VARIABLE not in os.environ:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)
