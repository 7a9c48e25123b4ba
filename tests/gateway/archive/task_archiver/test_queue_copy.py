"""Polled finished tasks are archived, with a renewed link if necessary."""

import asyncio
import json
import logging

import pytest

from gateway.archive.copier import Outcome
from gateway.core.settings import ArchiveSettings
from gateway.polling.batcher import DEADLINE_SECONDS
from providers.contract.errors import ErrorKind
from providers.contract.tasks import Phase, TaskState
from tests.archives import pending_copies, until
from tests.gateway.archive.task_archiver.fixtures import BASE_PATH, ID, START, ArchiverFixture
from tests.gateway_fixture import ONE, pass_through_caller
from tests.upstream import provider_error

# --- poll -------------------------------------------------------------------------------------------------------


async def test_finished_task_is_queued_once_and_known_afterwards(harness: ArchiverFixture) -> None:
    harness.provider.states[ID] = state = harness.finished()
    for _ in range(5):
        assert harness.archiver.queue_copy(harness.ref_of(), state) is False
    assert pending_copies(harness.archiver.archive) == 1
    await until(lambda: bool(harness.env.results))
    asked = harness.store.asked
    for _ in range(5):
        assert harness.archiver.queue_copy(harness.ref_of(), state) is True
    assert [result.outcome for result in harness.env.results] == [Outcome.COPIED]
    assert (harness.host.asked, harness.store.asked) == (["v", "c"], asked)
    assert harness.location.visible() == {
        *(f"{BASE_PATH}.{ending}" for ending in ("mp4", "jpg", "json")),
        f"index/scripted/{ID}",
    }


async def test_poll_archives_a_finished_task(harness: ArchiverFixture) -> None:
    harness.provider.states[ID] = harness.finished()
    assert (await harness.status()).archived is False
    await until(lambda: bool(harness.env.results))
    assert (await harness.status()).archived is True
    assert (await harness.env.tasks.statuses(pass_through_caller(ONE), [ID]))[ID].archived is True  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "state",
    [
        TaskState(ID, Phase.QUEUED),
        TaskState(ID, Phase.FINALIZING, 95),
        TaskState(ID, Phase.FAILED, error=provider_error(ErrorKind.CONTENT_REFUSED)),
        TaskState(ID, Phase.COMPLETED, 100),
    ],
    ids=["queued", "finalizing", "failed", "no result"],
)
async def test_task_without_a_video_is_not_archived(harness: ArchiverFixture, state: TaskState) -> None:
    assert harness.archiver.queue_copy(harness.ref_of(), state) is False
    assert pending_copies(harness.archiver.archive) == 0


async def test_unreachable_archive_does_not_fail_a_poll(
    harness: ArchiverFixture, caplog: pytest.LogCaptureFixture
) -> None:
    harness.store.down = True
    harness.provider.states[ID] = harness.finished()
    with caplog.at_level(logging.WARNING, "gateway"):
        for _ in range(3):
            task = await harness.status()
            assert (task.state.phase, task.archived, task.stale) == (Phase.COMPLETED, False, False)
        await until(lambda: bool(harness.env.results))
    assert harness.env.results[0].outcome is Outcome.FAILED
    assert "archiving a finished video failed; retrying" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize("signed", [True, False], ids=["signed", "native"])
async def test_archive_record_has_the_fields_of_the_task(harness: ArchiverFixture, signed: bool) -> None:
    id = await harness.submitted()
    await harness.archived(id if signed else ID)
    record = harness.record()
    assert (record["provider"], record["id"], record["model"]) == ("scripted", ID, "scripted-model")
    assert (record["created"], record["ended"]) == (START, START + 60)
    assert (record["seconds"], record["size"]) == (5, "1280x720")
    assert (record["width"], record["height"], record["duration"]) == (1280, 720, 5.04)
    assert record["account"] == list(ONE.principals)
    assert ONE.credential not in json.dumps(record)


@pytest.mark.parametrize(
    ("harness", "here", "prompt"),
    [
        ({"archive": ArchiveSettings(prompt=True)}, True, "cat"),
        ({"archive": ArchiveSettings(prompt=True)}, False, None),
        ({"archive": ArchiveSettings(prompt=False)}, True, None),
    ],
    indirect=["harness"],
)
async def test_prompt_is_recorded_if_enabled_and_submitted_here(
    harness: ArchiverFixture, here: bool, prompt: str | None
) -> None:
    id = await harness.submitted() if here else ID
    await harness.archived(id)
    assert harness.record()["prompt"] == prompt


# --- fresh links ------------------------------------------------------------------------------------------------


async def test_expired_link_is_renewed(harness: ArchiverFixture) -> None:
    old = harness.finished(harness.host.url("gone"))
    harness.provider.states[ID] = harness.finished()
    harness.archiver.queue_copy(harness.ref_of(), old)
    await until(lambda: bool(harness.env.results))
    assert harness.env.results[0].outcome is Outcome.COPIED
    assert harness.host.asked == ["gone", "v", "c"]


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        (ErrorKind.TASK_NOT_FOUND, Outcome.EXPIRED),
        (ErrorKind.UNREACHABLE, Outcome.FAILED),
        (ErrorKind.RATE_LIMITED, Outcome.FAILED),
        (ErrorKind.INVALID_CREDENTIAL, Outcome.FAILED),
    ],
)
async def test_copy_expires_only_if_the_upstream_knows_the_task_no_longer(
    harness: ArchiverFixture, kind: ErrorKind, outcome: Outcome
) -> None:
    harness.provider.states[ID] = harness.finished(harness.host.url("gone"))
    await harness.status()
    harness.clock.lag(3600.0)
    harness.provider.states[ID] = provider_error(kind)
    await until(lambda: bool(harness.env.results))
    assert harness.env.results[0].outcome is outcome
    assert pending_copies(harness.archiver.archive) == (outcome is Outcome.FAILED)


async def test_cached_link_does_not_count_as_renewed(harness: ArchiverFixture) -> None:
    """The rate limit of the account is reached."""
    harness.provider.states[ID] = state = harness.finished(harness.host.url("gone"))
    assert state.result
    await harness.status()
    await until(lambda: bool(harness.env.results))
    assert harness.env.results[0].cause == "HTTP 404 for a link that the upstream has just given"

    later = harness.again()
    later.archiver._poller.per_second = {"scripted": 0.01}
    async with later.env.background:
        await later.status()
        later.clock.lag(1.0)
        later.archiver._poller.acquire(later.provider, ONE, 1000)
        copying = asyncio.create_task(
            later.archiver.archive.copy(
                later.archiver.metadata(later.ref_of(), state),
                ONE,
                state.result,
                later.archiver.renewal(later.ref_of()),
            )
        )
        await until(lambda: later.archiver._poller.round_seconds(later.provider, ONE) > 0)
        later.clock.move(DEADLINE_SECONDS)
        copied = await copying
    assert copied.outcome is Outcome.FAILED
