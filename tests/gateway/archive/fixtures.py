"""An archive over a real folder and a real host, with a test clock."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from gateway.archive.archive import (
    Archive,
    OpenedFile,
)
from gateway.archive.copier import ArchiveResult
from gateway.archive.records import ArchivedTask, TaskMetadata
from gateway.archive.store import ArchiveStore, StoreError, Stream
from providers.contract.tasks import Result
from providers.transport.client import HttpClient
from tests.archives import (
    ACCOUNT,
    CREATED,
    JPEG,
    METADATA,
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
    """Counts requests, and fails while it is `down`."""

    asked = 0
    down = False

    async def _get(self, store: Any, path: str, options: Any) -> Stream | None:
        self.asked += 1
        await asyncio.sleep(0)
        if self.down:
            raise StoreError("down")
        return await super()._get(store, path, options)


class ArchiveFixture:
    """An archive over a real folder and a real host, with a test clock."""

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
    def results(self) -> list[ArchiveResult]:
        return [result for gateway in self.gateways for result in gateway.results]

    async def stop(self) -> None:
        for gateway in self.gateways:
            async with gateway.background:
                pass

    def see(self, result: Result, metadata: TaskMetadata = METADATA) -> None:
        self.archive.queue_copy(metadata, ACCOUNT, result, no_other)

    async def done(self, results: int = 1) -> ArchiveResult:
        await until(lambda: len(self.results) >= results)
        return self.results[-1]

    async def copied(self, result: Result | None = None, metadata: TaskMetadata = METADATA) -> ArchivedTask:
        result = result or Result(self.host.give("v", VIDEO), cover_url=self.host.give("c", JPEG))
        copied = await self.archive.copy(metadata, ACCOUNT, result, no_other)
        assert copied.archived is not None
        return copied.archived


BOTH = pytest.mark.parametrize("env", ["file", "s3"], indirect=True)


async def read(opened: OpenedFile | None) -> bytes:
    assert opened is not None
    body = b"".join([piece async for piece in opened.pieces])
    assert len(body) == opened.length
    return body
