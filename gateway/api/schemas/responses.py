"""Models of the responses. The OpenAPI document is generated from them; tests validate responses with them."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from gateway.accounts.health import AccountState


class _ResponseModel(BaseModel):
    model_config = ConfigDict(extra="forbid")


_VERIFIES = (
    "In the response to a submit with `webhook_url`: verifies its events. Absent where the gateway's operator has set "
    "one secret for all."
)

_REVISED = "What a language model made of the prompt and the shot description, with `enhance_prompt`."

Status = Literal["pending", "processing", "completed", "failed"]


class FieldWarningObject(_ResponseModel):
    """A field without the requested effect: ignored, adjusted, or a prompt that was not rewritten."""

    code: Literal["ignored_field", "adjusted_value", "not_enhanced"]
    field: str = Field(description="The field's name in the request.")
    value: str | None = Field(
        None, description="The value that is used instead; of `not_enhanced` a word for the reason."
    )
    message: str | None = Field(None, description="Of `not_enhanced`: the reason as text for people.")


class VideoLink(_ResponseModel):
    url: str
    revised_prompt: str | None = None


class TaskAccepted(_ResponseModel):
    """The new task."""

    created: int = Field(description="Unix seconds.")
    task_id: str = Field(description="Poll GET /v1/videos/tasks/{id} with it.")
    status: Literal["pending"]
    model: str = Field(description="The model that is used.")
    provider: str
    revised_prompt: str | None = Field(None, description=_REVISED)
    webhook_secret: str | None = Field(None, description=_VERIFIES)
    warnings: list[FieldWarningObject] | None = None


class QueuePlace(_ResponseModel):
    position: int
    length: int | None = None
    eta_seconds: int | None = None


class VideoResult(_ResponseModel):
    url: str = Field(description="The finished video. The link expires. Fetch it without `Authorization`.")
    cover_url: str | None = None
    expires_at: int | None = Field(None, description="Unix seconds.")
    width: int | None = None
    height: int | None = None
    duration: float | None = Field(None, description="Seconds.")


class TaskObject(_ResponseModel):
    """The status of a task. Unknown fields are absent."""

    task_id: str
    status: Status
    progress: int | None = Field(None, ge=0, le=100, description="Estimated percentage; 100 only with a result.")
    message: str | None = Field(None, description="The status as text for people.")
    queue: QueuePlace | None = None
    result: VideoResult | None = None
    data: list[VideoLink] | None = Field(None, description="The same link, for clients of synchronous gateways.")
    error: str | None = Field(None, description="Why the task failed or, with `stale`, why the last query failed.")
    error_code: str | None = Field(None, description="The upstream's error code.")
    archived: bool | None = Field(None, description="The video is archived: `content` serves it without an expiry.")
    stale: bool | None = Field(None, description="The last query failed: this is the last known status.")
    created: int | None = Field(None, description="Unix seconds.")
    model: str | None = None
    provider: str


class VideoError(_ResponseModel):
    code: str
    message: str
    upstream_code: str | None = None


class VideoObject(_ResponseModel):
    """The status of a video, in the form of OpenAI's libraries."""

    id: str
    object: Literal["video"]
    created_at: int = Field(description="Unix seconds.")
    model: str
    status: Literal["queued", "in_progress", "completed", "failed"]
    progress: int = Field(ge=0, le=100)
    seconds: str
    size: str = Field(description="Pixels, WIDTHxHEIGHT.")
    completed_at: int | None
    expires_at: int | None = Field(description="When the link expires, unix seconds.")
    remixed_from_video_id: str | None
    error: VideoError | None
    prompt: str | None = None
    revised_prompt: str | None = Field(None, description=_REVISED)
    url: str | None = Field(None, description="The finished video. Fetch it without `Authorization`.")
    archived: bool | None = Field(None, description="The video is archived: `content` serves it without an expiry.")
    stale: bool | None = Field(None, description="The last query failed: this is the last known status.")
    provider: str
    webhook_secret: str | None = Field(None, description=_VERIFIES)
    warnings: list[FieldWarningObject] | None = None


class VideoList(_ResponseModel):
    object: Literal["list"]
    data: list[VideoObject]
    first_id: str | None
    last_id: str | None
    has_more: bool


class VideoDeleted(_ResponseModel):
    id: str
    object: Literal["video.deleted"]
    deleted: bool


