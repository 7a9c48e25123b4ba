"""What a submit counts as against the limits of its key, from before it is sent until its outcome is known."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.accounts.callers import Caller
from gateway.limits.key_usage import Reservation
from gateway.tasks.idempotency import SubmitRecord
from gateway.tasks.send_deadline import SendDeadline
from gateway.tasks.submitter import RefreshTasks
from providers.contract.models import ModelCard
from providers.contract.requests import VideoRequest
from providers.registry import VideoProviders
from providers.sizes import asked_seconds

UNKNOWN_SECONDS = 15
"""What a video counts as whose length nobody knows before it is there: about the longest that upstreams make."""
_REFRESHED_TASKS = 5
"""Tasks of one account that are queried then, where the upstream takes one id per query."""


async def refresh_running(
    caller: Caller, registry: VideoProviders, refresh: RefreshTasks, deadline: SendDeadline
) -> None:
    """Where the caller's key is at its limit of running tasks, query those seen least recently: one may have ended."""
    tasks = caller.usage.tasks_to_query() if caller.usage is not None else ()
    if not tasks:
        return
    queries = []
    for account in caller.accounts:
        ids = [id for account_id, id in tasks if account_id == account.id]
        if ids and account.provider in registry:
            provider = registry[account.provider]
            queries.append(refresh(provider, account, ids[: max(provider.query_batch, _REFRESHED_TASKS)]))
    await deadline.wait(asyncio.gather(*queries))


@contextmanager
def reserved(caller: Caller, record: SubmitRecord, seconds: int) -> Iterator[Reservation]:
    """Count a submit against the limits of the caller's key. At the end of the block it is taken back, unless the block
    reports it as accepted, or the upstream may have it, as its record says.

    Raises GatewayError (429) where a limit is reached.
    """
    if caller.usage is None:
        yield Reservation()
        return
    with caller.usage.reserve(seconds) as reservation:
        try:
            yield reservation
        finally:
            if record.charge is not None and not reservation.is_charged:
                reservation.unconfirmed()


def counted_seconds(request: VideoRequest, card: ModelCard) -> int:
    """The seconds of a validated request. Where it says none, those of its model by default, else the most that they
    can be: an unknown length must not evade a limit."""
    return asked_seconds(request) or card.duration or max(card.durations, default=UNKNOWN_SECONDS)
