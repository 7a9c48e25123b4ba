"""Tasks and the archive together: what is seen finished is kept, and what is kept is told when nobody else can."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from gateway import archive, keeping
from gateway.archive import LOOK_UPS_AT_ONCE, OUTAGE_SECONDS
from gateway.archive_copy import Outcome
from gateway.archive_store import ArchiveStore, StoreError, Stream
from gateway.errors import GatewayError
from gateway.keeping import FOLLOWED_SECONDS, Keeper, Kept
from gateway.places import Place
from gateway.task_ids import derived_key
from gateway.views import Task
from providers.contract import Account, ErrorKind, ModelCard, Phase, Result, TaskState, VideoRequest
from providers.http import HttpClient
from tests.archives import JPEG, ArchivePlace, FileHost, new_place, until, video
from tests.clock import TestClock
from tests.house import ONE, THREE, TWO, House, managed, passing
from tests.upstream import ScriptedProvider, State, trouble

VIDEO = video()
ID = "scripted-1"
START = TestClock().now()
INTERVAL = 5.1
"""Of following, and of the query in it."""
DAY = "2025/09/13"
HOME = f"scripted/{DAY}/{ID}"
WISH = VideoRequest("scripted-model", "cat", duration=5, resolution="720p", ratio="16:9")
CARD = ModelCard(
    name="scripted-model",
    provider="scripted",
    durations=(5,),
    duration=5,
    resolutions=("720p",),
    resolution="720p",
    ratios=("16:9",),
    ratio="16:9",
    key="scripted_model_key",
)


class Provider(ScriptedProvider):
    """Knows its model by the upstream's key as well, and its tasks may end after so many queries."""

    queries = 0
    ends_after: int | None = None
    end: State

    def __init__(self) -> None:
        super().__init__(cards=[CARD])

    def card(self, model: str) -> ModelCard | None:
        return CARD if model == CARD.key else super().card(model)

    async def query(self, ids: Sequence[str], account: Account) -> Mapping[str, State]:
        self.queries += 1
        if self.ends_after is not None and self.queries > self.ends_after:
            self.states = dict.fromkeys(ids, self.end)
        return await super().query(ids, account)


class Fragile(ArchiveStore):
    """A store that fails while it is `down`, and answers nothing while it `hangs`."""

    asked = 0
    down = False
    hangs = False

    async def _get(self, store: Any, path: str, options: Any) -> Stream | None:
        self.asked += 1
        if self.hangs:
            await asyncio.Event().wait()
        if self.down:
            raise StoreError("no route to it")
        return await super()._get(store, path, options)


class WakingClock(TestClock):
    """Those who sleep wait until the time is moved."""

    __test__ = False

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.Event()
        self.later(seconds, woken.set)
        await woken.wait()


class Kit:
    """A gateway's tasks with an archive, and the host to which the upstream's links lead."""

    def __init__(self, place: ArchivePlace, host: FileHost, http: HttpClient, **how: Any) -> None:
        self.place = place
        self.host = host
        self.store = Fragile.open(place.url)
        self.provider = Provider()
        how = {"clock": WakingClock()} | how
        self.house = House(provider=self.provider, http=http, store=self.store, **how)
        self.clock = self.house.clock

    @property
    def keeper(self) -> Keeper:
        assert self.house.keeper is not None
        return self.house.keeper

    def again(self, **how: Any) -> "Kit":
        """Another replica over the same upstream and archive, or this one after a restart, an hour later."""
        how = {"clock": WakingClock(self.clock.now() + 3600)} | how
        new = Kit(self.place, self.host, self.house.http, **how)
        new.provider.states = self.provider.states
        return new

    def finished(self, url: str = "") -> TaskState:
        """How the upstream tells of a finished task, by its own name of the model."""
        url = url or self.host.give("v", VIDEO)
        result = Result(url, cover_url=self.host.give("c", JPEG), width=1280, height=720, duration=5.04)
        return TaskState(ID, Phase.COMPLETED, 100, created_at=START, ended_at=START + 60, model=CARD.key, result=result)

    def spot(self, account: Account = ONE, id: str = ID) -> Place:
        return Place(id, self.provider, account, id)

    async def submitted(self, *accounts: Account) -> str:
        return (await self.house.submit(passing(*accounts or (ONE,)), WISH)).sealed_id

    async def status(self, id: str = ID, *accounts: Account) -> Task:
        return await self.house.tasks.status(passing(*accounts or (ONE,)), id)

    async def archived(self, id: str = ID) -> None:
        """Poll a finished task, and wait until it is archived."""
        self.provider.states[ID] = self.finished()
        before = len(self.house.reports)
        await self.status(id)
        await until(lambda: len(self.house.reports) > before)
        assert self.house.reports[-1].outcome is Outcome.COPIED

    def record(self) -> dict[str, Any]:
        assert self.place.folder is not None
        return json.loads((self.place.folder / f"{HOME}.json").read_text())  # type: ignore[no-any-return]


