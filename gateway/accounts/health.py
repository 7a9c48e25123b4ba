"""Account health: a table maps error kinds to pauses (exponential backoff), and `Health` applies it to one account.

Invalid requests, rejected content and upstream outages do not affect an account.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import NamedTuple

from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.localized_text import LocalizedText

_DAY = 86_400
_JITTER = 0.2
_MAX_JITTER = 300.0
_MAX_RETRY_AFTER = 86_400.0
_LOW_BALANCE_SECONDS = 60.0
"""A balance read within this time of a NO_CREDITS error is the one that was too low for the submit."""
_MAX_MODELS = 50
"""Limit of the paused models, and of the prices, cached for one account. Callers may name any model."""
_DOUBT_SECONDS = (60.0, 900.0)
"""The first and the longest time after an unknown refusal during which other accounts are preferred."""
_PRICE_SECONDS = (600.0, 3600.0)
"""The first and the longest time that a price above the balance is closed."""


class AccountState(StrEnum):
    """The status of an account: `ready`, or the reason why it takes no submits."""

    READY = "ready"
    FULL = "full"
    """The limit of running tasks is reached."""
    RATE_LIMITED = "rate_limited"
    RESTRICTED = "restricted"
    NO_CREDITS = "no_credits"
    LOW_CREDITS = "low_credits"
    """Its credits are not enough for the requested video. It takes cheaper ones."""
    DAILY_LIMIT = "daily_limit"
    """It takes no more submits today."""
    EXPIRED = "expired"
    """The upstream rejects its credential."""
    NOT_ENTITLED = "not_entitled"
    """It may not use the requested model."""
    UNREACHABLE = "unreachable"
    """The upstream cannot be reached through its proxy. This does not count against the account."""
    PAUSED = "paused"
    """Paused by the operator."""


class PauseRule(NamedTuple):
    """One row of the table: the account state that an error kind causes, and the length of the pause in seconds.

    Consecutive failures double the pause from `first` to `longest`. `until_reset` ends it at the provider's quota
    reset, where there is one. `use_retry_after` prefers the upstream's Retry-After. `any_call` counts the
    failures of every call. Otherwise only submits count, since queries have their own rate limits.
    """

    state: AccountState
    first: float = 0.0
    longest: float = 0.0
    until_reset: bool = False
    use_retry_after: bool = False
    any_call: bool = False


PAUSE_RULES: dict[ErrorKind, PauseRule] = {
    ErrorKind.INVALID_CREDENTIAL: PauseRule(AccountState.EXPIRED, 600, 600, any_call=True),
    ErrorKind.NO_CREDITS: PauseRule(AccountState.NO_CREDITS, 3600, _DAY, until_reset=True),
    ErrorKind.RATE_LIMITED: PauseRule(AccountState.RATE_LIMITED, 30, 900, use_retry_after=True),
    ErrorKind.TOO_MANY_RUNNING: PauseRule(AccountState.FULL, 30, 30),
    ErrorKind.RESTRICTED: PauseRule(AccountState.RESTRICTED, 1800, _DAY, any_call=True),
    ErrorKind.NOT_ENTITLED: PauseRule(AccountState.NOT_ENTITLED, 3600, _DAY),
    ErrorKind.DAILY_LIMIT: PauseRule(AccountState.DAILY_LIMIT, 3600, _DAY, until_reset=True),
}
"""All error kinds that count against an account. NOT_ENTITLED affects only the requested model, as does any error that
the provider marks so."""


def counts_on_any_call(error: ProviderError) -> bool:
    """True for an error that counts against an account whatever the call is."""
    rule = PAUSE_RULES.get(error.kind)
    return rule is not None and rule.any_call


class Price(NamedTuple):
    """What decides the price of a video. `duration` is in seconds."""

    model: str
    duration: int | None = None
    resolution: str | None = None

    def at_least(self, other: "Price") -> bool:
        """True where this price is not below the other one: the same, or that of a longer video."""
        alike = (self.model, self.resolution) == (other.model, other.resolution)
        return alike and (self.duration or 0) >= (other.duration or 0)


class ClosedPrice(NamedTuple):
    """A price that was above the balance of `credits`, closed until `until`, in monotonic seconds. `failures` counts
    from 1, `code` is that of the error."""

    until: float
    credits: int
    failures: int
    code: str = ""


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause from `began` to `until`, in monotonic seconds, with the error that caused it. `failures` counts
    consecutive errors of the kind, from 1."""

    kind: ErrorKind
    began: float
    until: float
    failures: int = 1
    code: str = ""
    message: LocalizedText | None = None
    detail: str = ""
    model_only: bool = False

    @property
    def state(self) -> AccountState:
        return PAUSE_RULES[self.kind].state

    def error(self, now: float) -> ProviderError:
        """The error that caused the pause, with the remaining time as Retry-After."""
        return ProviderError(
            self.kind,
            code=self.code,
            message=self.message,
            detail=self.detail,
            retry_after=max(0.0, self.until - now),
            model_only=self.model_only,
        )


