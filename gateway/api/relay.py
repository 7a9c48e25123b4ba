"""Relays a response of an upstream, chunk by chunk, to a client that may leave at any time."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self, cast

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from providers.contract.errors import ProviderError

_LAST_BYTES = 4
"""Of what was sent: enough for the end of an event, which may arrive in several pieces."""


class ResponseInterruptedError(Exception):
    """A response ends in its middle. Raised to the server, which then closes the client's connection."""


class WhileConnected:
    """Cancels the block as soon as the client disconnects, and raises ClientDisconnect in its place."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._disconnected = False

    async def __aenter__(self) -> Self:
        self._task = cast("asyncio.Task[object]", asyncio.current_task())
        self._watching = asyncio.create_task(self._watch())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._watching.cancel()
        # Of a cancellation from elsewhere as well, such as the server's at its stop, that one counts.
        if self._disconnected and self._task.uncancel() == 0 and isinstance(error, asyncio.CancelledError):
            raise ClientDisconnect from None

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._disconnected = True
        self._task.cancel()


_PIECES_A_TURN = 64
"""Pieces after which other requests have a turn: neither a read from a full buffer nor a send into an empty one
waits."""

Failure = ProviderError | asyncio.CancelledError
"""Why a response ends early: the upstream failed, or the process stops and the grace period of its requests is over."""


class Relay(Response):
    """Sends the headers, then the body piece by piece. A piece is read once the client has taken the one before.

    Where the body ends early, `on_failure` gets the reason and the last bytes, _LAST_BYTES or more where there are so
    many, and returns what the body ends with; None closes the connection instead, so that the client sees an incomplete
    response.
    """

    def __init__(
        self,
        status: int,
        headers: dict[str, str],
        first: bytes = b"",
        pieces: AsyncIterator[bytes] | None = None,
        opened: AsyncExitStack | None = None,
        on_failure: Callable[[Failure, bytes], bytes | None] = lambda failure, last: None,
    ) -> None:
        self.status_code = status
        self.background = None
        self._last = first
        self._pieces = pieces
        self._opened = opened or AsyncExitStack()
        self._on_failure = on_failure
        self.init_headers(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._opened:
            try:
                async with WhileConnected(receive):
                    await self._send(send)
            except (ProviderError, asyncio.CancelledError) as failure:
                end = self._on_failure(failure, self._last)
                if end is None:
                    cause = str(failure) if isinstance(failure, ProviderError) else "the process stops"
                    raise ResponseInterruptedError(cause) from None
                await send({"type": "http.response.body", "body": end, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        if self._pieces is None:
            return
        await send({"type": "http.response.body", "body": self._last, "more_body": True})
        left = _PIECES_A_TURN
        async for piece in self._pieces:
            self._last = piece if len(piece) >= _LAST_BYTES else self._last[-_LAST_BYTES:] + piece
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            left -= 1
            if not left:
                left = _PIECES_A_TURN
                await asyncio.sleep(0)
