"""The archive store over a folder and over a bucket: atomic writes, reads, errors."""

import asyncio
import builtins
import os
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.archive import atomic_files
from gateway.archive.store import PART_BYTES, ArchiveStore, StoreError
from tests.archives import ArchiveLocation, new_location, until

PIECE = bytes(range(256)) * 256


@pytest.fixture(params=["file", "s3"])
def location(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ArchiveLocation:
    return new_location(request.param, tmp_path, monkeypatch)


class TroubleError(Exception):
    pass


async def pieces(count: int, error: Exception | None = None) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield PIECE
    if error is not None:
        raise error


@pytest.mark.parametrize("count", [1, 3 * PART_BYTES // len(PIECE) + 1])
async def test_object_is_read_in_small_pieces(location: ArchiveLocation, count: int) -> None:
    store = location.open()
    await store.put("jimeng/a.mp4", pieces(count), "video/mp4")
    found = await store.get("jimeng/a.mp4")
    assert found is not None and found.size == count * len(PIECE)
    got = [piece async for piece in found.pieces]
    assert b"".join(got) == PIECE * count
    assert max(map(len, got)) <= 1024 * 1024
    assert await store.size("jimeng/a.mp4") == found.size
    assert location.unfinished() == 0


async def test_range_of_an_object_is_read(location: ArchiveLocation) -> None:
    store = location.open()
    await store.put("a", pieces(2), "video/mp4")
    for start, stop in ((0, 1), (65_535, 65_537), (10, None)):
        found = await store.get("a", start, stop)
        assert found is not None and found.size == 2 * len(PIECE)
        assert b"".join([piece async for piece in found.pieces]) == (PIECE * 2)[start:stop]


async def test_missing_object_is_none(location: ArchiveLocation) -> None:
    store = location.open()
    assert await store.get("jimeng/none") is None
    assert await store.get_small("jimeng/none") is None
    assert await store.size("jimeng/none") is None
    assert await store.files("jimeng") == []
    assert await store.folders() == []
    await store.delete(["jimeng/none"])
    await store.delete([])


async def test_get_small_refuses_a_large_object(location: ArchiveLocation) -> None:
    store = location.open()
    await store.put("a", pieces(17), "text/plain")
    assert await store.get_small("a") is None
    await store.put_small("a", b"small", "text/plain")
    assert await store.get_small("a") == b"small"


@pytest.mark.parametrize("count", [0, 1, 2 * PART_BYTES // len(PIECE)])
async def test_interrupted_put_keeps_the_earlier_object(location: ArchiveLocation, count: int) -> None:
    store = location.open()
    await store.put_small("a", b"before", "text/plain")
    with pytest.raises(TroubleError):
        await store.put("a", pieces(count, TroubleError()), "video/mp4")
    assert await store.get_small("a") == b"before"
    assert location.visible() == {"a"}
    assert location.unfinished() == 0


async def test_cancelled_put_leaves_nothing(location: ArchiveLocation) -> None:
    store = location.open()
    stuck = asyncio.Event()

    async def slow() -> AsyncGenerator[bytes, None]:
        for _ in range(2 * PART_BYTES // len(PIECE)):
            yield PIECE
        stuck.set()
        await asyncio.Event().wait()

    source = slow()
    putting = asyncio.create_task(store.put("a", source, "video/mp4"))
    await until(lambda: stuck.is_set() and location.unfinished() > 0)
    putting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await putting
    # No read of a piece is pending.
    await source.aclose()
    assert location.visible() == set()
    assert location.unfinished() == 0


async def test_concurrent_puts_of_one_path_both_succeed(location: ArchiveLocation) -> None:
    store, other = location.open(), location.open()
    await asyncio.gather(*(each.put("jimeng/a", pieces(90), "video/mp4") for each in (store, other, store)))
    assert await store.size("jimeng/a") == 90 * len(PIECE)
    assert location.unfinished() == 0


async def test_folders_and_files_are_listed(location: ArchiveLocation) -> None:
    store = location.open()
    for path in ("jimeng/2025/09/13/1.mp4", "jimeng/2025/09/13/1.json", "jimeng/2025/10/01/2.mp4", "index/jimeng/1"):
        await store.put_small(path, b"x", "text/plain")
    assert await store.folders() == ["index", "jimeng"]
    assert await store.folders("jimeng/2025") == ["jimeng/2025/09", "jimeng/2025/10"]
    assert sorted(await store.files("jimeng/2025/09")) == ["jimeng/2025/09/13/1.json", "jimeng/2025/09/13/1.mp4"]
    await store.delete(["jimeng/2025/09/13/1.mp4", "none", "jimeng/2025/09/13/1.json"])
    assert location.visible() == {"jimeng/2025/10/01/2.mp4", "index/jimeng/1"}
    assert await store.folders("jimeng/2025") == ["jimeng/2025/10"]


async def test_unusual_names_are_supported(location: ArchiveLocation) -> None:
    store = location.open()
    await store.put_small("index/a%2Fb~0", b"x", "text/plain")
    assert await store.get_small("index/a%2Fb~0") == b"x"
    assert location.visible() == {"index/a%2Fb~0"}


async def test_bucket_signs_links_with_the_content_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = new_location("s3", tmp_path, monkeypatch).open()
    await store.put("jimeng/a.mp4", pieces(1), "video/mp4")
    link = await store.sign("jimeng/a.mp4", 60)
    assert link is not None
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(link)
    assert (answer.content, answer.headers["content-type"]) == (PIECE, "video/mp4")


async def test_folder_signs_no_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await new_location("file", tmp_path, monkeypatch).open().sign("a", 60) is None


# --- opening ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["", "videos", "ftp://host/x", "memory:///", "https://bucket.example/x"])
def test_url_with_an_unknown_scheme_is_refused(url: str) -> None:
    with pytest.raises(StoreError, match=r"file://, s3://, gs://, az://"):
        ArchiveStore.open(url)


@pytest.mark.parametrize("url", ["file://host/folder", "s3://", "az://container/x"])
def test_incomplete_url_is_refused_in_one_line(url: str) -> None:
    with pytest.raises(StoreError) as caught:
        ArchiveStore.open(url)
    assert "\n" not in str(caught.value)


def test_buckets_are_opened_without_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    for url in ("gs://bucket/prefix", "az://container/prefix", "s3://bucket"):
        ArchiveStore.open(url)


def test_folder_with_spaces_is_created(tmp_path: Path) -> None:
    folder = tmp_path / "my videos" / "kept"
    ArchiveStore.open(folder.as_uri())
    assert folder.is_dir()


def test_missing_package_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = builtins.__import__

    def missing(name: str, *rest: Any) -> Any:
        if name.startswith("obstore"):
            raise ImportError(name)
        return original(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(StoreError, match="pip install obstore"):
        ArchiveStore.open(tmp_path.as_uri())


async def test_missing_bucket_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    new_location("s3", tmp_path, monkeypatch)
    store = ArchiveStore.open("s3://no-such-bucket/x")
    with pytest.raises(StoreError, match=r"not found|does not exist|NoSuchBucket"):
        await store.put("a", pieces(1), "video/mp4")
    with pytest.raises(StoreError):
        await store.put_small("a", b"x", "text/plain")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_unwritable_folder_is_an_error(tmp_path: Path) -> None:
    store = ArchiveStore.open(tmp_path.as_uri())
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError):
        asyncio.run(store.put("a", pieces(1), "video/mp4"))
    tmp_path.chmod(0o700)


async def test_file_in_place_of_the_folder_is_an_error(tmp_path: Path) -> None:
    store = ArchiveStore.open(tmp_path.as_uri())
    (tmp_path / "jimeng").write_bytes(b"")
    with pytest.raises(StoreError):
        await store.put("jimeng/a", pieces(1), "video/mp4")
    assert not list((tmp_path / atomic_files.FOLDER).iterdir())
