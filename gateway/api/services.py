"""The services of one configuration. A request keeps the services that it began with."""

from dataclasses import dataclass, field
from typing import cast

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.accounts.callers import Callers
from gateway.accounts.checks import AccountChecks
from gateway.accounts.pool import AccountPool
from gateway.api.response_cache import ResponseCache
from gateway.core.background_tasks import Background
from gateway.core.clock import Clock
from gateway.core.settings import Settings
from gateway.language.service import Language
from gateway.limits.key_usages import KeyUsages
from gateway.live.open_streams import OpenStreams
from gateway.live.watching import Watches
from gateway.live.webhooks.service import Webhooks
from gateway.tasks.prompt_rewriting import PromptRewriter
from gateway.tasks.service import Tasks
from providers.registry import Registry
from providers.transport.client import HttpClient

_KEY = "gateway.services"


@dataclass(frozen=True, slots=True)
class Services:
    """The services of one configuration. A reload builds new ones; the old ones serve the requests that began with
    them."""

    settings: Settings
    registry: Registry
    callers: Callers
    tasks: Tasks
    language: Language
    prompts: PromptRewriter
    http: HttpClient
    pool: AccountPool
    checks: AccountChecks
    watches: Watches
    streams: OpenStreams
    webhooks: Webhooks
    usages: KeyUsages
    clock: Clock
    background: Background
    poll_responses: ResponseCache = field(default_factory=ResponseCache)


class RequestServices:
    """Puts the current services into the scope of each request, so that a reload does not affect a running request.
    Plain ASGI."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            scope[_KEY] = scope["app"].state.services
        await self._app(scope, receive, send)


def services_of(scope: Scope) -> Services:
    """The services of a request's scope."""
    return cast(Services, scope[_KEY])
