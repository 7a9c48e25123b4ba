"""Of a client's headers only those are passed on that the upstream understands."""

import httpx
import pytest

from providers.contract.client_headers import ClientHeaders

HEADERS = ClientHeaders(("X-Filter", "X-Wait"), of_account=("X-Space",))


@pytest.mark.parametrize(("managed", "passed"), [(True, {"X-Filter": "a"}), (False, {"X-Filter": "a", "X-Space": "b"})])
def test_headers_of_the_account_are_passed_with_the_client_s_own_only(managed: bool, passed: dict[str, str]) -> None:
    given = httpx.Headers({"x-filter": "a", "X-SPACE": "b", "Authorization": "Bearer c", "Cookie": "d", "X-Other": "e"})
    assert HEADERS.of(given, managed=managed) == passed


@pytest.mark.parametrize("value", ["", "a\r\nb: c", "\x00", "é", "x" * 257])
def test_value_that_is_not_printable_or_too_long_is_left_out(value: str) -> None:
    assert HEADERS.of({"X-Filter": value}, managed=False) == {}
