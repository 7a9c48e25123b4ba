"""The values that a provider's spec is made of."""

from datetime import UTC, datetime, timedelta

import pytest

from providers.contract.spec import DAILY_IN_SHANGHAI, DefaultModels, QuotaReset
from providers.jimeng.spec import JIMENG

MIDNIGHT_IN_SHANGHAI = datetime(2026, 11, 25, 16, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(("before", "left"), [(1.0, 1.0), (3600.0, 3600.0), (0.0, 86_400.0)])
def test_quota_reset_is_the_next_midnight_of_its_time_zone(before: float, left: float) -> None:
    assert DAILY_IN_SHANGHAI.seconds_left(MIDNIGHT_IN_SHANGHAI - before) == left


def test_quota_reset_west_of_greenwich() -> None:
    reset = QuotaReset(-8 * 3600)
    assert reset.seconds_left(datetime(2026, 11, 25, 7, tzinfo=UTC).timestamp()) == 3600
    assert reset.time_zone.utcoffset(None) == timedelta(hours=-8)


def test_default_models_of_several_providers_stand_one_after_the_other() -> None:
    both = DefaultModels(text=("a",), edit=("b",)).then(DefaultModels(text=("c",), extend=("d",)))
    assert both == DefaultModels(text=("a", "c"), edit=("b",), extend=("d",))


def test_variable_of_a_key() -> None:
    assert JIMENG.variable("credentials") == "JIMENG_TOKENS"
    with pytest.raises(KeyError):
        JIMENG.variable("app_version")
