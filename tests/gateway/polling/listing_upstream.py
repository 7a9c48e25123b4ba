"""A scripted upstream that takes one id a query and lists many tasks in a page, with faults of its list."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from gateway.core.background_tasks import Background
from gateway.polling.poller import Poller
from gateway.polling.task_cache import Observation
from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.provider import Provider
from providers.contract.tasks import HintPage, Phase, TaskState
from tests.clock import TestClock
from tests.upstream import ScriptedProvider, State, finished

ACCOUNT = Account("scripted", "s-1")
PER_SECOND = 20.0
FRESHNESS = 1.0
FOREVER = float("inf")


@dataclass(slots=True)
class Course:
    """The course of a task, in unix seconds."""

    created: float
    starts: float = FOREVER
    ends: float = FOREVER
    listed: bool = True

    def phase(self, at: float) -> Phase:
        if at >= self.ends:
            return Phase.COMPLETED
        return Phase.PROCESSING if at >= self.starts else Phase.QUEUED


@dataclass
class Faults:
    """Of the list: how far it is behind, the most rows of a page with what it tells of that, the largest size that it
    takes, and its error."""

    lag: float = 0.0
    cap: int = 1000
    tells_size: bool = True
    tells_pages: bool = True
    largest: int = 1000
    error: Exception | None = None


@dataclass
class ListingUpstream(ScriptedProvider):
    """The list has all tasks of `courses`, newest first."""

    clock: TestClock
    faults: Faults = field(default_factory=Faults)
    hint_size: int = 100
    latency: float = 0.0
    """Seconds from the arrival of a call to that of its answer."""
    hang: bool = False
    """The list does not answer."""
    stalled_until: float = 0.0
    """Calls that are sent before this unix time reach the upstream at it."""

    def __post_init__(self) -> None:
        super().__init__()
        self.query_batch = 1
        self.courses: dict[str, Course] = {}
        self.queried: list[tuple[float, str]] = []
        self.pages: list[tuple[float, int, int]] = []

    def add(self, count: int, prefix: str = "t", age: float = 0.0) -> list[str]:
        """New tasks, a hundredth of a second apart, the last `age` seconds old. Older ones are to be added first."""
        now = self.clock.now() - age
        ids = [f"{prefix}{len(self.courses) + number}" for number in range(count)]
        self.courses |= {id: Course(now + number / 100 - count / 100) for number, id in enumerate(ids)}
        return ids

    async def query(self, ids: Sequence[str], account: Account) -> Mapping[str, State]:
        (id,) = ids
        await self._arrive()
        now = self.clock.now()
        self.queried.append((now, id))
        await self._return()
        course = self.courses.get(id)
        if course is None:
            return {id: ProviderError(ErrorKind.TASK_NOT_FOUND)}
        phase = course.phase(now)
        state = finished(id) if phase.ended else TaskState(id, phase, created_at=course.created)
        return {id: state}

    async def hint(self, account: Account, *, page: int, size: int) -> HintPage:
        await self._arrive()
        now, faults = self.clock.now() - self.faults.lag, self.faults
        self.pages.append((self.clock.now(), page, size))
        await self._return()
        if self.hang:
            await asyncio.Event().wait()
        if faults.error is not None:
            raise faults.error
        if size > faults.largest:
            raise ProviderError(ErrorKind.INVALID_REQUEST)
        size = min(size, faults.cap)
        shown = [one for one in reversed(self.courses.items()) if one[1].listed and one[1].created <= now]
        rows = [
            TaskState(id, course.phase(now), created_at=course.created)
            for id, course in shown[(page - 1) * size : page * size]
        ]
        pages = -(-len(shown) // size)
        return HintPage(rows, size if faults.tells_size else None, pages if faults.tells_pages else None, True)

    async def _arrive(self) -> None:
        if self.clock.now() < self.stalled_until:
            await self._pass(self.stalled_until - self.clock.now())

    async def _return(self) -> None:
        if self.latency:
            await self._pass(self.latency)

    async def _pass(self, seconds: float) -> None:
        passed = asyncio.get_running_loop().create_future()
        self.clock.later(seconds, lambda: passed.set_result(None))
        await passed

    @property
    def calls(self) -> list[float]:
        """When a query or a page was sent, in order."""
        return sorted([at for at, _ in self.queried] + [at for at, *_ in self.pages])

    def most_in_a_second(self) -> int:
        """The highest number of calls within any second."""
        calls = self.calls
        return max((sum(at <= one < at + 0.999 for one in calls[n : n + 100]) for n, at in enumerate(calls)), default=0)


class Clients:
    """Poll tasks once a second, over a poller with a clock that is moved by hand."""

    def __init__(self, clock: TestClock, provider: Provider, account: Account, per_second: float) -> None:
        self.clock = clock
        self.provider = provider
        self.account = account
        self.poller = Poller(clock, FRESHNESS, Background(), per_second={provider.name: per_second})
        self.ends: Callable[[str], float] = lambda task: FOREVER
        self.ages: dict[str, float] = {}
        self.phases: dict[str, Phase] = {}
        self.ended_at: dict[str, float] = {}
        self.told_after: list[float] = []
        """Seconds from the end of a task to the first answer that tells it, where the upstream tells when it ended."""
        self.most_untold = 0.0
        """Seconds by which an answer is further behind than its age says, at most."""

    async def poll(self, ids: Iterable[str], *, force_refresh: bool = False) -> None:
        observed = await self.poller.observe(
            self.provider, self.account, dict.fromkeys(ids), submitted_at={}, force_refresh=force_refresh
        )
        for id, observation in observed.items():
            if not isinstance(observation, Observation):
                continue
            self.phases[id] = observation.state.phase
            if observation.state.phase.ended:
                self.ages[id] = 0.0
                if id not in self.ended_at and observation.state.ended_at is not None:
                    self.told_after.append(self.clock.now() - observation.state.ended_at)
                self.ended_at.setdefault(id, self.clock.now())
            else:
                self.ages[id] = age = self.poller.age(observation)
                self.most_untold = max(self.most_untold, self.clock.now() - age - self.ends(id))

    async def run(self, ids: Sequence[str], seconds: float, steps: int = 10) -> float:
        """Poll each of the ids once a second. Returns the highest age of an answer for an unfinished task, in
        seconds."""
        oldest, polls = 0.0, set[asyncio.Task[None]]()
        for _ in range(round(seconds)):
            for step in range(steps):
                polls.add(asyncio.create_task(self.poll(ids[step::steps])))
                await self.clock.run(1 / steps)
                polls = {poll for poll in polls if not poll.done()}
                oldest = max(oldest, max(self.ages.values(), default=0.0))
        return oldest


class Polling(Clients):
    """The same before a scripted upstream."""

    def __init__(self, per_second: float = PER_SECOND) -> None:
        clock = TestClock()
        self.upstream = ListingUpstream(clock)
        super().__init__(clock, self.upstream, ACCOUNT, per_second)
        self.ends = lambda task: self.upstream.courses[task].ends
