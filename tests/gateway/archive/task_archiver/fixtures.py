"""A gateway's tasks with an archive, over a scripted upstream."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from gateway.archive.copier import Outcome
from gateway.archive.store import ArchiveStore, StoreError, Stream
from gateway.archive.task_archiver import TaskArchiver
from gateway.task_ids.task_ref import TaskRef
from gateway.tasks.view import Task
from providers.contract.accounts import Account
from providers.contract.models import ModelCard
from providers.contract.requests import VideoRequest
from providers.contract.tasks import Phase, Result, TaskState
from providers.transport.client import HttpClient
from tests.archives import JPEG, ArchiveLocation, FileHost, until, video
from tests.clock import TestClock
from tests.gateway_fixture import ONE, GatewayFixture, pass_through_caller
from tests.upstream import ScriptedProvider, State

VIDEO = video()
ID = "scripted-1"
START = TestClock().now()
INTERVAL = 5.1
"""Of following, and of its query."""
DAY = "2025/09/13"
BASE_PATH = f"scripted/{DAY}/{ID}"
REQUEST = VideoRequest("scripted-model", "cat", duration=5, resolution="720p", ratio="16:9")
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
    """Has its model under the upstream's key too. Its tasks may end after a number of queries."""

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
    """A store that fails while it is `down`, and does not respond while it `hangs`."""

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
    """`sleep` waits until the test moves the clock."""

    __test__ = False

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.Event()
        self.later(seconds, woken.set)
        await woken.wait()


class ArchiverFixture:
    """A gateway's tasks with an archive, and the host of the upstream's links."""

    def __init__(self, location: ArchiveLocation, host: FileHost, http: HttpClient, **options: Any) -> None:
        self.location = location
        self.host = host
        self.store = Fragile.open(location.url)
        self.provider = Provider()
        options = {"clock": WakingClock()} | options
        self.env = GatewayFixture(provider=self.provider, http=http, store=self.store, **options)
        self.clock = self.env.clock

    @property
    def archiver(self) -> TaskArchiver:
        assert self.env.archiver is not None
        return self.env.archiver

    def again(self, **options: Any) -> "ArchiverFixture":
        """Another replica with the same upstream and archive, or this one after a restart, an hour later."""
        options = {"clock": WakingClock(self.clock.now() + 3600)} | options
        new = ArchiverFixture(self.location, self.host, self.env.process.http, **options)
        new.provider.states = self.provider.states
        return new

    def finished(self, url: str = "") -> TaskState:
        """The upstream's state of a finished task, with the upstream's model name."""
        url = url or self.host.give("v", VIDEO)
        result = Result(url, cover_url=self.host.give("c", JPEG), width=1280, height=720, duration=5.04)
        return TaskState(ID, Phase.COMPLETED, 100, created_at=START, ended_at=START + 60, model=CARD.key, result=result)

    def ref_of(self, account: Account = ONE, id: str = ID) -> TaskRef:
        return TaskRef(id, self.provider, account, id)

    async def submitted(self, *accounts: Account) -> str:
        return (await self.env.submit(pass_through_caller(*accounts or (ONE,)), REQUEST)).signed_id

    async def status(self, id: str = ID, *accounts: Account) -> Task:
        return await self.env.tasks.status(pass_through_caller(*accounts or (ONE,)), id)

    async def archived(self, id: str = ID) -> None:
        """Poll a finished task, and wait until it is archived."""
        self.provider.states[ID] = self.finished()
        before = len(self.env.results)
        await self.status(id)
        await until(lambda: len(self.env.results) > before)
        assert self.env.results[-1].outcome is Outcome.COPIED

    def record(self) -> dict[str, Any]:
        assert self.location.folder is not None
        return json.loads((self.location.folder / f"{BASE_PATH}.json").read_text())  # type: ignore[no-any-return]


def has(**options: Any) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("harness", [options], indirect=True, ids=[""])
