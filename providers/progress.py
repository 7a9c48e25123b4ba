"""Stage bands and time estimates: a state and a clock reading give a percentage. Pure functions."""

from providers.contract.tasks import Phase, TaskState

BANDS: dict[Phase, tuple[int, int]] = {
    Phase.QUEUED: (0, 10),
    Phase.PROCESSING: (10, 79),
    Phase.POST_PROCESSING: (80, 89),
    Phase.FINALIZING: (90, 95),
}
"""First and last percentage of each phase. 100 is only for a task with a result."""

QUEUE_SHARE = 0.5
"""Assumed time in the queue as a share of the typical time, without a forecast."""


def estimate(state: TaskState, now: float, typical_seconds: float) -> int:
    """Percentage of a task at `now`, in [0, 100].

    Without times from the upstream it is the state's own figure. Otherwise it rises within the phase's band by elapsed
    over typical time, or over the upstream's forecast for the phase. A failed task has 0.
    """
    if state.phase is Phase.COMPLETED:
        return 100
    if state.phase is Phase.FAILED:
        return 0
    since = state.started_at if state.started_at is not None else state.created_at
    if since is None or state.note is not None:
        return state.progress
    first, last = BANDS[state.phase]
    typical = typical_seconds * QUEUE_SHARE if state.phase is Phase.QUEUED else typical_seconds
    share = min(max(now - since, 0.0) / max(state.expected_seconds or typical, 1.0), 1.0)
    return first + round((last - first) * share)
