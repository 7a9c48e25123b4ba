"""Each test has its own archive and host."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from providers.transport.client import HttpClient
from tests.archives import (
    FileHost,
    new_location,
)
from tests.gateway.archive.fixtures import ArchiveFixture


@pytest.fixture(params=["file"])
async def env(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[ArchiveFixture]:
    location = new_location(request.param, tmp_path, monkeypatch)
    async with FileHost().serving() as host, HttpClient() as http:
        made = ArchiveFixture(location, host, http)
        yield made
        await made.stop()
