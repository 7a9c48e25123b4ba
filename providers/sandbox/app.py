"""The embedded upstream as one application: Jimeng, DashScope and ModelScope on one port, told apart by path."""

import time
from collections.abc import Callable

import orjson
from starlette.applications import Starlette
from starlette.datastructures import State
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from providers import registry
from providers.sandbox.clips import Clips
from providers.sandbox.context import SandboxContext
from providers.sandbox.directives import table
from providers.sandbox.drawing import find_ffmpeg
from providers.sandbox.files import Files
from providers.sandbox.settings import SandboxSettings
from providers.sandbox.state import Ledger, Recorder

ABOUT = (
    "video-gateway sandbox: Jimeng (/mweb, /commerce, /passport, /imagex, /vod), DashScope (/api/v1, "
    "/compatible-mode/v1) and ModelScope (/v1) on this port; prompts choose outcomes, see /_sandbox/outcomes; "
    "Jimeng's models: /_sandbox/jimeng/models\n"
)


def create_sandbox(settings: SandboxSettings | None = None, clock: Callable[[], float] = time.time) -> Starlette:
    """A fresh upstream with empty state. `app.state.sandbox` is its `Ledger`, `app.state.clips` its `Clips`,
    `app.state.jimeng_models` what Jimeng's sites have; `clock` gives unix seconds."""
    settings = settings or SandboxSettings()
    clips = Clips(find_ffmpeg() if settings.draw_clips else None)
    ledger, files, state = Ledger(settings.log_size), Files(settings, clock, clips), State()
    context = SandboxContext(settings, clock, ledger, files, state)
    app = Starlette(
        routes=[
            *(route for spec in registry.PROVIDERS for route in spec.sandbox.routes(context)),
            *files.routes(),
            *_own_routes(ledger),
        ],
        middleware=[Middleware(Recorder, ledger=ledger, clock=clock)],
    )
    app.router.redirect_slashes = False
    app.state = state
    state.sandbox, state.clips = ledger, clips
    return app


def _own_routes(ledger: Ledger) -> list[Route]:
    async def about(request: Request) -> Response:
        return PlainTextResponse(ABOUT)

    async def show_ledger(request: Request) -> Response:
        return _json(ledger.snapshot())

    async def reset_ledger(request: Request) -> Response:
        ledger.reset()
        return _json(ledger.snapshot())

    async def submits(request: Request) -> Response:
        return _json(ledger.bodies())

    async def log(request: Request) -> Response:
        last = request.query_params.get("last", "")
        return _json(ledger.log(int(last) if last.isdigit() else 0))

    async def outcomes(request: Request) -> Response:
        return _json(table())

    return [
        Route("/", about),
        Route("/_sandbox/books", show_ledger, methods=["GET"]),
        Route("/_sandbox/books", reset_ledger, methods=["DELETE"]),
        Route("/_sandbox/log", log),
        Route("/_sandbox/submits", submits),
        Route("/_sandbox/outcomes", outcomes),
    ]


def _json(body: object) -> Response:
    return Response(orjson.dumps(body), media_type="application/json")
