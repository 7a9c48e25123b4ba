"""Submits under faults, on each surface, and with each way to say that several requests are one."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx

from tests.faults.catalog import Kind
from tests.faults.rows import Outcome
from tests.faults.stand import DAY, Stand, shown
from tests.faults.surfaces import FORMS, GENERATIONS, NATIVE, Repeats, Surface
from tests.pictures import data_url

TEXT_MODELS = {"jimeng": "jimeng-video-3.0-fast", "dashscope": "wan2.6-t2v"}
PICTURE_MODELS = {"jimeng": "jimeng-video-3.0-fast", "dashscope": "wan2.6-i2v"}
REFERENCE_MODELS = {"jimeng": "jimeng-video-seedance-2.0", "dashscope": "wan2.7-r2v"}


@contextmanager
def noted(outcome: Outcome, what: str) -> Iterator[None]:
    """A failed assertion is a problem of the row."""
    try:
        yield
    except (AssertionError, httpx.HTTPError) as error:
        outcome.problems.append(f"{what}: {error}"[:300])


def text_submit(stand: Stand) -> Outcome:
    """A submit without files."""
    return _submits(stand, GENERATIONS, _text(stand))


def native_submit(stand: Stand) -> Outcome:
    """The same by DashScope's own API, as its SDK sends it."""
    return _submits(stand, NATIVE, _text(stand))


def file_submit(stand: Stand) -> Outcome:
    """A submit with a file that is uploaded: a clip to DashScope, a picture to Jimeng."""
    fields: dict[str, Any] = {"model": REFERENCE_MODELS[stand.row.upstream], "prompt": "a cat"}
    fields["functionMode"] = "omni_reference"
    if stand.row.upstream == "jimeng":
        return _submits(stand, GENERATIONS, fields | {"images": [data_url()]})
    return _submits(stand, FORMS, fields)


def address_submit(stand: Stand) -> Outcome:
    """A submit with the address of a picture on a host of the caller's, which the gateway fetches."""
    picture = f"{stand.relay.url}/files/pictures/cat.png"
    fields = {"model": PICTURE_MODELS[stand.row.upstream], "prompt": "a cat", "image": picture}
    return _submits(stand, GENERATIONS, fields)


def _text(stand: Stand) -> dict[str, Any]:
    directive = f"#{stand.row.fault.directive}" if stand.row.fault.directive else ""
    return {"model": TEXT_MODELS[stand.row.upstream], "prompt": f"a cat {directive}"}


def _submits(stand: Stand, surface: Surface, fields: Mapping[str, Any]) -> Outcome:
    """One client request and its repeats, then another request. The outcome is that of the worst way to repeat it."""
    outcomes = []
    for repeats in surface.repeats:
        stand.new_credentials(2)
        outcomes.append(_one(stand, surface, fields, repeats))
        if outcomes[-1].problems:
            outcomes[-1].problems.append(f"with {repeats.name}")
    return max(outcomes, key=lambda outcome: (outcome.charges > 1, len(stand.row.judged(outcome)), outcome.charges))


def _one(stand: Stand, surface: Surface, fields: Mapping[str, Any], repeats: Repeats) -> Outcome:
    first, second, third = repeats.headers
    patience = repeats.patience if stand.row.fault.waits else None
    stand.break_it()
    answers = [_sent(stand, surface, fields, first, patience)]
    if repeats.goes_on(answers[-1]):
        answers.append(_sent(stand, surface, fields, second))
    outcome = Outcome(shown(next(one for one in answers if one is not None)))
    outcome.charges = stand.charges()
    stand.mend()
    stand.pass_time(answers[-1], DAY if stand.row.fault.kind is Kind.REFUSED else 0.0)
    if repeats.goes_on(answers[-1]):
        answers.append(_sent(stand, surface, fields, third))
        outcome.repeated = shown(answers[-1]) if answers[-1] is not None and not stand.row.fault.directive else ""
    outcome.charges = stand.charges()
    ids = [surface.id_of(one) for one in answers if one is not None and one.status_code == 200]
    with noted(outcome, "the same request"):
        assert len(set(ids)) <= 1, f"several tasks: {ids}"
        if ids:
            outcome.recovery.append("task found")
            stand.video_of(ids[0], outcome.recovery)
    with noted(outcome, "the next request"):
        following = stand.submit({"model": TEXT_MODELS[stand.row.upstream], "prompt": "a dog"})
        assert following.status_code == 200, shown(following)
        outcome.recovery.append("next 200")
        if not ids:
            stand.video_of(str(following.json()["task_id"]), outcome.recovery)
    return outcome


def _sent(
    stand: Stand,
    surface: Surface,
    fields: Mapping[str, Any],
    headers: Mapping[str, str],
    patience: float | None = None,
) -> httpx.Response | None:
    """The answer, None where the client gives up after `patience` seconds."""
    try:
        return surface.post(stand, fields, headers, patience)
    except httpx.ReadTimeout:
        if patience is None:
            raise
        return None
