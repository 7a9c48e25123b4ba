"""What the upstreams of this benchmark answer: DashScope's wire for three kinds of task, told by their ids.

A submit is PENDING. A task is RUNNING for ever, unless its id begins with `f`: then it has SUCCEEDED and its video is
FILE_PATH. Ids that are made here therefore never begin with `f`.
"""

import uuid

TASKS_PATH = "/api/v1/tasks/"
SUBMIT_PATH = "/api/v1/services/aigc/video-generation/video-synthesis"
FILE_PATH = "/file.mp4"
FILE_BYTES = 200 * 1024 * 1024

_HEAD = '{"request_id":"4909100c-7b5a-9f92-bfe5-0385dc795ff8","output":{"task_id":"%s","task_status":'
_TIMES = '"submit_time":"2026-11-25 12:00:00.000","scheduled_time":"2026-11-25 12:00:05.000"'


def pending(id: str) -> str:
    return f'{_HEAD % id}"PENDING"}}}}'


def running(id: str) -> str:
    return f'{_HEAD % id}"RUNNING",{_TIMES}}}}}'


def succeeded(id: str, port: int) -> str:
    """`port` is the upstream's own."""
    return (
        f'{_HEAD % id}"SUCCEEDED",{_TIMES},"end_time":"2026-11-25 12:01:00.000",'
        f'"video_url":"http://127.0.0.1:{port}{FILE_PATH}"}},'
        '"usage":{"duration":5,"output_video_duration":5,"video_count":1,"SR":1080,"size":"1920*1080"}}'
    )


def running_id() -> str:
    """A new id of a task that runs."""
    return f"0{str(uuid.uuid4())[1:]}"


def finished_id() -> str:
    """A new id of a task whose video is there."""
    return f"f{str(uuid.uuid4())[1:]}"
