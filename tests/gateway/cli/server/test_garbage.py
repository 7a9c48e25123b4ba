"""The garbage collector of a server: it keeps up with requests that leave reference cycles behind."""

import gc
import weakref
from collections import deque
from collections.abc import Iterator

import pytest

from gateway.cli.server.serve import freeze_garbage_collector

REQUESTS = 4_000
OBJECTS = 100
"""Of one request, in its cycle."""


class Request:
    """A failed request: it is part of a cycle, with all that it has made."""

    def __init__(self) -> None:
        self.made = [[self] for _ in range(OBJECTS)]


@pytest.fixture(autouse=True)
def restored_collector() -> Iterator[None]:
    threshold = gc.get_threshold()
    yield
    gc.set_threshold(*threshold)
    gc.unfreeze()


@pytest.mark.parametrize(("concurrent", "limit"), [(1, 100), (40, 500)])
def test_cycles_of_failed_requests_do_not_pile_up(concurrent: int, limit: int) -> None:
    freeze_garbage_collector()
    alive, most, running = weakref.WeakSet[Request](), 0, deque[Request](maxlen=concurrent)
    for _ in range(REQUESTS):
        request = Request()
        alive.add(request)
        running.append(request)
        most = max(most, len(alive))
    del request
    # Those that survive a collection wait for the fifth after it.
    assert most < limit


def test_loaded_modules_are_excluded() -> None:
    freeze_garbage_collector()
    assert gc.get_freeze_count() > 10_000
    assert len(gc.get_objects()) < gc.get_freeze_count() / 10
