"""How a refusal becomes an answer: the error body, its status and its headers."""

from typing import cast

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.context import add_log_fields, json_answer, language, request_id
from gateway.core.errors import GatewayError


async def refuse(request: Request, error: Exception) -> Response:
    """The answer to a GatewayError."""
    refusal = cast(GatewayError, error)
    add_log_fields(request, refusal.mark())
    body = refusal.body(language(request), request_id(request))
    return json_answer(body, refusal.shape.status, refusal.headers())


async def refuse_http(request: Request, error: Exception) -> Response:
    """The answer to what the framework itself refuses, in the same form."""
    http_error = cast(HTTPException, error)
    if http_error.status_code == 405:
        refusal = GatewayError("method_not_allowed", values={"method": request.method})
    else:
        refusal = GatewayError("not_found")
    answer = await refuse(request, refusal)
    answer.headers.update(http_error.headers or {})
    return answer
