"""Models of the usage of gateway keys, for the OpenAPI document."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class _UsageModel(BaseModel):
    model_config = ConfigDict(extra="forbid")


class UsedQuantity(_UsageModel):
    """How much is used; its limit and what is left are absent without a limit."""

    used: int
    limit: int | None = None
    remaining: int | None = None


class RequestLimit(_UsageModel):
    """The rate limit of requests."""

    per_second: float = Field(description="Requests a second on average.")
    limit: int = Field(description="Requests at once, after a pause.")
    remaining: int


class KeyUsageObject(_UsageModel):
    """What a gateway key uses, as the process that answers has counted it."""

    object: Literal["usage"]
    key: str = Field(description="The name of the key.")
    day: str = Field(description="The current day in `time_zone`, YYYY-MM-DD.")
    time_zone: str
    resets_at: int = Field(description="When the next day begins, unix seconds.")
    submits: UsedQuantity = Field(description="Videos submitted today.")
    video_seconds: UsedQuantity = Field(description="Seconds of the videos submitted today.")
    running_tasks: UsedQuantity = Field(description="Unfinished tasks, as far as this process knows them.")
    requests: RequestLimit | None = Field(None, description="Absent without a rate limit.")
    models: list[str] | None = Field(None, description="Patterns of the models that the key may use; absent: all.")
    providers: list[str] | None = Field(None, description="The same for providers.")


class KeyUsageList(_UsageModel):
    """The usage of all gateway keys, for the operator."""

    object: Literal["list"]
    data: list[KeyUsageObject]