class WaitedTask(TaskObject):
    """The status of a task whose submit was held."""

    revised_prompt: str | None = Field(None, description=_REVISED)
    webhook_secret: str | None = Field(None, description=_VERIFIES)
    warnings: list[FieldWarningObject] | None = None


class RevisedPrompt(_ResponseModel):
    """A rewritten prompt."""

    prompt: str = Field(description="As it was sent.")
    revised_prompt: str = Field(description=_REVISED)
    model: str | None = Field(
        None, description="The model of the video, whose limit the prompt keeps; absent where none is known."
    )
    language_model: str = Field(description="The language model that wrote it.")
    warnings: list[FieldWarningObject] | None = None


class UnknownTask(_ResponseModel):
    task_id: str
    status: Literal["not_found"]


class TaskList(_ResponseModel):
    object: Literal["list"]
    data: list[TaskObject | UnknownTask]


class FileLimits(_ResponseModel):
    """Limits of one input file; the gateway does not limit what is absent."""

    types: list[str] | None = Field(None, description="Media types.")
    max_bytes: int | None = None
    min_side: int | None = Field(None, description="Minimum pixels of each side of an image or video.")
    max_side: int | None = Field(None, description="Maximum pixels of each side.")
    max_aspect: float | None = Field(None, description="Maximum ratio of the long side to the short side.")
    no_alpha: bool | None = Field(None, description="Images with an alpha channel are rejected.")
    min_seconds: float | None = Field(None, description="Of a video or audio file.")
    max_seconds: float | None = Field(None, description="Of a video or audio file.")
    max_total_seconds: float | None = Field(None, description="Of all video, or all audio files of a request.")


class ModelObject(_ResponseModel):
    """A model with its capabilities. An empty list means that there is no choice."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    type: Literal["video"]
    alias_of: str | None = None
    title: str | None = Field(None, description="The upstream's display name of the model.")
    upstream_model: str | None = Field(None, description="The upstream's key of the model, if it differs from `id`.")
    status: Literal["available", "unavailable"] = Field(description="Whether the upstream currently offers it.")
    max_prompt: int | None = Field(None, description="Maximum characters of the prompt.")
    han_weight: int | None = Field(
        None, description="Number of characters that a Chinese character counts as, if not 1."
    )
    max_negative_prompt: int | None = Field(None, description="Maximum characters of the negative prompt.")
    durations: list[int] = Field(description="Seconds.")
    default_duration: int | None = None
    resolutions: list[str]
    default_resolution: str | None = None
    ratios: list[str]
    default_ratio: str | None = None
    sizes: list[str] = Field(description="Pixels.")
    inputs: list[list[str]] = Field(description="Allowed combinations of inputs; an empty one is text only.")
    input_counts: dict[str, int] = Field(description="Maximum inputs by role.")
    max_inputs: int | None = Field(None, description="Maximum inputs in total.")
    max_references: int | None = Field(None, description="Maximum references in total.")
    input_counts_with: dict[str, dict[str, int]] | None = Field(
        None, description="By the role of another input: maximum inputs by role in combination with it."
    )
    durations_with: dict[str, list[int]] | None = Field(
        None, description="By the role of an input: seconds allowed with it; empty if it determines the duration."
    )
    durations_at: dict[str, list[int]] | None = Field(None, description="By resolution: seconds allowed with it.")
    ratio_from: list[str] | None = Field(None, description="Inputs that determine the ratio: none is chosen then.")
    silent_with: list[str] | None = Field(None, description="Inputs with which `audio` cannot be true.")
    takes_files: bool = Field(description="False if inputs can only be public https URLs, not files or data URLs.")
    files: dict[str, FileLimits] = Field(description="Limits of one input file, by kind: image, video, audio.")
    parameters: list[str] = Field(description="Further request fields that the model supports.")


class Credits(_ResponseModel):
    """The credits of an account, in the upstream's units."""

    total: int
    gift: int
    purchase: int
    vip: int


class SeenCredits(Credits):
    """The credits that were read last."""

    seen_at: int = Field(description="Unix seconds.")


class AccountError(_ResponseModel):
    """The last failure caused by the account."""

    code: str | None = Field(description="The upstream's error code.")
    message: str
    at: int = Field(description="Unix seconds.")


