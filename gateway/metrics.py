"""What the gateway counts. Labels are bounded: routes, methods, status codes and names of the gateway's own accounts,
never ids or callers."""

from collections.abc import Mapping
from functools import cache

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, generate_latest

REQUESTS = Histogram(
    "gateway_request_seconds",
    "Time to answer a request, by route, method and status.",
    ("route", "method", "status"),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
SUBMITS = Counter(
    "gateway_submits",
    "Tries to submit, by account and by what came of them: `accepted` or the kind of failure. Accounts that callers "
    "bring along count together.",
    ("account", "outcome"),
)
PAUSES = Counter("gateway_pauses", "Pauses of accounts that began, by provider and reason.", ("provider", "reason"))
ACCOUNTS = Gauge("gateway_accounts", "The gateway's own accounts, by provider and state.", ("provider", "state"))

BATCH_SIZES = Histogram(
    "gateway_query_batch_size",
    "Ids in one status query to an upstream, by provider.",
    ("provider",),
    buckets=(1, 2, 5, 10, 20, 50, 100),
)
QUERIES_SAVED = Counter("gateway_polls_saved", "Polls of a task that were answered without asking its upstream.")
QUERIES_JOINED = Counter("gateway_polls_joined", "Polls of a task that joined a query of others.")


@cache
def _requests(route: str, method: str, status: int) -> Histogram:
    return REQUESTS.labels(route, method, status)


def observe_request(route: str, method: str, status: int, seconds: float) -> None:
    _requests(route, method, status).observe(seconds)


def exposition(accounts: Mapping[tuple[str, str], int]) -> bytes:
    """The figures as Prometheus reads them. `accounts` counts accounts by provider and state, as of now."""
    ACCOUNTS.clear()
    for (provider, state), count in accounts.items():
        ACCOUNTS.labels(provider, state).set(count)
    return generate_latest(REGISTRY)
