"""A managed account on /v1/accounts."""

from gateway.accounts.health import AccountState, Health
from gateway.accounts.lease import AccountRecord, CreditBalance, LastError
from gateway.accounts.pool import AccountStatus, ManagedAccount
from gateway.api.renderers.account import render_account, render_credits, render_points
from providers.contract.accounts import Account, Credits, public_tag
from providers.contract.errors import ErrorKind, ProviderError

NOW = 1000.0
"""In monotonic seconds."""
UNIX_NOW = 1_757_737_934.0
ACCOUNT = Account("jimeng", "a-secret", name="rich", region="cn", proxy="http://user:a-secret@proxy.example")
CREDITS = Credits(gift=1, purchase=20, vip=300)


def unix_time(at: float) -> float:
    return UNIX_NOW + at - NOW


def new_record() -> AccountRecord:
    return AccountRecord(b"", Health(lambda: 0.0), "rich")


def test_a_ready_account_shows_no_secret() -> None:
    rendered = render_account(
        ManagedAccount(ACCOUNT, 2, 3), new_record(), AccountStatus(AccountState.READY), NOW, unix_time, "en"
    )
    assert rendered == {
        "name": "rich",
        "tag": public_tag(ACCOUNT),
        "provider": "jimeng",
        "region": "cn",
        "proxy": True,
        "weight": 2,
        "max_running": 3,
        "state": "ready",
        "reason": None,
        "rests_until": None,
        "closed_models": {},
        "running": 0,
        "submitted": 0,
        "running_calls": 0,
        "calls": 0,
        "failed": 0,
        "last_error": None,
        "credits": None,
    }
    assert "a-secret" not in str(rendered)


def test_a_paused_account_says_why_and_until_when() -> None:
    error = ProviderError(ErrorKind.RATE_LIMITED, code="1057")
    status = AccountStatus(AccountState.RATE_LIMITED, NOW + 29.5, error)
    rendered = render_account(ManagedAccount(ACCOUNT), new_record(), status, NOW, unix_time, "en")
    assert (rendered["state"], rendered["rests_until"]) == ("rate_limited", UNIX_NOW + 30)
    assert rendered["reason"]


def test_ended_pause_has_no_end_time() -> None:
    status = AccountStatus(AccountState.EXPIRED, NOW - 1, ProviderError(ErrorKind.INVALID_CREDENTIAL))
    assert render_account(ManagedAccount(ACCOUNT), new_record(), status, NOW, unix_time, "en")["rests_until"] is None


def test_account_without_weight_differs_from_a_paused_one() -> None:
    paused = AccountStatus(AccountState.PAUSED)
    reasons = [
        render_account(ManagedAccount(ACCOUNT, weight), new_record(), paused, NOW, unix_time, "en")["reason"]
        for weight in (0, 1)
    ]
    assert None not in reasons
    assert reasons[0] != reasons[1]


def test_last_error_closed_models_and_credits_are_shown_with_their_times() -> None:
    record = new_record()
    record.last_error = LastError(ProviderError(ErrorKind.NO_CREDITS, code="5000"), NOW - 5.5)
    record.credits = CreditBalance(CREDITS, NOW - 60)
    record.health.fail(ProviderError(ErrorKind.NOT_ENTITLED), "m", sent_at=NOW - 1, now=NOW)
    rendered = render_account(ManagedAccount(ACCOUNT), record, AccountStatus(AccountState.READY), NOW, unix_time, "en")
    assert (rendered["last_error"]["code"], rendered["last_error"]["at"]) == ("5000", int(UNIX_NOW - 5.5))
    assert rendered["last_error"]["message"]
    assert rendered["closed_models"] == {"m": UNIX_NOW + 3600}
    assert rendered["credits"] == {"total": 321, "gift": 1, "purchase": 20, "vip": 300, "seen_at": int(UNIX_NOW - 60)}


def test_credits_have_the_names_of_each_surface() -> None:
    assert render_credits(CREDITS) == {"total": 321, "gift": 1, "purchase": 20, "vip": 300}
    assert render_points(CREDITS) == {"giftCredit": 1, "purchaseCredit": 20, "vipCredit": 300, "totalCredit": 321}
