"""The best link of an item: one table of sources for records and for the best-quality call."""

import base64
import time
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.contract.tasks import Phase, Result, TaskState
from providers.jimeng.history import item_id
from providers.jimeng.results import best_choices, choose, with_better
from tests.providers.jimeng.history_records import ID, URL, VIDEO_PATHS, item_with, record_like


def encoded(url: str, *, urlsafe: bool = False, padded: bool = True) -> str:
    text = (base64.urlsafe_b64encode if urlsafe else base64.b64encode)(url.encode()).decode()
    return text if padded else text.rstrip("=")


def stream(name: str, width: int = 960, height: int = 960, **fields: Any) -> dict[str, Any]:
    link = {"main_url": encoded(f"https://cdn/{name}"), "backup_url_1": encoded(f"https://backup/{name}")}
    return {"vwidth": width, "vheight": height, "bitrate": 1000, "encryption_method": "", **link, **fields}


def with_streams(*streams: dict[str, Any], text: bool = True, **model: Any) -> dict[str, Any]:
    value = {"status": 10, "video_list": {f"video_{n}": one for n, one in enumerate(streams, 1)}, **model}
    return {"video": {"video_model": orjson.dumps(value).decode() if text else value}}


def url_of(item: Any) -> str:
    choice = choose(item)
    return choice.result.url if choice else ""


class TestStreams:
    @pytest.mark.parametrize("text", [True, False])
    def test_largest_image_wins_then_the_bitrate(self, text: bool) -> None:
        streams = [
            stream("small", 640, 360, bitrate=9_000_000),
            stream("low", 1280, 720, bitrate=1_000_000),
            stream("high", 1280, 720, bitrate=2_000_000),
            stream("middle", 720, 720),
        ]
        assert url_of(with_streams(*streams, text=text)) == "https://cdn/high"

    def test_stream_metadata_is_parsed(self) -> None:
        item = with_streams(stream("a", 1280, 720, url_expire=1770886600), video_duration=5.017, url_expire=1)
        item |= {"common_attr": {"cover_url": "https://c/1.jpg"}}
        choice = choose(item)
        assert choice
        assert choice.result == Result("https://cdn/a", "https://c/1.jpg", 1770886600, 1280, 720, 5.017)

    def test_expiry_may_stand_at_the_top(self) -> None:
        choice = choose(with_streams(stream("a"), url_expire=1770886600))
        assert choice
        assert choice.result.expires_at == 1770886600

    @pytest.mark.parametrize("method", ["cenc-aes-ctr", "private", 1])
    def test_encrypted_stream_is_passed_over(self, method: object) -> None:
        item = with_streams(stream("locked", 3840, 2160, encryption_method=method), stream("open", 640, 360))
        assert url_of(item) == "https://cdn/open"

    @pytest.mark.parametrize("method", ["", "none", "None", None, 0])
    def test_unencrypted_stream_is_taken(self, method: object) -> None:
        assert url_of(with_streams(stream("a", encryption_method=method))) == "https://cdn/a"

    @pytest.mark.parametrize("main", ["", None, "!!", encoded("ftp://x"), encoded("https://a b"), 5])
    def test_backup_stands_in(self, main: object) -> None:
        assert url_of(with_streams(stream("a", main_url=main))) == "https://backup/a"

    @pytest.mark.parametrize(
        "written",
        [
            "https://cdn/a?b=>>>???&c=1",
            encoded("https://cdn/a?b=>>>???&c=1"),
            encoded("https://cdn/a?b=>>>???&c=1", padded=False),
            encoded("https://cdn/a?b=>>>???&c=1", urlsafe=True),
        ],
    )
    def test_link_may_be_plain_or_in_any_base64(self, written: str) -> None:
        assert url_of(with_streams(stream("a", main_url=written))) == "https://cdn/a?b=>>>???&c=1"


