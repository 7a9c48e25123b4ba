"""Archiving on request, and its results."""

import pytest

from gateway.archive.copier import ArchiveResult, Outcome
from gateway.core.errors import GatewayError
from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind
from providers.contract.tasks import Phase, TaskState
from tests.archives import JPEG
from tests.gateway.archive.task_archiver.fixtures import BASE_PATH, ID, VIDEO, Kit
from tests.gateway_fixture import ONE, TWO, GatewayFixture, pass_through
from tests.upstream import State, trouble


async def test_task_is_archived_once_on_request(kit: Kit) -> None:
    kit.provider.states[ID] = kit.finished()
    result = await kit.archiver.archive_now(kit.ref())
    assert (result.outcome, result.cause, result.bytes) == (Outcome.COPIED, "", len(VIDEO) + len(JPEG))
    asked = list(kit.host.asked)
    assert (await kit.archiver.archive_now(kit.ref())).outcome == "already_there"
    assert (await kit.again().archiver.archive_now(kit.ref())).outcome == "already_there"
    kit.provider.states.clear()
    assert (await kit.again().archiver.archive_now(kit.ref())).outcome == "already_there"
    assert kit.host.asked == asked


async def test_deleted_video_is_copied_again(kit: Kit) -> None:
    kit.provider.states[ID] = kit.finished()
    await kit.archiver.archive_now(kit.ref())
    assert kit.place.folder
    (kit.place.folder / f"{BASE_PATH}.mp4").unlink()
    assert (await kit.archiver.archive_now(kit.ref())).outcome == "copied"


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (trouble(ErrorKind.TASK_NOT_FOUND), ArchiveResult(Outcome.EXPIRED)),
        (TaskState(ID, Phase.PROCESSING), ArchiveResult(Outcome.UNFINISHED)),
        (TaskState(ID, Phase.FAILED, error=trouble(ErrorKind.CONTENT_REFUSED)), "no video"),
        (trouble(ErrorKind.INVALID_CREDENTIAL), "failed"),
        (trouble(ErrorKind.UNREACHABLE, detail="no route"), "failed"),
        (trouble(ErrorKind.RATE_LIMITED), "failed"),
    ],
    ids=["not found", "unfinished", "no video", "rejected", "unreachable", "rate limited"],
)
async def test_failed_copy_has_a_cause(kit: Kit, state: State, expected: ArchiveResult | str) -> None:
    kit.provider.states[ID] = state
    found = await kit.archiver.archive_now(kit.ref())
    if isinstance(expected, ArchiveResult):
        assert found == expected
    else:
        assert found.outcome == expected
        assert found.cause
    assert kit.place.visible() == set()


async def test_expired_link_and_host_error_have_different_outcomes(kit: Kit) -> None:
    kit.provider.states[ID] = kit.finished(kit.host.url("gone"))
    assert await kit.archiver.archive_now(kit.ref()) == ArchiveResult(Outcome.EXPIRED)
    kit.host.give("broken", b"", status=500)
    kit.provider.states[ID] = kit.finished(kit.host.url("broken"))
    assert await kit.archiver.archive_now(kit.ref()) == ArchiveResult(Outcome.FAILED, "HTTP 500")


async def test_failed_link_renewal_is_a_failure(kit: Kit) -> None:
    kit.provider.states[ID] = kit.finished(kit.host.url("gone"))
    kit.provider.end, kit.provider.ends_after = trouble(ErrorKind.UNREACHABLE, detail="no route"), 1
    assert await kit.archiver.archive_now(kit.ref()) == ArchiveResult(
        Outcome.FAILED, "the host cannot be reached (no route)"
    )


async def test_archive_outage_is_a_failure(kit: Kit) -> None:
    kit.store.down = True
    kit.provider.states[ID] = kit.finished()
    assert await kit.archiver.archive_now(kit.ref()) == ArchiveResult(Outcome.FAILED, "no route to it")


async def test_new_task_is_unfinished_rather_than_expired(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kit.provider, "submitted_at", lambda native_id: kit.clock.now() - 1)
    assert await kit.archiver.archive_now(kit.ref()) == ArchiveResult(Outcome.UNFINISHED)


@pytest.mark.parametrize("accounts", [(ONE,), (ONE, TWO), (TWO, ONE)], ids=["one", "first", "last"])
async def test_outcome_does_not_depend_on_the_number_of_credentials(kit: Kit, accounts: tuple[Account, ...]) -> None:
    caller = pass_through(*accounts)
    assert await kit.env.tasks.archive(caller, "scripted-9") == ArchiveResult(Outcome.EXPIRED)
    kit.provider.states[ID] = kit.finished()
    await kit.archiver.archive_now(kit.ref())
    kit.provider.states.clear()
    later = kit.again()
    async with later.env.background:
        assert (await later.env.tasks.archive(caller, ID)).outcome == "already_there"
        for id in ("nonsense", "video_forged"):
            with pytest.raises(GatewayError) as caught:
                await later.env.tasks.archive(caller, id)
            assert caught.value.code == "task_not_found"


async def test_archive_request_without_an_archive_is_an_error() -> None:
    with pytest.raises(GatewayError):
        await GatewayFixture().tasks.archive(pass_through(ONE), ID)
    assert await GatewayFixture().tasks.open_archived(pass_through(ONE), ID, "video") is None
