"""The application: every route and every part on one screen."""

import contextlib
from collections.abc import AsyncGenerator, Sequence

from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route

from gateway.callers import Callers, GatewayKey, parse_key
from gateway.catalog import Catalog
from gateway.clock import Clock, SystemClock
from gateway.context import Parts
from gateway.errors import GatewayError
from gateway.listing import Listing
from gateway.logs import GATEWAY
from gateway.middleware import BodyLimit, RequestContext
from gateway.places import Places
from gateway.polling import Polling
from gateway.refusals import refuse, refuse_http
from gateway.repeats import Repeats
from gateway.routes import generations, models, openai_videos, operations
from gateway.settings import Settings, SettingsError, load_settings
from gateway.task_ids import derived_key
from gateway.tasks import Tasks
from providers.contract import Account
from providers.dashscope.provider import DashScope
from providers.http import HttpClient, Timeouts
from providers.jimeng.models import extra_model
from providers.jimeng.provider import Jimeng
from providers.jimeng.regions import Hosts
from providers.registry import Registry


def _videos(prefix: str) -> list[Route]:
    """The OpenAI Videos API; clients whose base URL lacks the /v1 find it all the same."""
    return [
        Route(f"{prefix}/videos", openai_videos.create, methods=["POST"]),
        Route(f"{prefix}/videos", openai_videos.list_videos, methods=["GET"]),
        Route(f"{prefix}/videos/edits", openai_videos.edits, methods=["POST"]),
        Route(f"{prefix}/videos/extensions", openai_videos.extensions, methods=["POST"]),
        Route(f"{prefix}/videos/characters", openai_videos.characters, methods=["POST"]),
        Route(f"{prefix}/videos/characters/{{id}}", openai_videos.characters, methods=["GET"]),
        Route(f"{prefix}/videos/{{id}}", openai_videos.retrieve, methods=["GET"]),
        Route(f"{prefix}/videos/{{id}}", openai_videos.delete, methods=["DELETE"]),
        Route(f"{prefix}/videos/{{id}}/content", openai_videos.content, methods=["GET"]),
        Route(f"{prefix}/videos/{{id}}/remix", openai_videos.remix, methods=["POST"]),
    ]


ROUTES = [
    Route("/v1/videos/generations", generations.submit, methods=["POST"]),
    Route("/v1/videos/tasks", generations.statuses, methods=["GET"]),
    Route("/v1/videos/tasks/{id}", generations.status, methods=["GET"]),
    Route("/v1/videos/tasks/{id}/cancel", generations.cancel, methods=["POST"]),
    *_videos("/v1"),
    *_videos(""),
    Route("/v1/models", models.models, methods=["GET"]),
    Route("/v1/models/{id:path}", models.model, methods=["GET"]),
    Route("/healthz", operations.healthz, methods=["GET"]),
    Route("/ping", operations.ping, methods=["GET"]),
    Route("/metrics", operations.prometheus, methods=["GET"]),
    Route("/openapi.json", operations.openapi, methods=["GET"]),
    Route("/docs", operations.docs, methods=["GET"]),
]

_SHORTEST_SECRET = 16

CORS_EXPOSED = [
    *("x-request-id", "x-should-retry", "retry-after", "openai-poll-after-ms", "location", "preference-applied"),
    *("content-range", "accept-ranges", "content-disposition"),
]
"""What a web page may read of an answer besides the few headers it always may."""


