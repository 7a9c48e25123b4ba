"""What the configuration says of one provider: the base of every provider's settings, and the types of their fields."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr


def split_list(value: Any) -> Any:
    """A comma-separated text as a list; anything else as it is."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _http_url(value: str) -> str:
    if not re.fullmatch(r"https?://[^\s/?#]+[^\s?#]*", value):
        raise ValueError("an http:// or https:// address without a query is wanted")
    return value.rstrip("/")


Secrets = Annotated[tuple[SecretStr, ...], BeforeValidator(split_list)]
BaseUrl = Annotated[str, AfterValidator(_http_url)]
"""Without a slash at its end."""


class Section(BaseModel):
    """A table of the configuration: an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ProviderSettings(Section):
    """A provider's table, `[providers.NAME]`, as far as the gateway itself reads it. A provider adds its own fields and
    sets its own defaults."""

    credentials: Secrets = Field((), description="Managed accounts: a credential each, in a list or with commas.")
    queries_per_second: float = Field(0.0, ge=0, description="Queries a second of one account; 0 = no limit.")
