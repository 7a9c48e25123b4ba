"""The relay breaks what it is told to break, and nothing after that."""

from collections.abc import Iterator

import httpx
import pytest

from providers.sandbox.server import SandboxServer
from tests.faults import wire
from tests.faults.relay import Breakage, Connecting, Loop, Relay, Stage
from tests.faults.wire import End

PATH = "/api/v1/tasks/0385dc79-5ff8-4d82-bcb6-000000000001"
HEADERS = {"Authorization": "Bearer sk-relay"}


@pytest.fixture(scope="module")
def upstream() -> Iterator[SandboxServer]:
    with SandboxServer() as running:
        yield running


@pytest.fixture
def relay(upstream: SandboxServer) -> Iterator[Relay]:
    with Loop() as loop, Relay(loop, upstream.url) as running:
        yield running


def ask(relay: Relay) -> httpx.Response:
    return httpx.get(f"{relay.url}{PATH}", headers=HEADERS, timeout=httpx.Timeout(5, connect=0.3), trust_env=False)


@pytest.mark.parametrize(("stage", "calls"), [(Stage.BEFORE, 0), (Stage.AFTER, 1)])
def test_upstream_sees_a_request_only_before_a_late_fault(
    relay: Relay, upstream: SandboxServer, stage: Stage, calls: int
) -> None:
    upstream.sandbox.reset()
    relay.break_with(Breakage(wire.instead(502), stage))
    assert ask(relay).status_code == 502
    assert upstream.sandbox.calls() == calls
    relay.mend()
    assert ask(relay).json()["output"]["task_status"] == "UNKNOWN"


def test_fault_affects_matching_requests_so_many_times(relay: Relay) -> None:
    broken = relay.break_with(Breakage(wire.instead(502), matches=lambda method, path: "tasks" in path, times=1))
    assert [ask(relay).status_code for _ in range(2)] == [502, 200]
    assert httpx.get(relay.url, trust_env=False).status_code == 200
    assert broken.seen == 1


@pytest.mark.parametrize(
    ("how", "error"),
    [(Connecting.REFUSED, httpx.ConnectError), (Connecting.NEVER_ACCEPTED, httpx.ConnectTimeout)],
)
def test_connections_fail_until_they_are_mended(
    relay: Relay, how: Connecting, error: type[httpx.TransportError]
) -> None:
    relay.break_connections(how)
    with pytest.raises(error):
        ask(relay)
    relay.mend()
    assert ask(relay).status_code == 200


@pytest.mark.parametrize(
    ("breakage", "error"),
    [
        (Breakage(wire.raw()), httpx.RemoteProtocolError),
        (Breakage(wire.raw(end=End.RESET)), httpx.ReadError),
        (Breakage(wire.cut(End.CLOSE), Stage.AFTER), httpx.RemoteProtocolError),
        (Breakage(wire.cut(End.RESET), Stage.AFTER), httpx.ReadError),
        (Breakage(wire.chunked(size=b"zz"), Stage.AFTER), httpx.RemoteProtocolError),
        (Breakage(wire.broken_gzip, Stage.AFTER), httpx.DecodingError),
        (Breakage(sending=End.RESET), (httpx.ReadError, httpx.WriteError)),
    ],
    ids=["closed", "reset", "cut", "cut by a reset", "invalid chunk", "broken gzip", "reset while sending"],
)
def test_client_sees_the_fault(
    relay: Relay, breakage: Breakage, error: type[httpx.RequestError] | tuple[type[httpx.RequestError], ...]
) -> None:
    relay.break_with(breakage)
    with pytest.raises(error):
        ask(relay)


def test_hanging_answer_ends_when_the_relay_is_mended(relay: Relay) -> None:
    relay.break_with(Breakage(wire.raw(end=End.HANG)))
    with httpx.Client(trust_env=False, timeout=0.1) as client, pytest.raises(httpx.ReadTimeout):
        client.get(f"{relay.url}{PATH}", headers=HEADERS)
    relay.mend()
    assert ask(relay).status_code == 200
