"""Log lines of accounts in trouble: two for each pause of a managed account and for each lookup of a submit that some
of them did not answer, a count for pass-through callers' ones.

Anybody can send credentials that an upstream rejects, and proxies that do not answer: they are not the operator's to
mend, and a line for each would hide those that are.
"""

from collections import Counter
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from functools import partial

from gateway.accounts.health import Health, Pause
from gateway.core.clock import Clock
from gateway.core.logs import GATEWAY, utc
from providers.contract.accounts import Account
from providers.contract.errors import ProviderError

SUMMARY_SECONDS = 60.0
"""Minimum interval of the lines that count the troubles of pass-through callers."""

_AFTER_PAUSE_SECONDS = 0.01
_MAX_CAUSE = 120
"""Characters of each cause in a line that lists several."""


class TroubleLog:
    """Logs pauses, failed proxies and failed lookups."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._counts: Counter[str] = Counter()
        self._logged_at = float("-inf")
        self._open_pauses: dict[str, Pause] = {}
        """The logged pauses of managed accounts that have not ended, by account id."""

    def paused(self, account: Account, pause: Pause, health: Health, *, managed: bool) -> None:
        if not managed:
            self._count(pause.state.value)
            return
        now = self._clock.monotonic()
        if health.active_pause(now) is not None:
            self._open_pauses[account.id] = pause
            check = partial(self.pause_may_have_ended, account, health)
            self._clock.later(pause.until - now + _AFTER_PAUSE_SECONDS, check)
        fields = {
            "account": account.label,
            "provider": account.provider,
            "reason": pause.state.value,
            "code": pause.code or "-",
            "until": utc(self._clock.now() + pause.until - self._clock.monotonic()),
        }
        GATEWAY.warning("account paused", extra={"fields": fields})

    def pause_may_have_ended(self, account: Account, health: Health) -> None:
        """Log the end of a managed account's pause, by time or by a call that succeeded, once it has ended."""
        pause = self._open_pauses.get(account.id)
        if pause is None or health.active_pause(self._clock.monotonic()) is not None:
            return
        del self._open_pauses[account.id]
        fields = {
            "account": account.label,
            "provider": account.provider,
            "reason": pause.state.value,
            "seconds": round(self._clock.monotonic() - pause.began),
        }
        GATEWAY.info("account pause ended", extra={"fields": fields})

    def proxy_failed(self, account: Account, error: ProviderError, *, managed: bool) -> None:
        if not managed:
            self._count("proxy_unreachable")
            return
        fields = {"account": account.label, "provider": account.provider, "cause": error.detail}
        GATEWAY.warning("proxy unreachable, its accounts are tried last for a minute", extra={"fields": fields})

    def lookups_failed(self, errors: Mapping[Account, ProviderError], *, managed: AbstractSet[str]) -> None:
        """One line for all managed accounts of a lookup. `managed` are the ids of managed accounts."""
        causes = list[str]()
        for account, error in errors.items():
            if account.id in managed:
                causes.append(f"{account.label}: {error}"[:_MAX_CAUSE])
            else:
                self._count("lookup_failed")
        if causes:
            fields = {"accounts": len(causes), "causes": "; ".join(causes)}
            GATEWAY.info("accounts could not be asked for an earlier submit", extra={"fields": fields})

    def _count(self, reason: str) -> None:
        self._counts[reason] += 1
        now = self._clock.monotonic()
        if now - self._logged_at < SUMMARY_SECONDS:
            return
        self._logged_at = now
        GATEWAY.info("trouble with accounts of pass-through callers", extra={"fields": dict(self._counts)})
        self._counts.clear()
