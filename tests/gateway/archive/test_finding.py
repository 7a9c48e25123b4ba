"""Archived tasks are found, by who holds their account."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from gateway.archive.archive import (
    FOUND_SECONDS,
    KNOWN_SECONDS,
    MISSED_SECONDS,
)
from gateway.archive.copier import Outcome, Report, copy_task
from gateway.archive.records import Archived
from gateway.archive.store import StoreError
from providers.contract.tasks import Result
from tests.archives import (
    ACCOUNT,
    FACTS,
    ID,
    no_other,
)
from tests.gateway.archive.world import BOTH, STRANGER, VIDEO, Counting, House, read


@BOTH
async def test_it_is_found_from_the_archive_alone(house: House) -> None:
    archived = await house.copied()
    other = house.new_archive()
    assert await other.find("jimeng", ID, ACCOUNT) == archived
    assert await other.find("jimeng", ID, replace(ACCOUNT, name="main")) == archived
    assert other.known("jimeng", ID, ACCOUNT.tag)


async def test_only_by_who_holds_its_account(house: House) -> None:
    await house.copied()
    assert await house.archive.find("jimeng", ID, STRANGER) is None
    assert await house.new_archive().find("jimeng", ID, STRANGER) is None
    assert await house.archive.find("jimeng", ID, ACCOUNT) is not None


async def test_the_archive_is_not_asked_again_for_a_while(house: House) -> None:
    found = await asyncio.gather(*(house.archive.find("jimeng", ID, ACCOUNT) for _ in range(50)))
    assert set(found) == {None}
    assert house.store.asked == 1
    house.clock.move(MISSED_SECONDS - 0.1)
    await house.archive.find("jimeng", ID, ACCOUNT)
    assert house.store.asked == 1
    # Copied here, it is found at once; copied by another, soon.
    other = house.new_archive()
    await other.copy(FACTS, ACCOUNT, Result(house.host.give("v", VIDEO)), no_other)
    assert await other.find("jimeng", ID, ACCOUNT) is not None
    house.clock.move(0.1)
    asked = house.store.asked
    for _ in range(2):
        assert await house.archive.find("jimeng", ID, ACCOUNT) is not None
        house.clock.move(FOUND_SECONDS - 1)
    assert house.store.asked == asked + 2


@pytest.mark.parametrize("left", [None, b"another video"])
async def test_of_a_file_that_is_not_what_its_record_says_nothing_is_told(house: House, left: bytes | None) -> None:
    archived = await house.copied()
    await house.store.delete([archived.video.path])
    if left is not None:
        await house.store.put_small(archived.video.path, left, "video/mp4")
    other = house.new_archive()
    assert await other.find("jimeng", ID, ACCOUNT) is None
    assert other.wants("jimeng", ID, ACCOUNT.tag)


async def test_what_others_have_deleted_is_known_no_longer(house: House) -> None:
    archived = await house.copied()
    await house.store.delete([f"index/jimeng/{ID}"])
    house.clock.move(FOUND_SECONDS)
    assert house.archive.known("jimeng", ID, ACCOUNT.tag)
    assert await house.archive.find("jimeng", ID, ACCOUNT) is None
    assert not house.archive.known("jimeng", ID, ACCOUNT.tag)
    assert house.archive.wants("jimeng", ID, ACCOUNT.tag)
    await house.copied()
    house.clock.move(KNOWN_SECONDS)
    assert not house.archive.known("jimeng", ID, ACCOUNT.tag)
    assert archived.record.account == ACCOUNT.marks


async def test_two_that_copy_at_once_do_not_leave_a_record_of_another_file(house: House) -> None:
    other = house.new_archive()
    longer = VIDEO + b"x" * 1000

    class Late(Counting):
        """Lets the other one write its video between our video and our record."""

        async def put_small(self, path: str, data: bytes, media_type: str) -> None:
            if path.endswith(".json"):
                await house.store.put(path.replace(".json", ".mp4"), _once(longer), "video/mp4")
            await super().put_small(path, data, media_type)

    late = Late.open(house.place.url)
    report = await copy_task(
        late, house.http, FACTS, ACCOUNT, Result(house.host.give("v", VIDEO)), no_other, house.clock.now()
    )
    assert report.outcome is Outcome.FAILED
    assert "same moment" in report.cause
    again = await other.copy(FACTS, ACCOUNT, Result(house.host.give("v", VIDEO)), no_other)
    assert again.outcome is Outcome.COPIED
    assert await read(await other.open(_there(again))) == VIDEO


def _there(report: Report) -> Archived:
    assert report.archived is not None
    return report.archived


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def test_trouble_is_told_and_not_remembered(house: House) -> None:
    await house.copied()
    other = house.new_archive()
    house.store.down = True
    with pytest.raises(StoreError):
        await other.find("jimeng", ID, ACCOUNT)
    house.store.down = False
    assert await other.find("jimeng", ID, ACCOUNT) is not None


async def test_one_who_goes_away_does_not_take_the_answer_along(house: House) -> None:
    await house.copied()
    other = house.new_archive()
    gone = asyncio.create_task(other.find("jimeng", ID, ACCOUNT))
    stays = asyncio.create_task(other.find("jimeng", ID, ACCOUNT))
    await asyncio.sleep(0)
    gone.cancel()
    assert await stays is not None


@pytest.mark.parametrize("id", ["", "..", "a/../b", "x" * 5000, "猫", "\ud800", "#1", "\0"])
async def test_any_id_may_be_asked_for(house: House, id: str) -> None:
    assert await house.archive.find("jimeng", id, ACCOUNT) is None
