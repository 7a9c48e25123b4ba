"""Account health: the table of pause rules and the circuit breaker."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.accounts.health import PAUSE_RULES, AccountState, Health, Pause, Price
from providers.contract.errors import Blame, ErrorKind, ProviderError
from providers.contract.spec import DAILY_IN_SHANGHAI

NOON_IN_SHANGHAI = datetime(2026, 11, 25, 4, tzinfo=UTC).timestamp()
MIDNIGHT_IN_SHANGHAI = datetime(2026, 11, 25, 16, tzinfo=UTC).timestamp()
HOUR = 3600.0


def healthy(jitter: float = 0.0, now: float = NOON_IN_SHANGHAI) -> Health:
    """`now` is the unix time, by which credits are renewed."""
    return Health(lambda: jitter, lambda: DAILY_IN_SHANGHAI.seconds_left(now))


def fail(health: Health, kind: ErrorKind, now: float, *, retry_after: float | None = None, model: str = "m") -> Pause:
    pause = health.fail(ProviderError(kind, retry_after=retry_after), model, sent_at=now, now=now)
    assert pause is not None
    return pause


def lengths(kind: ErrorKind, count: int) -> list[float]:
    """The lengths of consecutive pauses: each failure follows the end of the previous pause."""
    health, now, found = healthy(), NOON_IN_SHANGHAI, []
    for _ in range(count):
        pause = fail(health, kind, now)
        found.append(pause.until - pause.began)
        now = pause.until
    return found


def test_every_account_failure_has_a_pause_rule() -> None:
    assert set(PAUSE_RULES) == {kind for kind in ErrorKind if kind.blame is Blame.ACCOUNT}


@pytest.mark.parametrize("kind", [kind for kind in ErrorKind if kind.blame is not Blame.ACCOUNT])
def test_error_that_is_not_the_accounts_fault_changes_nothing(kind: ErrorKind) -> None:
    health = healthy()
    assert health.fail(ProviderError(kind), "m", sent_at=0, now=0) is None
    assert health.active_pause(0) is None


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (ErrorKind.INVALID_CREDENTIAL, [600]),
        (ErrorKind.RATE_LIMITED, [30, 60, 120, 240, 480, 900, 900]),
        (ErrorKind.TOO_MANY_RUNNING, [30, 30, 30]),
        (ErrorKind.RESTRICTED, [1800, 3600, 7200, 14400, 28800, 57600, 86400, 86400]),
    ],
)
def test_consecutive_failures_double_the_pause_up_to_its_limit(kind: ErrorKind, expected: list[float]) -> None:
    assert lengths(kind, len(expected)) == expected


def test_credits_return_at_midnight_in_shanghai() -> None:
    pause = fail(healthy(), ErrorKind.NO_CREDITS, NOON_IN_SHANGHAI)
    assert pause.until == MIDNIGHT_IN_SHANGHAI
    pause = fail(healthy(now=MIDNIGHT_IN_SHANGHAI), ErrorKind.NO_CREDITS, MIDNIGHT_IN_SHANGHAI)
    assert pause.until == MIDNIGHT_IN_SHANGHAI + 24 * HOUR


def test_pause_grows_where_no_reset_renews_credits() -> None:
    health, now, found = Health(lambda: 0.0), NOON_IN_SHANGHAI, []
    for _ in range(6):
        pause = fail(health, ErrorKind.NO_CREDITS, now)
        found.append((pause.until - now) / HOUR)
        now = pause.until
    assert found == [1, 2, 4, 8, 16, 24]


def test_retry_time_of_the_upstream_counts() -> None:
    assert fail(healthy(), ErrorKind.RATE_LIMITED, 0.0, retry_after=7).until == 7
    assert fail(healthy(), ErrorKind.RATE_LIMITED, 0.0, retry_after=10**7).until == 86_400


@given(
    st.sampled_from(sorted(PAUSE_RULES)),
    st.floats(0, 0.999999),
    st.floats(0, 2e9),
    st.one_of(st.none(), st.floats(1, 1e6)),
)
def test_jitter_lengthens_a_pause_within_bounds(
    kind: ErrorKind, jitter: float, now: float, retry_after: float | None
) -> None:
    exact = fail(healthy(), kind, now, retry_after=retry_after)
    spread_out = fail(healthy(jitter), kind, now, retry_after=retry_after)
    length = exact.until - now
    assert exact.until <= spread_out.until <= exact.until + min(0.2 * length, 300) + 1e-3


def test_pause_ends_at_its_announced_time() -> None:
    health = healthy()
    pause = fail(health, ErrorKind.RATE_LIMITED, 100.0)
    assert health.active_pause(pause.until - 0.001) == pause
    assert health.active_pause(pause.until) is None


def test_success_resets_the_failure_count() -> None:
    health = healthy()
    fail(health, ErrorKind.RATE_LIMITED, 0.0)
    fail(health, ErrorKind.RATE_LIMITED, 30.0)
    health.succeed("m", sent_at=100.0)
    assert health.active_pause(31.0) is None
    assert fail(health, ErrorKind.RATE_LIMITED, 200.0).until == 230


def test_concurrent_calls_that_fail_count_as_one_failure() -> None:
    health = healthy()
    first = fail(health, ErrorKind.RATE_LIMITED, 10.0)
    for _ in range(5):
        assert health.fail(ProviderError(ErrorKind.RATE_LIMITED), "m", sent_at=9.0, now=11.0) is None
    assert health.active_pause(11.0) == first
    assert fail(health, ErrorKind.RATE_LIMITED, 50.0).until == 50 + 60


def test_older_success_does_not_end_a_newer_pause() -> None:
    health = healthy()
    fail(health, ErrorKind.RESTRICTED, 10.0)
    health.succeed("m", sent_at=9.0)
    assert health.active_pause(11.0)


def test_more_severe_of_two_pauses_counts() -> None:
    health = healthy()
    restricted = fail(health, ErrorKind.RESTRICTED, 10.0)
    fail(health, ErrorKind.RATE_LIMITED, 11.0)
    assert health.active_pause(12.0) == restricted
    expired = fail(health, ErrorKind.INVALID_CREDENTIAL, 12.0)
    fail(health, ErrorKind.NO_CREDITS, 13.0)
    assert health.active_pause(13.0) == expired


def test_rejected_credential_stays_unavailable_until_a_login_succeeds() -> None:
    health = healthy()
    pause = fail(health, ErrorKind.INVALID_CREDENTIAL, 0.0)
    assert health.active_pause(pause.until + 10 * HOUR) == pause
    health.record_login(1.0)
    assert health.active_pause(1.0) is None


def test_login_before_the_rejection_does_not_end_the_pause() -> None:
    health = healthy()
    fail(health, ErrorKind.INVALID_CREDENTIAL, 10.0)
    health.record_login(9.0)
    assert health.active_pause(11.0)


def test_repeated_rejection_extends_the_pause_without_a_new_report() -> None:
    health = healthy()
    fail(health, ErrorKind.INVALID_CREDENTIAL, 0.0)
    assert health.fail(ProviderError(ErrorKind.INVALID_CREDENTIAL), "m", sent_at=600, now=600) is None
    pause = health.active_pause(601)
    assert pause is not None
    assert pause.until == 1200


def test_login_ends_no_other_pause() -> None:
    health = healthy()
    fail(health, ErrorKind.RESTRICTED, 0.0)
    health.record_login(1.0)
    assert health.active_pause(1.0)


def test_ended_task_frees_a_slot() -> None:
    health = healthy()
    fail(health, ErrorKind.TOO_MANY_RUNNING, 0.0)
    health.task_ended()
    assert health.active_pause(1.0) is None


PRICE = Price("seedance", 15, "720p")


def short_of_credits(price: Price = PRICE, now: float = NOON_IN_SHANGHAI, health: Health | None = None) -> Health:
    """A health after a submit that failed for lack of credits."""
    health = health or healthy()
    assert health.fail(ProviderError(ErrorKind.NO_CREDITS), price.model, sent_at=now, now=now, price=price)
    return health


@pytest.mark.parametrize("later", [1, HOUR])
def test_empty_balance_keeps_the_pause_and_any_later_credits_end_it(later: float) -> None:
    health, now = short_of_credits(), NOON_IN_SHANGHAI + 1
    health.record_credits(0, now)
    assert health.active_pause(now)
    health.record_credits(1, now + later)
    assert health.active_pause(now + later) is None
    assert health.closed_price(PRICE, now + later) is None


def test_credits_left_at_the_failure_close_only_the_price_for_a_while() -> None:
    health, now = short_of_credits(), NOON_IN_SHANGHAI + 1
    health.record_credits(120, now)
    assert health.active_pause(now) is None
    closed = health.closed_price(PRICE, now)
    assert closed
    assert (closed.credits, closed.until) == (120, now + 600)
    assert health.closed_price(PRICE._replace(duration=20), now)
    for cheaper in (PRICE._replace(duration=5), PRICE._replace(resolution="480p"), Price("fast", 15, "720p")):
        assert health.closed_price(cheaper, now) is None
    assert health.closed_price(PRICE, now + 600) is None
    assert not health.has_closed_prices(now + 600)


def test_price_that_stays_above_the_balance_is_closed_longer() -> None:
    health, now, lengths = healthy(), NOON_IN_SHANGHAI, []
    for _ in range(5):
        short_of_credits(now=now, health=health)
        health.record_credits(120, now)
        closed = health.closed_price(PRICE, now)
        assert closed
        lengths.append(closed.until - now)
        now = closed.until
    assert lengths == [600, 1200, 2400, 3600, 3600]


@pytest.mark.parametrize("event", ["higher balance", "accepted submit", "top-up", "reset"])
def test_events_that_open_a_price(event: str) -> None:
    health, now = short_of_credits(), NOON_IN_SHANGHAI
    for _ in range(2):
        health.record_credits(120, now)
        assert health.closed_price(PRICE, now)
    match event:
        case "higher balance":
            health.record_credits(121, now)
        case "accepted submit":
            health.succeed("seedance", sent_at=now, price=PRICE)
        case "top-up":
            health.record_top_up()
        case "reset":
            health.reset()
    assert health.closed_price(PRICE, now) is None


def test_number_of_closed_prices_is_limited() -> None:
    health = healthy()
    for number in range(200):
        short_of_credits(Price(f"model-{number}"), health=health)
        health.record_credits(1, NOON_IN_SHANGHAI)
    assert health.closed_price(Price("model-199"), NOON_IN_SHANGHAI)
    assert len(health._closed_prices) == 50


def test_balance_does_not_end_the_daily_limit() -> None:
    health = healthy()
    fail(health, ErrorKind.DAILY_LIMIT, NOON_IN_SHANGHAI)
    health.record_credits(100, NOON_IN_SHANGHAI + 1)
    health.record_top_up()
    pause = health.active_pause(NOON_IN_SHANGHAI + 1)
    assert pause
    assert (pause.state, pause.until) == (AccountState.DAILY_LIMIT, MIDNIGHT_IN_SHANGHAI)


def test_unknown_refusal_makes_an_account_doubtful_and_pauses_nothing() -> None:
    health, now, found = healthy(), 0.0, []
    for _ in range(6):
        assert health.fail(ProviderError(ErrorKind.UNKNOWN_REFUSAL), "m", sent_at=now, now=now) is None
        assert health.active_pause(now) is None
        seconds = next(seconds for seconds in (60, 120, 240, 480, 900, 901) if not health.is_doubtful(now + seconds))
        found.append(seconds)
        now += seconds
    assert found == [60, 120, 240, 480, 900, 900]
    health.fail(ProviderError(ErrorKind.UNKNOWN_REFUSAL), "m", sent_at=now, now=now)
    health.succeed("m", sent_at=now)
    assert not health.is_doubtful(now)


def test_any_credits_end_the_pause_where_none_were_read_at_the_refusal() -> None:
    health = healthy()
    fail(health, ErrorKind.NO_CREDITS, NOON_IN_SHANGHAI)
    health.record_credits(0, NOON_IN_SHANGHAI + HOUR)
    assert health.active_pause(NOON_IN_SHANGHAI + HOUR)
    health.record_credits(1, NOON_IN_SHANGHAI + HOUR)
    assert health.active_pause(NOON_IN_SHANGHAI + HOUR) is None


def test_failures_during_a_pause_do_not_lengthen_it() -> None:
    """Polls of an account under risk control fail as well, one after the other."""
    health = healthy()
    pause = fail(health, ErrorKind.RESTRICTED, 0.0)
    for now in range(3, 1800, 3):
        assert health.fail(ProviderError(ErrorKind.RESTRICTED), "", sent_at=now, now=now) is None
    assert health.active_pause(1799) == pause
    assert health.active_pause(1800) is None
    assert fail(health, ErrorKind.RESTRICTED, 1801.0).until == 1801 + 3600


def test_one_pause_does_not_end_another() -> None:
    health = healthy()
    restricted = fail(health, ErrorKind.RESTRICTED, NOON_IN_SHANGHAI)
    fail(health, ErrorKind.INVALID_CREDENTIAL, NOON_IN_SHANGHAI + 1)
    fail(health, ErrorKind.NO_CREDITS, NOON_IN_SHANGHAI + 2)
    health.record_login(NOON_IN_SHANGHAI + 3)
    health.record_top_up()
    assert health.active_pause(NOON_IN_SHANGHAI + 4) == restricted


@pytest.mark.parametrize("kind", sorted(set(PAUSE_RULES) - {ErrorKind.RATE_LIMITED}))
def test_retry_time_of_the_upstream_overrides_the_rule_for_rate_limits_only(kind: ErrorKind) -> None:
    plain, with_retry_after = (fail(healthy(), kind, NOON_IN_SHANGHAI, retry_after=after) for after in (None, 1.0))
    assert plain.until == with_retry_after.until


def test_check_of_a_credential_delays_the_next_one() -> None:
    health = healthy()
    fail(health, ErrorKind.INVALID_CREDENTIAL, 0.0)
    health.postpone_check(700.0)
    pause = health.active_pause(700.0)
    assert pause
    assert pause.until == 1300


class TestModels:
    """NOT_ENTITLED affects one model."""

    def test_other_models_stay_available(self) -> None:
        health = healthy()
        pause = fail(health, ErrorKind.NOT_ENTITLED, 0.0, model="pro")
        assert pause.state is AccountState.NOT_ENTITLED
        assert health.active_pause(1.0) is None
        assert health.model_pause("pro", 1.0) == pause
        assert health.model_pause("lite", 1.0) is None
        assert health.model_pause("pro", pause.until) is None

    def test_pause_of_a_model_doubles_to_a_day_and_a_success_resets_it(self) -> None:
        health, now, found = healthy(), 0.0, []
        for _ in range(6):
            pause = fail(health, ErrorKind.NOT_ENTITLED, now, model="pro")
            found.append((pause.until - pause.began) / HOUR)
            now = pause.until
        assert found == [1, 2, 4, 8, 16, 24]
        health.succeed("pro", sent_at=now)
        assert fail(health, ErrorKind.NOT_ENTITLED, now, model="pro").until == now + HOUR

    def test_number_of_recorded_models_is_limited(self) -> None:
        health = healthy()
        for number in range(1000):
            fail(health, ErrorKind.NOT_ENTITLED, float(number), model=f"m{number}")
        assert health.model_pause("m999", 1000.0)
        assert health.model_pause("m900", 1000.0) is None


def test_submit_proves_a_new_account_and_a_failure_makes_it_half_open() -> None:
    health = healthy()
    assert health.is_half_open
    health.succeed("m", sent_at=0.0)
    assert not health.is_half_open
    fail(health, ErrorKind.RATE_LIMITED, 1.0)
    assert health.is_half_open
