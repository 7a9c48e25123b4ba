"""Prometheus metrics. Label values are bounded: routes, methods, status codes, models of the tables and names of
managed accounts, never ids or callers. `deploy/README.md` has the table of all.

Several worker processes aggregate their metrics through files in PROMETHEUS_MULTIPROC_DIR, a folder that the server
creates and sets before this module is imported. `exposition` gives the text of all processes.
"""

from collections.abc import Iterable
from functools import cache

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

from providers.contract.errors import ErrorKind
from providers.contract.models import ModelCard
from providers.contract.tasks import TaskState

# A series more for each label set, which no query needs.
disable_created_metrics()  # type: ignore[no-untyped-call]

OK, ERROR = "ok", "error"
UNEXPECTED, ABANDONED = "unexpected", "abandoned"
CALLS = ("query", "hint", "submit", "upload", "discover", "chat", "embedding")
OTHER_MODEL = "other"
TASK_OUTCOMES = ("completed", "failed", "content_refused", "cancelled")

BUILD_INFO = Gauge("gateway_build_info", "1, with the version of the gateway.", ("version",), multiprocess_mode="max")
RELOAD_OK = Gauge(
    "gateway_config_last_reload_successful",
    "1 while the configuration is the one that was loaded last, 0 after one that was rejected, in any process.",
    multiprocess_mode="livemin",
)
RELOADED_AT = Gauge(
    "gateway_config_last_reload_success_timestamp_seconds",
    "Unix time of the last configuration that was accepted, or of the start.",
    multiprocess_mode="mostrecent",
)
ASYNCIO_TASKS = Gauge(
    "gateway_asyncio_tasks",
    "Asyncio tasks of the responding process, counted for this response: connections, requests, streams and queues.",
    multiprocess_mode="mostrecent",
)
REQUESTS = Histogram(
    "gateway_request_duration_seconds",
    "Request duration in seconds, by route, method and status (499: the client disconnected before the response).",
    ("route", "method", "status"),
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
REQUESTS_IN_FLIGHT = Gauge(
    "gateway_requests_in_flight",
    "Requests being answered, with open event streams and without polls answered from the cache.",
    multiprocess_mode="livesum",
)
UPSTREAM = Histogram(
    "gateway_upstream_duration_seconds",
    "Upstream call duration in seconds, by provider, call (query, hint: a page of a list in place of queries, submit, "
    "upload, discover, chat, embedding: the last two until the first byte of the response) and outcome (`ok`, "
    "`error`).",
    ("provider", "call", "outcome"),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
UPSTREAM_ERRORS = Counter(
    "gateway_upstream_errors",
    "Failed upstream calls, by provider, call and kind of error (`unexpected`: a fault of the gateway, "
    "`abandoned`: the request ended first).",
    ("provider", "call", "kind"),
)
QUEUE = Histogram(
    "gateway_queue_duration_seconds",
    "Seconds that a submit waits for an account (`submit`), and a status query for the rate limit of its account "
    "(`query`), by provider and queue.",
    ("provider", "queue"),
    buckets=(0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
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
    "gateway_queries_in_flight", "Upstream status queries in flight.", multiprocess_mode="livesum"
)
SUBMITS = Counter(
    "gateway_submits",
    "Submit attempts, by account and outcome (`accepted` or a kind of error). All accounts of pass-through "
    "callers share one label.",
    ("account", "outcome"),
)
TASKS_FINISHED = Counter(
    "gateway_tasks_finished",
    "Tasks whose end a process has seen, by provider, model (`other`: not in the tables) and outcome (completed, "
    "failed, content_refused, cancelled).",
    ("provider", "model", "outcome"),
)
PAUSES = Counter("gateway_pauses", "Account pauses started, by provider and reason.", ("provider", "reason"))
ACCOUNTS = Gauge(
    "gateway_accounts",
    "Managed accounts, by provider and state, as seen by the responding process.",
    ("provider", "state"),
    multiprocess_mode="mostrecent",
)
CREDITS = Gauge(
    "gateway_account_credits",
    "Credits of a managed account when its balance was last read, by provider and account; absent before that.",
    ("provider", "account"),
    multiprocess_mode="mostrecent",
)
CREDITS_SPENT = Counter(
    "gateway_account_credits_spent",
    "Credits by which the balance of a managed account fell from one reading to the next, by provider and account.",
    ("provider", "account"),
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
    "gateway_webhook_duration_seconds",
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

_SUBMIT_OUTCOMES = ("accepted", *(kind.value for kind in ErrorKind))

for _kind in ("sse", "websocket"):
    EVENT_STREAMS.labels(_kind)
for _outcome in ("delivered", "given_up", "lost"):
    WEBHOOKS.labels(_outcome)


@cache
def _requests(route: str, method: str, status: int) -> Histogram:
    return REQUESTS.labels(route, method, status)


def observe_request(route: str, method: str, status: int, seconds: float) -> None:
    _requests(route, method, status).observe(seconds)


@cache
def _upstream(provider: str, call: str, outcome: str) -> Histogram:
    return UPSTREAM.labels(provider, call, outcome)


def observe_call(provider: str, call: str, outcome: str, seconds: float) -> None:
    """`outcome` is `ok`, a kind of error, UNEXPECTED or ABANDONED."""
    _upstream(provider, call, OK if outcome == OK else ERROR).observe(seconds)
    if outcome != OK:
        UPSTREAM_ERRORS.labels(provider, call, outcome).inc()


@cache
def queue_wait(provider: str, queue: str) -> Histogram:
    return QUEUE.labels(provider, queue)


@cache
def batch_sizes(provider: str) -> Histogram:
    return BATCH_SIZES.labels(provider)


def observe_copy(outcome: str) -> None:
    COPIES.labels(outcome).inc()


def observe_webhook(outcome: str, seconds: float) -> None:
    WEBHOOK_ATTEMPTS.labels(outcome).observe(seconds)


def model_label(card: ModelCard | None) -> str:
    """The model as a label: a caller may name any, so that only those of the tables and the configuration have one."""
    return card.name if card is not None and (card.configured or not card.unlisted) else OTHER_MODEL


def task_finished(provider: str, model: str, state: TaskState) -> None:
    """Count a task that has ended. `model` is a label."""
    if state.error is None:
        outcome = "completed"
    elif state.error.kind in (ErrorKind.CONTENT_REFUSED, ErrorKind.CANCELLED):
        outcome = state.error.kind.value
    else:
        outcome = "failed"
    TASKS_FINISHED.labels(provider, model, outcome).inc()


def credits_read(provider: str, account: str, credits: int, before: int | None) -> None:
    """Record the balance of a managed account, and that before it, if there was one."""
    CREDITS.labels(provider, account).set(credits)
    if before is not None and before > credits:
        CREDITS_SPENT.labels(provider, account).inc(before - credits)


def declare_provider(provider: str, calls: Iterable[str], models: Iterable[str], pauses: Iterable[str]) -> None:
    """Make the series of a provider, at 0: an alert cannot see the first event of a series that did not exist.

    `calls` are those of `CALLS` that the provider has, `models` labels, `pauses` the reasons of pauses.
    """
    for call in calls:
        for outcome in (OK, ERROR):
            _upstream(provider, call, outcome)
        for kind in (*ErrorKind, UNEXPECTED, ABANDONED):
            UPSTREAM_ERRORS.labels(provider, call, str(kind))
    for reason in pauses:
        PAUSES.labels(provider, reason)
    if "submit" in calls:
        batch_sizes(provider)
        for queue in ("submit", "query"):
            queue_wait(provider, queue)
        for model in (*models, OTHER_MODEL):
            for outcome in TASK_OUTCOMES:
                TASKS_FINISHED.labels(provider, model, outcome)


def declare_account(provider: str | None, account: str) -> None:
    """Make the series of an account, at 0. `provider` is None for the label of all accounts of pass-through callers."""
    for outcome in _SUBMIT_OUTCOMES:
        SUBMITS.labels(account, outcome)
    if provider is not None:
        CREDITS_SPENT.labels(provider, account)
