"""The queue of background copies, and its retries."""

import asyncio
import logging
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.archive import copy_queue
from gateway.archive.copier import Outcome
from gateway.archive.copy_queue import (
    FIRST_RETRY_SECONDS,
    GIVEN_UP_SECONDS,
    LINK_LIFE_SECONDS,
    LONGEST_RETRY_SECONDS,
)
from gateway.core.settings import ArchiveSettings
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.tasks import Result
from providers.transport.client import HttpClient
from tests.archives import (
    ACCOUNT,
    BASE_PATH,
    ID,
    INDEX,
    JPEG,
    METADATA,
    ArchiveLocation,
    FileHost,
    pending_copies,
    until,
    video,
)
from tests.gateway.archive.fixtures import BOTH, VIDEO, ArchiveFixture


@BOTH
async def test_finished_task_is_copied_and_known(env: ArchiveFixture) -> None:
    env.see(Result(env.host.give("v", VIDEO), cover_url=env.host.give("c", JPEG)))
    assert not env.archive.is_archived("jimeng", ID, ACCOUNT.id)
    assert not env.archive.accepts("jimeng", ID, ACCOUNT.id)
    result = await env.done()
    assert result.outcome is Outcome.COPIED
    assert env.archive.is_archived("jimeng", ID, ACCOUNT.id)
    assert pending_copies(env.archive) == 0
    assert env.location.visible() == {f"{BASE_PATH}.mp4", f"{BASE_PATH}.jpg", f"{BASE_PATH}.json", INDEX}


async def test_known_task_costs_no_store_access(env: ArchiveFixture) -> None:
    result = Result(env.host.give("v", VIDEO, hold_at=1000))
    for _ in range(1000):
        env.see(result)
    assert pending_copies(env.archive) == 1
    env.host.let_go.set()
    await env.done()
    asked = env.store.asked
    for _ in range(1000):
        env.see(result)
    assert pending_copies(env.archive) == 0
    assert (len(env.results), env.store.asked, env.host.asked) == (1, asked, ["v"])


async def test_after_a_restart_the_copy_is_found(env: ArchiveFixture) -> None:
    await env.copied()
    env.archive = env.new_archive()
    assert not env.archive.is_archived("jimeng", ID, ACCOUNT.id)
    env.see(Result(env.host.url("v")))
    assert (await env.done()).outcome is Outcome.ALREADY_THERE
    assert env.archive.is_archived("jimeng", ID, ACCOUNT.id)
    assert env.host.asked.count("v") == 1


async def test_number_of_concurrent_copies_is_limited(env: ArchiveFixture) -> None:
    env.archive = env.new_archive(archive=ArchiveSettings(copies=2))
    link = env.host.give("v", VIDEO, hold_at=1000)
    for number in range(6):
        env.see(Result(link), replace(METADATA, id=str(number)))
    await until(lambda: len(env.host.asked) == 2)
    assert pending_copies(env.archive) == 6
    env.host.let_go.set()
    await env.done(6)
    assert env.host.most_at_once == 2
    assert {result.outcome for result in env.results} == {Outcome.COPIED}
    assert pending_copies(env.archive) == 0


async def test_number_of_waiting_copies_is_limited(env: ArchiveFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copy_queue, "MAX_WAITING", 3)
    link = env.host.give("v", VIDEO, hold_at=1000)
    for number in range(9):
        env.see(Result(link), replace(METADATA, id=str(number)))
    assert pending_copies(env.archive) == 3
    assert not env.archive.accepts("jimeng", "8", ACCOUNT.id)
    env.host.let_go.set()
    await env.done(3)
    assert env.archive.accepts("jimeng", "8", ACCOUNT.id)


async def test_failed_copy_is_retried_with_backoff_until_the_link_expires(env: ArchiveFixture) -> None:
    now = env.clock.now()
    env.host.give("v", b"", status=500)
    env.see(Result(env.host.url("v"), expires_at=int(now + 1000)))
    at: list[float] = []
    for attempts in range(1, 20):
        await env.done(attempts)
        at.append(env.clock.now() - now)
        if not pending_copies(env.archive):
            break
        env.see(Result(env.host.url("v")))
        pause = min(FIRST_RETRY_SECONDS * 2 ** (attempts - 1), LONGEST_RETRY_SECONDS)
        env.clock.move(pause - 1)
        await asyncio.sleep(0)
        assert len(env.results) == attempts
        env.clock.move(1)
    assert at == [0, 30, 90, 210, 450, 930]
    assert not env.archive.is_archived("jimeng", ID, ACCOUNT.id)
    assert not env.archive.accepts("jimeng", ID, ACCOUNT.id)

    # After the pause the task is accepted again.
    env.clock.move(GIVEN_UP_SECONDS - 1)
    assert not env.archive.accepts("jimeng", ID, ACCOUNT.id)
    env.clock.move(1)
    env.host.give("v", VIDEO)
    env.see(Result(env.host.url("v")))
    assert (await env.done(len(at) + 1)).outcome is Outcome.COPIED


