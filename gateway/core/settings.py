"""The configuration: every setting, what it means and its default. `settings_loader` reads it."""

import re
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
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

from gateway.core.key_limit_settings import KeyLimitSettings
from gateway.core.webhook_secrets import is_secret
from providers import registry
from providers.contract.settings import Section, UpstreamSettings, split_list
from providers.contract.spec import ProviderSpec, S

_USERINFO = re.compile(r"://[^@\s]+@")
_PATH_PREFIX = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+)+")


PolicyName = Literal["round_robin", "least_busy", "random", "fill_first"]
"""How submits are spread over accounts."""

FileVersion = tuple[int, int, int]
"""Identifies a version of a file: modification time in ns, size in bytes, inode."""


class SettingsError(Exception):
    """The configuration is invalid; the message names the key and the problem in one line."""


def _archive_url(value: str | None) -> str | None:
    if value is not None and not re.fullmatch(r"(?:file:///|(?:s3|gs|az)://)[^\s?#]+", value):
        raise ValueError(
            "must be file:///folder (three slashes, %20 for a space, no ? or #), s3://bucket/prefix, "
            "gs://bucket/prefix or az://container/prefix"
        )
    return value


def _webhook_secret(value: SecretStr | None) -> SecretStr | None:
    if value is not None and not is_secret(value.get_secret_value()):
        raise ValueError(
            "must be whsec_ and the base64 of 24 to 64 random bytes, as `echo whsec_$(openssl rand -base64 32)` makes"
        )
    return value


def _root_path(value: str) -> str:
    path = value.strip().rstrip("/")
    if path and not _PATH_PREFIX.fullmatch(path):
        raise ValueError("must be a path such as /video, with letters, digits and -._~ only")
    return path


def _blank_is_none(value: Any) -> Any:
    """An empty environment variable counts as not set."""
    return None if isinstance(value, str) and not value.strip() else value


Secret = Annotated[SecretStr | None, BeforeValidator(_blank_is_none)]
Secrets = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(split_list)]
Networks = Annotated[tuple[IPvAnyNetwork, ...], NoDecode, BeforeValidator(split_list)]
WebhookSecret = Annotated[SecretStr | None, BeforeValidator(_blank_is_none), AfterValidator(_webhook_secret)]
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(split_list)]
RootPath = Annotated[str, AfterValidator(_root_path)]


class TimeoutSettings(Section):
    """Timeouts of upstream calls in seconds."""

    connect: float = Field(10.0, gt=0, description="Until the connection is established.")
    read: float = Field(45.0, gt=0, description="Between two chunks of a response.")
    total: float = Field(60.0, gt=0, description="For the whole call.")
    answer: float = Field(
        300.0,
        gt=0,
        description="Chat and embeddings, in place of read and total: until the first byte, and between two chunks.",
    )


