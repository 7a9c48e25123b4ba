"""The configuration and its one loader: the environment first, then one TOML file."""

import os
import re
import tomllib
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic_settings
from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    IPvAnyNetwork,
    PrivateAttr,
    SecretStr,
    ValidationError,
)
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from providers.jimeng.site.session import CURRENT

DEFAULT_FILE = "gateway.toml"

_OTHER_VARIABLES = {"GATEWAY_CONFIG", "GATEWAY_URL", "GATEWAY_KEY"}
"""Those of the loader and of the client commands."""
_SERVICE_LINK = re.compile(r"GATEWAY_(?:SERVICE|PORT)_")
"""Kubernetes sets such variables for a service that is called gateway."""

_USERINFO = re.compile(r"://[^@\s]+@")


PolicyName = Literal["round_robin", "least_busy", "random", "fill_first"]
"""How submits are spread over accounts."""

Stamp = tuple[int, int, int]
"""What tells one version of a file from the next."""


class SettingsError(Exception):
    """The configuration cannot be used; the text says in one line what is wrong and where."""


def _split(value: Any) -> Any:
    """A comma-separated text as a list; anything else as it is."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _http_url(value: str) -> str:
    if not re.fullmatch(r"https?://[^\s/?#]+[^\s?#]*", value):
        raise ValueError("an http:// or https:// address without a query is wanted")
    return value.rstrip("/")


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
Secrets = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_split)]
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
BaseUrl = Annotated[str, AfterValidator(_http_url)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TimeoutSettings(_Part):
    """Seconds allowed for a call to an upstream."""

    connect: float = Field(10.0, gt=0, description="Until the connection stands.")
    read: float = Field(45.0, gt=0, description="Between two pieces of an answer.")
    total: float = Field(60.0, gt=0, description="For the whole call.")


class LimitSettings(_Part):
    """Bounds on what one client may send."""

    body_bytes: int = Field(
        32 * 1024 * 1024, ge=1024, description="Size of a request body in bytes; a larger one is refused with 413."
    )
    upload_bytes: int = Field(
        256 * 1024 * 1024, ge=1024, description="The same for a form with files, which lie on disk and not in memory."
    )


class MediaSettings(_Part):
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


class ArchiveSettings(_Part):
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


class JimengSettings(_Part):
    """What the gateway says of itself to the Jimeng and Dreamina sites, which raise these versions with their page."""

    app_version: str = Field(
        CURRENT.app_version, pattern=r"^\d+\.\d+\.\d+$", description="`da_version` in the query of every call."
    )
    draft_version: str = Field(
        CURRENT.draft_version, pattern=r"^\d+\.\d+\.\d+$", description="`version` in the draft of every submit."
    )


class ExtraModel(_Part):
    """A Jimeng model that neither the site's live list nor the table has, or one of theirs with other facts."""

    name: str = Field(min_length=1, description="What clients write.")
    key: str = Field(min_length=1, description="The site's own key, as `model_req_key`.")
    benefit_type: str = Field(min_length=1, description="The site's name for what is charged.")
    durations: tuple[int, ...] = Field((5, 10), min_length=1, description="Seconds offered, the default first.")
    resolutions: tuple[str, ...] = Field((), description="Such as 720p; empty where the model has no such choice.")


class AccountSettings(_Part):
    """One managed account, where a list of credentials cannot say enough."""

    name: str = Field(
        pattern=r"^[\w-][\w.-]{0,63}$",
        description="How it is called in logs, figures and commands. It keeps its tasks when its credential changes.",
    )
    credential: SecretStr = Field(
        min_length=1,
        description="A sessionid, with its region's prefix and a proxy in front where wished, or an sk- key.",
    )
    provider: str | None = Field(None, description="jimeng or dashscope; without it the credential's shape decides.")
    region: str | None = Field(
        None, description="jimeng: cn, us, hk, jp, sg; dashscope: cn-beijing, ap-southeast-1, us-east-1, cn-hongkong."
    )
    proxy: Secret = Field(
        None, description="http, https, socks4 or socks5 URL; every call of the account goes through it."
    )
    cookie: Secret = Field(None, description="jimeng: a whole Cookie header, sent as it is.")
    weight: int = Field(1, ge=0, le=1000, description="Its share of the submits; 0 takes none, its tasks are answered.")
    max_running: int | None = Field(
        None, ge=1, description="Unfinished tasks it may have; without it as many as the upstream takes."
    )


