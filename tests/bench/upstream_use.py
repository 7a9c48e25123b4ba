"""Cases c and d: how often the upstream is asked when many tasks are polled by the clock.

The upstream is the project's own sandbox, in a thread of this process, whose books count what reaches it.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from providers.sandbox.server import SandboxServer
from providers.sandbox.settings import SandboxSettings
from tests.bench.load import Paced
from tests.bench.race import GATEWAY
from tests.bench.requests import Requests
from tests.bench.stand import KEY, Stand, bearer
from tests.bench.table import Row
from tests.bench.throughput import SUBMIT, TASK

JIMENG_TASKS = 1000
JIMENG_SESSION = "0123456789abcdef0123456789abcdef"
JIMENG_SUBMIT = Requests(
    ("/v1/videos/generations",), bearer(JIMENG_SESSION), "POST", '{"model":"jimeng-video-3.0-fast","prompt":"a cat"}'
)
_JIMENG_QUERY = "/mweb/v1/get_history_by_ids"
_JIMENG_CALLS = 25
_JIMENG_POLLS = 990
"""A thousand polls a second, but for those at the end that are still on their way."""

_DASHSCOPE_TASKS = ((500, 3), (2000, 8))
"""Numbers of tasks, with the highest age in seconds that an answer may have."""
_DASHSCOPE_QPS = 20
_DASHSCOPE_CONNECTIONS = 500
_P99_MS = 200
"""Upper bound for the first of them."""

_FOR_EVER = 1e6
_LEAST_SECONDS = 10
_FIRST_SECONDS = 5
"""Of polls before the measurement, so that it sees how it goes on, not how it begins."""


@contextmanager
def jimeng() -> Iterator[SandboxServer]:
    """A Jimeng on which all tasks run for as long as a benchmark does."""
    settings = SandboxSettings(
        task_seconds=_FOR_EVER, max_running=2 * JIMENG_TASKS, credits=10**9, ids_per_call=50, log_size=1
    )
    with SandboxServer(settings) as upstream:
        yield upstream


def jimeng_tasks(stand: Stand) -> list[Row]:
    """A thousand tasks of one Jimeng account, each asked for once a second."""
    seconds = max(_LEAST_SECONDS, stand.plan.seconds * stand.plan.rounds)
    with jimeng() as upstream, stand.gateway({"JIMENG_BASE_URL": upstream.jimeng_url}) as gateway:
        ids = stand.submit(gateway.port, JIMENG_SUBMIT, JIMENG_TASKS, "task_id")
        polls = Requests(tuple(TASK + id for id in ids), bearer(JIMENG_SESSION))
        with stand.loads.paced(gateway.port, polls, _FIRST_SECONDS) as result:
            first = result()
        before, used = upstream.sandbox.calls("jimeng", _JIMENG_QUERY), gateway.server.cpu_seconds()
        with stand.loads.paced(gateway.port, polls, seconds) as result:
            paced = result()
        errors = first.errors + paced.errors
        calls = (upstream.sandbox.calls("jimeng", _JIMENG_QUERY) - before) / paced.seconds
        good = calls <= _JIMENG_CALLS and paced.rate >= _JIMENG_POLLS and not errors
        return [
            Row(
                "c",
                f"{JIMENG_TASKS:,} Jimeng tasks, 1 poll/s each",
                GATEWAY,
                rate=paced.rate,
                p50_ms=paced.p50_ms,
                p99_ms=paced.p99_ms,
                core=(gateway.server.cpu_seconds() - used) / paced.seconds,
                memory_mb=gateway.server.memory_mb(),
                errors=errors,
                besides=f"{calls:.1f} upstream calls/s; {_told(paced)}",
                target=f"≤ {_JIMENG_CALLS} upstream calls/s at {JIMENG_TASKS:,} polls/s",
                verdict="ok" if good else "below",
                figures={
                    "upstream_calls_per_second": calls,
                    "statuses": paced.statuses,
                    "stale": paced.stale,
                    "left_out": paced.left_out,
                    "oldest_seconds": paced.oldest,
                    "first_p99_ms": first.p99_ms,
                },
            )
        ]


def dashscope_tasks(stand: Stand) -> list[Row]:
    """500 and 2,000 tasks of one key, each asked for once a second, before an upstream that answers 20 a second."""
    return [_dashscope_tasks(stand, tasks, oldest) for tasks, oldest in _DASHSCOPE_TASKS]


def _dashscope_tasks(stand: Stand, tasks: int, oldest: int) -> Row:
    settings = SandboxSettings(task_seconds=_FOR_EVER, queries_per_second=_DASHSCOPE_QPS, log_size=1_000_000)
    with SandboxServer(settings) as upstream, stand.gateway({"DASHSCOPE_BASE_URL": upstream.dashscope_url}) as gateway:
        ids = stand.submit(gateway.port, SUBMIT, tasks, "task_id")
        polls = Requests(tuple(TASK + id for id in ids), bearer(KEY))
        used = gateway.server.cpu_seconds()
        with stand.loads.paced(gateway.port, polls, stand.plan.paced_seconds, _DASHSCOPE_CONNECTIONS) as result:
            paced = result()
        calls = [entry for entry in upstream.sandbox.log() if entry["method"] == "GET"]
        lists = sum(entry["path"].rstrip("/").endswith("/tasks") for entry in calls)
        refused = sum(entry["status"] == 429 for entry in calls)
        throttled = paced.statuses.get("429", 0)
        good = not (throttled or refused or paced.errors) and paced.oldest is not None and paced.oldest <= oldest
        if tasks == _DASHSCOPE_TASKS[0][0]:
            good = good and paced.p99_ms <= _P99_MS
        return Row(
            "d",
            f"{tasks:,} DashScope tasks, 1 poll/s each",
            GATEWAY,
            rate=paced.rate,
            p50_ms=paced.p50_ms,
            p99_ms=paced.p99_ms,
            core=(gateway.server.cpu_seconds() - used) / paced.seconds,
            memory_mb=gateway.server.memory_mb(),
            errors=paced.errors,
            besides=f"429: {throttled} to clients, {refused:,} upstream; {_told(paced)}",
            target=f"no 429, oldest ≤ {oldest} s",
            verdict="ok" if good else "below",
            figures={
                "statuses": paced.statuses,
                "stale": paced.stale,
                "left_out": paced.left_out,
                "upstream_queries": len(calls) - lists,
                "upstream_lists": lists,
                "upstream_429": refused,
                "oldest_seconds": paced.oldest,
            },
        )


def _told(paced: Paced) -> str:
    """How old what clients were told was."""
    oldest = "n/a" if paced.oldest is None else f"{paced.oldest} s"
    return f"oldest {oldest}, {paced.stale:,} stale"
