"""Archive copies under faults of the result's host, and of the object store."""

import hashlib
import time

from tests.faults.rows import Outcome
from tests.faults.stand import VIDEOS, Stand
from tests.faults.submits import TEXT_MODELS, noted

_ATTEMPT_SECONDS = 3.0
_ARCHIVED_SECONDS = 4.0
_GIVEN_UP_SECONDS = 3700.0
"""A copy that was given up is tried again after an hour."""
_HOURS = 4


def link(stand: Stand) -> Outcome:
    """The host of the result fails while the video is copied."""
    return _copied(stand, content=False)


def store(stand: Stand) -> Outcome:
    """The object store fails: polls and `content` go on without it."""
    return _copied(stand, content=True)


def _copied(stand: Stand, *, content: bool) -> Outcome:
    stand.new_credentials()
    id = stand.new_task({"model": TEXT_MODELS[stand.row.upstream], "prompt": "a cat"})
    stand.break_it()
    outcome = Outcome("")
    with noted(outcome, "while the copy fails"):
        task = stand.ended(id)
        outcome.answer = stand.content(id) if content else f"200 {task['status']}"
        _until_attempted(stand)
        if stand.poll(id).json().get("archived"):
            assert _archived(stand, id), "said to be archived, but is not"
    stand.mend()
    outcome.charges = stand.charges()
    with noted(outcome, "afterwards"):
        assert any(_archived_within_an_hour(stand, id) for _ in range(_HOURS)), f"not archived: {stand.poll(id).text}"
        assert _archived(stand, id), "the archived file is not the video"
        outcome.recovery.append("archived")
    return outcome


def _until_attempted(stand: Stand) -> None:
    give_up = time.monotonic() + _ATTEMPT_SECONDS
    while stand.broken is not None and not stand.broken.seen and time.monotonic() < give_up:
        time.sleep(0.02)
    time.sleep(0.1)


def _archived_within_an_hour(stand: Stand, id: str) -> bool:
    stand.pass_time(seconds=_GIVEN_UP_SECONDS)
    give_up = time.monotonic() + _ARCHIVED_SECONDS
    while time.monotonic() < give_up:
        if stand.poll(id).json().get("archived"):
            return True
        time.sleep(0.05)
    return False


def _archived(stand: Stand, id: str) -> bool:
    """Whether `content` gives the right bytes out of the archive, which has an ETag of its own."""
    answer = stand.client.get(f"/v1/videos/{id}/content", headers=stand.headers())
    own = answer.headers.get("etag") == f'"{hashlib.sha256(answer.content).hexdigest()}"'
    return answer.status_code == 200 and own and answer.content in VIDEOS
