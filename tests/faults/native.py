"""Calls by DashScope's own API under faults, beside submits: polls, and permissions to upload files."""

import httpx

from tests.faults.catalog import Kind
from tests.faults.rows import Outcome
from tests.faults.stand import DAY, Stand, shown
from tests.faults.submits import PICTURE_MODELS, TEXT_MODELS, noted


def poll(stand: Stand) -> Outcome:
    """A poll that insists on the upstream's answer. The SDK stops to wait at any answer but 200, 503 and 504."""
    stand.new_credentials()
    id = stand.new_task({"model": TEXT_MODELS[stand.row.upstream], "prompt": "a cat"})
    stand.break_it()
    answer = _polled(stand, id)
    outcome = Outcome(_status(answer))
    stand.mend()
    stand.pass_time(answer, DAY if stand.row.fault.kind is Kind.REFUSED else 0.0)
    outcome.repeated = _status(_polled(stand, id))
    outcome.charges = stand.charges()
    with noted(outcome, "afterwards"):
        stand.video_of(id, outcome.recovery)
    return outcome


def grant(stand: Stand) -> Outcome:
    """The permission to upload files for a model."""
    stand.new_credentials(2)
    stand.break_it()
    answer = _granted(stand)
    outcome = Outcome(shown(answer))
    stand.mend()
    stand.pass_time(answer, DAY if stand.row.fault.kind is Kind.REFUSED else 60.0)
    again = _granted(stand)
    outcome.repeated = shown(again)
    with noted(outcome, "afterwards"):
        assert again.json()["data"]["upload_dir"], "no folder"
        outcome.recovery.append("granted")
    outcome.charges = stand.charges()
    return outcome


def _polled(stand: Stand, id: str) -> httpx.Response:
    return stand.client.get(f"/api/v1/tasks/{id}", headers=stand.headers(cache_control="no-cache"))


def _status(answer: httpx.Response) -> str:
    return f"200 {answer.json()['output']['task_status']}" if answer.status_code == 200 else shown(answer)


def _granted(stand: Stand) -> httpx.Response:
    query = {"action": "getPolicy", "model": PICTURE_MODELS[stand.row.upstream]}
    return stand.client.get("/api/v1/uploads", params=query, headers=stand.headers())
