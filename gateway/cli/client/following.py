"""Follows tasks until they end, also through a restart of the gateway."""

import time
from collections.abc import Sequence

from gateway.cli.client.gateway_client import (
    BrokenResponseError,
    GatewayClient,
    GatewayResponse,
    ResponseError,
    UnreachableError,
)
from gateway.cli.progress import TaskProgress

_MAX_OUTAGE_SECONDS = 60.0
"""Maximum outage of the gateway in seconds. The tasks continue in any case."""

_RETRY_SECONDS = 2.0

TRANSIENT_STATUSES = frozenset({429, 500, 502, 503, 504})
"""Statuses of a gateway, or of a proxy before it, that may be temporary."""


def follow(client: GatewayClient, ids: Sequence[str], progress: TaskProgress) -> GatewayResponse:
    """Show the progress of tasks until all have ended. Returns the last response.

    Polls at the interval that the gateway sets. Raises CommandError: at once if the first poll fails, later only if the
    outage is too long or the error is permanent.
    """
    answer = client.status(ids)
    while True:
        for task in answer.tasks:
            progress.show(task.id, task)
        if all(task.ended for task in answer.tasks):
            return answer
        time.sleep(answer.poll_after)
        answer = _poll_again(client, ids, progress)


def _poll_again(client: GatewayClient, ids: Sequence[str], progress: TaskProgress) -> GatewayResponse:
    give_up = time.monotonic() + _MAX_OUTAGE_SECONDS
    while True:
        try:
            return client.status(ids)
        except (UnreachableError, BrokenResponseError, ResponseError) as error:
            transient = not isinstance(error, ResponseError) or error.status in TRANSIENT_STATUSES
            if not transient or time.monotonic() > give_up:
                raise
            progress.note(f"{error}; retrying")
        time.sleep(_RETRY_SECONDS)
