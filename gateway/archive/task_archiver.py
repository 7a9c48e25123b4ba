"""What tasks have to do with the archive.

A task that is seen finished is handed to it, one that was submitted here is followed to its end where that is wished,
and one that its upstream knows no longer is told from it.
"""

import asyncio
from dataclasses import replace
from typing import NamedTuple

from cachetools import LRUCache

from gateway.archive.archive import SIGNED_SECONDS, Archive, Opened
from gateway.archive.copier import Outcome, Renew
from gateway.archive.records import Archived, Facts, Variant
from gateway.archive.store import StoreError
from gateway.core.background_tasks import Background
from gateway.core.clock import Clock
from gateway.core.errors import describe, describe_query
from gateway.core.logs import GATEWAY
from gateway.polling.poller import Observation, Polling
from gateway.task_ids.links import fresh_result
from gateway.task_ids.locator import Place
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.tasks import Phase, Result, TaskState
from providers.sizes import parse_size

MAX_FOLLOWED = 5000
"""Tasks that are followed at the same time; further ones are archived when somebody asks for them."""

FOLLOWED_SECONDS = 24 * 3600.0
"""After this long a task is followed no more."""

PATIENCE_SECONDS = 5.0
"""After this long a client goes on without an archive that does not answer."""

_REMEMBERED_PROMPTS = 10_000


class Recalled(NamedTuple):
    """`place` with what the archive knows besides the id."""

    place: Place
    state: TaskState


class Kept(NamedTuple):
    """What came of archiving one task on request: `unfinished` and `no video` beside the outcomes of a copy. `path` is
    where the video lies in the archive."""

    outcome: str
    cause: str = ""
    bytes: int = 0
    path: str = ""


