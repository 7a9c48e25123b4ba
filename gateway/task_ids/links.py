"""Result links: which HTTP statuses say that one has expired, and how a task gets a fresh one.

Both the archive, which copies by links, and the tasks above it, whose content is relayed by them, renew links. The rule
needs where a task is and its upstream's answer, so it lies here: the highest room that both can import.
"""

from gateway.polling.poller import Poller
from gateway.task_ids.task_ref import TaskRef
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.tasks import Result

EXPIRED_STATUSES = frozenset({401, 403, 404, 410})
"""How hosts answer a link that has expired: with a refusal, or as if it had never been there."""


async def fresh_result(poller: Poller, ref: TaskRef, now: float) -> Result | None:
    """The result of a task with links that the upstream gives after `now`, in unix seconds. None where it no longer
    knows the task, or has no result of it.

    It forces a query and waits for its turn: what is known from before has the old links. Raises ProviderError where
    the upstream does not tell.
    """
    id = ref.upstream_id
    found = await poller.observe(
        ref.provider,
        ref.account,
        {id: ref.provider.card(ref.model) if ref.model else None},
        submitted_at={id: ref.created or ref.provider.submitted_at(id)},
        force_refresh=True,
        patient=True,
    )
    observed = found[id]
    if isinstance(observed, ProviderError):
        if observed.kind is ErrorKind.TASK_NOT_FOUND:
            return None
        raise observed
    if observed.trouble is not None:
        raise observed.trouble
    if observed.observed_at < now:
        # A task so new that the upstream may not show it on every host stands as it was seen before.
        raise ProviderError(ErrorKind.UPSTREAM_ERROR, detail="the upstream gives no fresh link")
    return observed.state.result
