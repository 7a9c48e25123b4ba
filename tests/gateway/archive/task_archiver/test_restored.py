"""Tasks restored from the archive after the upstream has lost them."""

import logging

import pytest

from gateway.archive import archive, task_archiver
from gateway.archive.archive import CONCURRENT_LOOKUPS, OUTAGE_SECONDS
from gateway.core.errors import GatewayError
from gateway.task_ids.signed import derived_key
from gateway.tasks.view import Task
from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind
from providers.contract.tasks import Phase, TaskState
from tests.archives import pending_copies, until
from tests.gateway.archive.task_archiver.fixtures import ID, REQUEST, START, VIDEO, Kit, WakingClock, has
from tests.gateway_fixture import ONE, THREE, TWO, managed, pass_through
from tests.upstream import trouble


@pytest.mark.parametrize("signed", [True, False], ids=["signed", "native"])
async def test_lost_task_is_restored_from_the_archive(kit: Kit, signed: bool) -> None:
    id = await kit.submitted()
    id = id if signed else ID
    await kit.archived(id)
    before = await kit.status(id)
    kit.provider.states.clear()
    later = kit.again()
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


async def test_batch_poll_restores_the_lost_tasks(kit: Kit) -> None:
    await kit.archived()
    kit.provider.states = {"scripted-2": TaskState("scripted-2", Phase.PROCESSING)}
    later = kit.again()
    async with later.env.background:
        found = await later.env.tasks.statuses(pass_through(ONE), [ID, "scripted-2", "scripted-3"])
    told = {id: (task.state.phase, task.archived) if task else None for id, task in found.items()}
    assert told == {ID: (Phase.COMPLETED, True), "scripted-2": (Phase.PROCESSING, False), "scripted-3": None}


@pytest.mark.parametrize("accounts", [(TWO, ONE), (ONE, TWO)], ids=["last", "first"])
async def test_owner_among_several_credentials_is_found_in_the_archive(kit: Kit, accounts: tuple[Account, ...]) -> None:
    await kit.archived()
    kit.provider.states.clear()
    later = kit.again()
    async with later.env.background:
        assert (await later.status(ID, *accounts)).archived
        opened = await later.env.tasks.open_archived(pass_through(*accounts), ID, "video")
        assert opened
        assert b"".join([piece async for piece in opened.pieces]) == VIDEO


async def test_other_account_has_no_access(kit: Kit) -> None:
    await kit.archived()
    kit.provider.states.clear()
    assert await kit.archiver.restore(kit.ref(ONE)) is not None
    assert await kit.archiver.restore(kit.ref(TWO)) is None
    assert await kit.archiver.open(kit.ref(TWO), "video") is None
    later = kit.again()
    async with later.env.background:
        await later.env.no_such_task(pass_through(TWO), ID)
        assert await later.env.tasks.open_archived(pass_through(TWO), ID, "video") is None


async def test_account_that_got_a_name_has_access(kit: Kit) -> None:
    await kit.archived()
    named = Account("scripted", ONE.credential, name="studio")
    assert named.id != ONE.id
    assert await kit.archiver.restore(kit.ref(named)) is not None
    renamed = Account("scripted", "s-other", name="studio")
    assert await kit.archiver.restore(kit.ref(renamed)) is None


@has(secrets=[derived_key("one secret for all")])
async def test_gateway_key_has_access_to_its_own_tasks_only(kit: Kit) -> None:
    mine, other = managed(ONE), managed(ONE, owner="b" * 12)
    id = (await kit.env.submit(mine, REQUEST)).id
    kit.provider.states[ID] = kit.finished()
    await kit.env.tasks.status(mine, id)
    await until(lambda: bool(kit.env.results))
    kit.provider.states.clear()
    later = kit.again(secrets=[derived_key("one secret for all")])
    async with later.env.background:
        assert (await later.env.tasks.status(mine, id)).archived
        assert await later.env.tasks.open_archived(mine, id, "thumbnail")
        for caller, what in ((other, id), (mine, ID), (other, ID)):
            await later.env.no_such_task(caller, what)
            assert await later.env.tasks.open_archived(caller, what, "video") is None


async def test_new_task_does_not_count_as_lost(kit: Kit) -> None:
    id = await kit.submitted()
    assert (await kit.status(id)).state.phase is Phase.QUEUED
    assert kit.store.asked == 0


async def test_new_task_of_another_replica_may_be_archived(kit: Kit) -> None:
    """Another replica, with an upstream that has lost all tasks within a minute."""
    id = await kit.submitted()
    await kit.archived(id)
    kit.provider.states.clear()
    later = kit.again(clock=WakingClock(kit.clock.now() + 10))
    async with later.env.background:
        task = await later.status(id)
        assert (task.state.phase, task.archived) == (Phase.COMPLETED, True)
        unknown = await later.env.tasks.statuses(pass_through(ONE), ["scripted-77"])
        assert unknown == {"scripted-77": None}