@dataclass(slots=True)
class Health:
    """The health of one account. Times are arguments, in monotonic seconds.

    `jitter` returns a random number in [0, 1). `seconds_to_reset` returns the seconds until the provider renews
    credits, and is None where it does not. The last pause of each error kind is kept after it ends, to count
    consecutive failures.
    """

    jitter: Callable[[], float]
    seconds_to_reset: Callable[[], float] | None = None
    is_half_open: bool = True
    """True while the outcome of a submit is unknown, so that one probe is sent at a time: for a new account, and from a
    failure to the next successful submit."""
    _pauses: dict[ErrorKind, Pause] = field(default_factory=dict)
    _closed_models: dict[str, Pause] = field(default_factory=dict)
    _closed_prices: dict[Price, ClosedPrice] = field(default_factory=dict)
    _price_at_failure: Price | None = None
    """The price of the last NO_CREDITS error, None once a balance was read."""
    _doubts: int = 0
    _doubtful_until: float = float("-inf")

    def active_pause(self, now: float) -> Pause | None:
        """The pause in force: that of a rejected credential first, else the longest. The pause of a rejected credential
        stays in force until a call succeeds."""
        active = [pause for pause in self._pauses.values() if _is_active(pause, now)]
        return max(active, key=lambda pause: (pause.kind is ErrorKind.INVALID_CREDENTIAL, pause.until), default=None)

    def pause_of(self, kind: ErrorKind, now: float) -> Pause | None:
        """The pause of one error kind, if it is in force."""
        pause = self._pauses.get(kind)
        return pause if pause is not None and _is_active(pause, now) else None

    def model_pause(self, model: str, now: float) -> Pause | None:
        """The pause of one model, if it is in force."""
        pause = self._closed_models.get(model)
        return pause if pause is not None and now < pause.until else None

    def closed_models(self, now: float) -> dict[str, Pause]:
        """The cached models that the account may not use now."""
        return {model: pause for model, pause in self._closed_models.items() if now < pause.until}

    def closed_price(self, price: Price, now: float) -> ClosedPrice | None:
        """The closed price that a price is not below, if any is in force."""
        closed = (one for other, one in self._closed_prices.items() if now < one.until and price.at_least(other))
        return max(closed, default=None)

    def has_closed_prices(self, now: float) -> bool:
        """True while any price is closed."""
        return any(now < closed.until for closed in self._closed_prices.values())

    def is_doubtful(self, now: float) -> bool:
        """True for a while after an unknown refusal: other accounts are preferred."""
        return now < self._doubtful_until

    def fail(
        self, error: ProviderError, model: str, *, sent_at: float, now: float, price: Price | None = None
    ) -> Pause | None:
        """Record an error of a call that was sent at `sent_at`. Returns the pause that it started, if any. `price` is
        that of the submit."""
        if error.kind is ErrorKind.UNKNOWN_REFUSAL:
            first, longest = _DOUBT_SECONDS
            self._doubtful_until = now + min(first * 2 ** min(self._doubts, 30), longest)
            self._doubts += 1
            return None
        rule = PAUSE_RULES.get(error.kind)
        if rule is None:
            return None
        if error.kind is ErrorKind.NOT_ENTITLED or error.model_only:
            return self._fail_model(model, error, now)
        self.is_half_open = True
        last = self._pauses.get(error.kind)
        # Errors of concurrent calls, and of calls during the pause, count as one.
        if last is not None and (now < last.until or sent_at <= last.began):
            return None
        failures = last.failures + 1 if last is not None else 1
        pause = self._pauses[error.kind] = self._pause(error, rule, failures, now)
        if error.kind is ErrorKind.NO_CREDITS:
            self._price_at_failure = price
        # A credential that is rejected again never became valid: this is no new pause.
        return None if last is not None and error.kind is ErrorKind.INVALID_CREDENTIAL else pause

    def succeed(self, model: str, *, sent_at: float, price: Price | None = None) -> None:
        """Record an accepted submit. Pauses that began before it was sent end."""
        self._closed_models.pop(model, None)
        if price is not None:
            self._closed_prices.pop(price, None)
        self._doubts, self._doubtful_until = 0, float("-inf")
        self._pauses = {kind: pause for kind, pause in self._pauses.items() if pause.began > sent_at}
        self.is_half_open = bool(self._pauses)

    def record_content_refused(self, now: float) -> None:
        """Record a submit rejected for its content. The upstream accepted the credential, so the account is no longer
        half-open."""
        self.is_half_open = self.active_pause(now) is not None

    def record_login(self, sent_at: float) -> None:
        """Record that the upstream accepted the credential in a call sent at `sent_at`."""
        pause = self._pauses.get(ErrorKind.INVALID_CREDENTIAL)
        if pause is not None and pause.began <= sent_at:
            del self._pauses[ErrorKind.INVALID_CREDENTIAL]

    def postpone_check(self, now: float) -> None:
        """Postpone the next credential check by the pause of the table."""
        pause = self._pauses.get(ErrorKind.INVALID_CREDENTIAL)
        if pause is not None:
            until = now + _with_jitter(PAUSE_RULES[pause.kind].first, self.jitter())
            self._pauses[pause.kind] = replace(pause, until=until)

    def task_ended(self) -> None:
        """Record that a task of the account ended. This ends the pause for too many running tasks."""
        self._pauses.pop(ErrorKind.TOO_MANY_RUNNING, None)

    def record_credits(self, credits: int, now: float) -> None:
        """Record the credit balance. Credits end the pause for lack of credits. The first balance read right after the
        NO_CREDITS error is the one that was too low: if there are credits, only the price of that submit is closed. A
        higher balance opens it again."""
        self._closed_prices = {price: one for price, one in self._closed_prices.items() if one.credits >= credits}
        pause, price = self._pauses.get(ErrorKind.NO_CREDITS), self._price_at_failure
        self._price_at_failure = None
        if pause is None or credits <= 0:
            return
        del self._pauses[ErrorKind.NO_CREDITS]
        if price is not None and now - pause.began < _LOW_BALANCE_SECONDS:
            self._close_price(price, credits, pause.code, now)

    def _close_price(self, price: Price, credits: int, code: str, now: float) -> None:
        last, (first, longest) = self._closed_prices.pop(price, None), _PRICE_SECONDS
        failures = last.failures + 1 if last is not None else 1
        until = now + min(first * 2 ** min(failures - 1, 30), longest)
        self._closed_prices[price] = ClosedPrice(until, credits, failures, code)
        if len(self._closed_prices) > _MAX_MODELS:
            del self._closed_prices[next(iter(self._closed_prices))]

    def record_top_up(self) -> None:
        """Record new credits. This ends the pause for lack of credits, and opens all prices."""
        self._pauses.pop(ErrorKind.NO_CREDITS, None)
        self._closed_prices.clear()

    def reset(self) -> None:
        """Clear all pauses. The account is half-open."""
        self.is_half_open = True
        self._pauses.clear()
        self._closed_models.clear()
        self._closed_prices.clear()
        self._doubts, self._doubtful_until = 0, float("-inf")

    def _fail_model(self, model: str, error: ProviderError, now: float) -> Pause | None:
        last = self._closed_models.get(model)
        if last is not None and now < last.until:
            return None
        pause = self._pause(error, PAUSE_RULES[error.kind], last.failures + 1 if last else 1, now)
        self._closed_models.pop(model, None)
        self._closed_models[model] = pause
        if len(self._closed_models) > _MAX_MODELS:
            del self._closed_models[next(iter(self._closed_models))]
        return pause

    def _pause(self, error: ProviderError, rule: PauseRule, failures: int, now: float) -> Pause:
        if rule.until_reset and self.seconds_to_reset is not None:
            seconds = self.seconds_to_reset()
        elif rule.use_retry_after and error.retry_after:
            seconds = min(error.retry_after, _MAX_RETRY_AFTER)
        else:
            seconds = min(rule.first * 2 ** min(failures - 1, 30), rule.longest)
        until = now + _with_jitter(seconds, self.jitter())
        return Pause(error.kind, now, until, failures, error.code, error.message, error.detail, error.model_only)


def _with_jitter(seconds: float, jitter: float) -> float:
    """Jitter only lengthens a pause, so that accounts paused together do not all return at once."""
    return seconds + min(seconds * _JITTER, _MAX_JITTER) * jitter


def _is_active(pause: Pause, now: float) -> bool:
    return now < pause.until or pause.kind is ErrorKind.INVALID_CREDENTIAL
