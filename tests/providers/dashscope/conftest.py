"""A DashScope whose answers a router gives."""

from collections.abc import AsyncIterator

import httpx
import pytest
import respx

from providers.contract.accounts import Account
from providers.dashscope.provider import DashScope
from providers.transport.client import HttpClient
from tests.providers.dashscope.store import Store
from tests.providers.dashscope.wire import KEY, NOW


@pytest.fixture
def router() -> respx.MockRouter:
    return respx.MockRouter(assert_all_called=False)


@pytest.fixture
def account() -> Account:
    return Account("dashscope", KEY)


@pytest.fixture
async def http(router: respx.MockRouter) -> AsyncIterator[HttpClient]:
    async with HttpClient(transport=lambda proxy: httpx.MockTransport(router.async_handler)) as client:
        yield client


@pytest.fixture
def provider(http: HttpClient) -> DashScope:
    return DashScope(http, now=lambda: NOW + 0.5)


@pytest.fixture
def store(router: respx.MockRouter) -> Store:
    return Store(router)