@pytest.fixture
async def kit(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Kit]:
    place = new_place("file", tmp_path, monkeypatch)
    async with FileHost().serving() as host, HttpClient() as http:
        made = Kit(place, host, http, **getattr(request, "param", {}))
        async with made.house.background:
            yield made


def has(**how: Any) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("kit", [how], indirect=True, ids=[""])


# --- seen -------------------------------------------------------------------------------------------------------


async def test_a_finished_task_is_handed_over_once_and_known_from_then_on(kit: Kit) -> None:
    kit.provider.states[ID] = state = kit.finished()
    for _ in range(5):
        assert kit.keeper.seen(kit.spot(), state) is False
    assert kit.keeper.archive.waiting == 1
    await until(lambda: bool(kit.house.reports))
    asked = kit.store.asked
    for _ in range(5):
        assert kit.keeper.seen(kit.spot(), state) is True
    assert [report.outcome for report in kit.house.reports] == [Outcome.COPIED]
    assert (kit.host.asked, kit.store.asked) == (["v", "c"], asked)
    assert kit.place.visible() == {*(f"{HOME}.{ending}" for ending in ("mp4", "jpg", "json")), f"index/scripted/{ID}"}


async def test_a_poll_is_what_sees_it(kit: Kit) -> None:
    kit.provider.states[ID] = kit.finished()
    assert (await kit.status()).archived is False
    await until(lambda: bool(kit.house.reports))
    assert (await kit.status()).archived is True
    assert (await kit.house.tasks.statuses(passing(ONE), [ID]))[ID].archived is True  # type: ignore[union-attr]


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
async def test_there_is_nothing_to_keep_of_what_has_no_video(kit: Kit, state: TaskState) -> None:
    assert kit.keeper.seen(kit.spot(), state) is False
    assert kit.keeper.archive.waiting == 0


async def test_an_archive_out_of_reach_harms_no_poll(kit: Kit, caplog: pytest.LogCaptureFixture) -> None:
    kit.store.down = True
    kit.provider.states[ID] = kit.finished()
    with caplog.at_level(logging.WARNING, "gateway"):
        for _ in range(3):
            task = await kit.status()
            assert (task.state.phase, task.archived, task.stale) == (Phase.COMPLETED, False, False)
        await until(lambda: bool(kit.house.reports))
    assert kit.house.reports[0].outcome is Outcome.FAILED
    assert "could not be archived yet" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize("sealed", [True, False], ids=["sealed", "native"])
async def test_what_is_written_down(kit: Kit, sealed: bool) -> None:
    id = await kit.submitted()
    await kit.archived(id if sealed else ID)
    record = kit.record()
    assert (record["provider"], record["id"], record["model"]) == ("scripted", ID, "scripted-model")
    assert (record["created"], record["ended"]) == (START, START + 60)
    assert (record["seconds"], record["size"]) == (5, "1280x720")
    assert (record["width"], record["height"], record["duration"]) == (1280, 720, 5.04)
    assert record["account"] == list(ONE.marks)
    assert ONE.credential not in json.dumps(record)


