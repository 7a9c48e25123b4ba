"""Archiving on request, and its results."""

import pytest

from gateway.archive.copier import ArchiveResult, Outcome
from gateway.core.errors import GatewayError
from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind
from providers.contract.tasks import Phase, TaskState
from tests.archives import JPEG
from tests.gateway.archive.task_archiver.fixtures import BASE_PATH, ID, VIDEO, ArchiverFixture
from tests.gateway_fixture import ONE, TWO, GatewayFixture, pass_through_caller
from tests.upstream import State, provider_error


async def test_task_is_archived_once_on_request(harness: ArchiverFixture) -> None:
    harness.provider.states[ID] = harness.finished()
    result = await harness.archiver.archive_now(harness.ref_of())
    assert (result.outcome, result.cause, result.bytes) == (Outcome.COPIED, "", len(VIDEO) + len(JPEG))
    asked = list(harness.host.asked)
    assert (await harness.archiver.archive_now(harness.ref_of())).outcome == "already_there"
    assert (await harness.again().archiver.archive_now(harness.ref_of())).outcome == "already_there"
    harness.provider.states.clear()
    assert (await harness.again().archiver.archive_now(harness.ref_of())).outcome == "already_there"
    assert harness.host.asked == asked


async def test_deleted_video_is_copied_again(harness: ArchiverFixture) -> None:
    harness.provider.states[ID] = harness.finished()
    await harness.archiver.archive_now(harness.ref_of())
    assert harness.location.folder
    (harness.location.folder / f"{BASE_PATH}.mp4").unlink()
    assert (await harness.archiver.archive_now(harness.ref_of())).outcome == "copied"


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (provider_error(ErrorKind.TASK_NOT_FOUND), ArchiveResult(Outcome.EXPIRED)),
        (TaskState(ID, Phase.PROCESSING), ArchiveResult(Outcome.UNFINISHED)),
        (TaskState(ID, Phase.FAILED, error=provider_error(ErrorKind.CONTENT_REFUSED)), "no video"),
        (provider_error(ErrorKind.INVALID_CREDENTIAL), "failed"),
        (provider_error(ErrorKind.UNREACHABLE, detail="no route"), "failed"),
        (provider_error(ErrorKind.RATE_LIMITED), "failed"),
    ],
    ids=["not found", "unfinished", "no video", "rejected", "unreachable", "rate limited"],
)
async def test_uncopied_task_has_its_reason(
    harness: ArchiverFixture, state: State, expected: ArchiveResult | str
) -> None:
    harness.provider.states[ID] = state
    found = await harness.archiver.archive_now(harness.ref_of())
    if isinstance(expected, ArchiveResult):
        assert found == expected
    else:
        assert found.outcome == expected
        assert found.cause
    assert harness.location.visible() == set()


async def test_refused_live_link_and_failing_host_are_failures(harness: ArchiverFixture) -> None:
    harness.provider.states[ID] = harness.finished(harness.host.url("gone"))
    assert await harness.archiver.archive_now(harness.ref_of()) == ArchiveResult(
        Outcome.FAILED, "HTTP 404 for a link that the upstream has just given"
    )
    harness.host.give("broken", b"", status=500)
    harness.provider.states[ID] = harness.finished(harness.host.url("broken"))
    assert await harness.archiver.archive_now(harness.ref_of()) == ArchiveResult(Outcome.FAILED, "HTTP 500")


async def test_dead_link_is_failed_if_it_cannot_be_renewed_now(harness: ArchiverFixture) -> None:
    harness.provider.states[ID] = harness.finished(harness.host.url("gone"))
    harness.provider.end, harness.provider.ends_after = provider_error(ErrorKind.UNREACHABLE, detail="no route"), 1
    assert await harness.archiver.archive_now(harness.ref_of()) == ArchiveResult(
        Outcome.FAILED, "the host cannot be reached (no route)"
    )


async def test_unreachable_archive_is_a_failure(harness: ArchiverFixture) -> None:
    harness.store.down = True
    harness.provider.states[ID] = harness.finished()
    assert await harness.archiver.archive_now(harness.ref_of()) == ArchiveResult(Outcome.FAILED, "no route to it")


async def test_new_task_is_unfinished_and_not_missing(
    harness: ArchiverFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(harness.provider, "submitted_at", lambda native_id: harness.clock.now() - 1)
    assert await harness.archiver.archive_now(harness.ref_of()) == ArchiveResult(Outcome.UNFINISHED)


@pytest.mark.parametrize("accounts", [(ONE,), (ONE, TWO), (TWO, ONE)], ids=["one", "first", "last"])
async def test_number_of_credentials_does_not_change_the_outcome(
    harness: ArchiverFixture, accounts: tuple[Account, ...]
) -> None:
    caller = pass_through_caller(*accounts)
    assert await harness.env.tasks.archive(caller, "scripted-9") == ArchiveResult(Outcome.EXPIRED)
    harness.provider.states[ID] = harness.finished()
    await harness.archiver.archive_now(harness.ref_of())
    harness.provider.states.clear()
    later = harness.again()
    async with later.env.background:
        assert (await later.env.tasks.archive(caller, ID)).outcome == "already_there"
        for id in ("nonsense", "video_forged"):
            with pytest.raises(GatewayError) as caught:
                await later.env.tasks.archive(caller, id)
            assert caught.value.code == "task_not_found"


async def test_without_an_archive_nothing_can_be_archived() -> None:
    with pytest.raises(GatewayError):
        await GatewayFixture().tasks.archive(pass_through_caller(ONE), ID)
    assert await GatewayFixture().tasks.open_archived(pass_through_caller(ONE), ID, "video") is None
