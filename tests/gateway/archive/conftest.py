"""Each test has a place and a host of its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from providers.transport.client import HttpClient
from tests.archives import (
    FileHost,
    new_place,
)
from tests.gateway.archive.fixtures import ArchiveFixture


@pytest.fixture(params=["file"])
async def env(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[ArchiveFixture]:
    place = new_place(request.param, tmp_path, monkeypatch)
    async with FileHost().serving() as host, HttpClient() as http:
        made = ArchiveFixture(place, host, http)
        yield made
        await made.stop()
