"""Following of submitted tasks, if enabled."""

import pytest

from gateway.archive import task_archiver
from gateway.archive.copier import Outcome
from gateway.archive.task_archiver import FOLLOWED_SECONDS
from gateway.core.settings import ArchiveSettings
from providers.contract.errors import ErrorKind
from providers.contract.tasks import Phase, TaskState
from tests.archives import until
from tests.gateway.archive.task_archiver.fixtures import ID, INTERVAL, ArchiverFixture, has
from tests.upstream import State, provider_error

FOLLOWED = ArchiveSettings(follow=True)


@has(archive=FOLLOWED)
async def test_submitted_task_is_archived_without_a_poll(harness: ArchiverFixture) -> None:
    harness.provider.states[ID] = TaskState(ID, Phase.PROCESSING)
    harness.provider.end, harness.provider.ends_after = harness.finished(), 3
    await harness.submitted()
    for count in range(4):
        assert harness.provider.queries == count
        await harness.clock.run(INTERVAL)
    await until(lambda: bool(harness.env.results))
    assert harness.env.results[0].outcome is Outcome.COPIED
    await harness.clock.run(3600)
    assert harness.provider.queries == 4


async def test_task_is_not_followed_unless_enabled(harness: ArchiverFixture) -> None:
    harness.provider.states[ID] = harness.finished()
    await harness.submitted()
    await harness.clock.run(3600)
    assert harness.provider.queries == 0


@has(archive=FOLLOWED)
@pytest.mark.parametrize(
    ("end", "queries"),
    [
        (TaskState(ID, Phase.FAILED, error=provider_error(ErrorKind.CONTENT_REFUSED)), 14),
        # A missing task is only gone after a minute.
        (provider_error(ErrorKind.TASK_NOT_FOUND), 14 + 12),
        (provider_error(ErrorKind.INVALID_CREDENTIAL), 14),
    ],
    ids=["failed", "not found", "rejected"],
)
async def test_task_is_followed_until_it_ends(harness: ArchiverFixture, end: State, queries: int) -> None:
    harness.provider.states[ID] = TaskState(ID, Phase.PROCESSING)
    harness.provider.end, harness.provider.ends_after = end, 13
    await harness.submitted()
    await harness.clock.run(3600)
    assert harness.provider.queries == queries
    assert harness.env.results == []


@has(archive=FOLLOWED)
async def test_failed_query_does_not_end_the_following(harness: ArchiverFixture) -> None:
    harness.provider.query_error = provider_error(ErrorKind.UNREACHABLE)
    await harness.submitted()
    await harness.clock.run(60)
    harness.provider.query_error = None
    harness.provider.states[ID] = harness.finished()
    await harness.clock.run(INTERVAL)
    await until(lambda: bool(harness.env.results))
    assert harness.env.results[0].outcome is Outcome.COPIED


@has(archive=FOLLOWED)
async def test_following_ends_after_a_day(harness: ArchiverFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness.archiver, "_interval", 3600.0)
    harness.provider.states[ID] = TaskState(ID, Phase.PROCESSING)
    await harness.submitted()
    await harness.clock.run(3 * FOLLOWED_SECONDS)
    assert harness.provider.queries == 24


@has(archive=FOLLOWED)
async def test_number_of_followed_tasks_is_limited(harness: ArchiverFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_archiver, "MAX_FOLLOWED", 2)
    for number in (1, 2, 3):
        harness.provider.states[f"scripted-{number}"] = TaskState(f"scripted-{number}", Phase.PROCESSING)
        await harness.submitted()
    await harness.clock.run(INTERVAL)
    assert {id for _, ids in harness.provider.asked for id in ids} == {"scripted-1", "scripted-2"}

    # The end of one makes room for the next submit.
    harness.provider.states["scripted-1"] = TaskState(ID, Phase.FAILED, error=provider_error(ErrorKind.CONTENT_REFUSED))
    await harness.clock.run(INTERVAL)
    harness.provider.states["scripted-4"] = TaskState("scripted-4", Phase.PROCESSING)
    await harness.submitted()
    harness.provider.asked.clear()
    await harness.clock.run(INTERVAL)
    assert {id for _, ids in harness.provider.asked for id in ids} == {"scripted-2", "scripted-4"}
