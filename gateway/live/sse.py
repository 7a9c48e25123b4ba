"""Server-Sent Events of one task. Wire format: https://html.spec.whatwg.org/multipage/server-sent-events.html

The response is our own: it needs one task for each connection and 15 KB of memory, Starlette's streaming response
24 KB, that of sse-starlette 42 KB.
"""

from collections.abc import Callable
from dataclasses import dataclass

from starlette.types import Message, Receive, Scope, Send

from gateway.accounts.callers import Caller
from gateway.core import metrics
from gateway.core.background_tasks import Background
from gateway.core.clock import Clock
from gateway.core.errors import GatewayError
from gateway.live.open_streams import OpenStreams
from gateway.live.outbox import Outbox
from gateway.live.watcher import Renderer, Status, Watcher
from gateway.live.watching import Watches

HEARTBEAT_SECONDS = 15.0
"""Proxies close a connection that is silent for 30 to 60 s."""
RETRY_MS = 3000
"""After how many milliseconds an `EventSource` connects again."""

_HEARTBEAT = b": heartbeat\n\n"
_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store, no-transform"),
    # nginx would gather events into blocks.
    (b"x-accel-buffering", b"no"),
]


@dataclass(frozen=True, slots=True)
class EventRenderers:
    """Render the data of events as JSON in one line. `status` and `timeout` are shared by all streams with the same
    object. `timeout` renders the last status of a task that takes too long."""

    status: Renderer
    timeout: Renderer
    error: Callable[[GatewayError], bytes]


class EventStream(Watcher):
    """The response to a client that watches one task, an ASGI application.

    It sends the event `status` at each change and the current status first, then one of `end` (the last status again),
    `timeout`, `unauthorized` and `reconnect`. `id` is a running number that goes on after `last_id` of the client.
    """

    __slots__ = (
        *("_background", "_caller", "_clock", "_id", "_number", "_outbox", "_renderers", "_seconds", "_sent_at"),
        *("_is_over", "_streams", "_watches"),
    )

    def __init__(
        self,
        watches: Watches,
        streams: OpenStreams,
        clock: Clock,
        background: Background,
        caller: Caller,
        id: str,
        renderers: EventRenderers,
        *,
        seconds: float,
        last_id: int = 0,
    ) -> None:
        """`seconds` is how long the task is watched at most."""
        super().__init__()
        self._watches = watches
        self._streams = streams
        self._clock = clock
        self._background = background
        self._caller = caller
        self._id = id
        self._renderers = renderers
        self._seconds = seconds
        self._number = last_id
        self._outbox: Outbox[Message]
        self._sent_at = 0.0
        self._is_over = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises GatewayError like a poll, before anything is sent."""
        self._outbox = Outbox(self._background, send)
        self._streams.count(self._caller)
        try:
            first = await self._watches.add(self._caller, self._id, self, seconds=self._seconds)
            # Through the outbox as well: the connection may be blocked before the head, while events come.
            self._put("head", {"type": "http.response.start", "status": 200, "headers": list(_HEADERS)})
            if scope["method"] == "HEAD":
                self._close()
            else:
                self.on_status(first)
            with self._streams.at_stop(self._on_stop), metrics.EVENT_STREAMS.labels("sse").track_inprogress():
                # It also ends once the response is complete.
                while (await receive())["type"] != "http.disconnect":
                    pass
        finally:
            self._watches.remove(self)
            self._streams.uncount(self._caller)

    def on_status(self, status: Status) -> None:
        self._event("status", status.rendered(self._renderers.status))
        if status.task.state.phase.ended:
            self._last("end", status.rendered(self._renderers.status))

    def on_error(self, error: GatewayError) -> None:
        self._last("unauthorized", self._renderers.error(error))

    def on_timeout(self, status: Status) -> None:
        self._last("timeout", status.rendered(self._renderers.timeout))

    def on_sweep(self, now: float) -> None:
        if now - self._sent_at >= HEARTBEAT_SECONDS and self._outbox.is_idle:
            self._put("heartbeat", _body(_HEARTBEAT))

    def _on_stop(self) -> None:
        self._watches.remove(self)
        self._last("reconnect", b"{}")

    def _last(self, event: str, data: bytes) -> None:
        if not self._is_over:
            self._event(event, data)
            self._close()

    def _close(self) -> None:
        self._is_over = True
        self._put("close", _body(b""))

    def _event(self, event: str, data: bytes) -> None:
        self._number += 1
        self._put(
            event,
            _body(b"event: %s\nid: %d\nretry: %d\ndata: %s\n\n" % (event.encode(), self._number, RETRY_MS, data)),
        )

    def _put(self, key: str, message: Message) -> None:
        self._sent_at = self._clock.monotonic()
        self._outbox.put(key, message)


def _body(chunk: bytes) -> Message:
    """A piece of the response; without bytes its end."""
    return {"type": "http.response.body", "body": chunk, "more_body": bool(chunk)}
