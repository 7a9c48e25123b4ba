"""Submits under faults, with an idempotency key and with the retry count of OpenAI's libraries."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from tests.faults.catalog import Kind
from tests.faults.rows import Outcome
from tests.faults.stand import DAY, Stand, shown
from tests.pictures import clip, data_url

TEXT_MODELS = {"jimeng": "jimeng-video-3.0-fast", "dashscope": "wan2.6-t2v"}
PICTURE_MODELS = {"jimeng": "jimeng-video-3.0-fast", "dashscope": "wan2.6-i2v"}
REFERENCE_MODELS = {"jimeng": "jimeng-video-seedance-2.0", "dashscope": "wan2.7-r2v"}

_KEYED = ({"Idempotency_Key": "one"}, {"Idempotency_Key": "one"})
_COUNTED = ({"x_stainless_retry_count": "0"}, {"x_stainless_retry_count": "1"})


@contextmanager
def noted(outcome: Outcome, what: str) -> Iterator[None]:
    """A failed assertion is a problem of the row."""
    try:
        yield
    except (AssertionError, httpx.HTTPError) as error:
        outcome.problems.append(f"{what}: {error}"[:300])


def text_submit(stand: Stand) -> Outcome:
    """A submit without files."""
    return _submits(stand, {"model": TEXT_MODELS[stand.row.upstream], "prompt": f"a cat {_directive(stand)}"})


def file_submit(stand: Stand) -> Outcome:
    """A submit with a file that is uploaded: a clip to DashScope, a picture to Jimeng."""
    fields: dict[str, Any] = {"model": REFERENCE_MODELS[stand.row.upstream], "prompt": "a cat"}
    if stand.row.upstream == "jimeng":
        return _submits(stand, fields | {"images": [data_url()], "functionMode": "omni_reference"})
    return _submits(stand, fields | {"functionMode": "omni_reference"}, files=True)


def address_submit(stand: Stand) -> Outcome:
    """A submit with the address of a picture on a host of the caller's, which the gateway fetches."""
    picture = f"{stand.relay.url}/files/pictures/cat.png"
    return _submits(stand, {"model": PICTURE_MODELS[stand.row.upstream], "prompt": "a cat", "image": picture})


def _directive(stand: Stand) -> str:
    return f"#{stand.row.fault.directive}" if stand.row.fault.directive else ""


def _submits(stand: Stand, fields: dict[str, Any], *, files: bool = False) -> Outcome:
    """One client request and its retries, then another request. The outcome is that of the worse way to say that two
    requests are one."""
    outcomes = []
    for first, again in (_KEYED, _COUNTED):
        stand.new_credentials(2)
        outcomes.append(_one(stand, fields, first, again, files=files))
        if outcomes[-1].problems:
            outcomes[-1].problems.append(f"with {next(iter(first)).replace('_', '-')}")
    return max(outcomes, key=lambda outcome: (outcome.charges > 1, len(stand.row.judged(outcome)), outcome.charges))


def _one(stand: Stand, fields: dict[str, Any], first: dict[str, str], again: dict[str, str], *, files: bool) -> Outcome:
    stand.break_it()
    answer = _post(stand, fields, first, files)
    outcome = Outcome(shown(answer))
    during = [answer, _post(stand, fields, again, files)]
    outcome.charges = stand.charges()
    stand.mend()
    stand.pass_time(during[-1], DAY if stand.row.fault.kind is Kind.REFUSED else 0.0)
    repeated = _post(
        stand, fields, again | ({"x_stainless_retry_count": "2"} if "x_stainless_retry_count" in again else {}), files
    )
    outcome.repeated = shown(repeated) if not stand.row.fault.directive else ""
    outcome.charges = stand.charges()
    ids = [str(one.json()["task_id"]) for one in (*during, repeated) if one.status_code == 200]
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


def _post(stand: Stand, fields: dict[str, Any], headers: dict[str, str], files: bool) -> httpx.Response:
    if not files:
        return stand.submit(fields, **headers)
    return stand.client.post(
        "/v1/videos/generations",
        data=fields,
        files={"video_file_1": ("clip.mp4", clip(), "video/mp4")},
        headers=stand.headers(**headers),
    )
