"""The limits that a configuration gives a process."""

import pytest

from gateway.cli.server.connection_limits import ConnectionLimits
from gateway.core.settings import LimitSettings, Settings


def limits_of(**limits: float) -> ConnectionLimits:
    return ConnectionLimits.of(Settings.model_construct(limits=LimitSettings(**limits), language="en"))


def test_limits_follow_the_settings_and_the_descriptors() -> None:
    limits = limits_of(headers=20, write_seconds=7)
    assert (limits.headers, limits.write_seconds, limits.language) == (20, 7, "en")
    assert limits.connections >= 16


@pytest.mark.parametrize(("connections", "expected"), [(1000, 900), (50, 45), (4, 3), (2, 1)])
def test_one_address_leaves_connections_to_others(connections: int, expected: int) -> None:
    assert limits_of(connections=connections).connections_per_address == expected


def test_connections_of_one_address_are_set_explicitly() -> None:
    assert limits_of(connections=100, connections_per_address=100).connections_per_address == 100
