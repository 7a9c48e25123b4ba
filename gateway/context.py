"""What every route needs: the parts of the application, and the request's language, caller and JSON answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import orjson
from starlette.requests import Request
from starlette.responses import Response

from gateway.callers import Caller, Callers
from gateway.messages import Language, choose_language
from gateway.settings import Settings
from gateway.tasks import Tasks


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of one application, made once at its start."""

    settings: Settings
    callers: Callers
    tasks: Tasks


def parts(request: Request) -> Parts:
    return cast(Parts, request.app.state.parts)


def language(request: Request) -> Language:
    default = parts(request).settings.language
    header = request.headers.get("accept-language")
    return choose_language(header, default) if header else default


def caller(request: Request) -> Caller:
    """Who is calling. Raises GatewayError (401)."""
    found = parts(request).callers.identify(request.headers.get("authorization", ""))
    request.scope["gateway.caller"] = found.name
    return found


def request_id(request: Request) -> str:
    return cast(str, request.scope.get("gateway.request_id", ""))


def json_answer(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(orjson.dumps(content), status, headers, media_type="application/json")
