"""A program on Alibaba's SDK `dashscope`, 1.x or 2.x, that knows nothing of a gateway.

Reads cases from stdin: for each a `key` and a `do`, with the arguments of the SDK's call in `with`. Writes what the SDK
returned for each. The base URL is that of the environment, as the SDK reads it.
"""

import asyncio
import json
import sys
import time
import types
from typing import Any

import dashscope
from dashscope.aigc import video_synthesis
from dashscope.client import base_api

# The package's own stubs leave out part of what it has.
VideoSynthesis: Any = video_synthesis.VideoSynthesis
AioVideoSynthesis: Any = video_synthesis.AioVideoSynthesis


def _quick_pauses() -> None:
    """The pauses between polls last milliseconds."""

    async def nap(seconds: float) -> None:
        await asyncio.sleep(0.01)

    base_api.time = types.SimpleNamespace(**{**vars(time), "sleep": lambda seconds: time.sleep(0.01)})
    base_api.asyncio = types.SimpleNamespace(**{**vars(asyncio), "sleep": nap})


def _plain(answer: Any) -> dict[str, Any]:
    """What a script reads of an answer."""
    return {
        "status": answer.status_code,
        "code": answer.code or "",
        "message": answer.message or "",
        "request_id": answer.request_id,
        "output": json.loads(json.dumps(answer.output)) if answer.output else {},
        "usage": json.loads(json.dumps(answer.usage)) if answer.usage else {},
    }


def video(arguments: dict[str, Any]) -> dict[str, Any]:
    """Submit, look once, wait."""
    submitted = VideoSynthesis.async_call(**arguments)
    if submitted.status_code != 200:
        return {"submitted": _plain(submitted)}
    fetched = VideoSynthesis.fetch(submitted)
    return {"submitted": _plain(submitted), "fetched": _plain(fetched), "done": _plain(VideoSynthesis.wait(submitted))}


def call(arguments: dict[str, Any]) -> dict[str, Any]:
    return {"done": _plain(VideoSynthesis.call(**arguments))}


def submit(arguments: dict[str, Any]) -> dict[str, Any]:
    return {"submitted": _plain(VideoSynthesis.async_call(**arguments))}


def fetch(arguments: dict[str, Any]) -> dict[str, Any]:
    return {"fetched": _plain(VideoSynthesis.fetch(arguments["task"]))}


def cancel(arguments: dict[str, Any]) -> dict[str, Any]:
    submitted = VideoSynthesis.async_call(**arguments)
    cancelled = VideoSynthesis.cancel(submitted)
    return {"cancelled": _plain(cancelled), "done": _plain(VideoSynthesis.wait(submitted))}


def listed(arguments: dict[str, Any]) -> dict[str, Any]:
    return {"listed": _plain(VideoSynthesis.list(**arguments))}


def aio(arguments: dict[str, Any]) -> dict[str, Any]:
    """The asynchronous classes."""

    async def run() -> dict[str, Any]:
        submitted = await AioVideoSynthesis.async_call(**arguments)
        fetched = await AioVideoSynthesis.fetch(submitted)
        done = await AioVideoSynthesis.wait(submitted)
        again = await AioVideoSynthesis.cancel(submitted)
        rows = await AioVideoSynthesis.list(page_size=5)
        steps = {"submitted": submitted, "fetched": fetched, "done": done, "cancelled": again, "listed": rows}
        return {name: _plain(answer) for name, answer in steps.items()}

    return asyncio.run(run())


def client(arguments: dict[str, Any]) -> dict[str, Any]:
    """The client of SDK 2."""
    retries = arguments.pop("max_retries", 0)
    with dashscope.Client(api_key=dashscope.api_key, max_retries=retries) as made:
        job = made.videos.generate(**arguments)
        rows = made.videos.jobs.list()
        return {"status": job.status, "url": job.video_url, "id": job.task_id, "total": rows.total}


ACTIONS = (video, call, submit, fetch, cancel, listed, aio, client)


def main() -> None:
    _quick_pauses()
    actions = {action.__name__: action for action in ACTIONS}
    seen: dict[str, Any] = {}
    for name, case in json.load(sys.stdin).items():
        dashscope.api_key = case["key"]
        try:
            seen[name] = actions[case["do"]](case.get("with", {}))
        except Exception as error:
            seen[name] = {"error": f"{type(error).__name__}: {error}"}
    json.dump(seen, sys.stdout)


main()
