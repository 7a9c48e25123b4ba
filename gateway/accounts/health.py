"""What failures do to an account: one table from kinds of failure to pauses, and the health that follows from it.

A caller's mistake, refused content and an upstream that is down do nothing to an account.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import NamedTuple

from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.localized_text import LocalizedText
from providers.contract.spec import QuotaReset

_DAY = 86_400
_JITTER = 0.2
_LONGEST_JITTER = 300.0
_LONGEST_RETRY_AFTER = 86_400.0
_LEFT_OVER_SECONDS = 60.0
"""Credits that are read so soon after a refusal are what was too little for it."""
_MODELS = 50
"""Models of one account that are known to be closed to it. Callers may name any model, so their number is bounded."""


class AccountState(StrEnum):
    """How an account stands, in one word: `ready`, or why it takes no submits."""

    READY = "ready"
    FULL = "full"
    """As many tasks are running as may."""
    RATE_LIMITED = "rate_limited"
    RESTRICTED = "restricted"
    NO_CREDITS = "no_credits"
    EXPIRED = "expired"
    """The upstream refuses its login."""
    NOT_ENTITLED = "not_entitled"
    """It may not use the model that was asked for."""
    UNREACHABLE = "unreachable"
    """Nobody got through to the upstream by its proxy: trouble of the way, which leaves no mark on the account."""
    PAUSED = "paused"
    """Set aside by the operator."""


class PauseRule(NamedTuple):
    """One row of the table: the state a kind of failure brings, and how long for, in seconds.

    Failures in a row double the pause from `first` to `longest`. `until_reset` lets it end with the provider's quota
    reset, where there is one. `upstream_says` lets the upstream's own Retry-After take the place of both. `any_call`
    counts the failures of every call; else only those of submits, since queries have limits of their own.
    """

    state: AccountState
    first: float = 0.0
    longest: float = 0.0
    until_reset: bool = False
    upstream_says: bool = False
    any_call: bool = False


RESTS: dict[ErrorKind, PauseRule] = {
    ErrorKind.INVALID_CREDENTIAL: PauseRule(AccountState.EXPIRED, 600, 600, any_call=True),
    ErrorKind.NO_CREDITS: PauseRule(AccountState.NO_CREDITS, 3600, _DAY, until_reset=True),
    ErrorKind.RATE_LIMITED: PauseRule(AccountState.RATE_LIMITED, 30, 900, upstream_says=True),
    ErrorKind.TOO_MANY_RUNNING: PauseRule(AccountState.FULL, 30, 30),
    ErrorKind.RESTRICTED: PauseRule(AccountState.RESTRICTED, 1800, _DAY, any_call=True),
    ErrorKind.NOT_ENTITLED: PauseRule(AccountState.NOT_ENTITLED, 3600, _DAY),
}
"""Every failure that is an account's own. NOT_ENTITLED concerns the one model that was asked for."""


@dataclass(frozen=True, slots=True)
class Pause:
    """From `began` to `until`, in unix seconds, and the refusal that led to it, the `strike`th in a row."""

    kind: ErrorKind
    began: float
    until: float
    strike: int = 1
    code: str = ""
    words: LocalizedText | None = None
    detail: str = ""

    @property
    def state(self) -> AccountState:
        return RESTS[self.kind].state

    def error(self, now: float) -> ProviderError:
        """The refusal as it would be given again, with the time that is left."""
        return ProviderError(
            self.kind, code=self.code, words=self.words, detail=self.detail, retry_after=max(0.0, self.until - now)
        )


