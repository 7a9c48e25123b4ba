"""Warnings of a submit in the header."""

from gateway.api.submit_endpoint import WARNINGS_HEADER, warning_headers
from providers.contract.requests import FieldWarning


def ignored(*names: str) -> dict[str, str]:
    return warning_headers([FieldWarning("ignored_field", name) for name in names])


def test_header_names_the_fields() -> None:
    assert ignored("fps", "style") == {WARNINGS_HEADER: "ignored_field fps, ignored_field style"}
    assert ignored() == {}


def test_names_of_any_characters_are_quoted() -> None:
    assert ignored("a\r\nx: 1", "猫") == {WARNINGS_HEADER: "ignored_field a%0D%0Ax%3A%201, ignored_field %E7%8C%AB"}


def test_header_stays_short_enough_for_proxies() -> None:
    header = ignored(*(chr(0x1F600 + number) * 64 for number in range(20)))[WARNINGS_HEADER]
    assert len(header) <= 1500
    assert header.startswith("ignored_field %F0%9F%98%80")
