"""Result links: which HTTP statuses say that one has expired, and how a task gets a fresh one.

Both the archive, which copies by links, and the tasks above it, whose content is relayed by them, renew links. The rule
needs where a task is and its upstream's answer, so it lies here: the highest room that both can import.
"""

from gateway.polling.poller import Polling
from gateway.task_ids.locator import Place
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.tasks import Result

EXPIRED_STATUSES = frozenset({401, 403, 404, 410})
"""How hosts answer a link that has expired: with a refusal, or as if it had never been there."""


async def fresh_result(polling: Polling, place: Place, now: float) -> Result | None:
    """The result of a task with links that the upstream gives after `now`, in unix seconds. None where it no longer
    knows the task, or has no result of it.

    It forces a query and waits for its turn: what is known from before has the old links. Raises ProviderError where
    the upstream does not tell.
    """
    id = place.upstream_id
    found = await polling.observe(
        place.provider,
        place.account,
        {id: place.provider.card(place.model) if place.model else None},
        submitted_at={id: place.created or place.provider.submitted_at(id)},
        ask=True,
        patient=True,
    )
    observed = found[id]
    if isinstance(observed, ProviderError):
        if observed.kind is ErrorKind.TASK_NOT_FOUND:
            return None
        raise observed
    if observed.trouble is not None:
        raise observed.trouble
    if observed.seen_at < now:
        # A task so new that the upstream may not show it on every host stands as it was seen before.
        raise ProviderError(ErrorKind.UPSTREAM_ERROR, detail="the upstream gives no fresh link")
    return observed.state.result
