"""The sandbox of the third provider. A task completes at once, or waits where its prompt holds `#wait`."""

from collections.abc import Callable, Sequence
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from providers.sandbox.context import SandboxContext
from providers.sandbox.files import base_of


def routes(context: SandboxContext) -> Sequence[Route]:
    tasks: dict[str, dict[str, Any]] = {}

    def with_key(answer: Callable[[str, Request, bytes], Any]) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> JSONResponse:
            key, body = request.headers["authorization"].removeprefix("Bearer "), await request.body()
            # The error text quotes the key, as real ones do.
            found = 401 if "dead" in key else answer(key, request, body)
            return JSONResponse(found) if not isinstance(found, int) else JSONResponse(f"refused: {key}", found)

        return endpoint

    def submit(key: str, request: Request, body: bytes) -> Any:
        if "poor" in key:
            return 402
        sent, id = orjson.loads(body), f"acme-{len(tasks) + 1}"
        status = "queued" if "#wait" in sent["prompt"] else "completed"
        url = context.files.link(base_of(request), "acme", "best.mp4", {})
        now = context.clock()
        ended = now if status == "completed" else None
        tasks[id] = {"id": id, "status": status, "created": now, "ended": ended, "url": url, "key": key, **sent}
        return {"id": id}

    def show(key: str, request: Request, body: bytes) -> Any:
        found = tasks.get(request.path_params["id"], {})
        return found if found.get("key") == key else 404

    def cancel(key: str, request: Request, body: bytes) -> Any:
        task = tasks[request.path_params["id"]]
        if task["status"] != "queued":
            return 409
        task |= {"status": "failed", "ended": context.clock()}
        return task

    def show_all(key: str, request: Request, body: bytes) -> Any:
        return [task for task in reversed(tasks.values()) if task["key"] == key]

    return [
        Route("/acme/videos", with_key(submit), methods=["POST"]),
        Route("/acme/videos", with_key(show_all), methods=["GET"]),
        Route("/acme/videos/{id}", with_key(show), methods=["GET"]),
        Route("/acme/videos/{id}/cancel", with_key(cancel), methods=["POST"]),
    ]