class AccountObject(_ResponseModel):
    """A managed account, without its secrets."""

    name: str = Field(description="Its name in the configuration, else its tag.")
    tag: str = Field(description="12 hex digits that identify the account.")
    provider: str
    region: str | None
    proxy: bool = Field(description="Whether its calls go through a proxy.")
    weight: int = Field(description="Its share of the submits; 0 means no submits.")
    max_running: int | None = Field(description="Maximum unfinished tasks; null: the upstream's limit.")
    state: AccountState
    reason: str | None = Field(description="Why the account currently takes no submits, and what to do.")
    rests_until: int | None = Field(description="When its pause ends, unix seconds.")
    closed_models: dict[str, int] = Field(description="Models that it cannot use, each until a time in unix seconds.")
    running: int = Field(description="Unfinished tasks that this process knows.")
    submitted: int = Field(description="Submits accepted since this process started.")
    running_calls: int = Field(description="Calls of chat and embeddings whose answers have not ended.")
    calls: int = Field(description="Calls of chat and embeddings answered since this process started.")
    failed: int = Field(description="Submits and calls that failed because of the account since this process started.")
    last_error: AccountError | None
    credits: SeenCredits | None


class AccountList(_ResponseModel):
    object: Literal["list"]
    data: list[AccountObject]


class AccountAction(_ResponseModel):
    """The current status of the account."""

    account: AccountObject


class AccountChecked(AccountAction):
    """Whether the login is valid, and the current status of the account."""

    live: bool


class AccountCredits(AccountAction):
    """The credits and the current status of the account."""

    credits: Credits


class AccountReceived(AccountAction):
    """The received credits and the current status of the account."""

    received: int = Field(description="The daily credits; 0 if they were received before.")


class TokenLive(_ResponseModel):
    """Whether the login is valid."""

    live: bool


class _TokenRow(_ResponseModel):
    index: int = Field(description="The position of the credential in the bearer, from 0.")
    token: str | None = Field(
        None, description="The account's name or tag; absent for a credential of an invalid format."
    )
    provider: str | None = None
    error: str | None = Field(None, description="Why the other fields are absent.")
    error_code: str | None = Field(None, description="A stable error code, as in an error body.")


class TokenChecked(_TokenRow):
    """One credential of several."""

    live: bool | None = None


class Points(_ResponseModel):
    """Credits, with the field names that existing clients read."""

    gift: int = Field(alias="giftCredit")
    purchase: int = Field(alias="purchaseCredit")
    vip: int = Field(alias="vipCredit")
    total: int = Field(alias="totalCredit")


class TokenPoints(_TokenRow):
    """The credits of one credential."""

    points: Points | None = None
    credits: Points | None = Field(None, description="The same as `points`, for other clients.")


class TokenReceived(_TokenRow):
    """The credits that one credential received, and its current credits."""

    success: bool
    received: int | None = Field(None, description="The daily credits; 0 if they were received before.")
    credits: Points | None = Field(None, description="The current credits of the credential.")
    gift: int | None = Field(None, alias="giftCredit")
    purchase: int | None = Field(None, alias="purchaseCredit")
    vip: int | None = Field(None, alias="vipCredit")
    total: int | None = Field(None, alias="totalCredit")


class WebhookAttempt(_ResponseModel):
    """A delivered or failed sample event."""

    delivered: bool = Field(description="Whether the receiver answered 2xx.")
    status: int | None = Field(description="The receiver's HTTP status.")
    duration_ms: int
    headers: dict[str, str] = Field(description="The headers that the receiver verifies.")
    body: str = Field(description="The body, exactly as signed.")
    secret: str | None = Field(None, description="The secret, where it was made for this sample.")
    error: str | None = Field(None, description="Why it failed, and what to do.")


class TaskEvent(_ResponseModel):
    """The body of a webhook: a task has ended."""

    id: str = Field(description="The same as in the header `webhook-id`, and the same on every attempt.")
    object: Literal["event"]
    type: Literal["video.completed", "video.failed"]
    created_at: int = Field(description="Unix seconds.")
    data: TaskObject | VideoObject = Field(description="The status, as a poll of the API of the submit returns it.")


class ErrorDetail(_ResponseModel):
    message: str = Field(description="What happened, why, and what to do now, in the client's language.")
    type: str
    code: str = Field(description="A stable error code.")
    param: str | None = Field(description="The invalid field.")
    request_id: str
    upstream_code: str | None = Field(None, description="The upstream's error code.")


class ErrorBody(_ResponseModel):
    error: ErrorDetail


class Readiness(_ResponseModel):
    status: Literal["ready", "stopping"]
    version: str


class Health(_ResponseModel):
    status: Literal["ok"]
    version: str
