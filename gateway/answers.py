"""What clients are sent, as models: the OpenAPI document is made of them, and tests hold the answers against them."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


Status = Literal["pending", "processing", "completed", "failed"]


class TaskAccepted(_Answer):
    """A task that was accepted."""

    created: int = Field(description="Unix seconds.")
    task_id: str = Field(description="Ask GET /v1/videos/tasks/{id} with it.")
    status: Literal["pending"]
    model: str = Field(description="The model that is really used.")
    provider: str


class QueuePlace(_Answer):
    position: int
    length: int | None = None
    eta_seconds: int | None = None


class VideoResult(_Answer):
    url: str = Field(description="The finished video. The link expires.")
    cover_url: str | None = None
    expires_at: int | None = Field(None, description="Unix seconds.")
    width: int | None = None
    height: int | None = None
    duration: float | None = Field(None, description="Seconds.")


class TaskObject(_Answer):
    """A task as it stands. Absent fields are left out."""

    task_id: str
    status: Status
    progress: int | None = Field(None, ge=0, le=100, description="Estimated percentage; 100 only with a result.")
    message: str | None = Field(None, description="What is going on, for a person.")
    queue: QueuePlace | None = None
    result: VideoResult | None = None
    error: str | None = Field(None, description="Why it failed, or with `stale` why the last query did.")
    error_code: str | None = Field(None, description="The upstream's own code of the failure.")
    stale: bool | None = Field(None, description="The last query failed on its way: this is the last known state.")
    created: int | None = Field(None, description="Unix seconds.")
    model: str | None = None
    provider: str


class VideoError(_Answer):
    code: str
    message: str
    upstream_code: str | None = None


class VideoObject(_Answer):
    """A video as OpenAI's libraries know it."""

    id: str
    object: Literal["video"]
    created_at: int = Field(description="Unix seconds.")
    model: str
    status: Literal["queued", "in_progress", "completed", "failed"]
    progress: int = Field(ge=0, le=100)
    seconds: str
    size: str = Field(description="Pixels, WIDTHxHEIGHT.")
    completed_at: int | None
    expires_at: int | None = Field(description="When the link ends, unix seconds.")
    remixed_from_video_id: str | None
    error: VideoError | None
    prompt: str | None = None
    url: str | None = Field(None, description="The finished video.")
    stale: bool | None = Field(None, description="The last query failed on its way: this is the last known state.")
    provider: str


class VideoList(_Answer):
    object: Literal["list"]
    data: list[VideoObject]
    first_id: str | None
    last_id: str | None
    has_more: bool


class VideoDeleted(_Answer):
    id: str
    object: Literal["video.deleted"]
    deleted: bool


class VideoLink(_Answer):
    url: str
    revised_prompt: str | None = None


class WaitedTask(TaskObject):
    """The answer of a submit that waited."""

    data: list[VideoLink] | None = None


class UnknownTask(_Answer):
    task_id: str
    status: Literal["not_found"]


class TaskList(_Answer):
    object: Literal["list"]
    data: list[TaskObject | UnknownTask]


class ModelObject(_Answer):
    """A model with what it can do. An empty list means that there is nothing to choose."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    alias_of: str | None = None
    durations: list[int] = Field(description="Seconds.")
    default_duration: int | None = None
    resolutions: list[str]
    default_resolution: str | None = None
    ratios: list[str]
    default_ratio: str | None = None
    sizes: list[str] = Field(description="Pixels.")
    inputs: list[list[str]] = Field(description="Sets of inputs that go together; an empty set is text alone.")
    parameters: list[str] = Field(description="Further fields of a request that the model has.")


class ModelList(_Answer):
    object: Literal["list"]
    data: list[ModelObject]


class ErrorDetail(_Answer):
    message: str = Field(description="What happened, why, and what to do now, in the client's language.")
    type: str
    code: str = Field(description="A stable word.")
    param: str | None = Field(description="The field that was refused.")
    request_id: str
    upstream_code: str | None = Field(None, description="The upstream's own number or word.")


class ErrorBody(_Answer):
    error: ErrorDetail


class Health(_Answer):
    status: Literal["ok"]
    version: str