@dataclass(slots=True)
class Health:
    """What is known of one account. Times are arguments; `spread` gives a random number in [0, 1) for the jitter.
    `quota_reset` is when the account's provider gives new credits, None where only a payment brings some.

    Of each kind of failure the last pause is kept, also when it is over: the next one of the kind is its next strike.
    """

    spread: Callable[[], float]
    quota_reset: QuotaReset | None = None
    proven: bool = False
    """The upstream let a submit of its in, and none was refused since. Else only one at a time is tried with it."""
    _pauses: dict[ErrorKind, Pause] = field(default_factory=dict)
    _closed_models: dict[str, Pause] = field(default_factory=dict)
    _credits_when_refused: int | None = None

    def resting(self, now: float) -> Pause | None:
        """Of the pauses that hold now the one that matters: a refused login before everything, else the longest. One
        for a refused login holds on until a login is seen."""
        held = [pause for pause in self._pauses.values() if _holds(pause, now)]
        return max(held, key=lambda pause: (pause.kind is ErrorKind.INVALID_CREDENTIAL, pause.until), default=None)

    def pause_of(self, kind: ErrorKind, now: float) -> Pause | None:
        """The pause of one kind, where it holds now."""
        pause = self._pauses.get(kind)
        return pause if pause is not None and _holds(pause, now) else None

    def closed(self, model: str, now: float) -> Pause | None:
        """The pause of one model."""
        pause = self._closed_models.get(model)
        return pause if pause is not None and now < pause.until else None

    def closed_models(self, now: float) -> dict[str, Pause]:
        """The models that the account may not use, as far as is known."""
        return {model: pause for model, pause in self._closed_models.items() if now < pause.until}

    def fail(self, error: ProviderError, model: str, *, sent_at: float, now: float) -> Pause | None:
        """Take note of a failure of a call that was sent at `sent_at`. The pause that it began, if it began one."""
        rest = RESTS.get(error.kind)
        if rest is None:
            return None
        if error.kind is ErrorKind.NOT_ENTITLED:
            return self._close(model, error, now)
        self.proven = False
        last = self._pauses.get(error.kind)
        # Calls that were under way together, and those that nobody could keep from going out, fail as one.
        if last is not None and (now < last.until or sent_at <= last.began):
            return None
        strike = last.strike + 1 if last is not None else 1
        pause = self._pauses[error.kind] = self._pause(error, rest, strike, now)
        if error.kind is ErrorKind.NO_CREDITS:
            self._credits_when_refused = None
        # A login that is refused again has been out all the time.
        return None if last is not None and error.kind is ErrorKind.INVALID_CREDENTIAL else pause

    def succeed(self, model: str, *, sent_at: float) -> None:
        """A submit was taken: whatever was held against the account before it was sent is forgotten."""
        self._closed_models.pop(model, None)
        self._pauses = {kind: pause for kind, pause in self._pauses.items() if pause.began > sent_at}
        self.proven = not self._pauses

    def let_in(self, now: float) -> None:
        """A submit was refused for its content, and so was let in by its login."""
        self.proven = self.resting(now) is None

    def log_in(self, sent_at: float) -> None:
        """The upstream knew the login when it was asked at `sent_at`."""
        pause = self._pauses.get(ErrorKind.INVALID_CREDENTIAL)
        if pause is not None and pause.began <= sent_at:
            del self._pauses[ErrorKind.INVALID_CREDENTIAL]

    def look_again(self, now: float) -> None:
        """The login is looked at now, and not again before the time of its row has passed."""
        pause = self._pauses.get(ErrorKind.INVALID_CREDENTIAL)
        if pause is not None:
            until = now + _with_jitter(RESTS[pause.kind].first, self.spread())
            self._pauses[pause.kind] = replace(pause, until=until)

    def task_ended(self) -> None:
        """One of the account's tasks has ended, so that there is room for another."""
        self._pauses.pop(ErrorKind.TOO_MANY_RUNNING, None)

    def see_credits(self, credits: int, now: float) -> None:
        """What is left. More of it than at the refusal ends its pause; what is read right after it is what was too
        little."""
        pause = self._pauses.get(ErrorKind.NO_CREDITS)
        if pause is None:
            return
        if self._credits_when_refused is None and now - pause.began < _LEFT_OVER_SECONDS:
            self._credits_when_refused = credits
        elif credits > (self._credits_when_refused or 0):
            self.top_up()

    def top_up(self) -> None:
        """Credits came in."""
        self._pauses.pop(ErrorKind.NO_CREDITS, None)

    def forget(self) -> None:
        """Hold nothing against the account any more."""
        self.proven = False
        self._pauses.clear()
        self._closed_models.clear()

    def _close(self, model: str, error: ProviderError, now: float) -> Pause | None:
        known = self._closed_models.get(model)
        if known is not None and now < known.until:
            return None
        pause = self._pause(error, RESTS[error.kind], known.strike + 1 if known else 1, now)
        self._closed_models.pop(model, None)
        self._closed_models[model] = pause
        if len(self._closed_models) > _MODELS:
            del self._closed_models[next(iter(self._closed_models))]
        return pause

    def _pause(self, error: ProviderError, rest: PauseRule, strike: int, now: float) -> Pause:
        if rest.until_reset and self.quota_reset is not None:
            seconds = self.quota_reset.seconds_left(now)
        elif rest.upstream_says and error.retry_after:
            seconds = min(error.retry_after, _LONGEST_RETRY_AFTER)
        else:
            seconds = min(rest.first * 2 ** min(strike - 1, 30), rest.longest)
        until = now + _with_jitter(seconds, self.spread())
        return Pause(error.kind, now, until, strike, error.code, error.words, error.detail)


def _with_jitter(seconds: float, spread: float) -> float:
    """Never shorter than it was promised: accounts that fell out together come back one by one."""
    return seconds + min(seconds * _JITTER, _LONGEST_JITTER) * spread


def _holds(pause: Pause, now: float) -> bool:
    return now < pause.until or pause.kind is ErrorKind.INVALID_CREDENTIAL
