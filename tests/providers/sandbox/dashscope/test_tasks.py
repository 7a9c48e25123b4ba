"""The times of a task."""

from providers.sandbox.dashscope.tasks import beijing


def test_times_are_written_in_utc_plus_eight_with_milliseconds() -> None:
    assert beijing(1_709_285_904.817) == "2024-03-01 17:38:24.817"
