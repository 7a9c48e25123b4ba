"""The WebSocket of a client that watches any number of tasks.

The client sends JSON objects: `{"authorization": "Bearer …"}` first, unless its handshake has authenticated it,
`{"subscribe": [ids]}`, `{"unsubscribe": [ids]}` and `{"type": "ping"}`. The server sends objects with a `type`:
`video.status_update` (the current status first, then each change), `video.timeout`, `error`, `pong`, `reconnect`.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from gateway.accounts.callers import Caller
from gateway.core.background_tasks import Background
from gateway.core.errors import GatewayError, gateway_error
from gateway.core.logs import GATEWAY, location_of
from gateway.live.open_streams import OpenStreams
from gateway.live.outbox import Outbox
from gateway.live.watcher import Renderer, Status, Watcher
from gateway.live.watching import Watches

MAX_TASKS = 500
"""Tasks that one connection watches at most."""
AUTHORIZATION_SECONDS = 10.0
POLICY_VIOLATION, SERVICE_RESTART = 1008, 1012
"""Close codes: https://www.iana.org/assignments/websocket/websocket.xhtml"""

_FIELDS = ("type", "authorization", "subscribe", "unsubscribe")


class SocketSession:
    """One connection. `identify` authenticates an Authorization header and raises GatewayError (401)."""

    def __init__(
        self,
        socket: WebSocket,
        watches: Watches,
        streams: OpenStreams,
        background: Background,
        identify: Callable[[str], Caller],
        renderer: Renderer,
        timeout_renderer: Renderer,
        error_body: Callable[[GatewayError], dict[str, Any]],
        *,
        seconds: float,
    ) -> None:
        """The renderers give a whole message. `error_body` gives `{"error": {…}}`. `seconds` is how long a task is
        watched at most."""
        self._socket = socket
        self._watches = watches
        self._streams = streams
        self._identify = identify
        self.renderer = renderer
        self.timeout_renderer = timeout_renderer
        self._error_body = error_body
        self._seconds = seconds
        self._subscriptions: dict[str, _Subscription] = {}
        self._adding: set[asyncio.Task[None]] = set()
        self._caller: Caller | None = None
        self.outbox: Outbox[bytes] = Outbox(background, self._send)

    async def run(self, caller: Caller | None) -> None:
        """Serve the connection until it is closed. `caller` is that of the handshake, None without one."""
        self._caller = caller
        await self._socket.accept()
        try:
            with self._streams.at_stop(self._on_stop):
                async with asyncio.timeout(AUTHORIZATION_SECONDS):
                    while self._caller is None:
                        await self._receive()
                while True:
                    await self._receive()
        except TimeoutError:
            self.send_error(gateway_error("no_credential"))
            await self._close(POLICY_VIOLATION)
        except WebSocketDisconnect:
            pass
        finally:
            for adding in self._adding:
                adding.cancel()
            for id in list(self._subscriptions):
                self.unsubscribe(id)

    async def _receive(self) -> None:
        """Handle one message. Raises WebSocketDisconnect."""
        message = await self._socket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1005))
        await self._handle(message.get("text") or message.get("bytes") or b"")
        while len(self._adding) > MAX_TASKS:
            await asyncio.wait(self._adding, return_when=asyncio.FIRST_COMPLETED)
        # A client that sends and does not read has to wait.
        await self.outbox.flushed()

    async def _handle(self, text: str | bytes) -> None:
        try:
            message = _parsed(text)
            if "authorization" in message:
                self._caller = self._authorized(message["authorization"])
            if self._caller is None:
                raise gateway_error("no_credential")
        except GatewayError as error:
            self.send_error(error)
            if error.spec.status == 401:
                await self._close(POLICY_VIOLATION)
                raise WebSocketDisconnect(POLICY_VIOLATION) from None
            return
        try:
            for id in _ids(message, "unsubscribe"):
                self.unsubscribe(id)
            self._subscribe(self._caller, _ids(message, "subscribe"))
        except GatewayError as error:
            self.send_error(error)
        if message.get("type") == "ping":
            self.outbox.put("pong", b'{"type":"pong"}')

    def _authorized(self, value: object) -> Caller:
        text = value if isinstance(value, str) else ""
        if self._subscriptions:
            raise gateway_error("authorized_already")
        return self._identify(text if text.lower().startswith("bearer ") else f"Bearer {text}")

    # --- subscriptions -------------------------------------------------------------------------------------------

    def _subscribe(self, caller: Caller, ids: list[str]) -> None:
        new = [id for id in dict.fromkeys(ids) if id not in self._subscriptions]
        if len(self._subscriptions) + len(new) > MAX_TASKS:
            raise gateway_error("too_many_subscriptions", param="subscribe", limit=MAX_TASKS)
        self._streams.count(caller, len(new))
        for id in new:
            self._subscriptions[id] = _Subscription(self, caller, id)
        for subscription in [self._subscriptions[id] for id in new]:
            adding = subscription.adding = asyncio.create_task(self._add(caller, subscription))
            self._adding.add(adding)
            adding.add_done_callback(self._adding.discard)

    async def _add(self, caller: Caller, subscription: "_Subscription") -> None:
        id = subscription.id
        try:
            status = await self._watches.add(caller, id, subscription, seconds=self._seconds)
        except Exception as error:
            if not isinstance(error, GatewayError):
                GATEWAY.error("a task cannot be watched", extra={"fields": {"cause": location_of(error)}})
                error = GatewayError("internal_error")
            if self._subscriptions.get(id) is subscription:
                self.unsubscribe(id)
                self.send_error(error, id)
            return
        if self._subscriptions.get(id) is subscription:
            subscription.on_status(status)
        else:
            # Unsubscribed in the meantime.
            self._watches.remove(subscription)

    def unsubscribe(self, id: str) -> None:
        """Stop watching a task. Idempotent."""
        subscription = self._subscriptions.pop(id, None)
        if subscription is not None:
            self._watches.remove(subscription)
            if subscription.adding is not None and subscription.adding is not asyncio.current_task():
                subscription.adding.cancel()
            self._streams.uncount(subscription.caller)

    # --- messages ------------------------------------------------------------------------------------------------

    def send_error(self, error: GatewayError, id: str | None = None) -> None:
        fields = {"type": "error"} | ({"task_id": id} if id is not None else {}) | self._error_body(error)
        self.outbox.put(("error", id), orjson.dumps(fields))

    def _on_stop(self) -> None:
        """Tell the client to connect again, since the process stops."""
        for id in list(self._subscriptions):
            self.unsubscribe(id)
        self.outbox.put("reconnect", b'{"type":"reconnect"}')
        self.outbox.put("close", b"")

    async def _send(self, message: bytes) -> None:
        if self._socket.application_state is not WebSocketState.CONNECTED:
            return
        try:
            if message:
                await self._socket.send_text(message.decode())
            else:
                await self._socket.close(SERVICE_RESTART)
        except WebSocketDisconnect:
            # The receiving side notices it as well.
            pass

    async def _close(self, code: int) -> None:
        await self.outbox.flushed()
        if self._socket.application_state is WebSocketState.CONNECTED:
            await self._socket.close(code)


