"""How many event streams there may be, and what ends them at a stop."""

from dataclasses import replace

import pytest

from gateway.core.errors import GatewayError
from gateway.live.open_streams import OpenStreams
from tests.gateway_fixture import ONE, TWO, pass_through_caller

FIRST, SECOND = pass_through_caller(ONE), pass_through_caller(TWO)


def test_tasks_of_a_caller_are_limited() -> None:
    streams = OpenStreams(10, 3)
    streams.count(FIRST, 3)
    with pytest.raises(GatewayError) as caught:
        streams.count(FIRST)
    assert (caught.value.code, caught.value.spec.status) == ("rate_limit_exceeded", 429)
    streams.count(SECOND, 3)
    streams.uncount(FIRST, 3)
    streams.count(FIRST, 3)


def test_tasks_in_all_are_limited() -> None:
    streams = OpenStreams(4, 3)
    streams.count(FIRST, 3)
    with pytest.raises(GatewayError) as caught:
        streams.count(SECOND, 2)
    assert caught.value.spec.status == 503
    streams.count(SECOND, 1)


def test_callers_that_watch_nothing_take_no_memory() -> None:
    streams = OpenStreams(4, 3)
    streams.count(FIRST, 0)
    streams.count(SECOND)
    streams.uncount(SECOND)
    assert (streams._held, streams._total) == ({}, 0)


def test_credential_is_counted_whatever_stands_beside_it() -> None:
    streams = OpenStreams(100, 3)
    streams.count(FIRST, 2)
    disguised = [
        pass_through_caller(ONE, TWO),
        pass_through_caller(replace(ONE, cookie="x=1")),
        pass_through_caller(replace(ONE, proxy="http://127.0.0.1:1")),
    ]
    for caller in disguised:
        with pytest.raises(GatewayError):
            streams.count(caller, 2)
    streams.count(SECOND, 3)


def test_stop_calls_those_that_are_open_once_and_refuses_new_ones() -> None:
    streams, called = OpenStreams(4, 3), []
    with streams.at_stop(lambda: called.append("closed")):
        pass
    with streams.at_stop(lambda: called.append("open")):
        streams.stop()
        streams.stop()
        assert called == ["open"]
    with pytest.raises(GatewayError) as caught:
        streams.count(FIRST)
    assert caught.value.code == "upstream_unavailable"


def test_stream_that_opens_during_the_stop_is_called_at_once() -> None:
    streams, called = OpenStreams(4, 3), []
    streams.stop()
    with streams.at_stop(lambda: called.append("late")):
        assert called == ["late"]
