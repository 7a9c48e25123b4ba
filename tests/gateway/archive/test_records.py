"""Archive records: round trips, and validation of stored data."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.archive.records import (
    ArchivedTask,
    Cover,
    Record,
    TaskMetadata,
    base_path_from_index,
    base_path_of,
    read_record,
    segment,
    write_record,
)

RECORD = Record(
    version=1,
    provider="jimeng",
    id="75",
    account=("a" * 12,),
    bytes=100,
    media_type="video/mp4",
    sha256="0" * 64,
    archived_at=1_757_737_934.5,
    model="jimeng-video-3.0-fast",
    created=1_757_737_900,
    ended=None,
    seconds=5,
    size="1280x720",
    width=1280,
    height=720,
    duration=5.04,
    cover=Cover(ending="webp", bytes=7, media_type="image/webp", sha256="1" * 64),
)
SOMETHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def test_record_round_trips() -> None:
    assert read_record(write_record(RECORD)) == RECORD
    assert json.loads(write_record(RECORD))["cover"]["ending"] == "webp"


def test_unknown_fields_are_ignored_and_a_later_version_is_not_read() -> None:
    written = json.loads(write_record(RECORD))
    assert read_record(json.dumps(written | {"colour": "red"}).encode()) == RECORD
    assert read_record(json.dumps(written | {"version": 2}).encode()) is None


@given(st.binary() | SOMETHING.map(lambda value: json.dumps(value).encode()))
def test_invalid_json_is_no_record(data: bytes) -> None:
    assert read_record(data) is None


@given(st.sampled_from(sorted(Record.model_fields)), SOMETHING)
def test_any_field_value_gives_a_usable_record_or_none(name: str, value: Any) -> None:
    record = read_record(json.dumps(json.loads(write_record(RECORD)) | {name: value}).encode())
    if record is not None:
        archived = ArchivedTask("jimeng/2025/09/13/75", record)
        assert archived.video.bytes > 0
        assert archived.cover is None or archived.cover.path.startswith("jimeng/2025/09/13/75.")
        assert read_record(write_record(record)) == record


@pytest.mark.parametrize("deep", [b"[" * 100_000, b'{"version":' * 100_000, b"9" * 100_000, b'"\\ud800"'])
def test_invalid_record_is_none(deep: bytes) -> None:
    assert read_record(deep) is None


def test_folder_is_the_day_of_the_creation_or_the_end_or_now() -> None:
    late = 1_757_807_999.0
    assert base_path_of(TaskMetadata("jimeng", "75", created=late, ended=late + 2), late + 99) == "jimeng/2025/09/13/75"
    assert base_path_of(TaskMetadata("jimeng", "75", ended=late + 2), late + 200_000) == "jimeng/2025/09/14/75"
    assert base_path_of(TaskMetadata("jimeng", "75"), late) == "jimeng/2025/09/13/75"


@pytest.mark.parametrize("nonsense", [-1.0, 0.0, 1e18, float("inf"), float("nan")])
def test_invalid_creation_time_is_none(nonsense: float) -> None:
    assert base_path_of(TaskMetadata("jimeng", "75", created=nonsense), 1_757_737_934) == "jimeng/2025/09/13/75"


def test_plain_ids_are_unchanged_in_paths() -> None:
    for id in ("7535099487211244578", "0385dc79-5ff8-4d82-bcb6-cfd3a5b4e1f1"):
        assert segment(id) == id


@given(st.text())
def test_any_id_is_one_path_segment(id: str) -> None:
    made = segment(id)
    assert made not in ("", ".", "..")
    assert "/" not in made and "\\" not in made and "#" not in made
    assert made.isascii() and len(made) <= 160
    assert base_path_from_index(f"jimeng/2025/09/13/{made}.json".encode(), "jimeng", id) == f"jimeng/2025/09/13/{made}"


@given(st.lists(st.text(max_size=300), min_size=2, max_size=2, unique=True))
def test_different_ids_have_different_paths(ids: list[str]) -> None:
    assert segment(ids[0]) != segment(ids[1])


@given(st.binary())
def test_invalid_index_entry_is_none(data: bytes) -> None:
    assert base_path_from_index(data, "jimeng", "75") is None


@pytest.mark.parametrize(
    "entry",
    [
        "../../etc/75.json",
        "dashscope/2025/09/13/75.json",
        "jimeng/2025/09/13/76.json",
        "jimeng/2025/09/13/../75.json",
        "jimeng/2025/09/13/75",
        "jimeng/2025/09/13/175.json",
    ],
)
def test_index_entry_is_valid_for_its_own_task_only(entry: str) -> None:
    assert base_path_from_index(entry.encode(), "jimeng", "75") is None
