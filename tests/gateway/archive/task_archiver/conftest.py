"""Each test has its own archive and host."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from providers.transport.client import HttpClient
from tests.archives import FileHost, new_location
from tests.gateway.archive.task_archiver.fixtures import ArchiverFixture


@pytest.fixture
async def harness(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[ArchiverFixture]:
    location = new_location("file", tmp_path, monkeypatch)
    async with FileHost().serving() as host, HttpClient() as http:
        made = ArchiverFixture(location, host, http, **getattr(request, "param", {}))
        async with made.env.background:
            yield made