class RotationSettings(_Part):
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

    jimeng_tokens: Secrets = Field(
        (), validation_alias="JIMENG_TOKENS", description="Managed Jimeng accounts, with region and proxy prefixes."
    )
    dashscope_api_key: Secrets = Field((), validation_alias="DASHSCOPE_API_KEY", description="Managed DashScope keys.")

    jimeng_base_url: BaseUrl | None = Field(
        None, validation_alias="JIMENG_BASE_URL", description="Replaces the host of every region."
    )
    jimeng_commerce_url: BaseUrl | None = Field(
        None, validation_alias="JIMENG_COMMERCE_URL", description="Replaces the credits' host; follows the base."
    )
    jimeng_imagex_url: BaseUrl | None = Field(
        None, validation_alias="JIMENG_IMAGEX_URL", description="Replaces the host of every region that takes pictures."
    )
    jimeng_vod_url: BaseUrl | None = Field(
        None, validation_alias="JIMENG_VOD_URL", description="Replaces the host that takes clips and sounds."
    )
    dashscope_base_url: BaseUrl = Field(
        "https://dashscope.aliyuncs.com/api/v1",
        validation_alias=AliasChoices("DASHSCOPE_BASE_URL", "QWEN_BASE_URL"),
        description="DashScope's address; QWEN_BASE_URL is read as an older name.",
    )
    qwen_video_model: str = Field(
        "wan2.6-i2v", validation_alias="QWEN_VIDEO_MODEL", description="DashScope's model when only an image is given."
    )
    dashscope_qps: float = Field(
        20.0, ge=0, validation_alias="DASHSCOPE_QPS", description="Queries a second of one account; 0 = no limit."
    )
    jimeng_qps: float = Field(
        5.0, ge=0, validation_alias="JIMENG_QPS", description="Queries a second of one account; 0 = no limit."
    )
    jimeng_query_batch: int = Field(
        50, ge=1, le=500, validation_alias="JIMENG_QUERY_BATCH", description="Ids in one status query to Jimeng."
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
    aliases: dict[str, str] = Field({}, description="Other names of models: alias = model.")
    models: tuple[ExtraModel, ...] = Field(
        (), description="Jimeng models beside those that the site lists; one of the same name replaces the site's."
    )
    jimeng: JimengSettings = JimengSettings()
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

    @property
    def stamp(self) -> Stamp | None:
        """The version of the file they were read from; None where there was none."""
        return self._stamp

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings, env_settings, TomlConfigSettingsSource(settings_cls))

    def masked(self) -> dict[str, Any]:
        """The effective configuration, ready for JSON, with no secret in it."""
        return {name: _mask(value) for name, value in self.model_dump().items()}


def settings_file(config: str | None = None) -> Path:
    """The file that is read: `config`, else GATEWAY_CONFIG, else gateway.toml in the working directory."""
    return Path(config or os.environ.get("GATEWAY_CONFIG") or DEFAULT_FILE)


def stamp_of(file: Path) -> Stamp | None:
    """The version of a file as it lies there now, None while there is none."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def load_settings(config: str | None = None) -> Settings:
    """The settings from the environment, then the file, which has to be there only where one was named.

    Raises SettingsError.
    """
    path = settings_file(config)
    if (config or os.environ.get("GATEWAY_CONFIG")) and not path.is_file():
        raise SettingsError(f"{path} does not exist")

    class FromFile(Settings):
        model_config = SettingsConfigDict(toml_file=path if path.is_file() else None)

    # Before it is read: a change in between is then seen as one.
    stamp = stamp_of(path)
    try:
        _refuse_unknown_variables()
        # Of the plain class, which other processes can be handed.
        settings = Settings.model_construct(**{name: value for name, value in FromFile()})  # noqa: C416
        settings._stamp = stamp
        return settings
    except UnicodeDecodeError:
        raise SettingsError(f"{path} is not UTF-8 text") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: {error}") from None
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from None
    except pydantic_settings.SettingsError as error:
        # A variable of a table, such as GATEWAY_ALIASES, that is not JSON.
        raise SettingsError(str(error)) from None
    except ValidationError as error:
        raise SettingsError(_one_line(error)) from None


def _refuse_unknown_variables() -> None:
    """A misspelt variable would be a setting that silently does nothing. Raises SettingsError."""
    known = {f"GATEWAY_{name.upper()}" for name in Settings.model_fields} | _OTHER_VARIABLES
    for name in sorted(os.environ):
        if name.startswith("GATEWAY_") and name not in known and not _SERVICE_LINK.match(name):
            raise SettingsError(f"{name}: unknown variable")


def _one_line(error: ValidationError) -> str:
    """Every problem, each with the key it stands under; values are not shown, they may be secrets."""
    problems = []
    for problem in error.errors(include_input=False, include_url=False):
        where = ".".join(_spell(part) for part in problem["loc"]) or "configuration"
        unknown = problem["type"] == "extra_forbidden"
        what = "unknown key" if unknown else problem["msg"].removeprefix("Value error, ")
        problems.append(f"{where}: {what}")
    return "; ".join(problems)


def _spell(part: str | int) -> str:
    """People count from one."""
    return part if isinstance(part, str) else f"entry {part + 1}"


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
