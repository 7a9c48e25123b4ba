"""Jimeng's web API: `/mweb/v1`, `/commerce/v1` and `/passport`, and its uploads beside it.

A task's state is computed from the time since its submit, so nothing runs in the background.
"""

from collections.abc import Callable
from typing import Any

import orjson
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp

from providers.sandbox.answers import with_quotes
from providers.sandbox.files import Files
from providers.sandbox.jimeng.access import GENERATE, Call, authenticate
from providers.sandbox.jimeng.accounts import Accounts
from providers.sandbox.jimeng.benefits import Benefits
from providers.sandbox.jimeng.catalogue import JimengModels
from providers.sandbox.jimeng.configuration import Configuration
from providers.sandbox.jimeng.envelopes import Envelopes
from providers.sandbox.jimeng.errors import PARAMETER, Refused
from providers.sandbox.jimeng.generation import Generation
from providers.sandbox.jimeng.history import History
from providers.sandbox.jimeng.materials import Materials
from providers.sandbox.jimeng.sites import likely_site
from providers.sandbox.jimeng.uploads import JimengUploads
from providers.sandbox.settings import SandboxSettings
from providers.sandbox.state import Ledger, session_of


class Jimeng:
    """The site: a class per group of calls, with shared accounts, models and uploads."""

    def __init__(self, settings: SandboxSettings, clock: Callable[[], float], ledger: Ledger, files: Files) -> None:
        self.models = JimengModels()
        self._envelopes = envelopes = Envelopes(clock)
        self._uploads = uploads = JimengUploads(settings, clock)
        self._accounts = accounts = Accounts(settings, clock, ledger)
        self._configuration = Configuration(self.models, envelopes)
        self._calls: dict[str, Callable[[Call], ASGIApp]] = {
            **Generation(settings, clock, accounts, self.models, uploads, envelopes, files.clips).calls(),
            **History(settings, clock, accounts, ledger, files, envelopes).calls(),
            **Materials(self.models, uploads, envelopes).calls(),
            **Benefits(settings, clock, envelopes).calls(),
        }

    def routes(self) -> list[Route]:
        """All calls. The site's own need a session, the uploads their keys, the configuration nothing."""
        own = [Route(path, self._guarded(call), methods=["POST"]) for path, call in self._calls.items()]
        return own + self._configuration.routes() + self._uploads.routes()

    def _guarded(self, answer: Callable[[Call], ASGIApp]) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> ASGIApp:
            text = await request.body()
            try:
                session = authenticate(request)
                found = answer(Call(request, self._accounts.of(session), _object(text), likely_site(request)))
            except Refused as refused:
                found = self._envelopes.refuse(refused, submit=request.url.path == GENERATE)
            return with_quotes(found, session_of(request.headers))

        return endpoint


def _object(text: bytes) -> dict[str, Any]:
    """A JSON object; no body counts as an empty one. Raises `Refused`."""
    try:
        body = orjson.loads(text) if text else {}
    except orjson.JSONDecodeError:
        raise Refused(PARAMETER, "body is not JSON") from None
    if not isinstance(body, dict):
        raise Refused(PARAMETER, "body is not an object")
    return body
