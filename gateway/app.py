"""The application: every route on one screen."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route, WebSocketRoute

from gateway.accounts.daily_credits import DailyCredits
from gateway.api.error_responses import handle_gateway_error, handle_http_exception
from gateway.api.forwarded import ForwardedHeaders
from gateway.api.middleware import BodyLimit, RequestContext, UnhandledErrors
from gateway.api.paths import NOT_ALLOWED, STATUS, SUBMIT, NormalizePath, all_paths, check_root_path
from gateway.api.poll_endpoint import PollRoute, PollShortcut
from gateway.api.renderers.task import render_task
from gateway.api.renderers.video import render_video
from gateway.api.routes import (
    accounts,
    generations,
    language,
    live,
    models,
    native,
    openai_videos,
    operations,
    prompts,
    tokens,
    usage,
    webhooks,
)
from gateway.api.services import RequestServices
from gateway.api.submit_endpoint import WARNINGS_HEADER
from gateway.bootstrap import ProcessState, build_process_state, build_services, modules_needed
from gateway.core import tracing
from gateway.core.clock import Clock, SystemClock
from gateway.core.errors import GatewayError
from gateway.core.settings import Settings
from gateway.core.settings_loader import load_settings, settings_file
from gateway.limits.request_rate import LIMIT_HEADERS
from gateway.reload import Reloader
from gateway.web import routes as web
from providers.on_demand import load
from providers.transport.client import HttpClient


def _openai(prefix: str) -> list[Route]:
    """The OpenAI Videos API. It is also served without /v1, for clients whose base URL lacks it."""
    return [
        Route(f"{prefix}/videos", openai_videos.create, methods=["POST"]),
        Route(f"{prefix}/videos", openai_videos.list_videos, methods=["GET"]),
        Route(f"{prefix}/videos/prompts", prompts.enhance, methods=["POST"]),
        Route(f"{prefix}/videos/edits", openai_videos.edits, methods=["POST"]),
        Route(f"{prefix}/videos/extensions", openai_videos.extensions, methods=["POST"]),
        Route(f"{prefix}/videos/characters", openai_videos.characters, methods=["POST"]),
        Route(f"{prefix}/videos/characters/{{id}}", openai_videos.characters, methods=["GET"]),
        PollRoute(f"{prefix}/videos/{{id}}", render_video),
        Route(f"{prefix}/videos/{{id}}", openai_videos.delete, methods=["DELETE"]),
        Route(f"{prefix}/videos/{{id}}/events", live.video_events, methods=["GET"]),
        Route(f"{prefix}/videos/{{id}}/content", openai_videos.content, methods=["GET"]),
        Route(f"{prefix}/videos/{{id}}/remix", openai_videos.remix, methods=["POST"]),
    ]


def _language(prefix: str) -> list[Route]:
    """Chat, embeddings and the list of models."""
    return [
        Route(f"{prefix}/chat/completions", language.chat, methods=["POST"]),
        Route(f"{prefix}/embeddings", language.embeddings, methods=["POST"]),
        Route(f"{prefix}/models", models.models, methods=["GET"]),
        Route(f"{prefix}/models/{{id:path}}", models.model, methods=["GET"]),
    ]


def _generations() -> list[Route]:
    """The generations API with its alias paths, which the OpenAPI document lists with the main path."""
    return [
        *(Route(path, generations.submit, methods=["POST"], include_in_schema=path == SUBMIT) for path in _SUBMITS),
        # Otherwise a GET would be a poll of a task with this name.
        *(
            Route(path, generations.method_not_allowed, methods=["GET"], name=NOT_ALLOWED, include_in_schema=False)
            for path in _SUBMITS
        ),
        *(
            Route(f"{prefix}/videos/tasks", generations.statuses, methods=["GET"], include_in_schema=bool(prefix))
            for prefix in ("/v1", "")
        ),
        # Before the polls of a task with this name.
        *(Route(path, live.upgrade_required, methods=["GET"], include_in_schema=False) for path in _SOCKETS),
        *(PollRoute(path, render_task, include_in_schema=path == STATUS) for path in all_paths(STATUS)),
        *(
            Route(f"{path}/events", live.task_events, methods=["GET"], include_in_schema=path == STATUS)
            for path in all_paths(STATUS)
        ),
        *(
            Route(f"{path}/cancel", generations.cancel, methods=["POST"], include_in_schema=path == STATUS)
            for path in (STATUS, STATUS.removeprefix("/v1"))
        ),
    ]


_SUBMITS = all_paths(SUBMIT)
_SOCKETS = ("/v1/videos/tasks/ws", "/videos/tasks/ws")

SOCKETS = [WebSocketRoute(path, live.socket) for path in _SOCKETS]

ROUTES = [
    # First: routes are tried in order, and calls come more often than submits. Polls have a shortcut.
    *_language("/v1"),
    *_generations(),
    *_openai("/v1"),
    *_openai(""),
    *_language(""),
    # The base URL of clients of the upstream that has this path.
    *_language("/compatible-mode/v1"),
    Route("/token/check", tokens.check, methods=["POST"]),
    Route("/token/points", tokens.points, methods=["POST"]),
    Route("/token/receive", tokens.receive, methods=["POST"]),
    Route("/v1/usage", usage.usage, methods=["GET"]),
    Route("/v1/accounts", accounts.accounts, methods=["GET"]),
    Route("/v1/accounts/{name}/check", accounts.check, methods=["POST"]),
    Route("/v1/accounts/{name}/points", accounts.points, methods=["POST"]),
    Route("/v1/accounts/{name}/receive", accounts.receive, methods=["POST"]),
    Route("/v1/accounts/{name}/pause", accounts.pause, methods=["POST"]),
    Route("/v1/accounts/{name}/resume", accounts.resume, methods=["POST"]),
    Route("/v1/webhooks/test", webhooks.test, methods=["POST"]),
    Route("/healthz", operations.healthz, methods=["GET"]),
    Route("/readyz", operations.readyz, methods=["GET"]),
    Route("/ping", operations.ping, methods=["GET"]),
    Route("/metrics", operations.prometheus, methods=["GET"]),
    Route("/openapi.json", operations.openapi, methods=["GET"]),
    Route("/docs", operations.docs, methods=["GET"]),
    Route("/", web.home, methods=["GET"], include_in_schema=False),
    Route("/playground", web.playground, methods=["GET"]),
    Route("/dashboard", web.dashboard, methods=["GET"]),
    Route("/playground/site.json", web.site, methods=["GET"], include_in_schema=False),
    Route("/assets/{version}/{path:path}", web.asset, methods=["GET"], include_in_schema=False),
]


def all_routes() -> list[Route]:
    """Every route: those above, and the upstreams' own APIs of the providers in the registry."""
    return [*ROUTES, *native.routes()]