@pytest.mark.parametrize("kind", [ErrorKind.UNREACHABLE, ErrorKind.UPSTREAM_ERROR, ErrorKind.RATE_LIMITED])
async def test_archived_task_is_returned_while_the_upstream_is_unavailable(kit: Kit, kind: ErrorKind) -> None:
    await kit.archived()
    later = kit.again()
    later.provider.query_trouble = trouble(kind)
    async with later.env.background:
        task = await later.status()
        assert (task.state.phase, task.archived, task.stale) == (Phase.COMPLETED, True, False)


async def test_rejected_credential_gets_nothing_from_the_archive(kit: Kit) -> None:
    """The credential has the owner's tag, but the upstream rejects it."""
    await kit.archived()
    for accounts in ((ONE,), (ONE, TWO)):
        later = kit.again()
        later.provider.query_trouble = trouble(ErrorKind.INVALID_CREDENTIAL)
        async with later.env.background:
            with pytest.raises(GatewayError) as caught:
                await later.env.tasks.status(pass_through(*accounts), ID)
            assert caught.value.code == "invalid_api_key"
            assert later.store.asked == 0


async def test_account_whose_upstream_shows_the_task_becomes_an_owner(kit: Kit) -> None:
    """Two upstream keys of one main account have the same tasks."""
    await kit.archived()
    later = kit.again()
    async with later.env.background:
        assert not (await later.status(ID, TWO)).archived
        await until(lambda: bool(later.env.results))
        assert (await later.status(ID, TWO)).archived
    kit.provider.states.clear()
    last = kit.again()
    async with last.env.background:
        for account in (ONE, TWO):
            assert (await last.status(ID, account)).archived
        await last.env.no_such_task(pass_through(THREE), ID)


async def test_outage_is_logged_once_and_skips_later_lookups(
    kit: Kit, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(task_archiver, "TIMEOUT_SECONDS", 0.05)
    monkeypatch.setattr(archive, "LOOKUP_SECONDS", 0.05)
    kit.store.hangs = True
    with caplog.at_level(logging.WARNING, "gateway"):
        for ids in ([f"scripted-{number}" for number in range(50)], ["scripted-51"], ["scripted-52"]):
            with pytest.raises(GatewayError) as caught:
                await kit.env.tasks.statuses(pass_through(ONE), ids)
            assert caught.value.code == "upstream_unavailable"
            asked = kit.store.asked
        assert asked <= CONCURRENT_LOOKUPS
    assert kit.store.asked == asked
    assert caplog.text.count("archive is unavailable") == 1
    kit.store.hangs = False
    kit.clock.lag(OUTAGE_SECONDS + 1)
    assert await kit.env.tasks.statuses(pass_through(ONE), ["scripted-99"]) == {"scripted-99": None}


async def test_listed_task_is_marked_as_archived(kit: Kit) -> None:
    await kit.archived()
    assert kit.archiver.is_archived(kit.ref())
    assert not kit.archiver.is_archived(kit.ref(TWO))


@pytest.mark.parametrize("failure", ["down", "hangs"])
async def test_archive_outage_leaves_polls_working_and_reports_no_loss(
    kit: Kit, failure: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(task_archiver, "TIMEOUT_SECONDS", 0.05)
    setattr(kit.store, failure, True)
    kit.provider.states["scripted-2"] = TaskState("scripted-2", Phase.PROCESSING)
    with caplog.at_level(logging.WARNING, "gateway"):
        found = await kit.env.tasks.statuses(pass_through(ONE), [ID, "scripted-2"])
        assert isinstance(found["scripted-2"], Task)
        # It is unknown whether the task still exists.
        gone = found[ID]
        assert isinstance(gone, Task) and gone.stale and gone.query_error is not None
        with pytest.raises(GatewayError) as caught:
            await kit.env.tasks.status(pass_through(ONE), ID)
        assert caught.value.code == "upstream_unavailable"
        assert await kit.env.tasks.open_archived(pass_through(ONE), ID, "video") is None
    assert "the archive is unavailable" in caplog.text


@pytest.mark.parametrize("failure", ["down", "hangs"])
async def test_unreadable_file_counts_as_missing(kit: Kit, failure: str, monkeypatch: pytest.MonkeyPatch) -> None:
    await kit.archived()
    monkeypatch.setattr(task_archiver, "TIMEOUT_SECONDS", 0.05)
    setattr(kit.store, failure, True)
    assert await kit.archiver.open(kit.ref(), "video") is None
    setattr(kit.store, failure, False)
    opened = await kit.archiver.open(kit.ref(), "video", range="bytes=4-7")
    assert opened
    assert [piece async for piece in opened.pieces] == [b"ftyp"]
