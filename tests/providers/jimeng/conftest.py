"""A Jimeng whose answers a router gives."""

from collections.abc import AsyncIterator

import httpx
import pytest
import respx

from providers.jimeng.provider import (
    Jimeng,
)
from providers.transport.client import HttpClient
from tests.providers.jimeng.wire import NOW


@pytest.fixture
def router() -> respx.MockRouter:
    return respx.MockRouter(assert_all_called=False)


@pytest.fixture
async def jimeng(router: respx.MockRouter) -> AsyncIterator[Jimeng]:
    async with HttpClient(transport=lambda proxy: httpx.MockTransport(router.async_handler)) as http:
        yield Jimeng(http, now=lambda: NOW + 0.5, seed=lambda: 99, new_id=lambda: "new-id")