class LimitSettings(Section):
    """Limits of request bodies."""

    body_bytes: int = Field(
        32 * 1024 * 1024, ge=1024, description="Maximum size of a request body in bytes; a larger one gets 413."
    )
    upload_bytes: int = Field(
        256 * 1024 * 1024, ge=1024, description="The same for a form with files, which are spooled to disk."
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
    write_seconds: float = Field(
        60.0,
        gt=0,
        description="Seconds within which a client must read some of its response; else its connection is aborted.",
    )
    connections: int = Field(
        0, ge=0, description="Open connections of a process; 0: as many as its descriptors allow. More get 503."
    )
    connections_per_address: int = Field(
        0,
        ge=0,
        description="Open connections of one client address, or IPv6 network (/64), which is that of a proxy in front; "
        "0: 90% of all.",
    )


class LiveSettings(Section):
    """Limits of event streams (SSE, WebSocket) and webhooks in one process."""

    watchers: int = Field(20_000, ge=1, description="Watched tasks of all event streams together; more get 503.")
    watchers_per_caller: int = Field(
        5000, ge=1, description="Watched tasks of the event streams of one key or credential; more get 429."
    )
    webhooks: int = Field(
        10_000,
        ge=0,
        description="Pending webhooks: their tasks run, or their receivers did not answer. A submit with one more gets "
        "503; 0: webhooks are off.",
    )
    webhooks_per_caller: int = Field(
        1000, ge=0, description="Pending webhooks of one key or credential; a submit with one more gets 429."
    )


class MediaSettings(Section):
    """How images, videos and audio files are prepared for an upstream, and where they may be fetched from."""

    max_bytes: int = Field(
        200 * 1024 * 1024,
        ge=1024,
        description="Maximum size of one file in bytes; the model may allow less.",
    )
    shrink: bool = Field(False, description="Resize images that are too large for the model. Needs the package pillow.")
    fetch_seconds: float = Field(30.0, gt=0, description="Timeout for fetching one file, redirects included.")
    hosts: Names = Field(
        (),
        description="Fetch only from these hosts; *.example.com means all subdomains. Empty: any public host.",
    )
    denied_hosts: Names = Field((), description="Never fetch from these hosts.")
    denied_networks: tuple[IPvAnyNetwork, ...] = Field(
        (),
        description="Never connect to these public networks, such as your own 198.51.100.0/24, for a client, a "
        "link of an upstream or a webhook.",
    )
    networks: tuple[IPvAnyNetwork, ...] = Field(
        (), description="Also fetch from these private networks, such as 10.1.2.0/24, and there also over http."
    )


class ArchiveSettings(Section):
    """The archive of finished videos, if ARCHIVE_URL is set. Changes take effect after a restart."""

    follow: bool = Field(
        False,
        description="Follow each submitted task to its end, so that its video is archived without a client's poll.",
    )
    prompt: bool = Field(False, description="Store the prompt with the video, if it was submitted here.")
    copies: int = Field(2, ge=1, le=32, description="Maximum concurrent copies.")
    keep_days: float | None = Field(
        None,
        gt=0,
        description="Days after which `video-gateway archive --prune` deletes a video; nothing else deletes any.",
    )


class ApiSettings(Section):
    """How requests are parsed and answered."""

    unknown_fields: Literal["check", "ignore", "refuse"] = Field(
        "check",
        description="Unknown fields of a submit: check rejects those that affect the video and ignores the others with "
        "a warning, ignore ignores all, refuse rejects all.",
    )
    hold_submits: bool | tuple[str, ...] = Field(
        False,
        description="Hold the response to POST /v1/videos/generations until the video is finished, for clients of "
        "synchronous gateways: true, or the names of keys. `async: true` in a request turns it off.",
    )

    def holds_submits(self, key: str) -> bool:
        """True if submits of a key are held by default. `key` is its name."""
        return self.hold_submits if isinstance(self.hold_submits, bool) else key in self.hold_submits


class AccountSettings(Section):
    """One managed account with settings of its own."""

    name: str = Field(
        pattern=r"^[\w-][\w.-]{0,63}\Z",
        description="Its name in logs, metrics and commands. Its tasks stay valid when its credential changes.",
    )
    credential: SecretStr = Field(
        min_length=1,
        description="In the provider's form: a key, or a session with the prefix of its region and a proxy.",
    )
    provider: str | None = Field(None, description="The provider's name; by default the credential's form decides.")
    region: str | None = Field(None, description="The provider's name of one of its regions.")
    proxy: Secret = Field(None, description="http, https, socks4 or socks5 URL for all calls of the account.")
    cookie: Secret = Field(None, description="A complete Cookie header, sent unchanged, if the provider accepts one.")
    weight: int = Field(
        1, ge=0, le=1000, description="Its share of the submits; 0 means none: only its tasks are polled."
    )
    max_running: int | None = Field(
        None, ge=1, description="Maximum unfinished tasks; by default the upstream's limit."
    )


class RotationSettings(Section):
    """How submits are spread over accounts."""

    policy: PolicyName = Field("round_robin", description="round_robin, least_busy, random or fill_first.")
    max_attempts: int = Field(6, ge=1, le=50, description="Maximum accounts tried for one submit.")
    receive_daily: bool = Field(
        False, description="Receive each account's daily credits, at a random minute of the day (Asia/Shanghai)."
    )


class Settings(BaseSettings):
    """The configuration. In the file a key is the field's name; in the environment it has the prefix GATEWAY_, or the
    field's alias."""

    model_config = SettingsConfigDict(
        env_prefix="GATEWAY_", extra="forbid", frozen=True, validate_by_name=True, validate_by_alias=True
    )

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(5100, ge=0, le=65535, description="Port to listen on; 0 picks a free one.")
    workers: int = Field(1, ge=1, le=256, description="Worker processes. They share no state.")
    root_path: RootPath = Field(
        "",
        description="Path prefix under which a reverse proxy serves the gateway, such as /video. Links have it; "
        "requests may come with and without it.",
    )
    trusted_proxies: Networks = Field(
        (ip_network("127.0.0.0/8"), ip_network("::1/128")),
        description="Addresses and networks of reverse proxies whose X-Forwarded-For, -Proto and -Host are believed.",
    )

    keys: Secrets = Field((), description="Gateway keys, `name:gw-…`. If any is set, other credentials get 401.")
    pass_through: bool = Field(False, description="With keys set: also accept upstream credentials of callers.")
    pass_through_proxies: bool = Field(
        True,
        description="Upstream credentials of callers may name a proxy, at a public address or in `proxy_networks`.",
    )
    proxy_networks: Networks = Field(
        (), description="Private networks in which proxies of callers may be, such as 10.1.3.0/24."
    )
    upstream_networks: Networks = Field(
        (),
        description="Private networks to which links of upstreams may lead: to videos, covers and hosts for uploads. "
        "Public addresses and the hosts of the upstreams' configured URLs are always allowed.",
    )
    admin_key: Secret = Field(
        None, description="Required for /v1/accounts and /metrics; if not set, they are for loopback."
    )
    secret: Secrets = Field(
        (),
        description="Signs task ids. The first signs, all verify. With keys set, the same on every replica.",
    )
    webhook_secret: WebhookSecret = Field(
        None,
        description="Signs all webhooks, `whsec_…`; if not set, each task has a secret of its own, which its submit "
        "returns.",
    )
    webhook_networks: Networks = Field(
        (), description="Private networks to which webhooks may go too, there also over http, such as 10.1.4.0/24."
    )

    language: Literal["zh", "en"] = Field("zh", description="Language of messages, if the client names none.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least level of the log lines: debug, info, warning or error."
    )
    log_format: Literal["text", "json"] = Field("text", description="Form of the log lines: text or json.")

    cors_origins: Names = Field(
        ("*",), description="Origins of web pages that may call (CORS); empty: none. No cookie is used."
    )

    video_poll_interval: int = Field(
        5000,
        ge=10,
        validation_alias="VIDEO_POLL_INTERVAL",
        description="Longest interval in milliseconds between the status queries of a task that is watched or waited "
        "for, unless its queue position or the rate limit asks for a longer one.",
    )
    video_timeout: int = Field(
        600_000,
        ge=0,
        validation_alias="VIDEO_TIMEOUT",
        description="Maximum milliseconds that a task is watched and that a response is held.",
    )
    poll_freshness: float = Field(
        1.0,
        ge=0,
        validation_alias="POLL_FRESHNESS",
        description="Maximum age of a status in seconds; 0 always queries.",
    )

    accounts: tuple[AccountSettings, ...] = Field((), description="Managed accounts with settings of their own.")
    rotation: RotationSettings = RotationSettings()
    api: ApiSettings = ApiSettings()
    aliases: dict[str, str] = Field({}, description="Aliases of models: alias = model.")
    providers: Mapping[str, SerializeAsAny[UpstreamSettings]] = Field(
        {}, description="A table for each provider, `[providers.NAME]`, with its settings."
    )
    timeouts: TimeoutSettings = TimeoutSettings()
    archive_url: Annotated[str | None, BeforeValidator(_blank_is_none), AfterValidator(_archive_url)] = Field(
        None,
        validation_alias="ARCHIVE_URL",
        description="Archive of finished videos: file:///folder, s3://bucket/prefix, gs://…, az://….",
    )
    archive: ArchiveSettings = ArchiveSettings()
    limits: LimitSettings = LimitSettings()
    live: LiveSettings = LiveSettings()
    key_limits: KeyLimitSettings = KeyLimitSettings()
    media: MediaSettings = MediaSettings()

    _file_version: FileVersion | None = PrivateAttr(None)
    _renamed: dict[str, str] = PrivateAttr(default_factory=dict)

    @property
    def file_version(self) -> FileVersion | None:
        """The version of the configuration file; None without a file."""
        return self._file_version

    @property
    def renamed(self) -> dict[str, str]:
        """Deprecated names in the file, with their new names."""
        return self._renamed

    def provider(self, spec: ProviderSpec[S]) -> S:
        """The settings of a provider, by default its defaults."""
        return cast(S, self.providers.get(spec.name) or spec.settings())

    def masked(self) -> dict[str, Any]:
        """The effective configuration as JSON values, secrets masked."""
        providers = {spec.name: self.provider(spec) for spec in registry.PROVIDERS}
        shown = self.model_copy(update={"providers": providers})
        masked = {name: _mask(value) for name, value in shown.model_dump().items()}
        return masked | {"keys": [_mask_key(key.get_secret_value()) for key in self.keys]}


def _mask_key(key: str) -> str:
    """A gateway key, masked but for its name."""
    name, colon, secret = key.partition(":")
    return f"{name.strip()}:***" if colon and secret.strip().startswith("gw-") else "***"


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