async def test_link_without_an_expiry_is_retried_for_a_day(env: ArchiveFixture) -> None:
    start = env.clock.now()
    env.see(Result("http://127.0.0.1:9/v"))
    attempts = 0
    while pending_copies(env.archive):
        attempts += 1
        await env.done(attempts)
        env.clock.move(LONGEST_RETRY_SECONDS)
    assert LINK_LIFE_SECONDS - LONGEST_RETRY_SECONDS <= env.clock.now() - start <= LINK_LIFE_SECONDS + 7200
    assert attempts > 20


async def test_link_without_an_expiry_is_retried_for_the_link_lifetime_of_its_provider(env: ArchiveFixture) -> None:
    env.archive = env.new_archive(result_link_seconds=2 * int(LONGEST_RETRY_SECONDS))
    start, attempts = env.clock.now(), 0
    env.see(Result("http://127.0.0.1:9/v"))
    while pending_copies(env.archive):
        attempts += 1
        await env.done(attempts)
        env.clock.move(LONGEST_RETRY_SECONDS)
    assert env.clock.now() - start <= 4 * LONGEST_RETRY_SECONDS


async def test_expired_link_is_not_retried(env: ArchiveFixture) -> None:
    env.see(Result(env.host.url("gone")))
    assert (await env.done()).outcome is Outcome.EXPIRED
    assert pending_copies(env.archive) == 0
    assert not env.archive.accepts("jimeng", ID, ACCOUNT.id)


async def test_expired_link_is_renewed(env: ArchiveFixture) -> None:
    fresh = Result(env.host.give("fresh", VIDEO))
    calls: list[str] = []

    async def renew() -> Result | None:
        calls.append("renewed")
        if len(calls) == 1:
            raise ProviderError(ErrorKind.UNREACHABLE)
        return fresh

    env.archive.queue_copy(METADATA, ACCOUNT, Result(env.host.url("gone")), renew)
    assert (await env.done()).outcome is Outcome.FAILED
    env.clock.move(FIRST_RETRY_SECONDS)
    assert (await env.done(2)).outcome is Outcome.COPIED


async def test_unavailable_store_is_retried(env: ArchiveFixture, caplog: pytest.LogCaptureFixture) -> None:
    env.store.down = True
    with caplog.at_level(logging.WARNING, "gateway"):
        env.see(Result(env.host.give("v", VIDEO)))
        assert (await env.done()).cause == "down"
    assert "secret" not in caplog.text
    env.store.down = False
    env.clock.move(FIRST_RETRY_SECONDS)
    assert (await env.done(2)).outcome is Outcome.COPIED


async def test_closed_queue_starts_no_copy(env: ArchiveFixture) -> None:
    env.archive = env.new_archive(archive=ArchiveSettings(copies=1))
    link = env.host.give("v", VIDEO, hold_at=1000)
    env.see(Result(env.host.give("bad", b"", status=500)))
    await env.done()
    env.see(Result(link), replace(METADATA, id="1"))
    env.see(Result(link), replace(METADATA, id="2"))
    env.archive.close()
    env.see(Result(link), replace(METADATA, id="3"))
    assert pending_copies(env.archive) == 0
    env.host.let_go.set()
    await env.done(2)
    env.clock.move(LINK_LIFE_SECONDS)
    for _ in range(5):
        await asyncio.sleep(0.01)
    assert len(env.results) == 2
    assert env.host.asked == ["bad", "v"]


async def test_stopped_application_leaves_no_partial_files(tmp_path: Path) -> None:
    location = ArchiveLocation((tmp_path / "archive").as_uri(), folder=tmp_path / "archive")
    async with FileHost().serving() as host, HttpClient() as http:
        env = ArchiveFixture(location, host, http, archive=ArchiveSettings(copies=1))
        link = host.give("v", video(4_000_000), hold_at=3_000_000)
        env.see(Result(link))
        env.see(Result(link), replace(METADATA, id="2"))
        await until(lambda: location.unfinished() > 0)
        await env.stop()
        assert location.visible() == set()
        assert location.unfinished() == 0
        assert host.asked == ["v"]


@pytest.mark.parametrize(("enabled", "expected"), [(True, "a cat"), (False, None)])
async def test_prompt_is_recorded_only_if_enabled(env: ArchiveFixture, enabled: bool, expected: str | None) -> None:
    env.archive = env.new_archive(archive=ArchiveSettings(prompt=enabled))
    archived = await env.copied(metadata=replace(METADATA, prompt="a cat"))
    assert archived.record.prompt == expected
