"""Submits to the generations surface and the errors that it answers with."""

from typing import Any

import httpx

from gateway.api.schemas.responses import (
    ErrorBody,
    TaskAccepted,
)
from tests.e2e.conftest import bearer
from tests.pictures import picture

SUBMIT = "/v1/videos/generations"
JIMENG, WAN = "jimeng-video-3.0-fast", "wan2.6-t2v"
PNG = picture()


def submit(client: httpx.Client, body: dict[str, Any], *credentials: str, **headers: str) -> dict[str, Any]:
    answer = client.post(SUBMIT, json=body, headers=bearer(*credentials) | headers)
    assert answer.status_code == 200, answer.text
    accepted = answer.json()
    TaskAccepted.model_validate(accepted)
    return accepted  # type: ignore[no-any-return]


def error_of(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    ErrorBody.model_validate(answer.json())
    error = answer.json()["error"]
    assert error["code"] == code, error
    assert error["request_id"] == answer.headers["x-request-id"]
    assert answer.headers["x-should-retry"] in ("true", "false")
    return error  # type: ignore[no-any-return]
