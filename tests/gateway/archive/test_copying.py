"""Videos that were seen finished are copied, in turn and again."""

import asyncio
import logging
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.archive import archive as archive_module
from gateway.archive.archive import (
    FIRST_RETRY_SECONDS,
    GIVEN_UP_SECONDS,
    LINK_LIFE_SECONDS,
    LONGEST_RETRY_SECONDS,
)
from gateway.archive.copier import Outcome
from gateway.core.background_tasks import Background
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.tasks import Result
from providers.transport.client import HttpClient
from tests.archives import (
    ACCOUNT,
    FACTS,
    HOME,
    ID,
    INDEX,
    JPEG,
    ArchivePlace,
    FileHost,
    until,
    video,
)
from tests.gateway.archive.world import BOTH, VIDEO, House


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


async def test_a_link_without_an_end_is_tried_for_as_long_as_its_providers_links_live(house: House) -> None:
    house.archive = house.new_archive(link_seconds={FACTS.provider: 2 * LONGEST_RETRY_SECONDS})
    start, tries = house.clock.now(), 0
    house.see(Result("http://127.0.0.1:9/v"))
    while house.archive.waiting:
        tries += 1
        await house.done(tries)
        house.clock.move(LONGEST_RETRY_SECONDS)
    assert house.clock.now() - start <= 4 * LONGEST_RETRY_SECONDS


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
