"""The operations on videos: submit, status, list, content, cancel."""

from gateway.api.openapi.operation import (
    IDEMPOTENCY_KEY,
    LANGUAGE,
    LAST_EVENT_ID,
    NO_CACHE,
    PREFER,
    TASK_ID,
    TOKEN,
    WAIT,
    Operation,
    OperationGroup,
    query,
)
from gateway.api.schemas import requests, responses

_EVENTS = (
    "`status` events carry the object of a poll at each change; the last event is `end`, `timeout`, `reconnect` or "
    "`unauthorized`."
)

_OF_A_TASK = dict.fromkeys(("getTask", "cancelTask", "watchTask"), "/task_id")
_OF_A_VIDEO = dict.fromkeys(("retrieveVideo", "deleteVideo", "watchVideo", "downloadVideo", "remixVideo"), "/id")

GENERATIONS = OperationGroup(
    "Videos",
    "Submit a video, get a task id at once, poll it or watch its events.",
    (
        Operation(
            "post",
            "/v1/videos/generations",
            "submitVideo",
            "Submit a video; returns its task id at once",
            {200: (responses.TaskAccepted, responses.WaitedTask), 202: responses.WaitedTask},
            body=requests.VideoGenerationRequest,
            parameters=(PREFER, IDEMPOTENCY_KEY, LANGUAGE),
            error_statuses=(400, 401, 403, 404, 409, 413, 429, 502, 503, 504),
            links=_OF_A_TASK,
        ),
        Operation(
            "get",
            "/v1/videos/tasks/{id}",
            "getTask",
            "The current status of a task",
            {200: responses.TaskObject},
            parameters=(TASK_ID, WAIT, NO_CACHE, LANGUAGE),
            error_statuses=(400, 401, 404, 502),
        ),
        Operation(
            "get",
            "/v1/videos/tasks/{id}/events",
            "watchTask",
            "Watch a task by Server-Sent Events",
            {200: "text/event-stream"},
            parameters=(TASK_ID, TOKEN, LAST_EVENT_ID, LANGUAGE),
            error_statuses=(401, 404, 429, 502, 503),
            description=_EVENTS,
        ),
        Operation(
            "get",
            "/v1/videos/tasks",
            "getTasks",
            "The status of several tasks by their ids, or of the unfinished ones",
            {200: responses.TaskList},
            parameters=(
                query("ids", "Task ids, separated by commas, at most 100."),
                query("status", "In place of `ids`: recent tasks that have not ended.", enum=["unfinished"]),
                NO_CACHE,
                LANGUAGE,
            ),
            error_statuses=(400, 401),
        ),
        Operation(
            "post",
            "/v1/videos/tasks/{id}/cancel",
            "cancelTask",
            "Cancel a task that is still in the upstream's queue; its cost is refunded",
            {200: responses.TaskObject},
            parameters=(TASK_ID, LANGUAGE),
            error_statuses=(401, 404, 409, 429, 502),
        ),
    ),
)

OPENAI_VIDEOS = OperationGroup(
    "OpenAI Videos",
    "The same videos in the form of OpenAI's client libraries.",
    (
        Operation(
            "post",
            "/v1/videos",
            "createVideo",
            "Submit a video, as OpenAI's libraries do; duration and size snap to the nearest that the model supports",
            {200: responses.VideoObject},
            body=requests.VideoGenerationRequest,
            parameters=(IDEMPOTENCY_KEY, LANGUAGE),
            error_statuses=(400, 401, 403, 404, 409, 413, 429, 502, 503, 504),
            links=_OF_A_VIDEO,
        ),
        Operation(
            "get",
            "/v1/videos",
            "listVideos",
            "Recent videos of the credential's accounts, as the upstreams list them now",
            {200: responses.VideoList},
            parameters=(
                query("limit", "Number of videos.", type="integer", minimum=1, maximum=100, default=20),
                query("after", "The `last_id` of the previous page."),
                query("order", "`desc` is newest first.", enum=["asc", "desc"], default="desc"),
            ),
            error_statuses=(400, 401, 429, 502),
        ),
        Operation(
            "get",
            "/v1/videos/{id}",
            "retrieveVideo",
            "The current status of a video",
            {200: responses.VideoObject},
            parameters=(TASK_ID, WAIT, NO_CACHE, LANGUAGE),
            error_statuses=(400, 401, 404, 502),
        ),
        Operation(
            "get",
            "/v1/videos/{id}/events",
            "watchVideo",
            "Watch a video by Server-Sent Events",
            {200: "text/event-stream"},
            parameters=(TASK_ID, TOKEN, LAST_EVENT_ID, LANGUAGE),
            error_statuses=(401, 404, 429, 502, 503),
            description=_EVENTS,
        ),
        Operation(
            "delete",
            "/v1/videos/{id}",
            "deleteVideo",
            "Cancel a queued video, as cancelTask does; one that can no longer be cancelled is a 409",
            {200: responses.VideoDeleted},
            parameters=(TASK_ID, LANGUAGE),
            error_statuses=(401, 404, 409, 429, 502),
        ),
        Operation(
            "get",
            "/v1/videos/{id}/content",
            "downloadVideo",
            "Download the finished video; supports ranges and HEAD",
            {200: ("video/mp4", "image/jpeg"), 206: ("video/mp4", "image/jpeg")},
            parameters=(
                TASK_ID,
                query("variant", "`thumbnail` is the cover image.", enum=["video", "thumbnail"], default="video"),
            ),
            error_statuses=(400, 401, 404, 416, 502),
        ),
        Operation(
            "post",
            "/v1/videos/{id}/remix",
            "remixVideo",
            "Submit a new prompt for a video: with its model, and with it as reference if the model supports that",
            {200: responses.VideoObject},
            body=requests.VideoRemixRequest,
            parameters=(TASK_ID, IDEMPOTENCY_KEY, LANGUAGE),
            error_statuses=(400, 401, 403, 404, 409, 413, 429, 501, 502, 503, 504),
        ),
        Operation(
            "post",
            "/v1/videos/edits",
            "editVideo",
            "Edit a video, with a model that supports editing",
            {200: responses.VideoObject},
            body=requests.VideoReuseRequest,
            parameters=(IDEMPOTENCY_KEY, LANGUAGE),
            error_statuses=(400, 401, 403, 404, 409, 413, 429, 501, 502, 503, 504),
        ),
        Operation(
            "post",
            "/v1/videos/extensions",
            "extendVideo",
            "Extend a video, with a model that accepts a first clip",
            {200: responses.VideoObject},
            body=requests.VideoReuseRequest,
            parameters=(IDEMPOTENCY_KEY, LANGUAGE),
            error_statuses=(400, 401, 403, 404, 409, 413, 429, 501, 502, 503, 504),
        ),
        Operation(
            "post",
            "/v1/videos/characters",
            "createCharacter",
            "Create a character; no upstream supports this",
            {},
            error_statuses=(401, 501),
        ),
        Operation(
            "get",
            "/v1/videos/characters/{id}",
            "getCharacter",
            "A character; no upstream supports this",
            {},
            parameters=(TASK_ID,),
            error_statuses=(401, 501),
        ),
    ),
)
