"""Fixtures of the webhook tests."""

import ssl
import time
from collections.abc import AsyncIterator

import pytest
import trustme

from tests.clock import TestClock
from tests.gateway.live.webhooks.receiver import HOST, FollowedTasks, Receiver, running_receiver
from tests.gateway.media.fetching.fixtures import INSIDE, PUBLIC


@pytest.fixture(scope="module")
def certificates() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """TLS contexts of a server, and of a client that trusts it."""
    tls, trusted = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority = trustme.CA()
    authority.issue_cert(HOST, PUBLIC, INSIDE).configure_cert(tls)
    authority.configure_trust(trusted)
    return tls, trusted


@pytest.fixture
async def receiver(certificates: tuple[ssl.SSLContext, ssl.SSLContext]) -> AsyncIterator[Receiver]:
    async with running_receiver(*certificates) as receiver:
        yield receiver


@pytest.fixture
def clock() -> TestClock:
    """It starts now: verifiers compare the time of an event with theirs."""
    return TestClock(time.time())


@pytest.fixture
async def tasks() -> FollowedTasks:
    return FollowedTasks()
