"""The specification of a provider: everything about it that is needed outside its own folder.

Only `providers/registry.py` lists specs. The gateway iterates over that list and names no provider.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta, timezone
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from providers.contract.client_headers import NO_CLIENT_HEADERS, ClientHeaders
from providers.contract.localized_text import LocalizedText
from providers.contract.native import NativeEntrance
from providers.contract.settings import UpstreamSettings
from providers.contract.upstream import Upstream

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

    from providers.sandbox.context import SandboxContext
    from providers.transport.client import HttpClient

S = TypeVar("S", bound=UpstreamSettings)


class DefaultModels(NamedTuple):
    """Models for requests without one, preferred ones first: for text, for inputs (`image`), for editing a video
    (`edit`) and for extending one (`extend`)."""

    text: tuple[str, ...] = ()
    image: tuple[str, ...] = ()
    edit: tuple[str, ...] = ()
    extend: tuple[str, ...] = ()

    def then(self, other: "DefaultModels") -> "DefaultModels":
        """These models, followed by those of `other`."""
        return DefaultModels(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))


class DefaultLanguageModels(NamedTuple):
    """Models for requests without one, empty where the provider has none of the kind."""

    chat: str = ""
    embedding: str = ""


class QuotaReset(NamedTuple):
    """The upstream resets credits daily at midnight, in a time zone without daylight saving."""

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
    """The video that `demo` generates with this provider: a credential that the sandbox accepts, a model, a prompt."""

    credential: str
    model: str
    prompt: str


@dataclass(frozen=True, slots=True)
class SandboxPart:
    """A provider's part of the embedded upstream, which serves all providers on one port.

    `routes` builds its routes, once per server. `addresses` maps each key of the provider's settings that is a URL to
    a path on the server. Each key has an environment variable in the spec. `demo` is None for a provider without
    videos.
    """

    routes: Callable[["SandboxContext"], Sequence["BaseRoute"]]
    addresses: Mapping[str, str]
    demo: DemoVideo | None = None


@dataclass(frozen=True, slots=True)
class ProviderSpec(Generic[S]):
    """One provider.

    `name` is used in ids, accounts, `provider` fields and the configuration; `title` is for people.
    `settings` is the model of `[providers.NAME]`.
    `environment` maps variables to keys of it. Of several variables for one key the first that is set counts.
    `former_keys` maps keys that were at the top level of the file to where they are now: a key of `settings`, or ""
    for a table that became `[providers.NAME]` itself. They are read, and named in one log line.
    `create` builds the provider from its settings, the HTTP client and a clock (unix seconds). Whether it makes videos,
    serves language models or both follows from the protocols that it has.
    `default_models` and `default_language_models` return the defaults, which settings may change.
    `secret_patterns` are case-insensitive regular expressions of text that is masked in the log, except for what their
    groups match. `path_secret_patterns` are masked in the paths of the log only: elsewhere a credential of this form
    cannot be told from the id of a request.
    `credential_hint` describes its credentials, such as "an Ark API key".
    `account_fields` are the keys of `[[accounts]]` that only some providers take: `cookie`.
    `result_link_seconds` is the lifetime of a result link if the upstream does not name it; None if unknown.
    `quota_reset` is when credits are reset; None if they are not.
    `sandbox` is required: with `serve --sandbox` nothing may reach a real upstream.
    `client_headers` are the headers of a client's request for chat or embeddings that are passed on to the upstream.
    `native` builds the upstream's own API, for clients of its SDK; None where the gateway has none.
    `claims_any_credential` marks the one provider that takes credentials in no other provider's format.
    """

    name: str
    title: str
    settings: type[S]
    environment: Mapping[str, str]
    create: Callable[[S, "HttpClient", Callable[[], float]], Upstream]
    credential_hint: LocalizedText
    sandbox: SandboxPart
    default_models: Callable[[S], DefaultModels] = lambda settings: DefaultModels()
    default_language_models: Callable[[S], DefaultLanguageModels] = lambda settings: DefaultLanguageModels()
    former_keys: Mapping[str, str] = field(default_factory=dict)
    secret_patterns: tuple[str, ...] = ()
    path_secret_patterns: tuple[str, ...] = ()
    account_fields: frozenset[str] = frozenset()
    result_link_seconds: int | None = None
    quota_reset: QuotaReset | None = None
    client_headers: ClientHeaders = NO_CLIENT_HEADERS
    native: Callable[[], NativeEntrance] | None = None
    claims_any_credential: bool = False

    def variable(self, key: str) -> str:
        """The environment variable of a key of the settings. Raises KeyError if it has none."""
        for variable, name in self.environment.items():
            if name == key:
                return variable
        raise KeyError(key)


AnySpec = ProviderSpec[Any]
