"""Prompts rewritten by a language model, without a submit."""

from starlette.requests import Request
from starlette.responses import Response

from gateway.api.context import add_log_fields, caller_of, json_response, language_of, services
from gateway.api.relay import WhileConnected
from gateway.api.schemas.body_parser import read_object
from gateway.api.schemas.requests import parse_generation
from gateway.api.submit_endpoint import warning_fields, warning_headers
from gateway.core.errors import GatewayError
from gateway.prompts.failure import reason_of


async def enhance(request: Request) -> Response:
    """POST /v1/videos/prompts"""
    caller, current = caller_of(request), services(request)
    async with read_object(request, current.settings.limits.body_bytes) as fields:
        parsed = parse_generation(fields, current.settings.api.unknown_fields)
        try:
            async with WhileConnected(request.receive):
                done, model = await current.prompts.preview(caller, parsed.request, parsed.draft)
        except GatewayError as error:
            error.add_log_fields({"enhance": reason_of(error)})
            error.rename_fields(parsed.names)
            raise
    add_log_fields(request, {"enhance": "ok", **done.log_fields})
    answer = {"prompt": parsed.prompt, "revised_prompt": done.prompt, "model": model, "language_model": done.model}
    found = {name: value for name, value in answer.items() if value is not None}
    warnings = warning_fields(parsed.warnings, language_of(request))
    return json_response(found | warnings, headers={"cache-control": "no-store"} | warning_headers(parsed.warnings))
