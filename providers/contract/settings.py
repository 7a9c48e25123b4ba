"""The base of every provider's settings, and the types of their fields."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr


def split_list(value: Any) -> Any:
    """A comma-separated text as a list; any other value unchanged."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _http_url(value: str) -> str:
    if not re.fullmatch(r"https?://[^\s/?#]+[^\s?#]*", value):
        raise ValueError("must be an http:// or https:// URL without a query")
    return value.rstrip("/")


Secrets = Annotated[tuple[SecretStr, ...], BeforeValidator(split_list)]
BaseUrl = Annotated[str, AfterValidator(_http_url)]
"""Without a trailing slash."""


class Section(BaseModel):
    """A table of the configuration: an unknown key is an error. Patterns are Python's: those of pydantic take megabytes
    where a class of Unicode characters is repeated."""

    model_config = ConfigDict(extra="forbid", frozen=True, regex_engine="python-re")


class UpstreamSettings(Section):
    """A provider's table, `[providers.NAME]`: the fields that the gateway reads. A provider adds fields and sets its
    defaults."""

    credentials: Secrets = Field((), description="Managed accounts: a credential each, in a list or with commas.")


class ProviderSettings(UpstreamSettings):
    """The table of a provider that makes videos."""

    queries_per_second: float = Field(0.0, ge=0, description="Queries a second of one account; 0 = no limit.")
