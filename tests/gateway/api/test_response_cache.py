"""The response cache of polls."""

from gateway.api.response_cache import CACHED_SECONDS, MAX_RESPONSES, PollResponse, ResponseCache
from tests.clock import TestClock

RESPONSE = PollResponse([(b"age", b"0")], b"{}", "someone")


def test_response_is_cached_for_its_ttl() -> None:
    clock = TestClock()
    cache = ResponseCache(clock.now)
    cache.put("long", RESPONSE, 60.0, cache.generation)
    cache.put("short", RESPONSE, 0.1, cache.generation)
    assert cache.get("long") is cache.get("short") is RESPONSE
    clock.move(0.11)
    assert (cache.get("long"), cache.get("short")) == (RESPONSE, None)
    clock.move(CACHED_SECONDS)
    assert cache.get("long") is None


def test_response_begun_before_a_clear_is_not_cached() -> None:
    cache = ResponseCache()
    generation = cache.generation
    cache.put("one", RESPONSE, 1.0, generation)
    cache.clear()
    cache.put("two", RESPONSE, 1.0, generation)
    assert (cache.get("one"), cache.get("two")) == (None, None)


def test_full_cache_takes_a_response_once_others_have_expired() -> None:
    clock = TestClock()
    cache = ResponseCache(clock.now)
    for number in range(MAX_RESPONSES + 1):
        cache.put(number, RESPONSE, 1.0, cache.generation)
    assert (cache.get(0), cache.get(MAX_RESPONSES)) == (RESPONSE, None)
    clock.move(CACHED_SECONDS + 0.01)
    cache.put("new", RESPONSE, 1.0, cache.generation)
    assert (cache.get(0), cache.get("new")) == (None, RESPONSE)