CORS_EXPOSED = [
    *("x-request-id", "x-should-retry", "retry-after", "openai-poll-after-ms", "location", "preference-applied"),
    *(WARNINGS_HEADER, "content-range", "accept-ranges", "content-disposition", "age", "server-timing"),
    *LIMIT_HEADERS,
]
"""Response headers that CORS exposes to web pages."""


def create_app(
    settings: Settings | None = None,
    *,
    reload: bool | None = None,
    http: HttpClient | None = None,
    clock: Clock | None = None,
) -> Starlette:
    """Create the application. Raises SettingsError for an invalid configuration.

    Without `settings` they are loaded. With `reload`, which is then the default, they are reloaded on SIGHUP and when
    their file changes. `http` and `clock` are injected by tests.
    """
    reload = settings is None if reload is None else reload
    settings = settings or load_settings()
    routes = all_routes()
    check_root_path(settings.root_path, routes)
    process = build_process_state(settings, clock or SystemClock(), http)
    services = build_services(settings, process)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncGenerator[dict[str, Callable[[], None]], None]:
        async with (
            process.http,
            aclosing(process.fetcher),
            process.background as background,
            aclosing(process.webhooks),
            tracing.exported(),
        ):
            background.start(_daily_credits(app, process).run())
            for module in modules_needed(process):
                background.start(load(module))
            if reload:
                background.start(Reloader(app.state, process, load_settings, settings_file()).run())
            # The server calls it when it begins to stop: event streams would never end by themselves.
            yield {"on_stop": process.streams.stop}

    app = Starlette(
        routes=[*SOCKETS, *routes],
        middleware=[
            Middleware(ForwardedHeaders, trusted=settings.trusted_proxies),
            Middleware(NormalizePath, root_path=settings.root_path),
            Middleware(RequestServices),
            Middleware(PollShortcut, routes=routes),
            Middleware(RequestContext),
            Middleware(
                CORSMiddleware,
                allow_origins=settings.cors_origins,
                allow_methods=["GET", "HEAD", "POST", "DELETE"],
                allow_headers=["*"],
                expose_headers=CORS_EXPOSED,
                max_age=86_400,
            ),
            Middleware(UnhandledErrors),
            Middleware(BodyLimit, limit=settings.limits.body_bytes, upload_limit=settings.limits.upload_bytes),
        ],
        exception_handlers={GatewayError: handle_gateway_error, HTTPException: handle_http_exception},
        lifespan=lifespan,
    )
    # A redirect would use the client's Host header, and clients would send their bearer there.
    app.router.redirect_slashes = False
    app.state.services = services
    return app


def _daily_credits(app: Starlette, process: ProcessState) -> DailyCredits:
    return DailyCredits(
        process.clock,
        process.pool,
        lambda: app.state.services.checks,
        lambda: app.state.services.settings.rotation.receive_daily,
    )