@pytest.mark.parametrize(
    ("kit", "here", "prompt"),
    [
        ({"keep_prompt": True}, True, "cat"),
        ({"keep_prompt": True}, False, None),
        ({"keep_prompt": False}, True, None),
    ],
    indirect=["kit"],
)
async def test_a_prompt_is_written_where_that_is_wished_and_it_was_submitted_here(
    kit: Kit, here: bool, prompt: str | None
) -> None:
    id = await kit.submitted() if here else ID
    await kit.archived(id)
    assert kit.record()["prompt"] == prompt


# --- fresh links ------------------------------------------------------------------------------------------------


async def test_a_link_that_is_too_old_is_asked_for_anew(kit: Kit) -> None:
    old = kit.finished(kit.host.url("gone"))
    kit.provider.states[ID] = kit.finished()
    kit.keeper.seen(kit.spot(), old)
    await until(lambda: bool(kit.house.reports))
    assert kit.house.reports[0].outcome is Outcome.COPIED
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
async def test_only_an_upstream_that_says_so_has_no_link_any_more(kit: Kit, kind: ErrorKind, outcome: Outcome) -> None:
    kit.provider.states[ID] = kit.finished(kit.host.url("gone"))
    await kit.status()
    kit.clock.lag(3600.0)
    kit.provider.states[ID] = trouble(kind)
    await until(lambda: bool(kit.house.reports))
    assert kit.house.reports[0].outcome is outcome
    assert kit.keeper.archive.waiting == (outcome is Outcome.FAILED)


async def test_a_link_from_memory_is_no_fresh_one(kit: Kit) -> None:
    """The account may be asked no more for now."""
    kit.provider.states[ID] = state = kit.finished(kit.host.url("gone"))
    assert state.result
    await kit.status()
    await until(lambda: bool(kit.house.reports))
    assert kit.house.reports[0].outcome is Outcome.EXPIRED

    later = kit.again()
    later.keeper._polling.per_second["scripted"] = 1.0
    async with later.house.background:
        await later.status()
        later.clock.lag(1.0)
        later.keeper._polling.spend(later.provider, ONE, 1000)
        kept = await later.keeper.archive.copy(
            later.keeper.facts(later.spot(), state), ONE, state.result, later.keeper.renewal(later.spot())
        )
    assert kept.outcome is Outcome.FAILED


# --- recalled ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sealed", [True, False], ids=["sealed", "native"])
async def test_what_the_upstream_has_lost_is_told_from_the_archive(kit: Kit, sealed: bool) -> None:
    id = await kit.submitted()
    id = id if sealed else ID
    await kit.archived(id)
    before = await kit.status(id)
    kit.provider.states.clear()
    later = kit.again()
    async with later.house.background:
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
    # Nothing is copied from what the archive itself says.
    assert later.keeper.archive.waiting == 0
    assert later.house.reports == []


async def test_many_at_once_some_of_which_are_lost(kit: Kit) -> None:
    await kit.archived()
    kit.provider.states = {"scripted-2": TaskState("scripted-2", Phase.PROCESSING)}
    later = kit.again()
    async with later.house.background:
        found = await later.house.tasks.statuses(passing(ONE), [ID, "scripted-2", "scripted-3"])
    told = {id: (task.state.phase, task.archived) if task else None for id, task in found.items()}
    assert told == {ID: (Phase.COMPLETED, True), "scripted-2": (Phase.PROCESSING, False), "scripted-3": None}


