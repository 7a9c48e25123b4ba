"""Tasks restored from the archive after the upstream has lost them."""

import logging

import pytest

from gateway.archive import archive, task_archiver
from gateway.archive.archive import CONCURRENT_LOOKUPS, OUTAGE_SECONDS
from gateway.core.errors import GatewayError
from gateway.core.messages import ERRORS
from gateway.tasks.observer import MAX_ARCHIVE_LOOKUPS
from gateway.tasks.view import Task
from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind
from providers.contract.tasks import Phase, TaskState
from tests.archives import pending_copies, until
from tests.gateway.archive.task_archiver.fixtures import ID, REQUEST, START, VIDEO, ArchiverFixture, WakingClock, has
from tests.gateway_fixture import ONE, THREE, TWO, managed_caller, pass_through_caller
from tests.upstream import provider_error


@pytest.mark.parametrize("signed", [True, False], ids=["signed", "native"])
async def test_task_lost_by_the_upstream_is_restored_from_the_archive(harness: ArchiverFixture, signed: bool) -> None:
    id = await harness.submitted()
    id = id if signed else ID
    await harness.archived(id)
    before = await harness.status(id)
    harness.provider.states.clear()
    later = harness.again()
    async with later.env.background:
        task = await later.status(id)
    assert task.archived
    assert (task.state.phase, task.progress, task.stale) == (Phase.COMPLETED, 100, False)
    assert (task.id, task.provider, task.model, task.created) == (id, before.provider, before.model, before.created)
    assert (task.seconds, task.size) == (before.seconds, before.size) == (5, "1280x720")
    result = task.state.result
    assert result
    assert (result.url, result.cover_url) == (f"/v1/videos/{id}/content", f"/v1/videos/{id}/content?variant=thumbnail")
    assert (result.width, result.height, result.duration, result.expires_at) == (1280, 720, 5.04, None)
    assert task.state.ended_at == START + 60
    # A restored task is not copied again.
    assert pending_copies(later.archiver.archive) == 0
    assert later.env.results == []


async def test_links_to_the_archive_have_the_path_prefix_of_a_proxy(harness: ArchiverFixture) -> None:
    await harness.archived()
    harness.provider.states.clear()
    later = harness.again(root_path="/video")
    async with later.env.background:
        result = (await later.status(ID)).state.result
    assert result
    here = f"/video/v1/videos/{ID}/content"
    assert (result.url, result.cover_url) == (here, f"{here}?variant=thumbnail")


async def test_some_of_many_tasks_are_restored(harness: ArchiverFixture) -> None:
    await harness.archived()
    harness.provider.states = {"scripted-2": TaskState("scripted-2", Phase.PROCESSING)}
    later = harness.again()
    async with later.env.background:
        found = await later.env.tasks.statuses(pass_through_caller(ONE), [ID, "scripted-2", "scripted-3"])
    states = {id: (task.state.phase, task.archived) if task else None for id, task in found.items()}
    assert states == {ID: (Phase.COMPLETED, True), "scripted-2": (Phase.PROCESSING, False), "scripted-3": None}


@pytest.mark.parametrize("accounts", [(TWO, ONE), (ONE, TWO)], ids=["last", "first"])
async def test_archive_determines_the_account_of_several_credentials(
    harness: ArchiverFixture, accounts: tuple[Account, ...]
) -> None:
    await harness.archived()
    harness.provider.states.clear()
    later = harness.again()
    async with later.env.background:
        assert (await later.status(ID, *accounts)).archived
        opened = await later.env.tasks.open_archived(pass_through_caller(*accounts), ID, "video")
        assert opened
        assert b"".join([piece async for piece in opened.pieces]) == VIDEO