class TestTranscoded:
    def test_widest_key_is_taken(self) -> None:
        streams = {
            "360p": {"video_url": "https://h/360", "width": 640, "height": 360},
            "720p": {"video_url": "https://h/720", "width": 1280, "height": 720},
            "480p": {"video_url": "https://h/480", "width": 854, "height": 480},
        }
        choice = choose({"video": {"transcoded_video": streams}})
        assert choice
        assert (choice.result.url, choice.result.width, choice.result.height) == ("https://h/720", 1280, 720)

    @pytest.mark.parametrize(
        ("keys", "best"),
        [
            (["360p", "480p", "720p", "1080p"], "1080p"),
            (["1080p", "4k", "720p"], "4k"),
            (["1080p", "2K"], "2K"),
            (["4k", "origin", "720p"], "origin"),
            (["odd", "360p"], "360p"),
            (["odd"], "odd"),
        ],
    )
    def test_size_is_read_from_the_key(self, keys: list[str], best: str) -> None:
        streams = {key: {"video_url": f"https://h/{key}"} for key in keys}
        assert url_of({"video": {"transcoded_video": streams}}) == f"https://h/{best}"

    def test_key_without_a_link_is_none(self) -> None:
        streams = {"1080p": {"video_url": ""}, "360p": {"video_url": "https://h/360"}}
        assert url_of({"video": {"transcoded_video": streams}}) == "https://h/360"


SOURCES: list[tuple[str, dict[str, Any]]] = [
    ("https://cdn/a", with_streams(stream("a", 1, 1))),
    ("https://h/t", {"video": {"transcoded_video": {"360p": {"video_url": "https://h/t"}}}}),
    ("https://h/play", {"video": {"play_url": "https://h/play"}}),
    ("https://h/download", {"video": {"download_url": "https://h/download"}}),
    ("https://h/url", {"video": {"url": "https://h/url"}}),
    ("https://h/item", {"common_attr": {"item_urls": ["", "https://h/item"]}}),
]


@pytest.mark.parametrize("first", range(len(SOURCES)))
def test_sources_are_taken_in_order(first: int) -> None:
    item: dict[str, Any] = {"video": {}, "common_attr": {}}
    for _, part in SOURCES[first:]:
        for name, value in part.items():
            item[name] |= value
    assert url_of(item) == SOURCES[first][0]


@pytest.mark.parametrize("path", VIDEO_PATHS, ids=lambda path: ".".join(path))
def test_every_field_with_a_link(path: tuple[str, ...]) -> None:
    assert url_of(item_with(*path)) == URL


@pytest.mark.parametrize("item", [None, [], {}, {"common_attr": {"item_urls": [""]}}, {"video": {"video_model": "{"}}])
def test_item_without_a_link(item: object) -> None:
    assert choose(item) is None


def test_size_of_another_definition_is_not_told_for_the_link() -> None:
    item = with_streams(stream("a", 0, 0, definition="1080p"))
    item["video"]["transcoded_video"] = {"360p": {"video_url": "https://h/360", "width": 640, "height": 360}}
    choice = choose(item)
    assert choice
    assert (choice.result.url, choice.result.width) == ("https://cdn/a", None)


class TestBestQuality:
    @pytest.mark.parametrize("name", ["item_list", "local_item_list"])
    @pytest.mark.parametrize("id_path", [("item_id",), ("id",), ("local_item_id",), ("common_attr", "id")])
    def test_choices_by_item(self, name: str, id_path: tuple[str, ...]) -> None:
        item = item_with("video", "transcoded_video", "origin", "video_url") | item_with(*id_path, url="777")
        assert best_choices({name: [item]})["777"].result.url == URL
        assert item_id({"item_list": [item]}) == "777"

    @pytest.mark.parametrize("data", [None, [], {"item_list": None}, {"item_list": [None, 5, {}]}])
    def test_nothing_better(self, data: object) -> None:
        assert best_choices(data) == {}


