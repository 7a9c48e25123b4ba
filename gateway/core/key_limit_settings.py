"""The settings `[key_limits]`: what each gateway key may use, and in which time zone a day begins."""

from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field

from providers.contract.settings import Section, split_list

MAX_RUNNING_TASKS = 1000
_COUNTED = ("requests_per_second", "running_tasks", "submits_per_day", "video_seconds_per_day")

Patterns = Annotated[tuple[str, ...], BeforeValidator(split_list)]


def _time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        # By what is wrong with the name: a file that is none, a path, or an unknown name.
        raise ValueError("must be a time zone such as Asia/Shanghai or UTC") from None
    return name


class KeyLimits(Section):
    """The limits of a key. None is not set; 0 and an empty list mean no limit."""

    requests_per_second: float | None = Field(
        None, ge=0, description="Requests a second of any kind, polls included; more get 429. 0: no limit."
    )
    burst: int | None = Field(
        None,
        ge=1,
        le=100_000,
        description="Requests at once, after a pause; by default those of two seconds.",
    )
    running_tasks: int | None = Field(
        None, ge=0, le=MAX_RUNNING_TASKS, description="Unfinished tasks; a submit with one more gets 429. 0: no limit."
    )
    submits_per_day: int | None = Field(
        None, ge=0, description="Submitted videos a day; one more gets 429 `insufficient_quota`. 0: no limit."
    )
    video_seconds_per_day: int | None = Field(
        None, ge=0, description="Seconds of submitted videos a day, in the same way. 0: no limit."
    )
    models: Patterns | None = Field(
        None, description="Models, by name or alias, also as patterns with * and ?. Empty: all."
    )
    providers: Patterns | None = Field(None, description="Providers, in the same way. Empty: all.")

    def over(self, defaults: "KeyLimits") -> "KeyLimits":
        """These limits, with `defaults` for those that are not set."""
        set_here = {name: value for name in KeyLimits.model_fields if (value := getattr(self, name)) is not None}
        others = {name: getattr(defaults, name) for name in KeyLimits.model_fields}
        return KeyLimits.model_construct(**others | set_here)


class KeyLimitSettings(KeyLimits):
    """What each gateway key may use, in `[key_limits.keys.NAME]` for one of them. Each process counts for itself, in
    memory."""

    time_zone: Annotated[str, AfterValidator(_time_zone)] = Field(
        "Asia/Shanghai", description="Time zone at whose midnight a day begins; upstreams reset credits in this one."
    )
    keys: dict[str, KeyLimits] = Field(
        {}, description="Limits of one key, by its name, in place of those above: `[key_limits.keys.NAME]`."
    )

    @property
    def counts(self) -> bool:
        """True where any key has a limit that is counted."""
        return any(getattr(one, name) for one in (self, *self.keys.values()) for name in _COUNTED)

    def of_key(self, name: str) -> KeyLimits:
        """The limits of a key."""
        return self.keys.get(name, KeyLimits()).over(self)
