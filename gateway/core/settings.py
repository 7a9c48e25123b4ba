"""The configuration: every setting, what it means and its default. `settings_loader` reads it."""

import re
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Any, Literal, cast

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    IPvAnyNetwork,
    PrivateAttr,
    SecretStr,
    SerializeAsAny,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from providers import registry
from providers.contract.settings import ProviderSettings, Section, split_list
from providers.contract.spec import ProviderSpec, S

_USERINFO = re.compile(r"://[^@\s]+@")


PolicyName = Literal["round_robin", "least_busy", "random", "fill_first"]
"""How submits are spread over accounts."""

Stamp = tuple[int, int, int]
"""What tells one version of a file from the next."""


class SettingsError(Exception):
    """The configuration cannot be used; the text says in one line what is wrong and where."""


def _archive_url(value: str | None) -> str | None:
    if value is not None and not re.fullmatch(r"(?:file:///|(?:s3|gs|az)://)[^\s?#]+", value):
        raise ValueError(
            "file:///folder (three slashes, %20 for a blank, no ? or #), s3://bucket/prefix, gs://bucket/prefix or "
            "az://container/prefix is wanted"
        )
    return value


def _blank_is_none(value: Any) -> Any:
    """A variable that is set to nothing is one that is not set."""
    return None if isinstance(value, str) and not value.strip() else value


Secret = Annotated[SecretStr | None, BeforeValidator(_blank_is_none)]
Secrets = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(split_list)]
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(split_list)]


class TimeoutSettings(Section):
    """Seconds allowed for a call to an upstream."""

    connect: float = Field(10.0, gt=0, description="Until the connection stands.")
    read: float = Field(45.0, gt=0, description="Between two pieces of an answer.")
    total: float = Field(60.0, gt=0, description="For the whole call.")


class LimitSettings(Section):
    """Bounds on what one client may send."""

    body_bytes: int = Field(
        32 * 1024 * 1024, ge=1024, description="Size of a request body in bytes; a larger one is refused with 413."
    )
    upload_bytes: int = Field(
        256 * 1024 * 1024, ge=1024, description="The same for a form with files, which lie on disk and not in memory."
    )
    head_bytes: int = Field(
        64 * 1024, ge=1024, description="Size of a request line with its headers in bytes; larger ones get 431."
    )
    headers: int = Field(100, ge=10, description="Headers of a request; more get 431.")
    head_seconds: float = Field(
        60.0, gt=0, description="Seconds until the first byte of a request's body, or its end; a slower one gets 408."
    )
    body_bytes_per_second: int = Field(
        1024, ge=0, description="Slowest rate of a request body, measured over 10 s; a slower one gets 408."
    )
    connections: int = Field(
        0, ge=0, description="Open connections of a process; 0: as many as its descriptors allow. More get 503."
    )
    connections_per_address: int = Field(
        0, ge=0, description="Open connections of one client address, which is that of a proxy in front; 0: no limit."
    )


class MediaSettings(Section):
    """What is done with pictures, clips and sounds on their way to an upstream, and where they may be fetched from."""

    max_bytes: int = Field(
        200 * 1024 * 1024, ge=1024, description="Size in bytes of one file; what the model takes may be less."
    )
    shrink: bool = Field(
        False, description="Make pictures that are too large for the model fit. Needs the extra: video-gateway[images]."
    )
    fetch_seconds: float = Field(30.0, gt=0, description="For fetching one file, redirects included.")
    hosts: Names = Field(
        (), description="Fetch from these hosts only; *.example.com means all below it. Empty: from every public host."
    )
    denied_hosts: Names = Field((), description="Never fetch from these.")
    denied_networks: tuple[IPvAnyNetwork, ...] = Field(
        (), description="Never fetch from these, though they are public: your own, such as 198.51.100.0/24."
    )
    networks: tuple[IPvAnyNetwork, ...] = Field(
        (), description="Fetch from these networks too, which are not public, and also by http://. Such as 10.1.2.0/24."
    )


class ArchiveSettings(Section):
    """How finished videos are kept, where ARCHIVE_URL says where. Read when the gateway starts."""

    follow: bool = Field(
        False, description="Follow what is submitted here to its end, so that it is kept though nobody asks for it."
    )
    prompt: bool = Field(False, description="Write the prompt beside the video, where it was submitted here.")
    copies: int = Field(2, ge=1, le=32, description="Videos that are copied at the same time.")
    keep_days: float | None = Field(
        None,
        gt=0,
        description="`video-gateway archive --prune` deletes what is older; nothing else ever deletes.",
    )


class ApiSettings(Section):
    """How requests are read and answered."""

    unknown_fields: Literal["check", "ignore", "refuse"] = Field(
        "check",
        description="Unknown fields of a submit: check refuses those that decide the video and ignores the others with "
        "a warning, ignore ignores all, refuse refuses all.",
    )
    hold_submits: bool | tuple[str, ...] = Field(
        False,
        description="Answer POST /v1/videos/generations when the video is finished, for clients of synchronous "
        "gateways: true, or the names of the keys that want it. `async: true` in a request turns it off.",
    )

    def holds_submits(self, key: str) -> bool:
        """Whether submits of a caller are held who says nothing of it. `key` is the name of the caller's key."""
        return self.hold_submits if isinstance(self.hold_submits, bool) else key in self.hold_submits