def create_app(
    settings: Settings | None = None, *, http: HttpClient | None = None, clock: Clock | None = None
) -> Starlette:
    """The gateway. Raises SettingsError when the configuration cannot be used.

    `http` and `clock` are for tests; without them the application makes its own.
    """
    settings = settings or load_settings()
    http = http or HttpClient(Timeouts(settings.timeouts.connect, settings.timeouts.read, settings.timeouts.total))
    clock = clock or SystemClock()
    registry = _registry(settings, http, clock)
    keys = _keys(settings)
    callers = Callers(registry, keys=keys, accounts=_accounts(settings, registry), pass_through=settings.pass_through)
    catalog = Catalog(registry, settings.aliases, _default_models(settings))
    if unknown := catalog.unknown():
        raise SettingsError(f"aliases or QWEN_VIDEO_MODEL name models that nobody has: {', '.join(unknown)}")
    places = Places(registry, _seal_keys(settings))
    tasks = Tasks(
        registry,
        catalog,
        places,
        Listing(registry, places, sole_owner=len(keys) <= 1),
        Polling(clock, settings.poll_freshness),
        clock,
        poll_interval=settings.video_poll_interval / 1000,
    )

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncGenerator[None, None]:
        async with http:
            yield

    app = Starlette(
        routes=ROUTES,
        middleware=[
            Middleware(RequestContext, default_language=settings.language),
            Middleware(
                CORSMiddleware,
                allow_origins=settings.cors_origins,
                allow_methods=["GET", "HEAD", "POST", "DELETE"],
                allow_headers=["*"],
                expose_headers=CORS_EXPOSED,
                max_age=86_400,
            ),
            Middleware(BodyLimit, limit=settings.limits.body_bytes),
        ],
        exception_handlers={GatewayError: refuse, HTTPException: refuse_http},
        lifespan=lifespan,
    )
    # A redirect would be built from the client's own Host header, and its bearer would follow it.
    app.router.redirect_slashes = False
    app.state.parts = Parts(settings, callers, tasks, Repeats(clock), http)
    return app


def _keys(settings: Settings) -> list[GatewayKey]:
    """The gateway's own keys. One that is none stops the start."""
    keys = [parse_key(key.get_secret_value()) for key in settings.keys]
    for number, key in enumerate(keys, 1):
        if not key.secret.startswith("gw-"):
            raise SettingsError(f"GATEWAY_KEYS: entry {number} is no key of the form name:gw-… or gw-…")
    return keys


def _default_models(settings: Settings) -> list[tuple[str, str]]:
    return [("jimeng-video-3.5-pro", "jimeng-video-3.5-pro"), ("wan2.6-t2v", settings.qwen_video_model)]


def _registry(settings: Settings, http: HttpClient, clock: Clock) -> Registry:
    dashscope = DashScope(http, base_url=settings.dashscope_base_url)
    jimeng = Jimeng(
        http,
        hosts=Hosts(settings.jimeng_base_url, settings.jimeng_commerce_url),
        query_batch=settings.jimeng_query_batch,
        extra_models=[
            extra_model(model.name, model.key, model.benefit_type, model.durations, model.resolutions)
            for model in settings.models
        ],
        now=clock.now,
    )
    return Registry([dashscope, jimeng])


def _accounts(settings: Settings, registry: Registry) -> list[Account]:
    """The managed accounts. A credential that cannot be one stops the start."""
    accounts: list[Account] = []
    for name, setting, provider in (
        ("JIMENG_TOKENS", settings.jimeng_tokens, "jimeng"),
        ("DASHSCOPE_API_KEY", settings.dashscope_api_key, "dashscope"),
    ):
        accounts += _accounts_of(name, setting, registry, provider)
    return accounts


def _accounts_of(name: str, credentials: Sequence[SecretStr], registry: Registry, provider: str) -> list[Account]:
    accounts: list[Account] = []
    for number, credential in enumerate(credentials, 1):
        text = credential.get_secret_value().strip().removeprefix(f"{provider}:")
        account = registry[provider].account_from(text, named=True)
        if account is None:
            raise SettingsError(f"{name}: entry {number} is not a credential of {provider}")
        accounts.append(account)
    return accounts


def _seal_keys(settings: Settings) -> list[bytes]:
    """The MAC keys of task ids. Ids of gateway keys need a secret; without one they end with the process."""
    if any(len(secret.get_secret_value()) < _SHORTEST_SECRET for secret in settings.secret):
        GATEWAY.warning(f"GATEWAY_SECRET is shorter than {_SHORTEST_SECRET} characters: set it to a long random text")
    if settings.keys and not (settings.jimeng_tokens or settings.dashscope_api_key):
        GATEWAY.warning("keys are configured, but no account: set JIMENG_TOKENS or DASHSCOPE_API_KEY")
    if settings.keys and not settings.secret:
        GATEWAY.warning(
            "GATEWAY_SECRET is not set: task ids will not outlive this process nor be known to other replicas; "
            "set it to a long random text"
        )
    return [derived_key(secret.get_secret_value()) for secret in settings.secret]
