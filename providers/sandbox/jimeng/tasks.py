"""A Jimeng task over time: its status number and queue position. Functions of now."""

import secrets
from dataclasses import dataclass
from typing import Any

from providers.sandbox.directives import Directives
from providers.sandbox.jimeng.draft import Draft
from providers.sandbox.jimeng.failures import Failure, failure_of
from providers.sandbox.jimeng.sites import Site
from providers.sandbox.settings import SandboxSettings

Json = dict[str, Any]

SUBMITTED, THINKING, PARTIAL, DONE, FAILED = 20, 42, 45, 50, 30
"""`status` of a record."""

WAITING, WORKING, LEFT = 1, 2, 3
"""`queue_status`: in the queue, taken out of it, ended."""

QUEUED, GENERATING, POST = 0.25, 0.75, 0.875
"""Shares of a task's time: in the queue until the first, generating until the second, post-processing until the
third, finalizing until the end."""

QUEUE_LENGTH = 8
FOREVER = float("inf")


@dataclass(slots=True, eq=False)
class Task:
    """One accepted task. Times are unix seconds; `ends_at` is infinite for one that never ends. `generate_id` is the
    `logid` of the submit's answer."""

    history_id: str
    submit_id: str
    item_id: str
    owner: str
    site: Site
    draft: Draft
    directives: Directives
    created: float
    seconds: float
    visible_at: float
    cost: int
    failure: Failure | None
    generate_id: str
    cancelled_at: float | None = None

    @property
    def ends_at(self) -> float:
        """When it is finished, failed or cancelled."""
        if self.cancelled_at is not None:
            return self.cancelled_at
        return FOREVER if {"pending", "stuck"} & self.directives.keys() else self.created + self.seconds

    @property
    def refunded(self) -> bool:
        """Whether its credits are refunded at its end."""
        return self.failure is not None or self.cancelled_at is not None

    def ended(self, now: float) -> bool:
        """Finished, failed or cancelled by now."""
        return now >= self.ends_at

    def waiting(self, now: float) -> bool:
        """In the queue, so that it can be cancelled."""
        return not self.ended(now) and self.share(now) < QUEUED

    def visible(self, now: float) -> bool:
        """Whether status calls know it: not at once, and not while it has vanished."""
        return now >= self.visible_at and not self.vanished(now)

    def vanished(self, now: float) -> bool:
        """Not found once it would run, as `#vanish` orders, or until its end, as `#lapse` does."""
        lapsed = "lapse" in self.directives and not self.ended(now)
        return ("vanish" in self.directives or lapsed) and self.share(now) >= QUEUED

    def has_video(self, now: float) -> bool:
        """Finished with a result."""
        return self.succeeded(now) and "nourl" not in self.directives

    def succeeded(self, now: float) -> bool:
        """Ended well, with or without an address."""
        return self.ended(now) and not self.refunded

    def share(self, now: float) -> float:
        """How much of its time has passed, 0 to 1."""
        if "pending" in self.directives:
            return 0.0
        share = min(1.0, (now - self.created) / self.seconds) if self.seconds else 1.0
        return min(share, (QUEUED + GENERATING) / 2) if "stuck" in self.directives else share

    def status(self, now: float) -> int:
        """20 waiting and generating, 42 post-processing, 45 finalizing, 50 done, 30 failed or cancelled."""
        if self.ended(now):
            return FAILED if self.refunded else DONE
        share = self.share(now)
        if share >= QUEUED and self.directives.get("state", "").isdigit():
            return int(self.directives["state"])
        return SUBMITTED if share < GENERATING else THINKING if share < POST else PARTIAL

    def queue_position(self, now: float) -> int:
        """The queue position, from `QUEUE_LENGTH` down to 1; 0 = no longer waiting."""
        return max(1, round(QUEUE_LENGTH * (1 - self.share(now) / QUEUED))) if self.waiting(now) else 0


def new_task(
    draft: Draft, directives: Directives, owner: str, site: Site, now: float, settings: SandboxSettings, log_id: str
) -> Task:
    """A task of now."""
    seconds = float(directives["seconds"]) if "seconds" in directives else settings.task_seconds
    lag = settings.visible_after * (10 if "lag" in directives else 1)
    return Task(
        history_id=str(10**13 + secrets.randbelow(9 * 10**13)) if "short-id" in directives else _id(now),
        submit_id=draft.submit_id,
        item_id=_id(now),
        owner=owner,
        site=site,
        draft=draft,
        directives=directives,
        created=now,
        seconds=seconds * (settings.slow_factor if "slow" in directives else 1),
        visible_at=now + lag,
        cost=settings.cost,
        failure=failure_of(directives),
        generate_id=log_id,
    )


def _id(now: float) -> str:
    """A 64-bit number whose upper half is the second of its making."""
    return str((int(now) << 32) | secrets.randbits(32))
