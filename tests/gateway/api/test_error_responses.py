"""Error responses: status, headers, body and log fields."""

import asyncio
import logging
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request

from gateway.api.error_responses import error_response, failure_response, handle_http_exception
from gateway.core.errors import GatewayError
from gateway.core.settings import Settings


def request_of(method: str = "GET", **headers: str) -> Request:
    services = SimpleNamespace(settings=Settings.model_construct(language="zh"))
    return Request(
        {
            "type": "http",
            "method": method,
            "path": "/nothing/like/it",
            "app": SimpleNamespace(routes=()),
            "gateway.services": services,
            "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
            "gateway.request_id": "req_1",
        }
    )


def error_of(body: Any) -> dict[str, Any]:
    error: dict[str, Any] = orjson.loads(body)["error"]
    return error


def test_error_response_has_status_headers_body_and_log_fields() -> None:
    request = request_of(accept_language="en")
    error = GatewayError("rate_limit_exceeded", param="model", upstream_code="1057", retry_after=7)
    response = error_response(request, error, {"accept-ranges": "bytes"})
    assert response.status_code == 429
    assert response.headers["content-type"] == "application/json"
    assert (response.headers["x-should-retry"], response.headers["retry-after"]) == ("true", "7")
    assert response.headers["accept-ranges"] == "bytes"
    body_error = error_of(response.body)
    assert body_error["message"].isascii()
    assert (body_error["code"], body_error["param"], body_error["upstream_code"]) == (
        "rate_limit_exceeded",
        "model",
        "1057",
    )
    assert body_error["request_id"] == "req_1"
    assert request.scope["gateway.log_fields"] == {
        "code": "rate_limit_exceeded",
        "param": "model",
        "upstream_code": "1057",
    }


def test_configured_language_is_used_if_the_client_names_none() -> None:
    assert not error_of(error_response(request_of(), GatewayError("not_found")).body)["message"].isascii()


def test_log_fields_are_added_to_those_of_the_request() -> None:
    request = request_of()
    request.scope["gateway.log_fields"] = {"task": "one"}
    error_response(request, GatewayError("not_ready"))
    assert request.scope["gateway.log_fields"] == {"task": "one", "code": "not_ready"}


def test_cancelled_request_is_answered_with_retry() -> None:
    response = failure_response(request_of(), asyncio.CancelledError())
    assert (response.status_code, response.headers["x-should-retry"]) == (502, "true")


def test_gateway_error_is_returned_unchanged() -> None:
    assert failure_response(request_of(), GatewayError("not_ready")).status_code == 400


def test_unexpected_error_is_logged_by_its_place(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        response = failure_response(request_of(), RuntimeError("a secret"))
    assert (response.status_code, error_of(response.body)["code"]) == (500, "internal_error")
    assert [record.fields for record in caplog.records] == [  # type: ignore[attr-defined]
        {"request_id": "req_1", "cause": "RuntimeError"}
    ]


@pytest.mark.parametrize(("status", "code"), [(404, "not_found"), (405, "method_not_allowed")])
async def test_error_of_the_framework_has_the_same_form(status: int, code: str) -> None:
    response = await handle_http_exception(request_of("PATCH"), HTTPException(status, headers={"Allow": "POST"}))
    assert (response.status_code, error_of(response.body)["code"]) == (status, code)
    assert response.headers["allow"] == "POST"


async def test_request_that_has_the_same_error_goes_on() -> None:
    """Requests that share a call, such as repeats of one submit, share its error too."""
    shared, answered = GatewayError("submission_unconfirmed"), asyncio.Event()

    async def other() -> str:
        try:
            raise shared
        except GatewayError:
            await answered.wait()
            return "handled"

    waiting = asyncio.ensure_future(other())
    await asyncio.sleep(0)
    error_response(request_of(), shared)
    answered.set()
    assert await asyncio.wait_for(waiting, 1) == "handled"
