"""The APIs by which clients submit, and the ways in which a client repeats a request."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from tests.faults.stand import Stand
from tests.pictures import clip


@dataclass(frozen=True, slots=True)
class Repeats:
    """How a client repeats a request: the headers of the first request, of the second one, while the fault lasts, and
    of the third one, after it. It sends the second and the third where `goes_on` is true of the answer before; None
    stands for the client's own time-out, after `patience` seconds where the fault lasts until one."""

    name: str
    headers: tuple[Mapping[str, str], Mapping[str, str], Mapping[str, str]]
    goes_on: Callable[[httpx.Response | None], bool] = lambda answer: True
    patience: float | None = None


def _sdk_goes_on(answer: httpx.Response | None) -> bool:
    """The rule of DashScope's SDK 2."""
    told = answer.headers.get("x-should-retry") if answer is not None else "true"
    return told == "true" or (told != "false" and answer is not None and answer.status_code in _SDK_REPEATS)


_SDK_REPEATS = (408, 409, 429, 500, 502, 503, 504)
_KEYED = Repeats("Idempotency-Key", ({"Idempotency-Key": "one"},) * 3)
_COUNTED = Repeats(
    "x-stainless-retry-count",
    ({"x-stainless-retry-count": "0"}, {"x-stainless-retry-count": "1"}, {"x-stainless-retry-count": "2"}),
)
_BY_THE_SDK = Repeats("the SDK's own repeats", ({}, {}, {}), _sdk_goes_on, patience=0.3)


@dataclass(frozen=True, slots=True)
class Surface:
    """An API of the gateway: how it takes a submit, and the id of the task in its answer."""

    post: Callable[[Stand, Mapping[str, Any], Mapping[str, str], float | None], httpx.Response]
    id_of: Callable[[httpx.Response], str]
    repeats: Sequence[Repeats]


def _post_fields(
    stand: Stand, fields: Mapping[str, Any], headers: Mapping[str, str], timeout: float | None
) -> httpx.Response:
    return stand.submit(dict(fields), **headers)


def _post_form(
    stand: Stand, fields: Mapping[str, Any], headers: Mapping[str, str], timeout: float | None
) -> httpx.Response:
    """With a clip."""
    return stand.client.post(
        "/v1/videos/generations",
        data=dict(fields),
        files={"video_file_1": ("clip.mp4", clip(), "video/mp4")},
        headers=stand.headers(**headers),
    )


def _post_native(
    stand: Stand, fields: Mapping[str, Any], headers: Mapping[str, str], timeout: float | None
) -> httpx.Response:
    return stand.client.post(
        "/api/v1/services/aigc/video-generation/video-synthesis",
        json={"model": fields["model"], "input": {"prompt": fields["prompt"]}, "parameters": {}},
        headers=stand.headers(X_DashScope_Async="enable", **headers),
        timeout=timeout or stand.client.timeout,
    )


def _task_id(answer: httpx.Response) -> str:
    return str(answer.json()["task_id"])


GENERATIONS = Surface(_post_fields, _task_id, (_KEYED, _COUNTED))
FORMS = Surface(_post_form, _task_id, (_KEYED, _COUNTED))
NATIVE = Surface(_post_native, lambda answer: str(answer.json()["output"]["task_id"]), (_KEYED, _BY_THE_SDK))
