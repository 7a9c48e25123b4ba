"""The server's stop: not ready first, then the running requests end, then the connections are closed."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, cast

import uvicorn
from uvicorn.supervisors.multiprocess import Process

from gateway.core.logs import GATEWAY, mask_path

GRACE_SECONDS = 25
"""Grace period of running requests after SIGTERM, less than the 30 s after which orchestrators kill."""

_OPEN_SECONDS = 15
"""Of these, how long new connections are accepted while requests run that began before the stop. A submit that comes
last has the rest to end in."""
_MAX_NAMED = 5
"""Different requests that a log line names."""


class GracefulServer(uvicorn.Server):
    """uvicorn's server with a stop in two steps. At once the application says that it is not ready and ends its event
    streams. As long as requests run that began before, new connections are accepted, so that a load balancer sees it;
    then uvicorn closes the rest.

    `is_worker` leaves the line about the end of a stop without requests to the parent process.
    """

    def __init__(self, config: uvicorn.Config, *, is_worker: bool = False) -> None:
        super().__init__(config)
        self._is_worker = is_worker
        self._aborted = 0

    async def shutdown(self, sockets: Any = None) -> None:
        began = time.monotonic()
        running = set(self.server_state.tasks)
        number = len(running)
        if number:
            text = f"stopping: running requests have {GRACE_SECONDS} s to end; Ctrl-C aborts them"
            GATEWAY.info(text, extra={"fields": {"requests": number, "running": self._named_requests()}})
        on_stop = cast(Callable[[], None] | None, self.lifespan.state.get("on_stop"))
        if on_stop is not None:
            on_stop()
        while running and not self.force_exit and time.monotonic() - began < _OPEN_SECONDS:
            _, running = await asyncio.wait(running, timeout=0.1)
        self.config.timeout_graceful_shutdown = max(1, GRACE_SECONDS - round(time.monotonic() - began))
        await super().shutdown(sockets)
        if number or not self._is_worker:
            seconds = round(time.monotonic() - began, 1)
            fields = {"seconds": seconds, "requests": number, "aborted": self._aborted}
            GATEWAY.info("stopped", extra={"fields": fields})

    async def _wait_tasks_to_complete(self) -> None:
        try:
            await super()._wait_tasks_to_complete()
        except asyncio.CancelledError:
            # The grace period is over.
            self._aborted = len(self.server_state.tasks)
            raise

    def _named_requests(self) -> str:
        """The running requests by method and path: `POST /v1/videos ×2, GET /v1/videos/tasks/ID`."""
        found = Counter[str]()
        for connection in self.server_state.connections:
            cycle = getattr(connection, "cycle", None)
            if cycle is not None and not cycle.response_complete:
                found[f"{cycle.scope['method']} {mask_path(cycle.scope['path'])}"] += 1
        named = [f"{name} ×{number}" if number > 1 else name for name, number in found.most_common(_MAX_NAMED)]
        return ", ".join([*named, *(["…"] if len(found) > _MAX_NAMED else [])]) or "event streams"


class WorkerProcess(Process):
    """A worker process whose server stops as the one of a single process does."""

    @property
    def server(self) -> uvicorn.Server:
        if self._server is None:
            self._server = GracefulServer(self.config, is_worker=True)
        return self._server
