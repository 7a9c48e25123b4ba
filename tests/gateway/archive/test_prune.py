"""Pruning of old tasks."""

from dataclasses import replace
from pathlib import Path

import pytest

from gateway.archive.store import ArchiveStore, StoreError
from tests.archives import (
    ACCOUNT,
    BASE_PATH,
    CREATED,
    ID,
    INDEX,
    METADATA,
)
from tests.gateway.archive.fixtures import BOTH, ArchiveFixture

DAYS = 86_400.0
PROVIDERS = ("jimeng", "dashscope")


@BOTH
async def test_older_videos_are_removed_with_all_their_files(env: ArchiveFixture) -> None:
    await env.copied()
    young = replace(METADATA, id="young", created=CREATED + 40 * DAYS)
    await env.copied(metadata=young)
    await env.store.put_small("jimeng/2020/01/01/notes.txt.bak/mine", b"x", "text/plain")
    await env.store.put_small("mine/2020/01/01/photo.jpg", b"x", "text/plain")
    expected = {"jimeng/2020/01/01/notes.txt.bak/mine", "mine/2020/01/01/photo.jpg"}
    before = env.location.visible()

    assert len(await env.archive.prune(30, CREATED + 30 * DAYS, PROVIDERS)) == 0
    assert env.location.visible() == before
    assert len(await env.archive.prune(30, CREATED + 32 * DAYS, PROVIDERS)) == 1
    left = env.location.visible()
    assert left == {path for path in before if ID not in path}
    assert left > expected
    assert await env.archive.find("jimeng", ID, ACCOUNT) is None
    assert not env.archive.is_archived("jimeng", ID, ACCOUNT.id)
    assert await env.archive.find("jimeng", "young", ACCOUNT) is not None
    assert len(await env.archive.prune(30, CREATED + 32 * DAYS, PROVIDERS)) == 0
    assert len(await env.archive.prune(0, CREATED + 99 * DAYS, PROVIDERS)) == 1
    assert env.location.visible() == expected


@BOTH
async def test_files_that_are_not_the_archives_stay(env: ArchiveFixture) -> None:
    archived = await env.copied()
    day, record = BASE_PATH.rpartition("/")[0], await env.store.get_small(f"{BASE_PATH}.json")
    assert record is not None
    foreign = {
        f"{BASE_PATH}.txt": b"mine",
        f"{BASE_PATH}.png": b"mine",
        f"{BASE_PATH}.mov": b"mine",
        f"{BASE_PATH}.mp4.bak": b"mine",
        f"{BASE_PATH}-copy.mp4": b"mine",
        f"{BASE_PATH}0.mp4": b"mine",
        f"{BASE_PATH}-copy.json": record,
        f"{day}/holiday.mp4": b"mine",
        f"{day}/notes.json": b'{"mine": true}',
        f"{day}/list.json": b"[]",
        f"{day}/below/{ID}.json": record,
        f"index/jimeng/{ID}.txt": b"mine",
    }
    for path, data in foreign.items():
        await env.store.put_small(path, data, "text/plain")
    assert archived.cover is not None
    assert len(await env.archive.prune(1, CREATED + 10 * DAYS, PROVIDERS)) == 1
    assert env.location.visible() == foreign.keys()
    assert len(await env.archive.prune(1, CREATED + 10 * DAYS, PROVIDERS)) == 0


@pytest.mark.parametrize("depth", [1, 2, 3, 4], ids=["provider", "year", "month", "day"])
async def test_folder_behind_a_symbolic_link_is_not_pruned(env: ArchiveFixture, depth: int, tmp_path: Path) -> None:
    await env.copied()
    assert env.store._folder is not None
    linked = env.store._folder / "/".join(BASE_PATH.split("/")[:depth])
    elsewhere = tmp_path / "elsewhere"
    linked.rename(elsewhere)
    linked.symlink_to(elsewhere, target_is_directory=True)
    before = sorted(elsewhere.rglob("*"))
    assert await env.archive.prune(1, CREATED + 10 * DAYS, PROVIDERS) == []
    assert sorted(elsewhere.rglob("*")) == before
    linked.unlink()
    elsewhere.rename(linked)
    assert len(await env.archive.prune(1, CREATED + 10 * DAYS, PROVIDERS)) == 1


async def test_linked_file_is_not_deleted_behind_its_link(env: ArchiveFixture, tmp_path: Path) -> None:
    archived = await env.copied()
    assert env.store._folder is not None
    video, elsewhere = env.store._folder / archived.video.path, tmp_path / "mine.mp4"
    video.rename(elsewhere)
    video.symlink_to(elsewhere)
    assert len(await env.archive.prune(1, CREATED + 10 * DAYS, PROVIDERS)) == 1
    assert elsewhere.exists() and not video.is_symlink()


async def test_empty_archive_is_pruned(env: ArchiveFixture) -> None:
    assert len(await env.archive.prune(1, CREATED, PROVIDERS)) == 0


@pytest.mark.parametrize("deletes", [0, 1, 2])
async def test_interrupted_prune_leaves_no_record_without_a_video(
    env: ArchiveFixture, deletes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    archived = await env.copied()
    done = 0

    async def dying(self: ArchiveStore, paths: list[str]) -> None:
        nonlocal done
        if done == deletes:
            raise StoreError("died")
        done += 1
        await original(self, paths)

    original = ArchiveStore.delete
    monkeypatch.setattr(ArchiveStore, "delete", dying)
    with pytest.raises(StoreError):
        await env.archive.prune(1, CREATED + 10 * DAYS, PROVIDERS)
    monkeypatch.undo()
    other = env.new_archive()
    found = await other.find("jimeng", ID, ACCOUNT)
    assert (found is not None) is (deletes == 0)
    assert f"{BASE_PATH}.json" in env.location.visible()
    assert (archived.video.path in env.location.visible()) is (deletes < 2)
    assert len(await other.prune(1, CREATED + 10 * DAYS, PROVIDERS)) == 1
    assert env.location.visible() == set()


async def test_video_archived_again_under_another_day_stays_known(env: ArchiveFixture) -> None:
    await env.copied()
    env.archive = env.new_archive()
    await env.store.delete([INDEX])
    anew = await env.copied(metadata=replace(METADATA, created=CREATED + 20 * DAYS))
    assert len(await env.archive.prune(10, CREATED + 15 * DAYS, PROVIDERS)) == 1
    assert await env.new_archive().find("jimeng", ID, ACCOUNT) == anew
    assert f"{BASE_PATH}.mp4" not in env.location.visible()
