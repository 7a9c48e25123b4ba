"""What it costs to parse a submit of ten fields: `python -m tests.bench.parse`.

It prints microseconds for each body, the fastest of several rounds: from the JSON text to the parsed request, without
HTTP and without a submit.
"""

import argparse
import time
from collections.abc import Callable

import orjson

from gateway.api.schemas.requests import parse_generation

BODIES = {
    "ten fields": {
        "model": "wan2.6-i2v",
        "prompt": "一只猫在沙滩上奔跑，海浪拍打着岸边",
        "duration": 5,
        "resolution": "720p",
        "image_url": "https://example.com/cat.png",
        "negative_prompt": "blurry",
        "seed": 7,
        "prompt_extend": True,
        "watermark": False,
        "audio": True,
    },
    "ten fields by other names": {
        "model": "wan2.6-i2v",
        "prompt": "一只猫在沙滩上奔跑，海浪拍打着岸边",
        "seconds": "5",
        "width": 720,
        "height": 1280,
        "first_frame_image": "https://example.com/cat.png",
        "negativePrompt": "blurry",
        "generate_audio": True,
        "response_format": "url",
        "user": "u1",
    },
}


def microseconds(call: Callable[[], object], calls: int, rounds: int) -> float:
    """The time of one call in microseconds: the mean of the fastest round, which other work disturbed least."""
    best = float("inf")
    for _ in range(rounds):
        started = time.perf_counter()
        for _ in range(calls):
            call()
        best = min(best, time.perf_counter() - started)
    return best / calls * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.parse", description=__doc__)
    parser.add_argument("--calls", type=int, default=2000, help="in each round (2000)")
    parser.add_argument("--rounds", type=int, default=15, help="of which the fastest counts (15)")
    given = parser.parse_args()
    for name, fields in BODIES.items():
        body = orjson.dumps(fields)
        print(f"{name:28}{microseconds(lambda body=body: parse(body), given.calls, given.rounds):7.1f} µs")  # type: ignore[misc]


def parse(body: bytes) -> object:
    return parse_generation(orjson.loads(body))


if __name__ == "__main__":
    main()
