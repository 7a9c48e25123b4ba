"""Following of submitted tasks, if enabled."""

import pytest

from gateway.archive import task_archiver
from gateway.archive.copier import Outcome
from gateway.archive.task_archiver import FOLLOWED_SECONDS
from providers.contract.errors import ErrorKind
from providers.contract.tasks import Phase, TaskState
from tests.archives import until
from tests.gateway.archive.task_archiver.fixtures import ID, INTERVAL, Kit, has
from tests.upstream import State, trouble


@has(follow=True)
async def test_submitted_task_is_archived_without_a_poll(kit: Kit) -> None:
    kit.provider.states[ID] = TaskState(ID, Phase.PROCESSING)
    kit.provider.end, kit.provider.ends_after = kit.finished(), 3
    await kit.submitted()
    for count in range(4):
        assert kit.provider.queries == count
        await kit.clock.run(INTERVAL)
    await until(lambda: bool(kit.env.results))
    assert kit.env.results[0].outcome is Outcome.COPIED
    await kit.clock.run(3600)
    assert kit.provider.queries == 4


async def test_tasks_are_not_followed_by_default(kit: Kit) -> None:
    kit.provider.states[ID] = kit.finished()
    await kit.submitted()
    await kit.clock.run(3600)
    assert kit.provider.queries == 0


@has(follow=True)
@pytest.mark.parametrize(
    ("end", "queries"),
    [
        (TaskState(ID, Phase.FAILED, error=trouble(ErrorKind.CONTENT_REFUSED)), 14),
        # A missing task is only gone after a minute.
        (trouble(ErrorKind.TASK_NOT_FOUND), 14 + 12),
        (trouble(ErrorKind.INVALID_CREDENTIAL), 14),
    ],
    ids=["failed", "not found", "rejected"],
)
async def test_task_is_followed_until_it_ends(kit: Kit, end: State, queries: int) -> None:
    kit.provider.states[ID] = TaskState(ID, Phase.PROCESSING)
    kit.provider.end, kit.provider.ends_after = end, 13
    await kit.submitted()
    await kit.clock.run(3600)
    assert kit.provider.queries == queries
    assert kit.env.results == []


@has(follow=True)
async def test_transient_error_does_not_end_following(kit: Kit) -> None:
    kit.provider.query_trouble = trouble(ErrorKind.UNREACHABLE)
    await kit.submitted()
    await kit.clock.run(60)
    kit.provider.query_trouble = None
    kit.provider.states[ID] = kit.finished()
    await kit.clock.run(INTERVAL)
    await until(lambda: bool(kit.env.results))
    assert kit.env.results[0].outcome is Outcome.COPIED


@has(follow=True)
async def test_following_ends_after_a_day(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kit.archiver, "_interval", 3600.0)
    kit.provider.states[ID] = TaskState(ID, Phase.PROCESSING)
    await kit.submitted()
    await kit.clock.run(3 * FOLLOWED_SECONDS)
    assert kit.provider.queries == 24


@has(follow=True)
async def test_followed_tasks_are_limited(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_archiver, "MAX_FOLLOWED", 2)
    for number in (1, 2, 3):
        kit.provider.states[f"scripted-{number}"] = TaskState(f"scripted-{number}", Phase.PROCESSING)
        await kit.submitted()
    await kit.clock.run(INTERVAL)
    assert {id for _, ids in kit.provider.asked for id in ids} == {"scripted-1", "scripted-2"}

    # The end of one frees a slot for the next submit.
    kit.provider.states["scripted-1"] = TaskState(ID, Phase.FAILED, error=trouble(ErrorKind.CONTENT_REFUSED))
    await kit.clock.run(INTERVAL)
    kit.provider.states["scripted-4"] = TaskState("scripted-4", Phase.PROCESSING)
    await kit.submitted()
    kit.provider.asked.clear()
    await kit.clock.run(INTERVAL)
    assert {id for _, ids in kit.provider.asked for id in ids} == {"scripted-2", "scripted-4"}
