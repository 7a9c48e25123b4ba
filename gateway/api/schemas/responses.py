"""What clients are sent, as models: the OpenAPI document is made of them, and tests hold the answers against them."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from gateway.accounts.health import AccountState


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


Status = Literal["pending", "processing", "completed", "failed"]


class FieldWarningObject(_Answer):
    """What was not done as asked."""

    code: Literal["ignored_field", "adjusted_value"]
    field: str = Field(description="The field, as the request called it.")
    value: str | None = Field(None, description="What is used instead.")


class VideoLink(_Answer):
    url: str
    revised_prompt: str | None = None


class TaskAccepted(_Answer):
    """A task that was accepted."""

    created: int = Field(description="Unix seconds.")
    task_id: str = Field(description="Ask GET /v1/videos/tasks/{id} with it.")
    status: Literal["pending"]
    model: str = Field(description="The model that is really used.")
    provider: str
    warnings: list[FieldWarningObject] | None = None


class QueuePlace(_Answer):
    position: int
    length: int | None = None
    eta_seconds: int | None = None


class VideoResult(_Answer):
    url: str = Field(description="The finished video. The link expires. Fetch it without `Authorization`.")
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
    data: list[VideoLink] | None = Field(None, description="The same link, as synchronous gateways give it.")
    error: str | None = Field(None, description="Why it failed, or with `stale` why the last query did.")
    error_code: str | None = Field(None, description="The upstream's own code of the failure.")
    archived: bool | None = Field(None, description="The gateway keeps the video: `content` gives it for ever.")
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
    url: str | None = Field(None, description="The finished video. Fetch it without `Authorization`.")
    archived: bool | None = Field(None, description="The gateway keeps the video: `content` gives it for ever.")
    stale: bool | None = Field(None, description="The last query failed on its way: this is the last known state.")
    provider: str
    warnings: list[FieldWarningObject] | None = None


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


class WaitedTask(TaskObject):
    """The answer of a submit that waited."""

    warnings: list[FieldWarningObject] | None = None


class UnknownTask(_Answer):
    task_id: str
    status: Literal["not_found"]


class TaskList(_Answer):
    object: Literal["list"]
    data: list[TaskObject | UnknownTask]


class FileLimits(_Answer):
    """What one file may be; what is absent is not limited by the gateway."""

    types: list[str] | None = Field(None, description="Media types.")
    max_bytes: int | None = None
    min_side: int | None = Field(None, description="Pixels that every side of a picture or clip needs.")
    max_side: int | None = Field(None, description="Pixels that a side may have.")
    max_aspect: float | None = Field(None, description="How many times longer than the short side the long one may be.")
    no_alpha: bool | None = Field(None, description="Pictures with an alpha channel are refused.")
    min_seconds: float | None = Field(None, description="Of a clip or a sound.")
    max_seconds: float | None = Field(None, description="Of a clip or a sound.")
    max_total_seconds: float | None = Field(None, description="Of all clips, or all sounds, of a request together.")


class ModelObject(_Answer):
    """A model with what it can do. An empty list means that there is nothing to choose."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    alias_of: str | None = None
    title: str | None = Field(None, description="The upstream's own name of the model for people.")
    upstream_model: str | None = Field(None, description="The upstream's key of the model, where it is another word.")
    status: Literal["available", "unavailable"] = Field(description="Whether the upstream offers it at the moment.")
    max_prompt: int | None = Field(None, description="Characters of the prompt.")
    han_weight: int | None = Field(
        None, description="As how many of them a Chinese character counts, where not as one."
    )
    max_negative_prompt: int | None = Field(None, description="Characters of the negative prompt.")
    durations: list[int] = Field(description="Seconds.")
    default_duration: int | None = None
    resolutions: list[str]
    default_resolution: str | None = None
    ratios: list[str]
    default_ratio: str | None = None
    sizes: list[str] = Field(description="Pixels.")
    inputs: list[list[str]] = Field(description="Sets of inputs that go together; an empty set is text alone.")
    input_counts: dict[str, int] = Field(description="How many inputs of a role are taken.")
    max_inputs: int | None = Field(None, description="How many inputs are taken in all.")
    max_references: int | None = Field(None, description="How many references are taken in all.")
    input_counts_with: dict[str, dict[str, int]] | None = Field(
        None, description="By the role of another input: how many of a role are taken beside it."
    )
    durations_with: dict[str, list[int]] | None = Field(
        None, description="By the role of an input: the seconds beside it; an empty list where it gives the length."
    )
    durations_at: dict[str, list[int]] | None = Field(
        None, description="By the resolution: the seconds that it allows."
    )
    ratio_from: list[str] | None = Field(None, description="Inputs that give the video its ratio: none is chosen then.")
    silent_with: list[str] | None = Field(None, description="Inputs beside which `audio` may not be true.")
    takes_files: bool = Field(description="False where inputs are public https addresses only, no files and no data.")
    files: dict[str, FileLimits] = Field(description="What one input may be, by its kind: image, video, audio.")
    parameters: list[str] = Field(description="Further fields of a request that the model has.")


