"""Records of tasks as the site writes them, and made-up ones of any shape."""

from typing import Any

from hypothesis import strategies as st

ID = "7535099487211244578"
URL = "https://v.example/a.mp4"

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)
record_fields = st.sampled_from(
    [
        *("status", "task", "fail_code", "fail_msg", "fail_starling_message", "created_time", "queue_info"),
        *("item_list", "forecast_queue_cost", "model_info", "finish_time", "queue_idx", "video", "common_attr"),
        *("transcoded_video", "origin", "video_url", "play_url", "cover_url", "item_id", "id", "width"),
        *("records_list", "has_more", "next_offset", "history_record_id", "submit_id", "generate_type", "image"),
    ]
)
record_like = st.recursive(
    json_values,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(record_fields, inner, max_size=6),
    max_leaves=20,
)


def item_with(*path: str, url: object = URL) -> dict[str, Any]:
    value: object = url
    for name in reversed(path):
        value = {name: value}
    assert isinstance(value, dict)
    return value


VIDEO_PATHS = [
    ("common_attr", "transcoded_video", "origin", "video_url"),
    ("video", "transcoded_video", "origin", "video_url"),
    ("video", "play_url"),
    ("video", "download_url"),
    ("video", "url"),
]
