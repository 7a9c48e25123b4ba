"""Unavailable accounts: the error for a submit that no account can take. It counts accounts by state and names none."""

from collections import Counter
from collections.abc import Sequence

from gateway.accounts.health import AccountState
from gateway.accounts.pool import AccountStatus
from gateway.core.errors import GatewayError, from_provider
from gateway.core.localization import format_duration, format_text
from gateway.core.messages import ERRORS
from providers.contract.errors import ProviderError
from providers.contract.localized_text import LocalizedText

ACCOUNT_STATES: dict[AccountState, LocalizedText] = {
    AccountState.READY: LocalizedText("{count} 个可用但本次未尝试", "{count} ready and not tried this time"),
    AccountState.FULL: LocalizedText("{count} 个任务已满", "{count} at the limit of running tasks"),
    AccountState.RATE_LIMITED: LocalizedText("{count} 个请求过频", "{count} rate limited"),
    AccountState.RESTRICTED: LocalizedText("{count} 个被风控限制", "{count} under risk control"),
    AccountState.NO_CREDITS: LocalizedText("{count} 个积分不足", "{count} without credits"),
    AccountState.LOW_CREDITS: LocalizedText(
        "{count} 个积分不足以生成该视频", "{count} with too few credits for this video"
    ),
    AccountState.DAILY_LIMIT: LocalizedText("{count} 个已达今日上限", "{count} at the daily limit"),
    AccountState.EXPIRED: LocalizedText("{count} 个登录失效", "{count} with an expired login"),
    AccountState.NOT_ENTITLED: LocalizedText("{count} 个无权使用该模型", "{count} without this model"),
    AccountState.UNREACHABLE: LocalizedText("{count} 个代理不通", "{count} behind an unreachable proxy"),
    AccountState.PAUSED: LocalizedText("{count} 个已暂停", "{count} paused by the operator"),
}
"""The text for a number of accounts in a state."""

_TRANSIENT = frozenset(
    {
        AccountState.READY,
        AccountState.FULL,
        AccountState.RATE_LIMITED,
        AccountState.RESTRICTED,
        AccountState.UNREACHABLE,
    }
)
"""Transient states. NO_CREDITS is not one of them: a quota reset is too far away to wait for."""

_DEFAULT_RETRY = 5.0
"""Retry-After in seconds where no time is known."""


def unavailable_error(statuses: Sequence[AccountStatus], *, managed: bool, now: float) -> GatewayError:
    """The error for a submit that none of these accounts, at least one, can take.

    For a single account it is the account's own error. For several it is 429 with the shortest Retry-After, or
    `insufficient_quota` where none of the states is transient. States that all accounts share have their own errors.
    """
    only = statuses[0] if len(statuses) == 1 else None
    # A rejected credential of the gateway's account is not the client's error.
    if only is not None and only.error is not None and not (managed and only.state is AccountState.EXPIRED):
        return _single_error(only, only.error, managed, now)
    states = Counter(status.state for status in statuses)
    if set(states) == {AccountState.UNREACHABLE}:
        return GatewayError("upstream_unavailable", ERRORS["proxy_unreachable"])
    if set(states) == {AccountState.PAUSED}:
        return GatewayError("insufficient_quota", format_text(ERRORS["all_accounts_paused"], total=len(statuses)))
    tally = _tally(states)
    total = len(statuses)
    if set(states) == {AccountState.NOT_ENTITLED}:
        return GatewayError("account_restricted", format_text(ERRORS["accounts_not_entitled"], total=total))
    if set(states) == {AccountState.EXPIRED} and not managed:
        return GatewayError("invalid_api_key", format_text(ERRORS["no_usable_accounts"], total=total, states=tally))
    waits = [
        _DEFAULT_RETRY
        if status.until is None or status.state is AccountState.UNREACHABLE
        else max(1.0, status.until - now)
        for status in statuses
        if status.state in _TRANSIENT
    ]
    if waits:
        message = format_text(
            ERRORS["accounts_unavailable"], total=total, states=tally, eta=format_duration(min(waits))
        )
        return GatewayError("rate_limit_exceeded", message, retry_after=min(waits))
    return GatewayError("insufficient_quota", format_text(ERRORS["no_usable_accounts"], total=total, states=tally))


def _single_error(status: AccountStatus, error: ProviderError, managed: bool, now: float) -> GatewayError:
    if status.state is AccountState.UNREACHABLE:
        return GatewayError("upstream_unavailable", ERRORS["proxy_unreachable"], detail=error.detail)
    result = from_provider(error)
    if not result.spec.should_retry:
        result.retry_after = None
    if status.until is None or status.until <= now:
        return result
    if error.model_only:
        template = ERRORS["model_paused"]
        result.retry_after = status.until - now if result.spec.should_retry else None
    elif status.state is AccountState.NO_CREDITS:
        template = ERRORS["account_paused" if managed else "account_without_credits"]
    elif status.state in _TRANSIENT or status.state is AccountState.DAILY_LIMIT:
        template = ERRORS["account_paused"]
        result.retry_after = status.until - now if result.spec.should_retry else None
    else:
        return result
    result.text = format_text(template, reason=result.text, eta=format_duration(status.until - now))
    result.values = {}
    return result


def _tally(states: Counter[AccountState]) -> LocalizedText:
    """Counts by state, the most frequent first: `2 个积分不足，1 个请求过频`."""
    parts = [format_text(ACCOUNT_STATES[state], count=count) for state, count in states.most_common()]
    return LocalizedText("，".join(part.zh for part in parts), ", ".join(part.en for part in parts))
