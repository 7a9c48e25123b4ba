"""JSON that is kept takes the memory of its text."""

import tracemalloc

import orjson

from providers.compact_json import compact_json


def test_kept_json_takes_hardly_more_memory_than_its_text() -> None:
    value = {"task_id": "x" * 36, "video_url": "y" * 300}
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        kept = [compact_json(value) for _ in range(100)]
        each = (tracemalloc.get_traced_memory()[0] - before) / len(kept)
    finally:
        tracemalloc.stop()
    assert kept[0] == orjson.dumps(value)
    assert each < len(kept[0]) + 100
