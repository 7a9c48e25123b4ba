"""One journey through the OpenAI Videos API, as user code writes it. It runs with any release of the library.

    python journey.py BASE_URL JIMENG_SESSION DASHSCOPE_KEY FOLDER

prints what it saw as one JSON object. It imports nothing of this project, so that it runs in any environment.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import openai

PNG = (Path(__file__).parents[3] / "providers" / "sandbox" / "pictures" / "cat.png").read_bytes()
FIRST, LAST = "https://example.com/first.png", "https://example.com/last.png"


def main(base_url: str, session: str, key: str, folder: str) -> dict[str, Any]:
    jimeng = openai.OpenAI(base_url=base_url, api_key=session, max_retries=2, timeout=20)
    wan = openai.OpenAI(base_url=base_url, api_key=key, max_retries=2, timeout=20)
    seen: dict[str, Any] = {"version": openai.__version__}

    created = jimeng.videos.create(prompt="a cat", model="sora-2", seconds="8", size="1280x720")
    seen["created"] = created.to_dict()
    polled = jimeng.videos.poll(created.id, poll_interval_ms=20)
    seen["polled"] = polled.to_dict()
    seen["retrieved"] = jimeng.videos.retrieve(created.id).to_dict()

    seen["with_file"] = wan.videos.create_and_poll(
        prompt="x", model="wan2.6-i2v", input_reference=("a.png", PNG, "image/png"), poll_interval_ms=20
    ).to_dict()
    seen["with_bytes"] = wan.videos.create(prompt="x", model="wan2.6-i2v", input_reference=PNG).to_dict()
    seen["with_url"] = wan.videos.create(
        prompt="x", model="wan2.6-i2v", extra_body={"input_reference": {"image_url": "https://example.com/a.png"}}
    ).to_dict()
    seen["as_json"] = wan.videos.create(
        prompt="x", model="wan2.6-t2v", extra_headers={"Content-Type": "application/json"}
    ).to_dict()

    seen["with_sides"] = wan.videos.create(
        prompt="x", model="wan2.6-t2v", extra_body={"width": 720, "height": 1280, "fps": 24}
    ).to_dict()
    frames = {"first_frame_image": FIRST, "end_image_url": LAST, "generate_audio": True}
    seen["with_frames"] = wan.videos.create_and_poll(
        prompt="x", model="wan2.7-i2v", extra_body=frames, poll_interval_ms=20
    ).to_dict()
    wrong = wan.with_options(max_retries=0).videos
    try:
        wrong.create(prompt="x", model="wan2.6-t2v", extra_body={"num_frames": 81})
    except openai.BadRequestError as error:
        seen["unknown_field"] = error.param

    video, thumbnail = Path(folder, "video.mp4"), Path(folder, "thumbnail.jpg")
    jimeng.videos.download_content(created.id).write_to_file(video)
    jimeng.videos.download_content(created.id, variant="thumbnail").write_to_file(thumbnail)
    seen["remixed"] = jimeng.videos.remix(created.id, prompt="a dog").to_dict()

    for number in range(3):
        jimeng.videos.create(prompt=f"x {number}")
    time.sleep(0.2)  # The site shows a task only a little after its submit.
    seen["listed"] = [item.id for item in jimeng.videos.list(limit=2)]
    seen["listed_ascending"] = [item.id for item in jimeng.videos.list(limit=2, order="asc")]

    waiting = wan.videos.create(prompt="x #pending", model="wan2.6-t2v")
    seen["deleted"] = wan.videos.delete(waiting.id).to_dict()
    seen["after_delete"] = wan.videos.retrieve(waiting.id).to_dict()

    once = openai.OpenAI(base_url=base_url, api_key=session, max_retries=0, timeout=20)
    nobody = openai.OpenAI(base_url=base_url, api_key="gw-nobody", max_retries=0, timeout=20)

    def other(name: str) -> openai.OpenAI:
        """An account of its own for each refusal that is held against the account."""
        return openai.OpenAI(base_url=base_url, api_key=f"{session}-{name}", max_retries=0, timeout=20)

    calls = {
        "no such video": lambda: once.videos.retrieve("video_nothing"),
        "unknown model": lambda: once.videos.create(prompt="x", model="gpt-9"),
        "bad seconds": lambda: once.videos.create(prompt="x", seconds="long"),  # type: ignore[arg-type]
        "content": lambda: once.videos.create(prompt="x #refuse=2003"),
        "risk control": lambda: other("risk-control").videos.create(prompt="x #refuse=1019"),
        "credits": lambda: other("credits").videos.create(prompt="x #refuse=5000"),
        "too many": lambda: other("too-many").videos.create(prompt="x #throttle"),
        "unreadable": lambda: once.videos.create(prompt="x #redirect"),
        "not ready": lambda: once.videos.download_content(once.videos.create(prompt="x #stuck").id),
        "not deletable": lambda: once.videos.delete(created.id),
        "key": lambda: nobody.videos.retrieve(created.id),
    }
    seen["errors"] = {}
    for name, call in calls.items():
        try:
            call()  # type: ignore[no-untyped-call]
        except openai.APIStatusError as error:
            seen["errors"][name] = [type(error).__name__, error.status_code, error.code, bool(error.request_id)]
    return seen


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