def better_url(known: dict[str, Any], better: dict[str, Any]) -> str:
    first, second = choose(known), choose(better)
    assert first
    assert second
    state = TaskState(ID, Phase.COMPLETED, result=first.result)
    result = with_better(state, first, second).result
    assert result
    return result.url


class TestBetterLink:
    def test_best_quality_result_wins_over_an_equal_one(self) -> None:
        path = VIDEO_PATHS[1]
        assert better_url(item_with(*path), item_with(*path, url="https://best/1")) == "https://best/1"

    def test_records_own_wins_where_its_source_or_its_image_is_better(self) -> None:
        assert better_url(with_streams(stream("own")), item_with("video", "play_url")) == "https://cdn/own"
        assert better_url(with_streams(stream("own")), with_streams(stream("small", 320, 180))) == "https://cdn/own"

    def test_better_source_wins(self) -> None:
        assert better_url(item_with(*VIDEO_PATHS[1]), with_streams(stream("best"))) == "https://cdn/best"

    def test_fields_missing_in_the_better_result_are_kept(self) -> None:
        known = choose({"common_attr": {"cover_url": "https://c/1.jpg"}, "video": {"url": URL, "duration_ms": 5000}})
        better = choose(item_with("video", "url", url="https://best/1"))
        assert known
        assert better
        state = with_better(TaskState(ID, Phase.COMPLETED, result=known.result), known, better)
        assert state.result == Result("https://best/1", "https://c/1.jpg", None, None, None, 5.0)

    def test_missing_result_changes_nothing(self) -> None:
        better = choose(item_with("video", "url"))
        assert better
        state = TaskState(ID, Phase.PROCESSING)
        assert with_better(state, None, better) is state


NAMES = st.sampled_from(
    [
        *("video", "common_attr", "video_model", "video_list", "video_1", "main_url", "backup_url_1", "vwidth"),
        *("vheight", "bitrate", "encryption_method", "transcoded_video", "origin", "720p", "video_url", "item_urls"),
        *("url_expire", "duration_ms", "video_duration", "cover_url", "play_url", "id"),
    ]
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=6)
    | st.sampled_from([URL, encoded(URL), '{"video_list":{"video_1":{"main_url":"aHR0cHM6Ly9oL2E="}}}'])
)
ITEMS = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=6), max_leaves=25
)


@given(ITEMS | record_like)
def test_no_shape_is_an_exception(item: Any) -> None:
    choice = choose(item)
    for name in ("item_list", "local_item_list"):
        best_choices({name: item})
        best_choices({name: [item, item]})
    if choice is not None:
        result = choice.result
        assert result.url.startswith(("https://", "http://"))
        assert result.duration is None or result.duration > 0
        assert with_better(TaskState(ID, Phase.COMPLETED, result=result), choice, choice).result == result


@pytest.mark.parametrize(
    "item",
    [
        {"video": {"video_model": {"video_list": {str(n): {"main_url": f"https://h/{n}"} for n in range(200_000)}}}},
        {"common_attr": {"transcoded_video": {str(n): {"video_url": f"https://h/{n}"} for n in range(200_000)}}},
        {"item_urls": [f"https://h/{n}" for n in range(200_000)]},
        {"video": {"play_url": "https://h/?" + "a=b&" * 3_000_000}, "item_urls": ["https://h/v.mp4"]},
        {"video": {"play_url": "QUFB" * 3_000_000}, "item_urls": ["https://h/v.mp4"]},
    ],
    ids=["streams", "transcoded", "links", "long", "encoded"],
)
def test_links_without_end_cost_little_time(item: Any) -> None:
    began = time.process_time()
    assert choose(item) is not None
    assert time.process_time() - began < 0.2


@pytest.mark.parametrize("link", ["https:///x", "https://?x", "http://#", "file:///etc/passwd", "javascript:alert(1)"])
def test_what_has_no_host_is_no_link(link: str) -> None:
    assert choose({"video": {"play_url": link}}) is None
