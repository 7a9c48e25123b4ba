"""Following tasks to their end, through a gateway that may be restarted meanwhile."""

import time
from collections.abc import Sequence

from gateway.cli.client.gateway_client import Answer, BrokenAnswerError, GatewayClient, RefusedError, UnreachableError
from gateway.cli.progress import Board

_PATIENCE_SECONDS = 60.0
"""How long a gateway may be away before following gives up. The tasks run on in any case."""

_RETRY_SECONDS = 2.0

TRANSIENT_STATUSES = frozenset({429, 500, 502, 503, 504})
"""What a gateway or a proxy before it may answer for a while."""


def follow(client: GatewayClient, ids: Sequence[str], board: Board) -> Answer:
    """Show the tasks on the board until all have ended; the answer that says so.

    Asks as often as the gateway wishes. Raises CommandError: at once when the first question fails, later only
    when the gateway stays away.
    """
    answer = client.status(ids)
    while True:
        for task in answer.tasks:
            board.show(task.id, task)
        if all(task.ended for task in answer.tasks):
            return answer
        time.sleep(answer.pause)
        answer = _ask_again(client, ids, board)


def _ask_again(client: GatewayClient, ids: Sequence[str], board: Board) -> Answer:
    give_up = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return client.status(ids)
        except (UnreachableError, BrokenAnswerError, RefusedError) as trouble:
            transient = not isinstance(trouble, RefusedError) or trouble.status in TRANSIENT_STATUSES
            if not transient or time.monotonic() > give_up:
                raise
            board.note(f"{trouble}; asking again")
        time.sleep(_RETRY_SECONDS)