class Keeper:
    """Stands between tasks and the archive. Nothing it does harms a poll: trouble with the archive is logged.

    `follow` is whether tasks are followed to their end, every `interval` seconds.
    """

    def __init__(
        self,
        archive: Archive,
        polling: Polling,
        clock: Clock,
        background: Background,
        *,
        follow: bool = False,
        interval: float = 5.0,
    ) -> None:
        self.archive = archive
        self._polling = polling
        self._clock = clock
        self._background = background
        self._follow = follow
        self._interval = interval
        self._prompts: LRUCache[tuple[str, str], str] = LRUCache(_REMEMBERED_PROMPTS)
        self._followed = 0

    def submitted(self, place: Place, prompt: str) -> None:
        """A task was submitted here."""
        if prompt and self.archive.keeps_prompts:
            self._prompts[place.provider.name, place.upstream_id] = prompt
        if self._follow and self._followed < MAX_FOLLOWED:
            self._followed += 1
            self._background.start(self._follow_to_its_end(place))

    def seen(self, place: Place, state: TaskState) -> bool:
        """A task was seen. True where it is surely archived. It takes no time, however often it is called."""
        provider, id = place.provider.name, place.upstream_id
        if state.phase is not Phase.COMPLETED or state.result is None:
            return False
        if self.known(place):
            return True
        if self.archive.wants(provider, id, place.account.tag):
            self.archive.seen(self.facts(place, state), place.account, state.result, self.renewal(place))
        return False

    def known(self, place: Place) -> bool:
        """True for a task that is surely archived, from memory."""
        return self.archive.known(place.provider.name, place.upstream_id, place.account.tag)

    def facts(self, place: Place, state: TaskState) -> Facts:
        """What is written down of a finished task."""
        card = place.provider.card(state.model) if state.model else None
        return Facts(
            place.provider.name,
            place.upstream_id,
            model=place.model or (card.name if card else state.model),
            created=place.created or state.created_at,
            ended=state.ended_at,
            seconds=place.seconds,
            size=f"{place.width}x{place.height}" if place.width and place.height else "",
            prompt=self._prompts.get((place.provider.name, place.upstream_id)),
        )

    def renewal(self, place: Place) -> Renew:
        """Gives the result with fresh links when it is called: see `fresh_result`."""

        async def renew() -> Result | None:
            return await fresh_result(self._polling, place, self._clock.now())

        return renew

    async def find(self, place: Place) -> Archived | None:
        """The archived task of a place; None where there is none.

        Raises StoreError where the archive cannot be asked.
        """
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await self.archive.find(place.provider.name, place.upstream_id, place.account)
        except (StoreError, TimeoutError) as error:
            self._out_of_reach(error)
            raise StoreError(_cause(error)) from error

    def _out_of_reach(self, error: Exception) -> None:
        """Told once for as long as it lasts."""
        if self.archive.out_of_reach():
            GATEWAY.warning("the archive is out of reach", extra={"fields": {"cause": _cause(error)}})

    async def recall(self, place: Place) -> "Recalled | None":
        """A task of which its upstream does not tell, as the archive tells of it; None where it is not there.

        Raises StoreError where the archive cannot be asked.
        """
        archived = await self.find(place)
        if archived is None:
            return None
        record = archived.record
        width, height = parse_size(record.size) or (0, 0)
        told = replace(
            place,
            model=place.model or record.model or "",
            created=place.created or int(record.created or 0) or None,
            seconds=place.seconds or record.seconds,
            width=place.width or width,
            height=place.height or height,
        )
        return Recalled(told, await self._state(place, archived))

    async def _state(self, place: Place, archived: Archived) -> TaskState:
        """How an archived task stands: finished, with links into the archive.

        Where the store signs none they are paths of this gateway, without its host: nobody knows by which it is
        reached.
        """
        record, here = archived.record, f"/v1/videos/{place.public_id}/content"
        video, cover = await self._link(archived, "video"), await self._link(archived, "thumbnail")
        result = Result(
            video or here,
            cover or (f"{here}?variant=thumbnail" if record.cover else None),
            expires_at=int(self._clock.now() + SIGNED_SECONDS) if video else None,
            width=record.width,
            height=record.height,
            duration=record.duration,
        )
        return TaskState(
            place.upstream_id,
            Phase.COMPLETED,
            created_at=record.created,
            ended_at=record.ended,
            model=record.model,
            result=result,
        )

    async def keep(self, place: Place) -> Kept:
        """Archive a task now, unless it is there."""
        opened = await self.open(place, "video", head=True)
        if opened is not None:
            return Kept(Outcome.ALREADY_THERE, path=opened.file.path)
        observed = await self._observe(place, ask=True)
        if isinstance(observed, ProviderError):
            gone = observed.kind is ErrorKind.TASK_NOT_FOUND
            return Kept(Outcome.EXPIRED) if gone else Kept(Outcome.FAILED, describe(observed, "en"))
        state = observed.state
        if state.phase is Phase.FAILED:
            return Kept("no video", describe(state.error, "en") if state.error else "")
        if state.result is None:
            if observed.trouble is not None:
                return Kept(Outcome.FAILED, describe_query(observed.trouble, "en"))
            return Kept("unfinished")
        report = await self.archive.copy(self.facts(place, state), place.account, state.result, self.renewal(place))
        path = report.archived.video.path if report.archived else ""
        return Kept(report.outcome, report.cause, report.bytes, path)

    async def open(
        self, place: Place, variant: Variant, *, range: str = "", if_range: str = "", head: bool = False
    ) -> Opened | None:
        """A file of the archive; None where it is not there, or cannot be read. Raises UnsatisfiableRangeError."""
        try:
            archived = await self.find(place)
            if archived is None:
                return None
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await self.archive.open(archived, variant, range=range, if_range=if_range, head=head)
        except (StoreError, TimeoutError) as error:
            self._out_of_reach(error)
            return None

    async def _link(self, archived: Archived, variant: Variant) -> str | None:
        try:
            return await self.archive.link(archived, variant)
        except StoreError:
            return None

    async def _observe(self, place: Place, *, ask: bool) -> Observation | ProviderError:
        card = place.provider.card(place.model) if place.model else None
        observed = await self._polling.observe(
            place.provider,
            place.account,
            {place.upstream_id: card},
            submitted_at={place.upstream_id: place.created or place.provider.submitted_at(place.upstream_id)},
            ask=ask,
        )
        return observed[place.upstream_id]

    async def _follow_to_its_end(self, place: Place) -> None:
        deadline = self._clock.now() + FOLLOWED_SECONDS
        try:
            while self._clock.now() < deadline:
                await self._clock.sleep(self._interval)
                observed = await self._observe(place, ask=False)
                if not isinstance(observed, Observation):
                    return
                if observed.state.phase.ended:
                    self.seen(place, observed.state)
                    return
        finally:
            self._followed -= 1


def _cause(error: Exception) -> str:
    return str(error) or f"no answer within {PATIENCE_SECONDS:g} s"
