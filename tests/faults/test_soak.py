"""What the soak says of its samples."""

import pytest

from tests.faults.soak import quarters


@pytest.mark.parametrize(
    ("memory", "medians"),
    [
        ([10, 90, 50, 50, 50, 50, 50, 50], (50, 50)),
        ([float(number) for number in range(40)], (14.5, 34.5)),
        ([7], (7, 7)),
    ],
    ids=["a rise at the beginning", "a steady rise", "one sample"],
)
def test_second_quarter_is_compared_with_the_last(memory: list[float], medians: tuple[float, float]) -> None:
    assert quarters(memory) == medians
