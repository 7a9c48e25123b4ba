"""What failures do to an account: one table from kinds of failure to pauses, and the health that follows from it.

A caller's mistake, refused content and an upstream that is down do nothing to an account.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import NamedTuple

from providers.contract import ErrorKind, ProviderError, Words

_DAY = 86_400
_SHANGHAI_OFFSET = 8 * 3600
"""Asia/Shanghai is eight hours ahead of UTC and knows no summer time."""

_JITTER = 0.2
_LONGEST_JITTER = 300.0
_LONGEST_RETRY_AFTER = 86_400.0
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


class Rest(NamedTuple):
    """One row of the table: the state a kind of failure brings, and how long for, in seconds.

    Failures in a row double the pause from `first` to `longest`. A rest until midnight ends with the day in
    Asia/Shanghai, when upstreams give new credits.
    """

    state: AccountState
    first: float = 0.0
    longest: float = 0.0
    until_midnight: bool = False


RESTS: dict[ErrorKind, Rest] = {
    ErrorKind.INVALID_CREDENTIAL: Rest(AccountState.EXPIRED, 600, 600),
    ErrorKind.NO_CREDITS: Rest(AccountState.NO_CREDITS, until_midnight=True),
    ErrorKind.RATE_LIMITED: Rest(AccountState.RATE_LIMITED, 30, 900),
    ErrorKind.TOO_MANY_RUNNING: Rest(AccountState.FULL, 30, 30),
    ErrorKind.RESTRICTED: Rest(AccountState.RESTRICTED, 1800, _DAY),
    ErrorKind.NOT_ENTITLED: Rest(AccountState.NOT_ENTITLED, 3600, _DAY),
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
    words: Words | None = None
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
    """What is known of one account. Times are arguments; `spread` gives a random number in [0, 1) for the jitter."""

    spread: Callable[[], float]
    pause: Pause | None = None
    proven: bool = False
    """Its last submit was taken. Until then only one submit at a time is tried with it."""
    _closed_models: dict[str, Pause] = field(default_factory=dict)
    _strikes: Counter[ErrorKind] = field(default_factory=Counter)
    _credits_when_refused: int = 0

    def resting(self, now: float) -> Pause | None:
        """The pause that holds now. One for a refused login holds on until a login is seen."""
        pause = self.pause
        if pause is not None and (now < pause.until or pause.kind is ErrorKind.INVALID_CREDENTIAL):
            return pause
        return None

    def closed(self, model: str, now: float) -> Pause | None:
        """The pause of one model."""
        pause = self._closed_models.get(model)
        return pause if pause is not None and now < pause.until else None

    def fail(self, error: ProviderError, model: str, *, sent_at: float, now: float) -> Pause | None:
        """Take note of a failure of a call that was sent at `sent_at`. The pause that it began, if it began one."""
        rest = RESTS.get(error.kind)
        if rest is None:
            return None
        if error.kind is ErrorKind.NOT_ENTITLED:
            return self._close(model, error, now)
        self.proven = False
        if self.pause is not None and sent_at <= self.pause.began:
            # Calls that were under way together fail together: that is one failure.
            if error.kind is self.pause.kind:
                return None
        else:
            self._strikes[error.kind] += 1
        pause = self._pause(error, rest, max(1, self._strikes[error.kind]), now)
        current = self.resting(now)
        if current is not None and _weight(current) >= _weight(pause):
            return None
        self.pause = pause
        self._credits_when_refused = 0
        # A login that is refused again has been out all the time.
        again = current is not None and current.kind is pause.kind is ErrorKind.INVALID_CREDENTIAL
        return None if again else pause

    def succeed(self, model: str, *, sent_at: float) -> None:
        """A submit was taken: whatever was held against the account before it was sent is forgotten."""
        self._closed_models.pop(model, None)
        if self.pause is not None and self.pause.began > sent_at:
            return
        self.pause = None
        self._strikes.clear()
        self.proven = True

    def log_in(self) -> None:
        """The upstream knows the login."""
        self._end(ErrorKind.INVALID_CREDENTIAL)

    def postpone(self, until: float) -> None:
        """Let the pause that holds last to `until`."""
        if self.pause is not None:
            self.pause = replace(self.pause, until=until)

    def task_ended(self) -> None:
        """One of the account's tasks has ended, so that there is room for another."""
        self._end(ErrorKind.TOO_MANY_RUNNING)

    def refused_with(self, credits: int) -> None:
        """What was left when a submit was refused for want of credits."""
        self._credits_when_refused = credits

    def see_credits(self, credits: int) -> None:
        """What is left now. More than at the refusal ends its pause."""
        if credits > self._credits_when_refused:
            self._end(ErrorKind.NO_CREDITS)

    def top_up(self) -> None:
        """Credits came in."""
        self._end(ErrorKind.NO_CREDITS)

    def forget(self) -> None:
        """Hold nothing against the account any more."""
        self.pause = None
        self.proven = False
        self._closed_models.clear()
        self._strikes.clear()

    def _end(self, kind: ErrorKind) -> None:
        if self.pause is not None and self.pause.kind is kind:
            self.pause = None
            del self._strikes[kind]

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

    def _pause(self, error: ProviderError, rest: Rest, strike: int, now: float) -> Pause:
        if rest.until_midnight:
            seconds = _DAY - (now + _SHANGHAI_OFFSET) % _DAY
        elif error.retry_after:
            seconds = min(error.retry_after, _LONGEST_RETRY_AFTER)
        else:
            seconds = min(rest.first * 2 ** min(strike - 1, 30), rest.longest)
        # Never shorter than it was promised: accounts that fell out together come back one by one.
        seconds += min(seconds * _JITTER, _LONGEST_JITTER) * self.spread()
        return Pause(error.kind, now, now + seconds, strike, error.code, error.words, error.detail)


def _weight(pause: Pause) -> tuple[bool, float]:
    """Of two pauses, the one that matters: a refused login before everything, else the longer one."""
    return pause.kind is ErrorKind.INVALID_CREDENTIAL, pause.until
