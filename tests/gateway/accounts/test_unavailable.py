"""The error for a submit that no account can take."""

import pytest

from gateway.accounts.health import PAUSE_RULES, AccountState
from gateway.accounts.pool import AccountStatus
from gateway.accounts.unavailable import unavailable_error
from providers.contract.errors import Blame, ErrorKind, ProviderError
from providers.contract.localized_text import LocalizedText

NOW = 1000.0


def status(kind: ErrorKind, until: float | None = None) -> AccountStatus:
    return AccountStatus(
        PAUSE_RULES[kind].state, until, ProviderError(kind, code="7", message=LocalizedText("原因", "The reason"))
    )


EXPIRED = status(ErrorKind.INVALID_CREDENTIAL, NOW + 600)
NO_CREDITS = status(ErrorKind.NO_CREDITS, NOW + 40_000)
RATE_LIMITED = status(ErrorKind.RATE_LIMITED, NOW + 30)
RESTRICTED = status(ErrorKind.RESTRICTED, NOW + 1800)
NOT_ENTITLED = status(ErrorKind.NOT_ENTITLED, NOW + 3600)
FULL = AccountStatus(AccountState.FULL, NOW + 15)
PAUSED = AccountStatus(AccountState.PAUSED)
UNREACHABLE = AccountStatus(AccountState.UNREACHABLE, None, ProviderError(ErrorKind.UNREACHABLE))


@pytest.mark.parametrize(
    ("statuses", "code", "retry_after"),
    [
        ([NO_CREDITS, EXPIRED, RATE_LIMITED, RESTRICTED], "rate_limit_exceeded", 30),
        ([NO_CREDITS, RESTRICTED], "rate_limit_exceeded", 1800),
        ([RESTRICTED, RESTRICTED], "rate_limit_exceeded", 1800),
        ([FULL, NO_CREDITS], "rate_limit_exceeded", 15),
        ([NO_CREDITS, NO_CREDITS], "insufficient_quota", None),
        ([NO_CREDITS, EXPIRED, PAUSED], "insufficient_quota", None),
        ([NOT_ENTITLED, NOT_ENTITLED], "account_restricted", None),
        ([NOT_ENTITLED, NO_CREDITS], "insufficient_quota", None),
        ([UNREACHABLE, UNREACHABLE], "upstream_unavailable", None),
        ([UNREACHABLE, NO_CREDITS], "rate_limit_exceeded", 5),
        ([EXPIRED, EXPIRED], "insufficient_quota", None),
        ([PAUSED], "insufficient_quota", None),
        ([PAUSED, PAUSED], "insufficient_quota", None),
    ],
)
def test_several_unavailable_accounts_have_one_message(
    statuses: list[AccountStatus], code: str, retry_after: float | None
) -> None:
    error = unavailable_error(statuses, managed=True, now=NOW)
    assert (error.code, error.retry_after) == (code, retry_after)


def test_rejected_credentials_of_the_caller_are_reported() -> None:
    assert unavailable_error([EXPIRED, EXPIRED], managed=False, now=NOW).code == "invalid_api_key"


def test_gateway_keys_are_not_referred_to_the_account_tools() -> None:
    assert "/token" not in unavailable_error([NO_CREDITS], managed=True, now=NOW).message("en")


def test_gateway_key_is_not_blamed_for_a_rejected_credential_of_its_account() -> None:
    assert unavailable_error([EXPIRED], managed=True, now=NOW).code == "insufficient_quota"


def test_message_counts_accounts_without_names() -> None:
    error = unavailable_error([NO_CREDITS, NO_CREDITS, EXPIRED, RATE_LIMITED, RESTRICTED], managed=True, now=NOW)
    assert error.message("en") == (
        "None of the 5 accounts can be used right now: 2 without credits, 1 with an expired login, "
        "1 rate limited, 1 under risk control. Try again in about 30 s"
    )
    assert "5 个账号" in error.message("zh")
    assert "2 个积分不足" in error.message("zh")


@pytest.mark.parametrize(
    ("one", "code", "retry_after", "part"),
    [
        (RATE_LIMITED, "rate_limit_exceeded", 30, "The reason. The account is paused for about 30 s: try again then"),
        (RESTRICTED, "account_restricted", None, "The reason. The account is paused for about 30 min"),
        (NO_CREDITS, "insufficient_quota", None, "about 11 h. After adding credits, call POST /token/points"),
        (EXPIRED, "invalid_api_key", None, "The reason"),
        (NOT_ENTITLED, "account_restricted", None, "The reason"),
        (UNREACHABLE, "upstream_unavailable", None, "check the proxy"),
    ],
)
def test_single_unavailable_account_reports_its_own_error(
    one: AccountStatus, code: str, retry_after: float | None, part: str
) -> None:
    error = unavailable_error([one], managed=False, now=NOW)
    assert (error.code, error.retry_after) == (code, retry_after)
    assert part in error.message("en")
    assert ("retry-after" in error.headers()) == error.spec.should_retry
    if one.error and one.error.kind.blame is Blame.ACCOUNT:
        assert error.upstream_code == "7"
