"""The paths of DashScope's own API that the gateway serves, and the forms of their bodies, for the documentation."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from providers.contract.native import NativeCall, NativeOperation
from providers.dashscope.request_protocols import IMAGE2VIDEO_PATH, VIDEO_PATH

PREFIX = "/api/v1"


class _DocumentedModel(BaseModel):
    """Only the documentation uses the models, so that they are built for it."""

    model_config = ConfigDict(defer_build=True)


class DashScopeSubmit(_DocumentedModel):
    """A submit in DashScope's own form. It goes to the service as it is."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "model": "wan2.6-t2v",
                    "input": {"prompt": "a cat on a beach"},
                    "parameters": {"size": "1280*720", "duration": 10},
                }
            ]
        },
    )

    model: str = Field(description="A model of DashScope, or of any other provider of this gateway.")
    input: dict[str, Any] = Field(description="The prompt and the media, as the model takes them.")
    parameters: dict[str, Any] | None = Field(None, description="Size, duration and so on, as the model takes them.")


class DashScopeAcceptedOutput(_DocumentedModel):
    """The id and the state of a new task."""

    task_id: str
    task_status: str = Field(description="`PENDING`")


class DashScopeAccepted(_DocumentedModel):
    """A submitted task in DashScope's own form."""

    output: DashScopeAcceptedOutput
    request_id: str


class DashScopeTaskOutput(_DocumentedModel):
    """A task in DashScope's own form. Times are texts in UTC+8."""

    task_id: str
    task_status: str = Field(description="PENDING, RUNNING, SUCCEEDED, FAILED, CANCELED, or UNKNOWN for no such task.")
    submit_time: str | None = Field(None, description="2025-01-01 12:00:00.000")
    scheduled_time: str | None = None
    end_time: str | None = None
    video_url: str | None = Field(None, description="The video. Portrait models have it in `results`.")
    code: str | None = Field(None, description="Why a task failed.")
    message: str | None = None


class DashScopeTaskStatus(_DocumentedModel):
    """The status of a task in DashScope's own form."""

    output: DashScopeTaskOutput
    usage: dict[str, Any] | None = Field(None, description="What was made: `duration`, `SR`, `size`, `video_count`.")
    request_id: str


class DashScopeTaskRow(_DocumentedModel):
    """A task in a list. Times are milliseconds."""

    task_id: str
    model_name: str
    status: str
    gmt_create: int
    start_time: int
    end_time: int | None = None


class DashScopeTaskPage(_DocumentedModel):
    """A page of recent tasks in DashScope's own form."""

    total: int
    data: list[DashScopeTaskRow]
    total_page: int
    page_no: int
    page_size: int
    request_id: str


class DashScopeCancelled(_DocumentedModel):
    """A cancelled task in DashScope's own form."""

    request_id: str


class DashScopeUploadPolicy(_DocumentedModel):
    """The permission to upload files for one model, in DashScope's own form."""

    data: dict[str, Any] = Field(description="`upload_host`, `upload_dir`, `policy`, `signature` and so on.")
    request_id: str


class DashScopeError(_DocumentedModel):
    """An error in DashScope's own form."""

    code: str = Field(description="A code of the service: InvalidParameter, InvalidApiKey, Arrearage, …")
    message: str
    request_id: str


_SUBMIT_HEADERS = {
    "X-DashScope-Async": "`enable`: required.",
    "X-DashScope-OssResourceResolve": "`enable`, where the body names an uploaded file (`oss://…`).",
    "Idempotency-Key": "The same key and body return the first task.",
}
_LIST_QUERY = {
    "page_no": "The page, from 1.",
    "page_size": "Tasks of a page, 1 to 100, by default 10.",
    "start_time": "YYYYMMDDhhmmss in UTC+8; at most 24 hours before `end_time`.",
    "end_time": "YYYYMMDDhhmmss in UTC+8.",
    "model_name": "Only tasks of this model.",
    "status": "Only tasks in this state.",
    "task_id": "Only this task.",
}

OPERATIONS: tuple[NativeOperation, ...] = (
    *(
        NativeOperation(
            NativeCall.SUBMIT,
            "POST",
            f"{PREFIX}{path}",
            f"dashscope{name}",
            f"Submit a video{only}",
            DashScopeAccepted,
            DashScopeSubmit,
            headers=_SUBMIT_HEADERS,
            error_statuses=(400, 401, 403, 404, 409, 429, 500, 503),
        )
        for path, name, only in (
            (VIDEO_PATH, "SubmitVideo", ""),
            (IMAGE2VIDEO_PATH, "SubmitImageToVideo", " from two frames, or of a portrait model"),
        )
    ),
    NativeOperation(
        NativeCall.STATUS,
        "GET",
        f"{PREFIX}/tasks/{{id}}",
        "dashscopeGetTask",
        "The current status of a task",
        DashScopeTaskStatus,
        error_statuses=(401, 503),
    ),
    NativeOperation(
        NativeCall.LIST,
        "GET",
        f"{PREFIX}/tasks",
        "dashscopeListTasks",
        "Recent tasks of the credential's accounts",
        DashScopeTaskPage,
        query=_LIST_QUERY,
        error_statuses=(400, 401, 429, 503),
    ),
    NativeOperation(
        NativeCall.CANCEL,
        "POST",
        f"{PREFIX}/tasks/{{id}}/cancel",
        "dashscopeCancelTask",
        "Cancel a task that is still in the queue",
        DashScopeCancelled,
        error_statuses=(400, 401, 429, 503),
    ),
    NativeOperation(
        NativeCall.UPLOADS,
        "GET",
        f"{PREFIX}/uploads",
        "dashscopeGetUploadPolicy",
        "The permission to upload local files for one model; it is valid for two days",
        DashScopeUploadPolicy,
        query={"action": "`getPolicy`", "model": "The model that the files are for."},
        error_statuses=(400, 401, 403, 404, 429, 503),
    ),
)
