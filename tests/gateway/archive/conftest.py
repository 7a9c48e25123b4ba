"""Each test has its own archive and host."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.core.background_tasks import Background
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
    async with FileHost().serving() as host, HttpClient() as http, Background() as background:
        yield ArchiveFixture(place, host, http, background)
