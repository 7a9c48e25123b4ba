"""Uploaders of one session."""

import pytest

from providers.sandbox.jimeng.upload_services import VOD
from tests.providers.sandbox.clients import Clock, JimengClient
from tests.providers.sandbox.jimeng.uploader import Uploader


@pytest.fixture
def images(jimeng: JimengClient, clock: Clock) -> Uploader:
    return Uploader(jimeng, clock)


@pytest.fixture
def videos(jimeng: JimengClient, clock: Clock) -> Uploader:
    return Uploader(jimeng, clock, VOD)