@pytest.mark.parametrize("accounts", [(TWO, ONE), (ONE, TWO)], ids=["last", "first"])
async def test_which_of_several_credentials_it_was_is_in_the_archive(kit: Kit, accounts: tuple[Account, ...]) -> None:
    await kit.archived()
    kit.provider.states.clear()
    later = kit.again()
    async with later.house.background:
        assert (await later.status(ID, *accounts)).archived
        opened = await later.house.tasks.open_archived(passing(*accounts), ID, "video")
        assert opened
        assert b"".join([piece async for piece in opened.pieces]) == VIDEO


async def test_another_account_gets_nothing(kit: Kit) -> None:
    await kit.archived()
    kit.provider.states.clear()
    assert await kit.keeper.recall(kit.spot(ONE)) is not None
    assert await kit.keeper.recall(kit.spot(TWO)) is None
    assert await kit.keeper.open(kit.spot(TWO), "video") is None
    later = kit.again()
    async with later.house.background:
        await later.house.no_such_task(passing(TWO), ID)
        assert await later.house.tasks.open_archived(passing(TWO), ID, "video") is None


async def test_an_account_that_was_named_since_then_is_the_same(kit: Kit) -> None:
    await kit.archived()
    named = Account("scripted", ONE.credential, name="studio")
    assert named.tag != ONE.tag
    assert await kit.keeper.recall(kit.spot(named)) is not None
    renamed = Account("scripted", "s-other", name="studio")
    assert await kit.keeper.recall(kit.spot(renamed)) is None


@has(secrets=[derived_key("one secret for all")])
async def test_a_key_sees_its_own_tasks_only(kit: Kit) -> None:
    mine, other = managed(ONE), managed(ONE, owner="b" * 12)
    id = (await kit.house.submit(mine, WISH)).id
    kit.provider.states[ID] = kit.finished()
    await kit.house.tasks.status(mine, id)
    await until(lambda: bool(kit.house.reports))
    kit.provider.states.clear()
    later = kit.again(secrets=[derived_key("one secret for all")])
    async with later.house.background:
        assert (await later.house.tasks.status(mine, id)).archived
        assert await later.house.tasks.open_archived(mine, id, "thumbnail")
        for caller, what in ((other, id), (mine, ID), (other, ID)):
            await later.house.no_such_task(caller, what)
            assert await later.house.tasks.open_archived(caller, what, "video") is None


async def test_what_is_new_is_not_taken_for_lost(kit: Kit) -> None:
    id = await kit.submitted()
    assert (await kit.status(id)).state.phase is Phase.QUEUED
    assert kit.store.asked == 0


async def test_what_is_new_elsewhere_may_be_archived_already(kit: Kit) -> None:
    """Another replica, and the upstream has lost everything within a minute."""
    id = await kit.submitted()
    await kit.archived(id)
    kit.provider.states.clear()
    later = kit.again(clock=WakingClock(kit.clock.now() + 10))
    async with later.house.background:
        task = await later.status(id)
        assert (task.state.phase, task.archived) == (Phase.COMPLETED, True)
        unknown = await later.house.tasks.statuses(passing(ONE), ["scripted-77"])
        assert unknown == {"scripted-77": None}


@pytest.mark.parametrize("kind", [ErrorKind.UNREACHABLE, ErrorKind.UPSTREAM_ERROR, ErrorKind.RATE_LIMITED])
async def test_what_is_archived_is_told_when_the_upstream_tells_nothing(kit: Kit, kind: ErrorKind) -> None:
    await kit.archived()
    later = kit.again()
    later.provider.query_trouble = trouble(kind)
    async with later.house.background:
        task = await later.status()
        assert (task.state.phase, task.archived, task.stale) == (Phase.COMPLETED, True, False)


async def test_nothing_is_told_to_a_login_that_the_upstream_refuses(kit: Kit) -> None:
    """Whoever has a credential that only looks like the owner's has nothing else to show."""
    await kit.archived()
    for accounts in ((ONE,), (ONE, TWO)):
        later = kit.again()
        later.provider.query_trouble = trouble(ErrorKind.INVALID_CREDENTIAL)
        async with later.house.background:
            with pytest.raises(GatewayError) as caught:
                await later.house.tasks.status(passing(*accounts), ID)
            assert caught.value.code == "invalid_api_key"
            assert later.store.asked == 0


