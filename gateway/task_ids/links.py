"""Result links: when a link has expired, and the renewal of links.

The archive, which copies videos, and `tasks`, which relays them, both renew links. This package is the highest layer
that both import.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from gateway.polling.poller import Poller
from gateway.task_ids.task_ref import TaskRef
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.tasks import Result

EXPIRED_STATUSES = frozenset({401, 403, 404, 410})
"""HTTP statuses of an expired link."""

T = TypeVar("T")


class LinkExpiredError(Exception):
    """A host says by `status` that its link has expired."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class NoFreshLinkError(LinkExpiredError):
    """A link has expired, and the upstream has no other one."""


def check_expired(status: int) -> None:
    """Raise LinkExpiredError for the status of a response to an expired link."""
    if status in EXPIRED_STATUSES:
        raise LinkExpiredError(status)


async def with_fresh_link(
    link: str, renew: Callable[[], Awaitable[str | None]], use: Callable[[str], Awaitable[T]]
) -> T:
    """What `use` makes of a link, or of a renewed one if it raises LinkExpiredError. This is the one rule of renewal.

    Raises NoFreshLinkError where `renew` gives no link. A LinkExpiredError for the renewed link propagates: the host
    does not serve what the upstream has just given, which may pass. Errors of `renew` propagate.
    """
    try:
        return await use(link)
    except LinkExpiredError as error:
        status = error.status
    fresh = await renew()
    if not fresh:
        raise NoFreshLinkError(status)
    return await use(fresh)


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
