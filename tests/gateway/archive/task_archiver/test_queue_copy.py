"""Polled finished tasks are archived, with a renewed link if necessary."""

import asyncio
import json
import logging

import pytest

from gateway.archive.copier import Outcome
from gateway.polling.batcher import DEADLINE_SECONDS
from providers.contract.errors import ErrorKind
from providers.contract.tasks import Phase, TaskState
from tests.archives import pending_copies, until
from tests.gateway.archive.task_archiver.fixtures import BASE_PATH, ID, START, Kit
from tests.gateway_fixture import ONE, pass_through
from tests.upstream import trouble

# --- poll -------------------------------------------------------------------------------------------------------


async def test_finished_task_is_queued_once_and_then_archived(kit: Kit) -> None:
    kit.provider.states[ID] = state = kit.finished()
    for _ in range(5):
        assert kit.archiver.queue_copy(kit.ref(), state) is False
    assert pending_copies(kit.archiver.archive) == 1
    await until(lambda: bool(kit.env.results))
    asked = kit.store.asked
    for _ in range(5):
        assert kit.archiver.queue_copy(kit.ref(), state) is True
    assert [result.outcome for result in kit.env.results] == [Outcome.COPIED]
    assert (kit.host.asked, kit.store.asked) == (["v", "c"], asked)
    assert kit.place.visible() == {
        *(f"{BASE_PATH}.{ending}" for ending in ("mp4", "jpg", "json")),
        f"index/scripted/{ID}",
    }


async def test_poll_queues_the_copy(kit: Kit) -> None:
    kit.provider.states[ID] = kit.finished()
    assert (await kit.status()).archived is False
    await until(lambda: bool(kit.env.results))
    assert (await kit.status()).archived is True
    assert (await kit.env.tasks.statuses(pass_through(ONE), [ID]))[ID].archived is True  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "state",
    [
        TaskState(ID, Phase.QUEUED),
        TaskState(ID, Phase.FINALIZING, 95),
        TaskState(ID, Phase.FAILED, error=trouble(ErrorKind.CONTENT_REFUSED)),
        TaskState(ID, Phase.COMPLETED, 100),
    ],
    ids=["queued", "finalizing", "failed", "no result"],
)
async def test_task_without_a_video_is_not_queued(kit: Kit, state: TaskState) -> None:
    assert kit.archiver.queue_copy(kit.ref(), state) is False
    assert pending_copies(kit.archiver.archive) == 0


async def test_archive_outage_does_not_fail_a_poll(kit: Kit, caplog: pytest.LogCaptureFixture) -> None:
    kit.store.down = True
    kit.provider.states[ID] = kit.finished()
    with caplog.at_level(logging.WARNING, "gateway"):
        for _ in range(3):
            task = await kit.status()
            assert (task.state.phase, task.archived, task.stale) == (Phase.COMPLETED, False, False)
        await until(lambda: bool(kit.env.results))
    assert kit.env.results[0].outcome is Outcome.FAILED
    assert "archiving a finished video failed; retrying" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize("signed", [True, False], ids=["signed", "native"])
async def test_fields_of_the_record(kit: Kit, signed: bool) -> None:
    id = await kit.submitted()
    await kit.archived(id if signed else ID)
    record = kit.record()
    assert (record["provider"], record["id"], record["model"]) == ("scripted", ID, "scripted-model")
    assert (record["created"], record["ended"]) == (START, START + 60)
    assert (record["seconds"], record["size"]) == (5, "1280x720")
    assert (record["width"], record["height"], record["duration"]) == (1280, 720, 5.04)
    assert record["account"] == list(ONE.principals)
    assert ONE.credential not in json.dumps(record)


@pytest.mark.parametrize(
    ("kit", "here", "prompt"),
    [
        ({"store_prompts": True}, True, "cat"),
        ({"store_prompts": True}, False, None),
        ({"store_prompts": False}, True, None),
    ],
    indirect=["kit"],
)
async def test_prompt_is_stored_if_enabled_and_submitted_here(kit: Kit, here: bool, prompt: str | None) -> None:
    id = await kit.submitted() if here else ID
    await kit.archived(id)
    assert kit.record()["prompt"] == prompt


# --- fresh links ------------------------------------------------------------------------------------------------


async def test_expired_link_is_renewed(kit: Kit) -> None:
    old = kit.finished(kit.host.url("gone"))
    kit.provider.states[ID] = kit.finished()
    kit.archiver.queue_copy(kit.ref(), old)
    await until(lambda: bool(kit.env.results))
    assert kit.env.results[0].outcome is Outcome.COPIED
    assert kit.host.asked == ["gone", "v", "c"]


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        (ErrorKind.TASK_NOT_FOUND, Outcome.EXPIRED),
        (ErrorKind.UNREACHABLE, Outcome.FAILED),
        (ErrorKind.RATE_LIMITED, Outcome.FAILED),
        (ErrorKind.INVALID_CREDENTIAL, Outcome.FAILED),
    ],
)
async def test_failed_renewal_does_not_count_as_expired(kit: Kit, kind: ErrorKind, outcome: Outcome) -> None:
    kit.provider.states[ID] = kit.finished(kit.host.url("gone"))
    await kit.status()
    kit.clock.lag(3600.0)
    kit.provider.states[ID] = trouble(kind)
    await until(lambda: bool(kit.env.results))
    assert kit.env.results[0].outcome is outcome
    assert pending_copies(kit.archiver.archive) == (outcome is Outcome.FAILED)


async def test_cached_link_is_no_renewal(kit: Kit) -> None:
    """The rate limit of the account is reached."""
    kit.provider.states[ID] = state = kit.finished(kit.host.url("gone"))
    assert state.result
    await kit.status()
    await until(lambda: bool(kit.env.results))
    assert kit.env.results[0].outcome is Outcome.EXPIRED

    later = kit.again()
    later.archiver._poller.per_second = {"scripted": 0.01}
    async with later.env.background:
        await later.status()
        later.clock.lag(1.0)
        later.archiver._poller.acquire(later.provider, ONE, 1000)
        copying = asyncio.create_task(
            later.archiver.archive.copy(
                later.archiver.metadata(later.ref(), state), ONE, state.result, later.archiver.renewal(later.ref())
            )
        )
        await until(lambda: later.archiver._poller.round_seconds(later.provider, ONE) > 0)
        later.clock.move(DEADLINE_SECONDS)
        kept = await copying
    assert kept.outcome is Outcome.FAILED
