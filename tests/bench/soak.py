"""Case m: whether memory stays where it is while two kinds of polls go on and on."""

import time

from tests.bench.race import GATEWAY
from tests.bench.requests import Requests
from tests.bench.stand import Stand, bearer
from tests.bench.table import Row
from tests.bench.throughput import TASK, repeated
from tests.bench.upstream_use import JIMENG_SESSION, JIMENG_SUBMIT, JIMENG_TASKS, jimeng

_MOST_MB = 150.0
_GROWTH_MB = 5.0
"""What counts as not growing, from the middle to the end."""

_BEFORE_THE_END = 1.0


def memory(stand: Stand) -> list[Row]:
    """Repeated polls as fast as they go, and a thousand Jimeng tasks by the clock, at the same time."""
    seconds = stand.plan.soak_seconds
    with jimeng() as upstream, stand.gateway({"JIMENG_BASE_URL": upstream.jimeng_url}) as gateway:
        ids = stand.submit(gateway.port, JIMENG_SUBMIT, JIMENG_TASKS, "task_id")
        by_clock = Requests(tuple(TASK + id for id in ids), bearer(JIMENG_SESSION))
        fast_polls = repeated()
        stand.ask_each(gateway.port, fast_polls)
        stand.ask_each(gateway.port, by_clock)
        start = gateway.server.memory_mb()
        with (
            stand.loads.closed(gateway.port, fast_polls, seconds) as fast_result,
            stand.loads.paced(gateway.port, by_clock, seconds) as paced_result,
        ):
            time.sleep(seconds / 2)
            middle = gateway.server.memory_mb()
            time.sleep(max(0.0, seconds / 2 - _BEFORE_THE_END))
            end = gateway.server.memory_mb()
            fast, paced = fast_result(), paced_result()
        good = end < _MOST_MB and end - middle <= _GROWTH_MB
        return [
            Row(
                "m",
                f"both kinds of polls at once, for {seconds} s",
                GATEWAY,
                rate=fast.rate + paced.rate,
                p50_ms=fast.p50_ms,
                p99_ms=fast.p99_ms,
                memory_mb=end,
                errors=fast.errors + paced.refused,
                besides=f"start {start:.0f}, middle {middle:.0f}, end {end:.0f} MB",
                target=f"< {_MOST_MB:g} MB, not growing",
                verdict="ok" if good else "below",
                figures={"start_mb": start, "middle_mb": middle, "end_mb": end, "unanswered": paced.unanswered},
            )
        ]
