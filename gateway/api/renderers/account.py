"""JSON of managed accounts, and of credits in the operator API and the token API."""

import math
from collections.abc import Callable
from typing import Any

from gateway.accounts.health import AccountState
from gateway.accounts.lease import AccountRecord
from gateway.accounts.pool import AccountStatus, ManagedAccount
from gateway.core.errors import describe
from gateway.core.localization import Language, localize
from gateway.core.messages import ERRORS
from providers.contract.accounts import Credits, public_tag


def render_account(
    managed: ManagedAccount,
    record: AccountRecord,
    status: AccountStatus,
    now: float,
    unix_time: Callable[[float], float],
    language: Language,
) -> dict[str, Any]:
    """An account without its secrets. `now` and the times of the record are monotonic; `unix_time` converts them.

    `record` is the account record of the pool, `status` the account status for the next submit.
    """
    account = managed.account
    fields: dict[str, Any] = {
        "name": account.label,
        "tag": public_tag(account),
        "provider": account.provider,
        "region": account.region or None,
        "proxy": account.proxy is not None,
        "weight": managed.weight,
        "max_running": managed.max_running,
        "state": status.state.value,
        "reason": _reason(managed, status, language),
        "rests_until": _paused_until(status, now, unix_time),
        "closed_models": {
            model: math.ceil(unix_time(pause.until)) for model, pause in record.health.closed_models(now).items()
        },
        "running": record.busy,
        "submitted": record.submitted,
        "running_calls": record.running_calls,
        "calls": record.calls,
        "failed": record.failed,
        "last_error": None,
        "credits": None,
    }
    if record.last_error is not None:
        error = record.last_error.error
        fields["last_error"] = {
            "code": error.code or None,
            "message": describe(error, language),
            "at": int(unix_time(record.last_error.at)),
        }
    if record.credits is not None:
        fields["credits"] = render_credits(record.credits.credits) | {"seen_at": int(unix_time(record.credits.at))}
    return fields


def render_credits(credits: Credits) -> dict[str, int]:
    """The credits of an account, in the operator API."""
    return {"total": credits.total, "gift": credits.gift, "purchase": credits.purchase, "vip": credits.vip}


def render_points(credits: Credits) -> dict[str, int]:
    """The credits of an account, with the field names that existing clients of the token API read."""
    return {
        "giftCredit": credits.gift,
        "purchaseCredit": credits.purchase,
        "vipCredit": credits.vip,
        "totalCredit": credits.total,
    }


def _reason(managed: ManagedAccount, status: AccountStatus, language: Language) -> str | None:
    if status.error is not None:
        return describe(status.error, language)
    if status.state is AccountState.PAUSED:
        return localize(ERRORS["paused_by_operator" if managed.weight else "zero_weight"], language)
    return localize(ERRORS["max_running_reached"], language) if status.state is AccountState.FULL else None


def _paused_until(status: AccountStatus, now: float, unix_time: Callable[[float], float]) -> int | None:
    """When the pause ends, in unix seconds; None if it has ended, as for a rejected login that may be checked again."""
    until = status.until
    return math.ceil(unix_time(until)) if status.error is not None and until is not None and until > now else None