async def test_one_request_makes_a_limited_number_of_lookups(harness: ArchiverFixture) -> None:
    """50 credentials and 100 ids made 5,000 look-ups in the archive. What was not looked up is not called missing."""
    await harness.archived()
    harness.provider.states.clear()
    caller = pass_through_caller(ONE, *(Account("scripted", f"s-secret-{number}") for number in range(39)))
    later = harness.again()
    ids = [ID, *(f"scripted-{number}" for number in range(100, 199))]
    async with later.env.background:
        before = later.store.asked
        found = await later.env.tasks.statuses(caller, ids)
    assert later.store.asked - before <= MAX_ARCHIVE_LOOKUPS
    searched = MAX_ARCHIVE_LOOKUPS // 40
    task = found[ID]
    assert task is not None and task.archived
    assert [found[id] for id in ids[1:searched]] == [None] * (searched - 1)
    errors = [task.query_error.message for id in ids[searched:] if (task := found[id]) and task.query_error]
    assert len(errors) == len(ids) - searched
    assert set(errors) == {ERRORS["archive_not_searched"], ERRORS["owner_not_asked"]}


async def test_other_account_finds_nothing(harness: ArchiverFixture) -> None:
    await harness.archived()
    harness.provider.states.clear()
    assert await harness.archiver.restore(harness.ref_of(ONE)) is not None
    assert await harness.archiver.restore(harness.ref_of(TWO)) is None
    assert await harness.archiver.open(harness.ref_of(TWO), "video") is None
    later = harness.again()
    async with later.env.background:
        await later.env.no_such_task(pass_through_caller(TWO), ID)
        assert await later.env.tasks.open_archived(pass_through_caller(TWO), ID, "video") is None


async def test_account_named_after_archiving_is_the_same(harness: ArchiverFixture) -> None:
    await harness.archived()
    named = Account("scripted", ONE.credential, name="studio")
    assert named.id != ONE.id
    assert await harness.archiver.restore(harness.ref_of(named)) is not None
    renamed = Account("scripted", "s-other", name="studio")
    assert await harness.archiver.restore(harness.ref_of(renamed)) is None


@has(secret=["one secret for all"])
async def test_gateway_key_sees_its_own_tasks_only(harness: ArchiverFixture) -> None:
    mine, other = managed_caller(ONE), managed_caller(ONE, owner="b" * 12)
    id = (await harness.env.submit(mine, REQUEST)).id
    harness.provider.states[ID] = harness.finished()
    await harness.env.tasks.status(mine, id)
    await until(lambda: bool(harness.env.results))
    harness.provider.states.clear()
    later = harness.again(secret=["one secret for all"])
    async with later.env.background:
        assert (await later.env.tasks.status(mine, id)).archived
        assert await later.env.tasks.open_archived(mine, id, "thumbnail")
        for caller, what in ((other, id), (mine, ID), (other, ID)):
            await later.env.no_such_task(caller, what)
            assert await later.env.tasks.open_archived(caller, what, "video") is None


async def test_new_task_is_not_looked_up_in_the_archive(harness: ArchiverFixture) -> None:
    id = await harness.submitted()
    assert (await harness.status(id)).state.phase is Phase.QUEUED
    assert harness.store.asked == 0


async def test_new_task_of_another_replica_is_restored(harness: ArchiverFixture) -> None:
    """Another replica, with an upstream that has lost all tasks within a minute."""
    id = await harness.submitted()
    await harness.archived(id)
    harness.provider.states.clear()
    later = harness.again(clock=WakingClock(harness.clock.now() + 10))
    async with later.env.background:
        task = await later.status(id)
        assert (task.state.phase, task.archived) == (Phase.COMPLETED, True)
        unknown = await later.env.tasks.statuses(pass_through_caller(ONE), ["scripted-77"])
        assert unknown == {"scripted-77": None}


@pytest.mark.parametrize("kind", [ErrorKind.UNREACHABLE, ErrorKind.UPSTREAM_ERROR, ErrorKind.RATE_LIMITED])
async def test_archived_task_is_returned_when_the_upstream_fails(harness: ArchiverFixture, kind: ErrorKind) -> None:
    await harness.archived()
    later = harness.again()
    later.provider.query_error = provider_error(kind)
    async with later.env.background:
        task = await later.status()
        assert (task.state.phase, task.archived, task.stale) == (Phase.COMPLETED, True, False)


