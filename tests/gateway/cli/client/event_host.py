"""A gateway whose polls and event streams are scripted."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

Json = dict[str, Any]
CUT, OPEN = "cut", "open"


def status(id: str, name: str, **more: Any) -> Json:
    """A status object."""
    return {"task_id": id, "status": name, **more}


def done(id: str) -> Json:
    return status(id, "completed", progress=100, result={"url": f"https://cdn/{id}.mp4"})


def event(name: str, data: object = None, number: int = 1) -> str:
    """One event as text."""
    text = "" if data is None else json.dumps(data)
    return f"id: {number}\r\nevent: {name}\r\ndata: {text}\r\n\r\n"


class EventHost:
    """`polls` and `streams` by task: each request takes the next entry, and the last one again and again.

    A poll is a status object or a response. A stream is a response, or a list of texts, of `OPEN`, where it stays open,
    and of `CUT`, where the connection is closed in the middle. Without a stream there is no such route.
    """

    def __init__(self) -> None:
        self.polls: dict[str, list[Json | Response]] = {}
        self.streams: dict[str, list[list[str] | Response]] = {}
        self.polled: list[list[str]] = []
        self.watched: list[str] = []
        self.watching = 0
        self.most_watching = 0
        self.headers: list[dict[str, str]] = []

    async def answer(self, request: Request) -> Response:
        parts = request.url.path.removeprefix("/v1/videos/tasks").strip("/").split("/")
        if parts == [""]:
            ids = request.query_params["ids"].split(",")
            self.polled.append(ids)
            rows = [_next(self.polls[id]) if id in self.polls else status(id, "not_found") for id in ids]
            failed = next((row for row in rows if isinstance(row, Response)), None)
            return failed or JSONResponse({"object": "list", "data": rows}, headers={"openai-poll-after-ms": "5"})
        if len(parts) == 1:
            self.polled.append(parts)
            found = _next(self.polls[parts[0]]) if parts[0] in self.polls else _error(404, "no such task")
            return found if isinstance(found, Response) else JSONResponse(found, headers={"openai-poll-after-ms": "5"})
        self.watched.append(parts[0])
        self.headers.append(dict(request.headers))
        stream = _next(self.streams[parts[0]]) if parts[0] in self.streams else _error(404, "no such path")
        if isinstance(stream, Response):
            return stream
        return StreamingResponse(self._send(stream), media_type="text/event-stream")

    async def _send(self, stream: list[str]) -> AsyncIterator[str]:
        self.watching += 1
        self.most_watching = max(self.most_watching, self.watching)
        try:
            for text in stream:
                if text == CUT:
                    raise ConnectionResetError
                if text == OPEN:
                    await asyncio.Event().wait()
                yield text
                await asyncio.sleep(0.005)
        finally:
            self.watching -= 1


def _error(code: int, message: str) -> Response:
    return JSONResponse({"error": {"message": message, "code": "x"}}, code)


def _next(entries: list[Any]) -> Any:
    return entries.pop(0) if len(entries) > 1 else entries[0]
