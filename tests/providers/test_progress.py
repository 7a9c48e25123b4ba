"""Estimates rise inside the band of their phase and stay below 100 until the result is there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.contract.localized_text import LocalizedText
from providers.contract.tasks import Phase, TaskState
from providers.progress import BANDS, estimate

RUNNING = [phase for phase in Phase if not phase.ended]


@pytest.mark.parametrize("phase", RUNNING)
def test_without_times_the_figure_of_the_state_stands(phase: Phase) -> None:
    assert estimate(TaskState("1", phase, progress=37), now=1000, typical_seconds=60) == 37


@pytest.mark.parametrize("phase", RUNNING)
def test_band_begins_at_the_start_and_ends_at_the_typical_time(phase: Phase) -> None:
    first, last = BANDS[phase]
    state = TaskState("1", phase, created_at=1000)
    assert estimate(state, 1000, 60) == first
    assert estimate(state, 1060, 60) == last
    assert estimate(state, 99999, 60) == last
    assert estimate(state, 900, 60) == first


def test_half_of_the_typical_time_is_half_of_the_band() -> None:
    assert estimate(TaskState("1", Phase.PROCESSING, created_at=0, started_at=1000), 1030, 60) == 10 + 34


def test_upstreams_forecast_takes_the_place_of_the_typical_time() -> None:
    assert estimate(TaskState("1", Phase.QUEUED, created_at=1000, expected_seconds=200), 1100, 60) == 5


def test_note_keeps_the_progress_of_its_state() -> None:
    state = TaskState("1", Phase.FINALIZING, progress=95, created_at=1000, note=LocalizedText("x", "x"))
    assert estimate(state, 1001, 60) == 95


def test_only_a_completed_task_is_at_100() -> None:
    assert estimate(TaskState("1", Phase.COMPLETED), 0, 60) == 100
    assert estimate(TaskState("1", Phase.FAILED), 0, 60) == 0


@given(st.sampled_from(RUNNING), st.floats(0, 1e10), st.floats(0, 1e6), st.floats(0, 1e6), st.floats(0, 1e5))
def test_it_never_falls_and_never_leaves_its_band(
    phase: Phase, created: float, early: float, later: float, typical: float
) -> None:
    state = TaskState("1", phase, created_at=created)
    one, two = estimate(state, created + early, typical), estimate(state, created + early + later, typical)
    first, last = BANDS[phase]
    assert first <= one <= two <= last < 100
