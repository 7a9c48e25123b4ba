"""What the soak says of its samples."""

from collections.abc import Sequence

import pytest

from tests.faults.growth import Sample, leaks


def samples(
    memory: Sequence[float] = (), descriptors: Sequence[float] = (), tasks: Sequence[float] = ()
) -> list[Sample]:
    """A series of one figure, while the others are level."""
    length = max(map(len, (memory, descriptors, tasks)))
    level = [50.0] * length
    return [
        Sample(*one) for one in zip(range(length), memory or level, descriptors or level, tasks or level, strict=True)
    ]


STEADY = [float(number) for number in range(60)]
FILLING = [10.0, 30.0, 60.0, 80.0, *([90.0] * 36)]
JAGGED = [20.0 + number % 7 * 5 for number in range(60)]
LATE = [50.0] * 30 + [50.0 + number for number in range(30)]


@pytest.mark.parametrize(
    ("series", "found"),
    [
        (samples(memory=STEADY), ["memory"]),
        (samples(descriptors=STEADY), ["descriptors"]),
        (samples(tasks=STEADY), ["tasks"]),
        (samples(memory=LATE), ["memory"]),
        (samples(memory=FILLING, descriptors=FILLING, tasks=FILLING), []),
        (samples(memory=JAGGED, descriptors=JAGGED, tasks=JAGGED), []),
        (samples(memory=STEADY[::-1]), []),
        (samples(tasks=[*([5.0] * 55), *([500.0] * 5)]), []),
    ],
    ids=["memory", "descriptors", "tasks", "late", "filling at first", "up and down", "falling", "a peak at the end"],
)
def test_growth_from_the_plateau_to_the_end_is_a_leak(series: Sequence[Sample], found: list[str]) -> None:
    assert leaks(series) == found


def test_memory_of_a_process_that_still_fills_its_caches_may_grow_more() -> None:
    growing = [number / 3 for number in range(60)]
    assert leaks(samples(memory=growing)) == ["memory"]
    assert leaks(samples(memory=growing), filled=0.1) == []
    assert leaks(samples(memory=STEADY), filled=0.0) == ["memory"]
    assert leaks(samples(tasks=STEADY), filled=0.0) == ["tasks"]


def test_too_few_samples_are_no_verdict() -> None:
    with pytest.raises(ValueError, match="too few"):
        leaks(samples(memory=[1.0, 2.0, 3.0]))