class ModelList(_Answer):
    object: Literal["list"]
    data: list[ModelObject]


class Credits(_Answer):
    """What an account has left, in the upstream's own units."""

    total: int
    gift: int
    purchase: int
    vip: int


class SeenCredits(Credits):
    """Credits as they were read last."""

    seen_at: int = Field(description="Unix seconds.")


class AccountError(_Answer):
    """The last failure that was the account's own."""

    code: str | None = Field(description="The upstream's own number or word.")
    message: str
    at: int = Field(description="Unix seconds.")


class AccountObject(_Answer):
    """One of the gateway's own accounts, without anything secret."""

    name: str = Field(description="As the configuration calls it, else its tag.")
    tag: str = Field(description="12 hex digits that stand for the account.")
    provider: str
    region: str | None
    proxy: bool = Field(description="Its calls go through a proxy.")
    weight: int = Field(description="Its share of the submits; 0 takes none.")
    max_running: int | None = Field(description="Unfinished tasks it may have; null: as many as the upstream takes.")
    state: AccountState
    reason: str | None = Field(description="Why the account takes no submits now, and what to do.")
    rests_until: int | None = Field(description="Unix seconds.")
    closed_models: dict[str, int] = Field(description="Models it may not use, each until a time in unix seconds.")
    running: int = Field(description="Its unfinished tasks, as far as this process knows them.")
    submitted: int = Field(description="Submits that were taken since this process started.")
    failed: int = Field(description="Submits refused for the account's own sake since this process started.")
    last_error: AccountError | None
    credits: SeenCredits | None


class AccountList(_Answer):
    object: Literal["list"]
    data: list[AccountObject]


class AccountAction(_Answer):
    """The account as it stands now."""

    account: AccountObject


class AccountChecked(AccountAction):
    """Whether the upstream knows the login, and the account as it stands now."""

    live: bool


class AccountCredits(AccountAction):
    """What is left, and the account as it stands now."""

    credits: Credits


class AccountReceived(AccountAction):
    """What was received, and the account as it stands now."""

    received: int = Field(description="Today's credits; 0 when they were taken before.")


class TokenLive(_Answer):
    """Whether the upstream knows the login."""

    live: bool


class _TokenRow(_Answer):
    index: int = Field(description="The place of the credential in the bearer, from 0.")
    token: str = Field(description="The account's name or tag; a credential is never repeated.")
    provider: str
    error: str | None = Field(None, description="Why the other fields are left out.")
    error_code: str | None = Field(None, description="A stable word, as in an error body.")


class TokenChecked(_TokenRow):
    """One credential of several."""

    live: bool | None = None


class Points(_Answer):
    """Credits, by the names that existing clients read."""

    gift: int = Field(alias="giftCredit")
    purchase: int = Field(alias="purchaseCredit")
    vip: int = Field(alias="vipCredit")
    total: int = Field(alias="totalCredit")


class TokenPoints(_TokenRow):
    """What one credential has left."""

    points: Points | None = None
    credits: Points | None = Field(None, description="The same as `points`, as other clients read it.")


class TokenReceived(_TokenRow):
    """What one credential received, and what it has now."""

    success: bool
    received: int | None = Field(None, description="Today's credits; 0 when they were taken before.")
    credits: Points | None = Field(None, description="What the credential has now.")
    gift: int | None = Field(None, alias="giftCredit")
    purchase: int | None = Field(None, alias="purchaseCredit")
    vip: int | None = Field(None, alias="vipCredit")
    total: int | None = Field(None, alias="totalCredit")


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