async def test_another_account_that_sees_the_task_becomes_an_owner_and_no_other(kit: Kit) -> None:
    """Two keys of one main account see the same tasks."""
    await kit.archived()
    later = kit.again()
    async with later.house.background:
        assert not (await later.status(ID, TWO)).archived
        await until(lambda: bool(later.house.reports))
        assert (await later.status(ID, TWO)).archived
    kit.provider.states.clear()
    last = kit.again()
    async with last.house.background:
        for account in (ONE, TWO):
            assert (await last.status(ID, account)).archived
        await last.house.no_such_task(passing(THREE), ID)


async def test_an_outage_is_told_once_and_costs_nobody_a_wait_twice(
    kit: Kit, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(keeping, "PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr(archive, "LOOK_UP_SECONDS", 0.05)
    kit.store.hangs = True
    with caplog.at_level(logging.WARNING, "gateway"):
        for ids in ([f"scripted-{number}" for number in range(50)], ["scripted-51"], ["scripted-52"]):
            with pytest.raises(GatewayError) as caught:
                await kit.house.tasks.statuses(passing(ONE), ids)
            assert caught.value.code == "upstream_unavailable"
            asked = kit.store.asked
        assert asked <= LOOK_UPS_AT_ONCE
    assert kit.store.asked == asked
    assert caplog.text.count("out of reach") == 1
    kit.store.hangs = False
    kit.clock.lag(OUTAGE_SECONDS + 1)
    assert await kit.house.tasks.statuses(passing(ONE), ["scripted-99"]) == {"scripted-99": None}


async def test_what_is_listed_says_that_it_is_kept(kit: Kit) -> None:
    await kit.archived()
    assert kit.keeper.known(kit.spot())
    assert not kit.keeper.known(kit.spot(TWO))


@pytest.mark.parametrize("how", ["down", "hangs"])
async def test_without_the_archive_everything_goes_on_and_nothing_is_called_gone(
    kit: Kit, how: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(keeping, "PATIENCE_SECONDS", 0.05)
    setattr(kit.store, how, True)
    kit.provider.states["scripted-2"] = TaskState("scripted-2", Phase.PROCESSING)
    with caplog.at_level(logging.WARNING, "gateway"):
        found = await kit.house.tasks.statuses(passing(ONE), [ID, "scripted-2"])
        assert isinstance(found["scripted-2"], Task)
        # Nobody can say that it is gone.
        gone = found[ID]
        assert isinstance(gone, Task) and gone.stale and gone.trouble is not None
        with pytest.raises(GatewayError) as caught:
            await kit.house.tasks.status(passing(ONE), ID)
        assert caught.value.code == "upstream_unavailable"
        assert await kit.house.tasks.open_archived(passing(ONE), ID, "video") is None
    assert "the archive is out of reach" in caplog.text


@pytest.mark.parametrize("how", ["down", "hangs"])
async def test_a_file_that_cannot_be_read_is_as_if_it_were_not_there(
    kit: Kit, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await kit.archived()
    monkeypatch.setattr(keeping, "PATIENCE_SECONDS", 0.05)
    setattr(kit.store, how, True)
    assert await kit.keeper.open(kit.spot(), "video") is None
    setattr(kit.store, how, False)
    opened = await kit.keeper.open(kit.spot(), "video", range="bytes=4-7")
    assert opened
    assert [piece async for piece in opened.pieces] == [b"ftyp"]


# --- following --------------------------------------------------------------------------------------------------


@has(follow=True)
async def test_what_was_submitted_is_archived_though_nobody_asks(kit: Kit) -> None:
    kit.provider.states[ID] = TaskState(ID, Phase.PROCESSING)
    kit.provider.end, kit.provider.ends_after = kit.finished(), 3
    await kit.submitted()
    for count in range(4):
        assert kit.provider.queries == count
        await kit.clock.run(INTERVAL)
    await until(lambda: bool(kit.house.reports))
    assert kit.house.reports[0].outcome is Outcome.COPIED
    await kit.clock.run(3600)
    assert kit.provider.queries == 4


async def test_nobody_is_followed_unasked(kit: Kit) -> None:
    kit.provider.states[ID] = kit.finished()
    await kit.submitted()
    await kit.clock.run(3600)
    assert kit.provider.queries == 0


@has(follow=True)
@pytest.mark.parametrize(
    "end",
    [
        TaskState(ID, Phase.FAILED, error=trouble(ErrorKind.CONTENT_REFUSED)),
        trouble(ErrorKind.TASK_NOT_FOUND),
        trouble(ErrorKind.INVALID_CREDENTIAL),
    ],
    ids=["failed", "not found", "refused"],
)
async def test_it_is_followed_to_whatever_end(kit: Kit, end: State) -> None:
    kit.provider.states[ID] = TaskState(ID, Phase.PROCESSING)
    # A task that is missing a moment after its submit is only not there yet.
    kit.provider.end, kit.provider.ends_after = end, 13
    await kit.submitted()
    await kit.clock.run(3600)
    assert kit.provider.queries == 14
    assert kit.house.reports == []


@has(follow=True)
async def test_trouble_on_the_way_is_no_end(kit: Kit) -> None:
    kit.provider.query_trouble = trouble(ErrorKind.UNREACHABLE)
    await kit.submitted()
    await kit.clock.run(60)
    kit.provider.query_trouble = None
    kit.provider.states[ID] = kit.finished()
    await kit.clock.run(INTERVAL)
    await until(lambda: bool(kit.house.reports))
    assert kit.house.reports[0].outcome is Outcome.COPIED


@has(follow=True)
async def test_after_a_day_it_is_followed_no_more(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kit.keeper, "_interval", 3600.0)
    kit.provider.states[ID] = TaskState(ID, Phase.PROCESSING)
    await kit.submitted()
    await kit.clock.run(3 * FOLLOWED_SECONDS)
    assert kit.provider.queries == 24


@has(follow=True)
async def test_only_so_many_are_followed_at_once(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "MAX_FOLLOWED", 2)
    for number in (1, 2, 3):
        kit.provider.states[f"scripted-{number}"] = TaskState(f"scripted-{number}", Phase.PROCESSING)
        await kit.submitted()
    await kit.clock.run(INTERVAL)
    assert {id for _, ids in kit.provider.asked for id in ids} == {"scripted-1", "scripted-2"}

    # The end of one makes room for the next submit.
    kit.provider.states["scripted-1"] = TaskState(ID, Phase.FAILED, error=trouble(ErrorKind.CONTENT_REFUSED))
    await kit.clock.run(INTERVAL)
    kit.provider.states["scripted-4"] = TaskState("scripted-4", Phase.PROCESSING)
    await kit.submitted()
    kit.provider.asked.clear()
    await kit.clock.run(INTERVAL)
    assert {id for _, ids in kit.provider.asked for id in ids} == {"scripted-2", "scripted-4"}


# --- kept on request --------------------------------------------------------------------------------------------


async def test_it_is_copied_and_then_it_is_there(kit: Kit) -> None:
    kit.provider.states[ID] = kit.finished()
    assert (await kit.keeper.keep(kit.spot()))[:3] == ("copied", "", len(VIDEO) + len(JPEG))
    asked = list(kit.host.asked)
    assert (await kit.keeper.keep(kit.spot())).outcome == "already_there"
    assert (await kit.again().keeper.keep(kit.spot())).outcome == "already_there"
    kit.provider.states.clear()
    assert (await kit.again().keeper.keep(kit.spot())).outcome == "already_there"
    assert kit.host.asked == asked


async def test_what_was_deleted_by_hand_is_copied_again(kit: Kit) -> None:
    kit.provider.states[ID] = kit.finished()
    await kit.keeper.keep(kit.spot())
    assert kit.place.folder
    (kit.place.folder / f"{HOME}.mp4").unlink()
    assert (await kit.keeper.keep(kit.spot())).outcome == "copied"


@pytest.mark.parametrize(
    ("state", "kept"),
    [
        (trouble(ErrorKind.TASK_NOT_FOUND), Kept("expired")),
        (TaskState(ID, Phase.PROCESSING), Kept("unfinished")),
        (TaskState(ID, Phase.FAILED, error=trouble(ErrorKind.CONTENT_REFUSED)), "no video"),
        (trouble(ErrorKind.INVALID_CREDENTIAL), "failed"),
        (trouble(ErrorKind.UNREACHABLE, detail="no route"), "failed"),
        (trouble(ErrorKind.RATE_LIMITED), "failed"),
    ],
    ids=["not found", "unfinished", "no video", "refused", "unreachable", "throttled"],
)
async def test_what_cannot_be_copied_says_why(kit: Kit, state: State, kept: Kept | str) -> None:
    kit.provider.states[ID] = state
    found = await kit.keeper.keep(kit.spot())
    if isinstance(kept, Kept):
        assert found == kept
    else:
        assert found.outcome == kept
        assert found.cause
    assert kit.place.visible() == set()


async def test_a_dead_link_has_expired_and_a_broken_host_has_failed(kit: Kit) -> None:
    kit.provider.states[ID] = kit.finished(kit.host.url("gone"))
    assert await kit.keeper.keep(kit.spot()) == Kept("expired")
    kit.host.give("broken", b"", status=500)
    kit.provider.states[ID] = kit.finished(kit.host.url("broken"))
    assert await kit.keeper.keep(kit.spot()) == Kept("failed", "HTTP 500")


async def test_a_dead_link_for_which_no_other_can_be_asked_has_failed(kit: Kit) -> None:
    kit.provider.states[ID] = kit.finished(kit.host.url("gone"))
    kit.provider.end, kit.provider.ends_after = trouble(ErrorKind.UNREACHABLE, detail="no route"), 1
    assert await kit.keeper.keep(kit.spot()) == Kept("failed", "the host cannot be reached (no route)")


async def test_an_archive_out_of_reach_is_a_failure(kit: Kit) -> None:
    kit.store.down = True
    kit.provider.states[ID] = kit.finished()
    assert await kit.keeper.keep(kit.spot()) == Kept("failed", "no route to it")


async def test_a_task_that_is_too_new_is_unfinished_rather_than_gone(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kit.provider, "submitted_at", lambda native_id: kit.clock.now() - 1)
    assert await kit.keeper.keep(kit.spot()) == Kept("unfinished")


@pytest.mark.parametrize("accounts", [(ONE,), (ONE, TWO), (TWO, ONE)], ids=["one", "first", "last"])
async def test_any_number_of_credentials_gives_the_same_outcomes(kit: Kit, accounts: tuple[Account, ...]) -> None:
    caller = passing(*accounts)
    assert await kit.house.tasks.archive(caller, "scripted-9") == Kept("expired")
    kit.provider.states[ID] = kit.finished()
    await kit.keeper.keep(kit.spot())
    kit.provider.states.clear()
    later = kit.again()
    async with later.house.background:
        assert (await later.house.tasks.archive(caller, ID)).outcome == "already_there"
        for id in ("nonsense", "video_forged"):
            with pytest.raises(GatewayError) as caught:
                await later.house.tasks.archive(caller, id)
            assert caught.value.code == "task_not_found"


async def test_without_an_archive_there_is_nothing_to_keep_it_in() -> None:
    with pytest.raises(GatewayError):
        await House().tasks.archive(passing(ONE), ID)
    assert await House().tasks.open_archived(passing(ONE), ID, "video") is None
