"""Calls about a task that exists, under faults: polls, content, lists, cancels."""

import httpx

from tests.faults.catalog import Kind
from tests.faults.rows import Outcome
from tests.faults.stand import DAY, SANDBOX, Stand, shown
from tests.faults.submits import REFERENCE_MODELS, TEXT_MODELS, noted


def poll(stand: Stand) -> Outcome:
    """A poll that insists on the upstream's answer."""
    stand.new_credentials()
    fault = stand.row.fault
    prompt = f"a cat #{fault.directive} #poll-times=2" if fault.directive else "a cat"
    id = stand.new_task({"model": TEXT_MODELS[stand.row.upstream], "prompt": prompt})
    if fault.directive:
        # Jimeng does not find a task at once, nor the fault in its prompt.
        stand.upstream_clock.advance(5 * SANDBOX.visible_after)
    stand.break_it()
    answer = stand.poll(id)
    outcome = Outcome(_status(answer))
    if fault.directive:
        stand.poll(id)
    return _recovered(stand, outcome, answer, id)


def content(stand: Stand) -> Outcome:
    """The video of a finished task."""
    stand.new_credentials()
    id = stand.new_task({"model": TEXT_MODELS[stand.row.upstream], "prompt": "a cat"})
    assert stand.ended(id)["status"] == "completed"
    stand.break_it()
    outcome = Outcome(stand.content(id))
    stand.mend()
    outcome.charges = stand.charges()
    with noted(outcome, "afterwards"):
        stand.video_of(id, outcome.recovery)
    return outcome


def listing(stand: Stand) -> Outcome:
    """The list of the account's videos, which holds one."""
    stand.new_credentials()
    id = stand.new_task({"model": TEXT_MODELS[stand.row.upstream], "prompt": "a cat"})
    stand.ended(id)
    stand.break_it()
    outcome = Outcome(_listed(stand))
    stand.mend()
    stand.pass_time(seconds=60.0)
    outcome.repeated = _listed(stand)
    outcome.charges = stand.charges()
    with noted(outcome, "afterwards"):
        stand.video_of(id, outcome.recovery)
    return outcome


def cancel(stand: Stand) -> Outcome:
    """The cancel of a queued task. After it the task is cancelled, or still queued and can be cancelled."""
    stand.new_credentials()
    id = stand.new_task({"model": _CANCELLABLE[stand.row.upstream], "prompt": "a cat #pending"})
    stand.break_it()
    answer = _cancel(stand, id)
    outcome = Outcome(shown(answer))
    stand.mend()
    stand.pass_time(answer, DAY if stand.row.fault.kind is Kind.REFUSED else 0.0)
    repeated = _cancel(stand, id)
    outcome.repeated = shown(repeated)
    outcome.charges = stand.charges()
    with noted(outcome, "afterwards"):
        task = stand.ended(id)
        assert (task["status"], task["error_code"]) == ("failed", "cancelled"), f"{task}"
        if answer.status_code == 200:
            assert answer.json()["status"] == "failed", "answered 200 without a cancelled task"
        outcome.recovery.append("cancelled")
    return outcome


_CANCELLABLE = {"jimeng": REFERENCE_MODELS["jimeng"], "dashscope": TEXT_MODELS["dashscope"]}


def _cancel(stand: Stand, id: str) -> httpx.Response:
    return stand.client.post(f"/v1/videos/tasks/{id}/cancel", headers=stand.headers())


def _status(answer: httpx.Response) -> str:
    """`200 processing stale`, or the error."""
    if answer.status_code != 200:
        return shown(answer)
    task = answer.json()
    return f"200 {task['status']}{' stale' if task.get('stale') else ''}"


def _listed(stand: Stand) -> str:
    answer = stand.client.get("/v1/videos", headers=stand.headers())
    if answer.status_code != 200:
        return shown(answer)
    return "200 list" if answer.json()["data"] else "200 EMPTY LIST"


def _recovered(stand: Stand, outcome: Outcome, answer: httpx.Response, id: str) -> Outcome:
    stand.mend()
    stand.pass_time(answer, DAY if stand.row.fault.kind is Kind.REFUSED else 0.0)
    outcome.repeated = _status(stand.poll(id))
    outcome.charges = stand.charges()
    with noted(outcome, "afterwards"):
        stand.video_of(id, outcome.recovery)
    return outcome
