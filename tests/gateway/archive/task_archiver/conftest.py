"""Each test has its own archive and host."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from providers.transport.client import HttpClient
from tests.archives import FileHost, new_place
from tests.gateway.archive.task_archiver.fixtures import Kit


@pytest.fixture
async def kit(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Kit]:
    ref = new_place("file", tmp_path, monkeypatch)
    async with FileHost().serving() as host, HttpClient() as http:
        made = Kit(ref, host, http, **getattr(request, "param", {}))
        async with made.env.background:
            yield made
