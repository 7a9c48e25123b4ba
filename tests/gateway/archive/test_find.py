"""Lookups of archived tasks by their owners."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from gateway.archive.archive import (
    ARCHIVED_SECONDS,
    FOUND_SECONDS,
    MISSED_SECONDS,
)
from gateway.archive.copier import ArchiveResult, Outcome, copy_task
from gateway.archive.records import ArchivedTask
from gateway.archive.store import StoreError
from providers.contract.tasks import Result
from tests.archives import (
    ACCOUNT,
    ID,
    METADATA,
    no_other,
)
from tests.gateway.archive.fixtures import BOTH, OTHER_ACCOUNT, VIDEO, ArchiveFixture, Counting, read


@BOTH
async def test_task_is_found_from_the_store_alone(env: ArchiveFixture) -> None:
    archived = await env.copied()
    other = env.new_archive()
    assert await other.find("jimeng", ID, ACCOUNT) == archived
    assert await other.find("jimeng", ID, replace(ACCOUNT, name="main")) == archived
    assert other.is_archived("jimeng", ID, ACCOUNT.id)


async def test_task_is_found_only_by_holders_of_its_account(env: ArchiveFixture) -> None:
    await env.copied()
    assert await env.archive.find("jimeng", ID, OTHER_ACCOUNT) is None
    assert await env.new_archive().find("jimeng", ID, OTHER_ACCOUNT) is None
    assert await env.archive.find("jimeng", ID, ACCOUNT) is not None


async def test_missing_task_is_cached_for_a_while(env: ArchiveFixture) -> None:
    found = await asyncio.gather(*(env.archive.find("jimeng", ID, ACCOUNT) for _ in range(50)))
    assert set(found) == {None}
    assert env.store.asked == 1
    env.clock.move(MISSED_SECONDS - 0.1)
    await env.archive.find("jimeng", ID, ACCOUNT)
    assert env.store.asked == 1
    # A copy of this replica is found at once, one of another after the TTL.
    other = env.new_archive()
    await other.copy(METADATA, ACCOUNT, Result(env.host.give("v", VIDEO)), no_other)
    assert await other.find("jimeng", ID, ACCOUNT) is not None
    env.clock.move(0.1)
    asked = env.store.asked
    for _ in range(2):
        assert await env.archive.find("jimeng", ID, ACCOUNT) is not None
        env.clock.move(FOUND_SECONDS - 1)
    assert env.store.asked == asked + 2


@pytest.mark.parametrize("left", [None, b"another video"])
async def test_file_that_differs_from_its_record_is_not_found(env: ArchiveFixture, left: bytes | None) -> None:
    archived = await env.copied()
    await env.store.delete([archived.video.path])
    if left is not None:
        await env.store.put_small(archived.video.path, left, "video/mp4")
    other = env.new_archive()
    assert await other.find("jimeng", ID, ACCOUNT) is None
    assert other.accepts("jimeng", ID, ACCOUNT.id)


async def test_task_deleted_by_others_is_not_found(env: ArchiveFixture) -> None:
    archived = await env.copied()
    await env.store.delete([f"index/jimeng/{ID}"])
    env.clock.move(FOUND_SECONDS)
    assert env.archive.is_archived("jimeng", ID, ACCOUNT.id)
    assert await env.archive.find("jimeng", ID, ACCOUNT) is None
    assert not env.archive.is_archived("jimeng", ID, ACCOUNT.id)
    assert env.archive.accepts("jimeng", ID, ACCOUNT.id)
    await env.copied()
    env.clock.move(ARCHIVED_SECONDS)
    assert not env.archive.is_archived("jimeng", ID, ACCOUNT.id)
    assert archived.record.account == ACCOUNT.principals


async def test_concurrent_copies_leave_a_record_that_matches_its_file(env: ArchiveFixture) -> None:
    other = env.new_archive()
    longer = VIDEO + b"x" * 1000

    class Late(Counting):
        """Writes the other copy's video between this copy's video and record."""

        async def put_small(self, path: str, data: bytes, media_type: str) -> None:
            if path.endswith(".json"):
                await env.store.put(path.replace(".json", ".mp4"), _once(longer), "video/mp4")
            await super().put_small(path, data, media_type)

    late = Late.open(env.location.url)
    result = await copy_task(
        late, env.http, METADATA, ACCOUNT, Result(env.host.give("v", VIDEO)), no_other, env.clock.now()
    )
    assert result.outcome is Outcome.FAILED
    assert "same moment" in result.cause
    again = await other.copy(METADATA, ACCOUNT, Result(env.host.give("v", VIDEO)), no_other)
    assert again.outcome is Outcome.COPIED
    assert await read(await other.open(_archived_of(again))) == VIDEO


def _archived_of(result: ArchiveResult) -> ArchivedTask:
    assert result.archived is not None
    return result.archived


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def test_store_error_is_raised_and_not_cached(env: ArchiveFixture) -> None:
    await env.copied()
    other = env.new_archive()
    env.store.down = True
    with pytest.raises(StoreError):
        await other.find("jimeng", ID, ACCOUNT)
    env.store.down = False
    assert await other.find("jimeng", ID, ACCOUNT) is not None


async def test_cancelled_find_does_not_cancel_another(env: ArchiveFixture) -> None:
    await env.copied()
    other = env.new_archive()
    gone = asyncio.create_task(other.find("jimeng", ID, ACCOUNT))
    stays = asyncio.create_task(other.find("jimeng", ID, ACCOUNT))
    await asyncio.sleep(0)
    gone.cancel()
    assert await stays is not None


@pytest.mark.parametrize("id", ["", "..", "a/../b", "x" * 5000, "猫", "\ud800", "#1", "\0"])
async def test_any_id_can_be_looked_up(env: ArchiveFixture, id: str) -> None:
    assert await env.archive.find("jimeng", id, ACCOUNT) is None
