"""Follows tasks by the gateway's events (server-sent events), one connection for each task."""

import asyncio
import enum
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import httpx
from httpx_sse import ServerSentEvent, aconnect_sse

from gateway.cli.client.gateway_client import GatewayClient, TaskView

MAX_STREAMS = 6
"""Tasks that are followed by events. More are polled together, with one request for all."""

SILENT_SECONDS = 45.0
"""After three heartbeats without a byte the connection is lost."""

_NO_EVENTS = frozenset({401, 403, 404, 405, 406, 410, 426, 429, 501})
"""Statuses of a gateway without events, with too many watchers, or without access: a poll tells which."""

Show = Callable[[str, TaskView], None]


class StreamEnd(enum.Enum):
    """Why following by events has ended."""

    ENDED = "every stream was closed after its last event"
    LOST = "a connection was lost, or the gateway stops"
    EMPTY = "a connection gave no event: a proxy may hold them back"
    UNAVAILABLE = "there are no events"


class _StreamEndedError(Exception):
    def __init__(self, end: StreamEnd) -> None:
        super().__init__(end.value)
        self.end = end


def follow_events(client: GatewayClient, ids: Sequence[str], show: Show) -> StreamEnd:
    """Show each change of the tasks until every stream has ended or one is lost. What was missed then, the current
    state at the beginning of the next stream tells.

    A task whose time is over is shown as `timed_out`.
    """
    return asyncio.run(_follow_all(client, ids, show))


async def _follow_all(client: GatewayClient, ids: Sequence[str], show: Show) -> StreamEnd:
    async with client.stream_client(SILENT_SECONDS) as http:
        streams = [asyncio.create_task(_follow(http, client, id, show)) for id in ids]
        try:
            await asyncio.gather(*streams)
        except _StreamEndedError as error:
            return error.end
        finally:
            for stream in streams:
                stream.cancel()
            await asyncio.gather(*streams, return_exceptions=True)
    return StreamEnd.ENDED


async def _follow(http: httpx.AsyncClient, client: GatewayClient, id: str, show: Show) -> None:
    """Until the stream has ended. Raises _StreamEndedError for any other end."""
    task: TaskView | None = None
    try:
        async with aconnect_sse(http, "GET", client.events_path(id)) as source:
            _check(source.response)
            async for event in source.aiter_sse():
                if event.event == "reconnect":
                    break
                task = _read(client, id, event, task)
                if task is not None:
                    show(id, task)
                if event.event in ("end", "timeout"):
                    return
    except (httpx.ConnectError, httpx.ConnectTimeout):
        raise _StreamEndedError(StreamEnd.LOST) from None
    except httpx.HTTPError:
        pass
    if task is None or not task.ended:
        raise _StreamEndedError(StreamEnd.LOST if task else StreamEnd.EMPTY)


def _check(response: httpx.Response) -> None:
    if response.status_code in _NO_EVENTS:
        raise _StreamEndedError(StreamEnd.UNAVAILABLE)
    if not response.is_success:
        raise _StreamEndedError(StreamEnd.EMPTY)
    if response.headers.get("content-type", "").partition(";")[0].strip().lower() != "text/event-stream":
        raise _StreamEndedError(StreamEnd.UNAVAILABLE)


def _read(client: GatewayClient, id: str, event: ServerSentEvent, before: TaskView | None) -> TaskView | None:
    """The task after an event: unchanged by an unknown one. Raises _StreamEndedError if the data is no task's."""
    if event.event not in ("status", "end", "timeout"):
        return before
    data = _json_object(event.data)
    if "status" in data:
        task: TaskView | None = client.task_view({"task_id": id, **data})
    elif event.event == "status":
        raise _StreamEndedError(StreamEnd.UNAVAILABLE)
    else:
        task = before
    if event.event == "timeout":
        task = replace(task or TaskView(id, "processing"), timed_out=True, message=_timeout_message(data))
    return task


def _timeout_message(data: dict[str, Any]) -> str:
    found = data.get("error") or data.get("message")
    if isinstance(found, dict):
        found = found.get("message")
    return str(found or "not finished in time; it may still be finished later")


def _json_object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
