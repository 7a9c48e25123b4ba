"""A provider as the gateway is told of it: everything about it that is needed outside its own folder.

Only `providers/registry.py` lists specs. The gateway loops over that list and names no provider.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta, timezone
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from providers.contract.localized_text import LocalizedText
from providers.contract.provider import Provider
from providers.contract.settings import ProviderSettings

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

    from providers.sandbox.context import SandboxContext
    from providers.transport.client import HttpClient

S = TypeVar("S", bound=ProviderSettings)


class DefaultModels(NamedTuple):
    """Models to use where a client names none, by what is asked for, the preferred ones first: a video of a text, a
    video of inputs (`image`), a changed video (`edit`), a video that goes on (`extend`)."""

    text: tuple[str, ...] = ()
    image: tuple[str, ...] = ()
    edit: tuple[str, ...] = ()
    extend: tuple[str, ...] = ()

    def then(self, other: "DefaultModels") -> "DefaultModels":
        """These models, and after them those of `other`."""
        return DefaultModels(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))


class QuotaReset(NamedTuple):
    """The upstream gives new credits every day at midnight in a time zone without summer time."""

    utc_offset_seconds: int

    @property
    def time_zone(self) -> timezone:
        return timezone(timedelta(seconds=self.utc_offset_seconds))

    def seconds_left(self, now: float) -> float:
        """Seconds from `now` (unix seconds) to the next reset."""
        return _DAY - (now + self.utc_offset_seconds) % _DAY


_DAY = 86_400.0

DAILY_IN_SHANGHAI = QuotaReset(8 * 3600)


class DemoVideo(NamedTuple):
    """The video that `demo` makes with this provider: any credential the sandbox takes, a model and a prompt."""

    credential: str
    model: str
    prompt: str


@dataclass(frozen=True, slots=True)
class SandboxPart:
    """A provider's part of the embedded upstream, which serves all providers on one port.

    `routes` makes what is served, once per server. `addresses` maps each key of the provider's settings that holds an
    address to the path below the server's own address. Each key has an environment variable in the spec.
    """

    routes: Callable[["SandboxContext"], Sequence["BaseRoute"]]
    addresses: Mapping[str, str]
    demo: DemoVideo


@dataclass(frozen=True, slots=True)
class ProviderSpec(Generic[S]):
    """One provider.

    `name` is the word in ids, accounts, `provider` fields and the configuration; `title` is for people.
    `settings` is the model of `[providers.NAME]`.
    `environment` maps variables to keys of it. Of two variables for one key the first that is set counts.
    `former_keys` maps keys that were at the top level of the file to where they are now: a key of `settings`, or ""
    for a table that became `[providers.NAME]` itself. They are read, and named in one log line.
    `create` makes the provider of its settings, the HTTP client and a clock (unix seconds).
    `default_models` gives the defaults, which settings may change.
    `secret_patterns` are regular expressions of what the log must not show, matched without regard to case. What a
    group of a pattern matches stays, the rest of the match is masked.
    `credential_hint` says what its credentials are, such as "an Ark API key".
    `account_fields` are the keys of `[[accounts]]` that only some providers take: `cookie`.
    `result_link_seconds` is how long a result link works where the upstream does not say; None where nobody knows.
    `quota_reset` is when spent credits come back by themselves; None where they do not.
    `sandbox` is required: with `serve --sandbox` nothing may reach a real upstream.
    `claims_any_credential` marks the one provider that takes credentials that no other provider's shape fits.
    """

    name: str
    title: str
    settings: type[S]
    environment: Mapping[str, str]
    create: Callable[[S, "HttpClient", Callable[[], float]], Provider]
    default_models: Callable[[S], DefaultModels]
    credential_hint: LocalizedText
    sandbox: SandboxPart
    former_keys: Mapping[str, str] = field(default_factory=dict)
    secret_patterns: tuple[str, ...] = ()
    account_fields: frozenset[str] = frozenset()
    result_link_seconds: int | None = None
    quota_reset: QuotaReset | None = None
    claims_any_credential: bool = False

    def variable(self, key: str) -> str:
        """The environment variable of a key of the settings. Raises KeyError where it has none."""
        for variable, name in self.environment.items():
            if name == key:
                return variable
        raise KeyError(key)


AnySpec = ProviderSpec[Any]
