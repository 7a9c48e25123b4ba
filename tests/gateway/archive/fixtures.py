"""Archives over a real folder or bucket and a real host, on a clock moved by hand."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from gateway.archive.archive import (
    Archive,
    Opened,
)
from gateway.archive.copier import Report
from gateway.archive.records import Archived, Facts
from gateway.archive.store import ArchiveStore, StoreError, Stream
from providers.contract.tasks import Result
from providers.transport.client import HttpClient
from tests.archives import (
    ACCOUNT,
    CREATED,
    FACTS,
    JPEG,
    ArchiveLocation,
    FileHost,
    no_other,
    until,
    video,
)
from tests.clock import TestClock
from tests.gateway_fixture import GatewayFixture
from tests.upstream import ScriptedProvider

VIDEO = video()
OTHER_ACCOUNT = replace(ACCOUNT, credential="s-secret-2", name="")


class Counting(ArchiveStore):
    """A store that counts reads, and fails while it is `down`."""

    asked = 0
    down = False

    async def _get(self, store: Any, path: str, options: Any) -> Stream | None:
        self.asked += 1
        await asyncio.sleep(0)
        if self.down:
            raise StoreError("down")
        return await super()._get(store, path, options)


class ArchiveFixture:
    """The archives of one store, each in a gateway of its own, and a host that serves the videos."""

    def __init__(self, location: ArchiveLocation, host: FileHost, http: HttpClient, **settings: Any) -> None:
        self.location = location
        self.host = host
        self.http = http
        self.clock = TestClock(CREATED + 100)
        self.store = Counting.open(location.url)
        self.gateways: list[GatewayFixture] = []
        self.archive = self.new_archive(**settings)

    def new_archive(self, **options: Any) -> Archive:
        """The archive of another replica, or of this one after a restart."""
        provider = ScriptedProvider(ACCOUNT.provider)
        gateway = GatewayFixture(provider, clock=self.clock, http=self.http, store=self.store, **options)
        self.gateways.append(gateway)
        assert gateway.archiver is not None
        return gateway.archiver.archive

    @property
    def reports(self) -> list[Report]:
        return [report for gateway in self.gateways for report in gateway.reports]

    async def stop(self) -> None:
        for gateway in self.gateways:
            async with gateway.background:
                pass

    def see(self, result: Result, facts: Facts = FACTS) -> None:
        self.archive.seen(facts, ACCOUNT, result, no_other)

    async def done(self, reports: int = 1) -> Report:
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
