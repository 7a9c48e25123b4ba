"""LiteLLM's video calls, as user code writes them: against DashScope's own wire, or against a gateway as `openai/…`.

    LITELLM_LOCAL_MODEL_COST_MAP=True python litellm_journey.py API_BASE PICTURE FOLDER < CASES

CASES is a JSON object of name → {model, key, how, options, prompt, then}: `options` go to `video_generation` as they
are, where `input_reference` may be "file" for the picture itself; `how` is "sync" or "async"; `then` names further
calls for the finished video: "remix", "edit", "extension", "list". It prints what came of every case as one JSON
object, and writes each video to FOLDER/name.mp4. It imports nothing of this project, so that it runs in any
environment.
"""

import asyncio
import json
import socket
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

litellm: Any = import_module("litellm")
litellm.suppress_debug_info = True

_connect = socket.socket.connect


def _connect_loopback(self: socket.socket, address: Any) -> None:
    if not isinstance(address, (str, bytes)) and address[0] not in ("127.0.0.1", "::1", "localhost"):
        raise OSError(f"left loopback for {address}")
    _connect(self, address)


def _facts(video: Any) -> dict[str, Any]:
    told: dict[str, Any] = video.model_dump()
    return told


def _listed(video_id: str, where: dict[str, Any]) -> list[str]:
    """Each video's id as the service has it: the library packs ids into longer ones of its own."""
    types = import_module("litellm.types.videos.utils")
    listed = litellm.video_list(custom_llm_provider="openai", limit=10, **where)["data"]
    return [types.extract_original_video_id(video["id"]) for video in listed]


FURTHER: dict[str, Any] = {
    "remix": lambda video_id, where: _facts(litellm.video_remix(video_id=video_id, prompt="a dog", **where)),
    "edit": lambda video_id, where: _facts(litellm.video_edit(video_id=video_id, prompt="a dog", **where)),
    "extension": lambda video_id, where: _facts(
        litellm.video_extension(video_id=video_id, prompt="on", seconds="5", **where)
    ),
    "list": _listed,
}


def sync(one: dict[str, Any], where: dict[str, Any], options: dict[str, Any], target: Path) -> dict[str, Any]:
    video = litellm.video_generation(model=one["model"], prompt=one.get("prompt", "a cat"), **options, **where)
    seen = {"created": _facts(video)}
    while video.status not in ("completed", "failed", "cancelled"):
        time.sleep(0.02)
        video = litellm.video_status(video_id=video.id, **where)
    seen["ended"] = _facts(video)
    if video.status == "completed":
        target.write_bytes(litellm.video_content(video_id=video.id, **where))
    for name in one.get("then", ()):
        seen[name] = FURTHER[name](video.id, where)
    return seen


async def aio(one: dict[str, Any], where: dict[str, Any], options: dict[str, Any], target: Path) -> dict[str, Any]:
    video = await litellm.avideo_generation(model=one["model"], prompt=one.get("prompt", "a cat"), **options, **where)
    seen = {"created": _facts(video)}
    while video.status not in ("completed", "failed", "cancelled"):
        await asyncio.sleep(0.02)
        video = await litellm.avideo_status(video_id=video.id, **where)
    seen["ended"] = _facts(video)
    if video.status == "completed":
        target.write_bytes(await litellm.avideo_content(video_id=video.id, **where))  # noqa: ASYNC240
    return seen


def main(api_base: str, picture: str, folder: str) -> dict[str, Any]:
    socket.socket.connect = _connect_loopback  # type: ignore[method-assign, assignment]
    seen: dict[str, Any] = {}
    for name, one in json.loads(sys.stdin.read()).items():
        options = dict(one.get("options", {}))
        if options.get("input_reference") == "file":
            options["input_reference"] = Path(picture).read_bytes()
        where = {"api_base": api_base, "api_key": one["key"]}
        target = Path(folder, f"{name}.mp4")
        try:
            if one["how"] == "async":
                seen[name] = asyncio.run(aio(one, where, options, target))
            else:
                seen[name] = sync(one, where, options, target)
        except Exception as error:
            seen[name] = {
                "error": {
                    "kind": type(error).__name__,
                    "message": str(error),
                    "status": getattr(error, "status_code", None),
                }
            }
    return seen


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
