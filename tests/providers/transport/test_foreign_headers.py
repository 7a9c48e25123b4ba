"""Whatever a host sends as Retry-After is a number of seconds or none."""

import math

from hypothesis import given, settings

from providers.transport.transports import read_retry_after
from tests.foreign_data import headers, texts


@settings(max_examples=80)
@given(headers | texts)
def test_any_retry_after_is_seconds_or_none(value: str) -> None:
    found = read_retry_after(value, now=1.8e9)
    assert found is None or (found >= 0 and math.isfinite(found))
