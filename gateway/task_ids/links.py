"""Result links: the HTTP statuses of an expired link, and the renewal of links.

The archive, which copies videos, and `tasks`, which relays them, both renew links. This package is the highest layer
that both import.
"""

from gateway.polling.poller import Poller
from gateway.task_ids.task_ref import TaskRef
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.tasks import Result

EXPIRED_STATUSES = frozenset({401, 403, 404, 410})
"""HTTP statuses of an expired link."""


async def fresh_result(poller: Poller, ref: TaskRef, now: float) -> Result | None:
    """Renew the links of a task: its result as queried after `now`, in monotonic seconds. None where the upstream no
    longer knows the task, or has no result.

    It forces a query, since the cached result has the old links. Raises ProviderError where the
    query fails.
    """
    id = ref.upstream_id
    found = await poller.observe(
        ref.provider,
        ref.account,
        {id: ref.provider.card(ref.model) if ref.model else None},
        submitted_at={id: ref.created or ref.provider.submitted_at(id)},
        force_refresh=True,
    )
    observed = found[id]
    if isinstance(observed, ProviderError):
        if observed.kind is ErrorKind.TASK_NOT_FOUND:
            return None
        raise observed.without_traceback()
    missing = observed.query_error is not None and observed.query_error.kind is ErrorKind.TASK_NOT_FOUND
    if observed.query_error is not None and not missing:
        raise observed.query_error.without_traceback()
    if missing or observed.observed_at < now:
        # The upstream does not list the task right now: the observation is from the cache.
        raise ProviderError(ErrorKind.UPSTREAM_ERROR, detail="the upstream gives no fresh link")
    return observed.state.result