class _Subscription(Watcher):
    """One task of a connection."""

    __slots__ = ("_session", "adding", "caller", "id")

    def __init__(self, session: SocketSession, caller: Caller, id: str) -> None:
        super().__init__()
        self._session = session
        self.caller = caller
        self.id = id
        self.adding: asyncio.Task[None] | None = None

    def on_status(self, status: Status) -> None:
        self._session.outbox.put(("status", self.id), status.rendered(self._session.renderer))
        if status.task.state.phase.ended:
            self._session.unsubscribe(self.id)

    def on_error(self, error: GatewayError) -> None:
        self._session.unsubscribe(self.id)
        self._session.send_error(error, self.id)

    def on_timeout(self, status: Status) -> None:
        self._session.unsubscribe(self.id)
        self._session.outbox.put(("status", self.id), status.rendered(self._session.timeout_renderer))


def _parsed(text: str | bytes) -> Mapping[str, Any]:
    try:
        message = orjson.loads(text)
    except ValueError:
        raise gateway_error("invalid_socket_message") from None
    if not isinstance(message, dict) or not any(name in message for name in _FIELDS):
        raise gateway_error("invalid_socket_message")
    return message


def _ids(message: Mapping[str, Any], name: str) -> list[str]:
    ids = message.get(name, [])
    if isinstance(ids, str):
        ids = [ids]
    if not isinstance(ids, list) or not all(isinstance(id, str) and id for id in ids):
        raise gateway_error("invalid_socket_message", param=name)
    return ids