class AccountSettings(Section):
    """One managed account, where a list of credentials cannot say enough."""

    name: str = Field(
        pattern=r"^[\w-][\w.-]{0,63}$",
        description="How it is called in logs, figures and commands. It keeps its tasks when its credential changes.",
    )
    credential: SecretStr = Field(
        min_length=1,
        description="As the provider takes it: a key, or a session with its region's prefix and a proxy in front.",
    )
    provider: str | None = Field(None, description="A provider's name; without it the credential's shape decides.")
    region: str | None = Field(None, description="The provider's own word for one of its sites.")
    proxy: Secret = Field(
        None, description="http, https, socks4 or socks5 URL; every call of the account goes through it."
    )
    cookie: Secret = Field(None, description="A whole Cookie header, sent as it is, where the provider takes one.")
    weight: int = Field(1, ge=0, le=1000, description="Its share of the submits; 0 takes none, its tasks are answered.")
    max_running: int | None = Field(
        None, ge=1, description="Unfinished tasks it may have; without it as many as the upstream takes."
    )


class RotationSettings(Section):
    """How submits are spread over accounts."""

    policy: PolicyName = Field("round_robin", description="round_robin, least_busy, random or fill_first.")
    max_attempts: int = Field(6, ge=1, le=50, description="Accounts that one submit is tried with at most.")
    receive_daily: bool = Field(
        False, description="Take each account's daily credits, at a random minute of the day (Asia/Shanghai)."
    )


class Settings(BaseSettings):
    """The configuration. In the file a key is the field's name; in the environment, see each field."""

    model_config = SettingsConfigDict(
        env_prefix="GATEWAY_", extra="forbid", frozen=True, validate_by_name=True, validate_by_alias=True
    )

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(5100, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    workers: int = Field(1, ge=1, le=256, description="Processes. They share nothing and need not.")

    keys: Secrets = Field(
        (), description="The gateway's own keys, `name:gw-…`. With any set, other credentials get 401."
    )
    pass_through: bool = Field(False, description="With keys set: also take callers' own upstream credentials.")
    pass_through_proxies: bool = Field(
        True,
        description="Callers' own credentials may name a proxy, which the gateway then connects to, wherever it is.",
    )
    admin_key: Secret = Field(None, description="Opens /v1/accounts and /metrics to others than loopback.")
    secret: Secrets = Field(
        (), description="Seals task ids. The first seals, all open. The same on every replica when keys are set."
    )

    language: Literal["zh", "en"] = Field("zh", description="Of messages, where the client names none.")
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["text", "json"] = "text"

    cors_origins: Names = Field(
        ("*",), description="Origins of web pages that may call; empty: none. No cookie is ever used."
    )

    video_poll_interval: int = Field(
        5000, ge=10, validation_alias="VIDEO_POLL_INTERVAL", description="Milliseconds between polls when waiting."
    )
    video_timeout: int = Field(
        600_000, ge=0, validation_alias="VIDEO_TIMEOUT", description="Milliseconds a waiting answer is held at most."
    )
    poll_freshness: float = Field(
        1.0, ge=0, validation_alias="POLL_FRESHNESS", description="Seconds an answer may be old; 0 always asks."
    )

    accounts: tuple[AccountSettings, ...] = Field((), description="Managed accounts with names, beside those above.")
    rotation: RotationSettings = RotationSettings()
    api: ApiSettings = ApiSettings()
    aliases: dict[str, str] = Field({}, description="Other names of models: alias = model.")
    providers: Mapping[str, SerializeAsAny[ProviderSettings]] = Field(
        {}, description="A table for each provider, `[providers.NAME]`; each has settings of its own."
    )
    timeouts: TimeoutSettings = TimeoutSettings()
    archive_url: Annotated[str | None, BeforeValidator(_blank_is_none), AfterValidator(_archive_url)] = Field(
        None,
        validation_alias="ARCHIVE_URL",
        description="Where finished videos are kept: file:///folder, s3://bucket/prefix, gs://…, az://….",
    )
    archive: ArchiveSettings = ArchiveSettings()
    limits: LimitSettings = LimitSettings()
    media: MediaSettings = MediaSettings()

    _stamp: Stamp | None = PrivateAttr(None)
    _renamed: dict[str, str] = PrivateAttr(default_factory=dict)

    @property
    def stamp(self) -> Stamp | None:
        """The version of the file they were read from; None where there was none."""
        return self._stamp

    @property
    def renamed(self) -> dict[str, str]:
        """Former names in the file, with the names that took their place."""
        return self._renamed

    def provider(self, spec: ProviderSpec[S]) -> S:
        """The settings of a provider, its defaults where nothing is configured."""
        return cast(S, self.providers.get(spec.name) or spec.settings())

    def masked(self) -> dict[str, Any]:
        """The effective configuration, ready for JSON, with no secret in it."""
        providers = {spec.name: self.provider(spec) for spec in registry.PROVIDERS}
        shown = self.model_copy(update={"providers": providers})
        return {name: _mask(value) for name, value in shown.model_dump().items()}


def _mask(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return "***"
    if isinstance(value, IPv4Network | IPv6Network):
        return str(value)
    if isinstance(value, str):
        return _USERINFO.sub("://***@", value)
    if isinstance(value, dict):
        return {name: _mask(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_mask(item) for item in value]
    return value
