"""The archive as the gateway uses it: copies that nobody waits for, and videos that outlive their upstream."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import archive as archive_module
from gateway.archive import (
    FIRST_RETRY_SECONDS,
    FOUND_SECONDS,
    GIVEN_UP_SECONDS,
    KNOWN_SECONDS,
    LINK_LIFE_SECONDS,
    LONGEST_RETRY_SECONDS,
    MISSED_SECONDS,
    Archive,
    Opened,
    UnsatisfiableRangeError,
    _part,
)
from gateway.archive_copy import Outcome, Report, copy_task
from gateway.archive_records import Archived, Facts
from gateway.archive_store import ArchiveStore, StoreError, Stream
from gateway.background import Background
from providers.contract import ErrorKind, ProviderError, Result
from providers.http import HttpClient
from tests.archives import (
    ACCOUNT,
    CREATED,
    FACTS,
    HOME,
    ID,
    INDEX,
    JPEG,
    ArchivePlace,
    FileHost,
    new_place,
    no_other,
    until,
    video,
)
from tests.clock import TestClock

VIDEO = video()
STRANGER = replace(ACCOUNT, credential="s-secret-2", name="")


class Counting(ArchiveStore):
    """Counts what is asked, and fails while it is `down`."""

    asked = 0
    down = False

    async def _get(self, store: Any, path: str, options: Any) -> Stream | None:
        self.asked += 1
        await asyncio.sleep(0)
        if self.down:
            raise StoreError("down")
        return await super()._get(store, path, options)


class House:
    """An archive over a real folder and a real host, on a clock moved by hand."""

    def __init__(self, place: ArchivePlace, host: FileHost, http: HttpClient, background: Background) -> None:
        self.place = place
        self.host = host
        self.http = http
        self.background = background
        self.clock = TestClock(CREATED + 100)
        self.store = Counting.open(place.url)
        self.reports: list[Report] = []
        self.archive = self.new_archive()

    def new_archive(self, copies: int = 2, *, keep_prompt: bool = False) -> Archive:
        """As another replica has it, or this one after a restart."""
        return Archive(
            self.store,
            self.http,
            self.clock,
            self.background,
            copies=copies,
            keep_prompt=keep_prompt,
            ended=self.reports.append,
        )

    def see(self, result: Result, facts: Facts = FACTS) -> None:
        self.archive.seen(facts, ACCOUNT, result, no_other)

    async def done(self, reports: int = 1) -> Report:
        await until(lambda: len(self.reports) >= reports)
        return self.reports[-1]

    async def copied(self, result: Result | None = None, facts: Facts = FACTS) -> Archived:
        result = result or Result(self.host.give("v", VIDEO), cover_url=self.host.give("c", JPEG))
        report = await self.archive.copy(facts, ACCOUNT, result, no_other)
        assert report.archived is not None
        return report.archived


@pytest.fixture(params=["file"])
async def house(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[House]:
    place = new_place(request.param, tmp_path, monkeypatch)
    async with FileHost().serving() as host, HttpClient() as http, Background() as background:
        yield House(place, host, http, background)


BOTH = pytest.mark.parametrize("house", ["file", "s3"], indirect=True)

# --- copying ----------------------------------------------------------------------------------------------------


@BOTH
async def test_what_is_seen_is_copied_and_known(house: House) -> None:
    house.see(Result(house.host.give("v", VIDEO), cover_url=house.host.give("c", JPEG)))
    assert not house.archive.known("jimeng", ID, ACCOUNT.tag)
    assert not house.archive.wants("jimeng", ID, ACCOUNT.tag)
    report = await house.done()
    assert report.outcome is Outcome.COPIED
    assert house.archive.known("jimeng", ID, ACCOUNT.tag)
    assert house.archive.waiting == 0
    assert house.place.visible() == {f"{HOME}.mp4", f"{HOME}.jpg", f"{HOME}.json", INDEX}


async def test_what_is_known_costs_nothing(house: House) -> None:
    result = Result(house.host.give("v", VIDEO, hold_at=1000))
    for _ in range(1000):
        house.see(result)
    assert house.archive.waiting == 1
    house.host.let_go.set()
    await house.done()
    asked = house.store.asked
    for _ in range(1000):
        house.see(result)
    assert house.archive.waiting == 0
    assert (len(house.reports), house.store.asked, house.host.asked) == (1, asked, ["v"])


async def test_after_a_restart_it_is_found_instead_of_copied(house: House) -> None:
    await house.copied()
    house.archive = house.new_archive()
    assert not house.archive.known("jimeng", ID, ACCOUNT.tag)
    house.see(Result(house.host.url("v")))
    assert (await house.done()).outcome is Outcome.ALREADY_THERE
    assert house.archive.known("jimeng", ID, ACCOUNT.tag)
    assert house.host.asked.count("v") == 1


async def test_only_so_many_copies_run_at_once(house: House) -> None:
    house.archive = house.new_archive(copies=2)
    link = house.host.give("v", VIDEO, hold_at=1000)
    for number in range(6):
        house.see(Result(link), replace(FACTS, id=str(number)))
    await until(lambda: len(house.host.asked) == 2)
    assert house.archive.waiting == 6
    house.host.let_go.set()
    await house.done(6)
    assert house.host.most_at_once == 2
    assert {report.outcome for report in house.reports} == {Outcome.COPIED}
    assert house.archive.waiting == 0


async def test_only_so_many_wait(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_module, "MAX_WAITING", 3)
    link = house.host.give("v", VIDEO, hold_at=1000)
    for number in range(9):
        house.see(Result(link), replace(FACTS, id=str(number)))
    assert house.archive.waiting == 3
    assert not house.archive.wants("jimeng", "8", ACCOUNT.tag)
    house.host.let_go.set()
    await house.done(3)
    assert house.archive.wants("jimeng", "8", ACCOUNT.tag)


async def test_what_fails_is_tried_again_later_and_later_while_the_link_lives(house: House) -> None:
    now = house.clock.now()
    house.host.give("v", b"", status=500)
    house.see(Result(house.host.url("v"), expires_at=int(now + 1000)))
    at: list[float] = []
    for tries in range(1, 20):
        await house.done(tries)
        at.append(house.clock.now() - now)
        if not house.archive.waiting:
            break
        house.see(Result(house.host.url("v")))
        pause = min(FIRST_RETRY_SECONDS * 2 ** (tries - 1), LONGEST_RETRY_SECONDS)
        house.clock.move(pause - 1)
        await asyncio.sleep(0)
        assert len(house.reports) == tries
        house.clock.move(1)
    assert at == [0, 30, 90, 210, 450, 930]
    assert not house.archive.known("jimeng", ID, ACCOUNT.tag)
    assert not house.archive.wants("jimeng", ID, ACCOUNT.tag)

    # Seen again after a pause it is a new one.
    house.clock.move(GIVEN_UP_SECONDS - 1)
    assert not house.archive.wants("jimeng", ID, ACCOUNT.tag)
    house.clock.move(1)
    house.host.give("v", VIDEO)
    house.see(Result(house.host.url("v")))
    assert (await house.done(len(at) + 1)).outcome is Outcome.COPIED


async def test_a_link_without_an_end_is_tried_for_a_day(house: House) -> None:
    start = house.clock.now()
    house.see(Result("http://127.0.0.1:9/v"))
    tries = 0
    while house.archive.waiting:
        tries += 1
        await house.done(tries)
        house.clock.move(LONGEST_RETRY_SECONDS)
    assert LINK_LIFE_SECONDS - LONGEST_RETRY_SECONDS <= house.clock.now() - start <= LINK_LIFE_SECONDS + 7200
    assert tries > 20


async def test_what_has_expired_is_given_up_at_once(house: House) -> None:
    house.see(Result(house.host.url("gone")))
    assert (await house.done()).outcome is Outcome.EXPIRED
    assert house.archive.waiting == 0
    assert not house.archive.wants("jimeng", ID, ACCOUNT.tag)


async def test_a_refused_link_is_renewed(house: House) -> None:
    fresh = Result(house.host.give("fresh", VIDEO))
    calls: list[str] = []

    async def renew() -> Result | None:
        calls.append("renewed")
        if len(calls) == 1:
            raise ProviderError(ErrorKind.UNREACHABLE)
        return fresh

    house.archive.seen(FACTS, ACCOUNT, Result(house.host.url("gone")), renew)
    assert (await house.done()).outcome is Outcome.FAILED
    house.clock.move(FIRST_RETRY_SECONDS)
    assert (await house.done(2)).outcome is Outcome.COPIED


async def test_a_store_that_is_down_harms_nobody(house: House, caplog: pytest.LogCaptureFixture) -> None:
    house.store.down = True
    with caplog.at_level(logging.WARNING, "gateway"):
        house.see(Result(house.host.give("v", VIDEO)))
        assert (await house.done()).cause == "down"
    assert "secret" not in caplog.text
    house.store.down = False
    house.clock.move(FIRST_RETRY_SECONDS)
    assert (await house.done(2)).outcome is Outcome.COPIED


async def test_nothing_starts_once_it_is_closed(house: House) -> None:
    house.archive = house.new_archive(copies=1)
    link = house.host.give("v", VIDEO, hold_at=1000)
    house.see(Result(house.host.give("bad", b"", status=500)))
    await house.done()
    house.see(Result(link), replace(FACTS, id="1"))
    house.see(Result(link), replace(FACTS, id="2"))
    house.archive.close()
    house.see(Result(link), replace(FACTS, id="3"))
    assert house.archive.waiting == 0
    house.host.let_go.set()
    await house.done(2)
    house.clock.move(LINK_LIFE_SECONDS)
    for _ in range(5):
        await asyncio.sleep(0.01)
    assert len(house.reports) == 2
    assert house.host.asked == ["bad", "v"]


async def test_the_end_of_the_application_leaves_nothing_half_done(tmp_path: Path) -> None:
    place = ArchivePlace((tmp_path / "archive").as_uri(), folder=tmp_path / "archive")
    async with FileHost().serving() as host, HttpClient() as http:
        async with Background() as background:
            house = House(place, host, http, background)
            house.archive = house.new_archive(copies=1)
            link = host.give("v", video(4_000_000), hold_at=3_000_000)
            house.see(Result(link))
            house.see(Result(link), replace(FACTS, id="2"))
            await until(lambda: place.unfinished() > 0)
        assert place.visible() == set()
        assert place.unfinished() == 0
        assert host.asked == ["v"]


@pytest.mark.parametrize(("keep", "kept"), [(True, "a cat"), (False, None)])
async def test_a_prompt_is_written_down_only_where_asked(house: House, keep: bool, kept: str | None) -> None:
    house.archive = house.new_archive(keep_prompt=keep)
    archived = await house.copied(facts=replace(FACTS, prompt="a cat"))
    assert archived.record.prompt == kept


# --- finding ----------------------------------------------------------------------------------------------------


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


# --- giving -----------------------------------------------------------------------------------------------------


async def read(opened: Opened | None) -> bytes:
    assert opened is not None
    body = b"".join([piece async for piece in opened.pieces])
    assert len(body) == opened.length
    return body


@BOTH
async def test_video_and_cover_are_given(house: House) -> None:
    archived = await house.copied()
    opened = await house.archive.open(archived)
    assert await read(opened) == VIDEO
    assert opened is not None
    assert (opened.size, opened.media_type, opened.content_range) == (len(VIDEO), "video/mp4", None)
    assert opened.etag == f'"{archived.record.sha256}"'
    cover = await house.archive.open(archived, "thumbnail")
    assert await read(cover) == JPEG
    assert cover is not None and cover.media_type == "image/jpeg"


@BOTH
@pytest.mark.parametrize(
    ("header", "content_range", "start", "stop"),
    [
        ("bytes=0-0", "bytes 0-0/100000", 0, 1),
        ("bytes=99999-", "bytes 99999-99999/100000", 99_999, 100_000),
        ("Bytes= 10 - 19 ", "bytes 10-19/100000", 10, 20),
        ("bytes=-5", "bytes 99995-99999/100000", 99_995, 100_000),
        ("bytes=-999999", "bytes 0-99999/100000", 0, 100_000),
        ("bytes=5-999999", "bytes 5-99999/100000", 5, 100_000),
    ],
)
async def test_a_range_is_given(house: House, header: str, content_range: str, start: int, stop: int) -> None:
    archived = await house.copied()
    opened = await house.archive.open(archived, range=header)
    assert opened is not None and opened.content_range == content_range
    assert await read(opened) == VIDEO[start:stop]


@pytest.mark.parametrize("header", ["", "bytes=", "bytes=-", "bytes=5-4", "bytes=0-1,3-4", "items=0-1", "bytes=a-b"])
async def test_what_is_no_range_is_the_whole(house: House, header: str) -> None:
    opened = await house.archive.open(await house.copied(), range=header)
    assert opened is not None and opened.content_range is None
    assert await read(opened) == VIDEO


@pytest.mark.parametrize("header", ["bytes=100000-", "bytes=100000-100001", "bytes=-0", "bytes=9999999999999999999-"])
async def test_a_range_outside_of_the_file_is_refused(house: House, header: str) -> None:
    archived = await house.copied()
    with pytest.raises(UnsatisfiableRangeError) as caught:
        await house.archive.open(archived, range=header)
    assert caught.value.size == len(VIDEO)


@given(st.text() | st.from_regex(r"bytes=\d{0,21}-\d{0,21}"), st.integers(1, 2**62))
def test_any_header_is_a_part_that_is_there_or_the_whole(header: str, size: int) -> None:
    try:
        part = _part(header, size)
    except UnsatisfiableRangeError:
        return
    assert part is None or 0 <= part[0] < part[1] <= size


async def test_a_range_of_another_file_is_the_whole(house: House) -> None:
    archived = await house.copied()
    etag = archived.video.etag
    for if_range, whole in ((etag, False), ('"other"', True), (f"W/{etag}", True), ("Sat, 13 Sep 2025", True)):
        opened = await house.archive.open(archived, range="bytes=0-1", if_range=if_range)
        assert opened is not None and (opened.content_range is None) is whole


async def test_a_head_has_no_pieces(house: House) -> None:
    opened = await house.archive.open(await house.copied(), range="bytes=0-9", head=True)
    assert opened is not None and (opened.length, opened.size) == (10, len(VIDEO))
    assert [piece async for piece in opened.pieces] == []


@pytest.mark.parametrize("head", [True, False])
@pytest.mark.parametrize("how", ["deleted", "another"])
async def test_what_was_taken_away_is_no_longer_known(house: House, how: str, head: bool) -> None:
    archived = await house.copied()
    if how == "deleted":
        await house.store.delete([archived.video.path])
    else:
        await house.store.put_small(archived.video.path, VIDEO + b"x", "video/mp4")
    assert await house.archive.open(archived, head=head) is None
    assert not house.archive.known("jimeng", ID, ACCOUNT.tag)
    # And is copied again when it is seen again.
    house.see(Result(house.host.url("v")))
    assert (await house.done()).outcome is Outcome.COPIED
    assert await read(await house.archive.open(archived)) == VIDEO


async def test_there_may_be_no_cover(house: House) -> None:
    archived = await house.copied(Result(house.host.give("v", VIDEO)))
    assert await house.archive.open(archived, "thumbnail") is None
    assert await house.archive.link(archived, "thumbnail") is None
    assert house.archive.known("jimeng", ID, ACCOUNT.tag)


async def test_what_breaks_off_is_said_as_a_host_would(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    archived = await house.copied()

    async def pieces(trouble: bool) -> AsyncGenerator[bytes, None]:
        yield b"x"
        if trouble:
            raise StoreError("gone")

    for trouble in (True, False):

        async def broken(path: str, start: int, stop: int | None, trouble: bool = trouble) -> Stream:
            return Stream(len(VIDEO), pieces(trouble))

        monkeypatch.setattr(house.store, "get", broken)
        opened = await house.archive.open(archived)
        with pytest.raises(ProviderError) as caught:
            await read(opened)
        assert caught.value.kind is ErrorKind.ANSWER_LOST


@BOTH
async def test_a_link_where_the_store_gives_one(house: House) -> None:
    link = await house.archive.link(await house.copied())
    assert (link is None) is (house.place.folder is not None)


# --- deleting ---------------------------------------------------------------------------------------------------

DAYS = 86_400.0
PROVIDERS = ("jimeng", "dashscope")


@BOTH
async def test_what_is_older_goes_with_all_that_belongs_to_it(house: House) -> None:
    await house.copied()
    young = replace(FACTS, id="young", created=CREATED + 40 * DAYS)
    await house.copied(facts=young)
    await house.store.put_small("jimeng/2020/01/01/notes.txt.bak/mine", b"x", "text/plain")
    await house.store.put_small("mine/2020/01/01/photo.jpg", b"x", "text/plain")
    kept = {"jimeng/2020/01/01/notes.txt.bak/mine", "mine/2020/01/01/photo.jpg"}
    before = house.place.visible()

    assert await house.archive.prune(30, CREATED + 30 * DAYS, PROVIDERS) == 0
    assert house.place.visible() == before
    assert await house.archive.prune(30, CREATED + 32 * DAYS, PROVIDERS) == 1
    left = house.place.visible()
    assert left == {path for path in before if ID not in path}
    assert left > kept
    assert await house.archive.find("jimeng", ID, ACCOUNT) is None
    assert not house.archive.known("jimeng", ID, ACCOUNT.tag)
    assert await house.archive.find("jimeng", "young", ACCOUNT) is not None
    assert await house.archive.prune(30, CREATED + 32 * DAYS, PROVIDERS) == 0
    assert await house.archive.prune(0, CREATED + 99 * DAYS, PROVIDERS) == 1
    assert house.place.visible() == kept


async def test_an_empty_archive_is_pruned_as_well(house: House) -> None:
    assert await house.archive.prune(1, CREATED, PROVIDERS) == 0


@pytest.mark.parametrize("deletes", [0, 1, 2])
async def test_a_prune_that_breaks_off_leaves_no_record_without_a_video(
    house: House, deletes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    archived = await house.copied()
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
        await house.archive.prune(1, CREATED + 10 * DAYS, PROVIDERS)
    monkeypatch.undo()
    other = house.new_archive()
    found = await other.find("jimeng", ID, ACCOUNT)
    assert (found is not None) is (deletes == 0)
    assert archived.video.path in house.place.visible()
    assert await other.prune(1, CREATED + 10 * DAYS, PROVIDERS) == 1
    assert house.place.visible() == set()


async def test_what_was_archived_anew_under_another_day_stays_known(house: House) -> None:
    await house.copied()
    house.archive = house.new_archive()
    await house.store.delete([INDEX])
    anew = await house.copied(facts=replace(FACTS, created=CREATED + 20 * DAYS))
    assert await house.archive.prune(10, CREATED + 15 * DAYS, PROVIDERS) == 1
    assert await house.new_archive().find("jimeng", ID, ACCOUNT) == anew
    assert f"{HOME}.mp4" not in house.place.visible()
