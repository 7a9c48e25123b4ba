"""Follows tasks until they end, also through a restart of the gateway: by its events, else by polls."""

import time
from collections.abc import Sequence

from gateway.cli.client.event_stream import MAX_STREAMS, StreamEnd, follow_events
from gateway.cli.client.gateway_client import (
    BrokenResponseError,
    GatewayClient,
    ResponseError,
    TaskView,
    UnreachableError,
)
from gateway.cli.errors import CommandError
from gateway.cli.progress import TaskProgress

_MAX_OUTAGE_SECONDS = 60.0
"""Maximum outage of the gateway in seconds. The tasks continue in any case."""

_RETRY_SECONDS = 2.0
_RECONNECT_SECONDS = 1.0
_MAX_EMPTY_STREAMS = 2
"""Streams in a row without an event, after which only polls are used."""

TRANSIENT_STATUSES = frozenset({429, 500, 502, 503, 504})
"""Statuses of a gateway, or of a proxy before it, that may be temporary."""


def follow(client: GatewayClient, ids: Sequence[str], progress: TaskProgress) -> list[TaskView]:
    """Show the progress of tasks until all have ended. Returns them in this order, each once.

    Polls happen at the interval that the gateway sets. Raises CommandError: at once if the first poll fails, later only
    if the outage is too long or the error is permanent.
    """
    following = _Following(client, ids, progress)
    following.poll()
    empty_streams = 0
    while following.unfinished:
        end = StreamEnd.UNAVAILABLE
        if empty_streams < _MAX_EMPTY_STREAMS and len(following.unfinished) <= MAX_STREAMS:
            end = follow_events(client, following.unfinished, following.show)
            empty_streams = {StreamEnd.UNAVAILABLE: _MAX_EMPTY_STREAMS, StreamEnd.EMPTY: empty_streams + 1}.get(end, 0)
        if following.unfinished:
            time.sleep(_RECONNECT_SECONDS if end is StreamEnd.LOST else following.poll_after)
            following.poll_again()
    return following.tasks


class _Following:
    """The last known state of each task."""

    def __init__(self, client: GatewayClient, ids: Sequence[str], progress: TaskProgress) -> None:
        self._client = client
        self._ids = list(dict.fromkeys(ids))
        self._progress = progress
        self._tasks: dict[str, TaskView] = {}
        self.poll_after = 0.0

    @property
    def unfinished(self) -> list[str]:
        """The tasks that are still followed."""
        return [id for id in self._ids if id not in self._tasks or not self._tasks[id].over]

    @property
    def tasks(self) -> list[TaskView]:
        """All tasks, in order."""
        return [self._tasks[id] for id in self._ids]

    def show(self, id: str, task: TaskView) -> None:
        """Note and show the state of a task."""
        self._tasks[id] = task
        self._progress.show(id, task)

    def poll(self) -> None:
        """Poll the unfinished tasks. Raises CommandError."""
        unfinished = self.unfinished
        # Of several, an unknown one is a row, and no error that hides the others.
        answers = [self._client.status(unfinished)] if len(self._ids) == 1 else self._client.statuses(unfinished)
        tasks = [task for answer in answers for task in answer.tasks]
        if len(tasks) != len(unfinished):
            raise CommandError("the response has not one row for each task: is it the gateway?")
        self.poll_after = max(answer.poll_after for answer in answers)
        for id, task in zip(unfinished, tasks, strict=True):
            self.show(id, task)

    def poll_again(self) -> None:
        """Poll, for a while also through an outage. Raises CommandError."""
        give_up = time.monotonic() + _MAX_OUTAGE_SECONDS
        while True:
            try:
                self.poll()
                return
            except (UnreachableError, BrokenResponseError, ResponseError) as error:
                transient = not isinstance(error, ResponseError) or error.status in TRANSIENT_STATUSES
                if not transient or time.monotonic() > give_up:
                    raise
                self._progress.note(f"{error}; retrying")
            time.sleep(_RETRY_SECONDS)
