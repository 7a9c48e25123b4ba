"""An archive over a real folder and a real host, on a clock moved by hand."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from gateway.archive.archive import (
    Archive,
    Opened,
)
from gateway.archive.copier import ArchiveResult
from gateway.archive.records import Archived, Facts
from gateway.archive.store import ArchiveStore, StoreError, Stream
from gateway.core.background_tasks import Background
from providers.contract.tasks import Result
from providers.transport.client import HttpClient
from tests.archives import (
    ACCOUNT,
    CREATED,
    FACTS,
    JPEG,
    ArchivePlace,
    FileHost,
    no_other,
    until,
    video,
)
from tests.clock import TestClock

VIDEO = video()
STRANGER = replace(ACCOUNT, credential="s-secret-2", name="")


class Counting(ArchiveStore):
    """Counts what is asked, and fails while it is `down`."""

    asked = 0
    down = False

    async def _get(self, store: Any, path: str, options: Any) -> Stream | None:
        self.asked += 1
        await asyncio.sleep(0)
        if self.down:
            raise StoreError("down")
        return await super()._get(store, path, options)


class ArchiveFixture:
    """An archive over a real folder and a real host, on a clock moved by hand."""

    def __init__(self, place: ArchivePlace, host: FileHost, http: HttpClient, background: Background) -> None:
        self.place = place
        self.host = host
        self.http = http
        self.background = background
        self.clock = TestClock(CREATED + 100)
        self.store = Counting.open(place.url)
        self.reports: list[ArchiveResult] = []
        self.archive = self.new_archive()

    def new_archive(self, copies: int = 2, *, keep_prompt: bool = False, **options: Any) -> Archive:
        """As another replica has it, or this one after a restart."""
        return Archive(
            self.store,
            self.http,
            self.clock,
            self.background,
            copies=copies,
            keep_prompt=keep_prompt,
            ended=self.reports.append,
            **options,
        )

    def see(self, result: Result, facts: Facts = FACTS) -> None:
        self.archive.seen(facts, ACCOUNT, result, no_other)

    async def done(self, reports: int = 1) -> ArchiveResult:
        await until(lambda: len(self.reports) >= reports)
        return self.reports[-1]

    async def copied(self, result: Result | None = None, facts: Facts = FACTS) -> Archived:
        result = result or Result(self.host.give("v", VIDEO), cover_url=self.host.give("c", JPEG))
        report = await self.archive.copy(facts, ACCOUNT, result, no_other)
        assert report.archived is not None
        return report.archived


BOTH = pytest.mark.parametrize("env", ["file", "s3"], indirect=True)


async def read(opened: Opened | None) -> bytes:
    assert opened is not None
    body = b"".join([piece async for piece in opened.pieces])
    assert len(body) == opened.length
    return body