async def test_rejected_credential_gets_no_archived_task(harness: ArchiverFixture) -> None:
    """The credential has the owner's tag, but the upstream rejects it."""
    await harness.archived()
    for accounts in ((ONE,), (ONE, TWO)):
        later = harness.again()
        later.provider.query_error = provider_error(ErrorKind.INVALID_CREDENTIAL)
        async with later.env.background:
            with pytest.raises(GatewayError) as caught:
                await later.env.tasks.status(pass_through_caller(*accounts), ID)
            assert caught.value.code == "invalid_api_key"
            assert later.store.asked == 0


async def test_other_account_that_sees_the_task_becomes_an_owner(harness: ArchiverFixture) -> None:
    """Two upstream keys of one main account have the same tasks."""
    await harness.archived()
    later = harness.again()
    async with later.env.background:
        assert not (await later.status(ID, TWO)).archived
        await until(lambda: bool(later.env.results))
        assert (await later.status(ID, TWO)).archived
    harness.provider.states.clear()
    last = harness.again()
    async with last.env.background:
        for account in (ONE, TWO):
            assert (await last.status(ID, account)).archived
        await last.env.no_such_task(pass_through_caller(THREE), ID)


async def test_outage_of_the_archive_is_logged_once_and_delays_once(
    harness: ArchiverFixture, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(task_archiver, "TIMEOUT_SECONDS", 0.05)
    monkeypatch.setattr(archive, "LOOKUP_SECONDS", 0.05)
    harness.store.hangs = True
    with caplog.at_level(logging.WARNING, "gateway"):
        for ids in ([f"scripted-{number}" for number in range(50)], ["scripted-51"], ["scripted-52"]):
            with pytest.raises(GatewayError) as caught:
                await harness.env.tasks.statuses(pass_through_caller(ONE), ids)
            assert caught.value.code == "upstream_unavailable"
            asked = harness.store.asked
        assert asked <= CONCURRENT_LOOKUPS
    assert harness.store.asked == asked
    assert caplog.text.count("archive is unavailable") == 1
    harness.store.hangs = False
    harness.clock.lag(OUTAGE_SECONDS + 1)
    assert await harness.env.tasks.statuses(pass_through_caller(ONE), ["scripted-99"]) == {"scripted-99": None}


async def test_listed_tasks_are_marked_as_archived(harness: ArchiverFixture) -> None:
    await harness.archived()
    assert harness.archiver.is_archived(harness.ref_of())
    assert not harness.archiver.is_archived(harness.ref_of(TWO))


@pytest.mark.parametrize("failure", ["down", "hangs"])
async def test_outage_of_the_archive_leaves_other_tasks_and_makes_none_missing(
    harness: ArchiverFixture, failure: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(task_archiver, "TIMEOUT_SECONDS", 0.05)
    setattr(harness.store, failure, True)
    harness.provider.states["scripted-2"] = TaskState("scripted-2", Phase.PROCESSING)
    with caplog.at_level(logging.WARNING, "gateway"):
        found = await harness.env.tasks.statuses(pass_through_caller(ONE), [ID, "scripted-2"])
        assert isinstance(found["scripted-2"], Task)
        # It is unknown whether the task still exists.
        gone = found[ID]
        assert isinstance(gone, Task) and gone.stale and gone.query_error is not None
        with pytest.raises(GatewayError) as caught:
            await harness.env.tasks.status(pass_through_caller(ONE), ID)
        assert caught.value.code == "upstream_unavailable"
        assert await harness.env.tasks.open_archived(pass_through_caller(ONE), ID, "video") is None
    assert "the archive is unavailable" in caplog.text


@pytest.mark.parametrize("failure", ["down", "hangs"])
async def test_unreadable_file_is_as_if_it_were_missing(
    harness: ArchiverFixture, failure: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await harness.archived()
    monkeypatch.setattr(task_archiver, "TIMEOUT_SECONDS", 0.05)
    setattr(harness.store, failure, True)
    assert await harness.archiver.open(harness.ref_of(), "video") is None
    setattr(harness.store, failure, False)
    opened = await harness.archiver.open(harness.ref_of(), "video", range="bytes=4-7")
    assert opened
    assert [piece async for piece in opened.pieces] == [b"ftyp"]
