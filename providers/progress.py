"""Stage bands and time estimates: a state and a clock reading give a percentage. Pure functions."""

from providers.contract.tasks import Phase, TaskState

BANDS: dict[Phase, tuple[int, int]] = {
    Phase.QUEUED: (0, 10),
    Phase.PROCESSING: (10, 79),
    Phase.POST_PROCESSING: (80, 89),
    Phase.FINALIZING: (90, 95),
}
"""First and last percentage of each phase. 100 is only ever said of a task whose result is there."""

QUEUE_SHARE = 0.5
"""How much of the typical time a place in a queue is taken to last, where nothing better is known."""


def estimate(state: TaskState, now: float, typical_seconds: float) -> int:
    """Percentage of a task at `now`, in [0, 100].

    Where the upstream tells no times, the figure of the state itself. Else it rises inside the phase's band by
    elapsed over typical time; the upstream's own forecast for the phase, where there is one, takes its place.
    A failed task keeps 0: nobody knows how far it got.
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
