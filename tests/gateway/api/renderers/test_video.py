"""The video object of the OpenAI Videos API."""

import pytest

from gateway.api.renderers.video import render_video, video_object
from gateway.tasks.view import Task
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.tasks import Phase, Result, TaskState

URL = "https://host.example/v.mp4"


def completed(result: Result, *, ended_at: float | None = None, **fields: bool | int | str) -> dict[str, object]:
    state = TaskState("up", Phase.COMPLETED, ended_at=ended_at, result=result)
    return render_video(Task("video_1", "jimeng", state, 100, **fields), "en")  # type: ignore[arg-type]


def test_a_new_video_has_every_field() -> None:
    assert video_object("video_1", 1_737_830_400, "m", "queued", 0, 5, "1280x720") == {
        "id": "video_1",
        "object": "video",
        "created_at": 1_737_830_400,
        "model": "m",
        "status": "queued",
        "progress": 0,
        "seconds": "5",
        "size": "1280x720",
        "completed_at": None,
        "expires_at": None,
        "remixed_from_video_id": None,
        "error": None,
    }


@pytest.mark.parametrize(
    ("phase", "status"),
    [
        (Phase.QUEUED, "queued"),
        (Phase.PROCESSING, "in_progress"),
        (Phase.POST_PROCESSING, "in_progress"),
        (Phase.FINALIZING, "in_progress"),
    ],
)
def test_an_unfinished_video_has_one_of_two_statuses(phase: Phase, status: str) -> None:
    rendered = render_video(Task("video_1", "jimeng", TaskState("up", phase), 7, stale=True), "en")
    assert (rendered["id"], rendered["status"], rendered["progress"]) == ("video_1", status, 7)
    assert rendered["stale"] is True
    assert (rendered["completed_at"], rendered["error"]) == (None, None)
    assert "url" not in rendered


def test_result_gives_the_size_and_the_id_gives_the_seconds() -> None:
    rendered = completed(Result(URL, width=1280, height=720, duration=4.6), seconds=5, size="16x9")
    assert (rendered["size"], rendered["seconds"], rendered["url"]) == ("1280x720", "5", URL)


def test_size_missing_in_the_result_comes_from_the_request() -> None:
    rendered = completed(Result(URL, duration=4.6), size="1280x720")
    assert (rendered["size"], rendered["seconds"]) == ("1280x720", "5")


@pytest.mark.parametrize(
    ("expires_at", "ended_at", "archived", "shown"),
    [
        (2000, 1000.5, False, 2000),
        (None, 1000.5, False, 1000 + 86_400),
        (None, None, False, None),
        (2000, 1000.5, True, None),
    ],
    ids=["as the upstream says", "a day after the end", "unknown", "archived"],
)
def test_expires_at_is_the_expiry_of_the_link(
    expires_at: int | None, ended_at: float | None, archived: bool, shown: int | None
) -> None:
    rendered = completed(Result(URL, expires_at=expires_at), ended_at=ended_at, archived=archived)
    assert rendered["expires_at"] == shown
    assert rendered["completed_at"] == (1000 if ended_at else None)
    assert rendered.get("archived", False) is archived


@pytest.mark.parametrize("upstream_code", ["", "2038"])
def test_a_failed_video_has_an_error_object(upstream_code: str) -> None:
    error = ProviderError(ErrorKind.CONTENT_REFUSED, code=upstream_code)
    rendered = render_video(Task("video_1", "jimeng", TaskState("up", Phase.FAILED, error=error)), "en")
    assert rendered["status"] == "failed"
    assert rendered["error"]["code"] == "content_policy_violation"
    assert rendered["error"].get("upstream_code", "") == upstream_code
