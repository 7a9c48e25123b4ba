"""The upstreams' own APIs, for clients of their SDKs: submit, poll, list, cancel, and permissions to upload files."""

import hashlib
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.accounts.callers import Caller
from gateway.api.context import add_log_fields, caller_of, json_response, language_of, request_id, services
from gateway.api.native_apis import NativeApi, native_apis, native_task
from gateway.api.poll_endpoint import PollRoute, cancel_task
from gateway.api.schemas.body_parser import read_json
from gateway.api.schemas.requests import Generation, parse_generation
from gateway.api.submit_endpoint import submit_native, warning_headers
from gateway.core.errors import from_provider, gateway_error
from gateway.core.localization import Language
from gateway.tasks.view import Task
from providers.contract.accounts import public_tag
from providers.contract.errors import ProviderError
from providers.contract.native import NativeCall, NativeOperation
from providers.offload import offload

_SHOWN_NAME = 64
"""Characters of a model's name in the log."""

MAX_LISTED = 1000
"""Tasks that a list looks at: its pages and its total are of these."""


def routes() -> list[Route]:
    """The routes of every provider that has an API of its own here."""
    return [_route(_Surface(api), operation) for api in native_apis() for operation in api.entrance.operations]


def _route(surface: "_Surface", operation: NativeOperation) -> Route:
    match operation.call:
        case NativeCall.STATUS:
            return PollRoute(operation.path, surface.render, request_id_field=surface.request_id_field)
        case NativeCall.SUBMIT:
            endpoint = surface.submit
        case NativeCall.LIST:
            endpoint = surface.list
        case NativeCall.CANCEL:
            endpoint = surface.cancel
        case NativeCall.UPLOADS:
            endpoint = surface.uploads
    return Route(operation.path, endpoint, methods=[operation.method])


class _Surface:
    """The endpoints of one API."""

    def __init__(self, api: NativeApi) -> None:
        self._api = api
        self._entrance = api.entrance
        self.request_id_field = api.entrance.request_id_field

    async def submit(self, request: Request) -> Response:
        """Submit a body as it is to the accounts of this upstream. A model of another provider is translated."""
        caller, current = caller_of(request), services(request)
        body, fields = await read_json(request, current.settings.limits.body_bytes)
        try:
            own = self._entrance.read_submit(
                request.scope["path"], request.headers, body, fields, managed=caller.managed
            )
        except ProviderError as error:
            raise from_provider(error) from error
        provider = await current.tasks.catalog.provider_of(caller, own.model)
        if provider in (self._api.provider, None):
            parsed = Generation(own, own.prompt, None, {})
        else:
            parsed = parse_generation(self._entrance.translated(fields), current.settings.api.unknown_fields)
        fingerprint = await offload(len(body), partial(_fingerprint, request.scope["path"], body))
        del body, fields, own
        outcome = await submit_native(request, caller, parsed, fingerprint)
        add_log_fields(request, outcome.submitted.log_fields(outcome.submitted.id))
        answer = self._entrance.accepted(outcome.submitted.id)
        return self._answer(request, answer, warning_headers(outcome.warnings))

    def render(self, task: Task, language: Language) -> dict[str, Any]:
        """The body of a poll, without the id of the request."""
        return self._entrance.status(native_task(task, language))

    async def list(self, request: Request) -> Response:
        """The recent tasks of the caller's accounts."""
        caller, current, language = caller_of(request), services(request), language_of(request)
        recent, _ = await current.tasks.list(caller, limit=MAX_LISTED, native=True)
        tasks = [native_task(task, language) for task in recent]
        try:
            page = self._entrance.page(tasks, request.query_params, current.clock.now())
        except ProviderError as error:
            raise from_provider(error) from error
        return self._answer(request, page, {"cache-control": "no-store"})

    async def cancel(self, request: Request) -> Response:
        """Cancel a task."""
        await cancel_task(request)
        return self._answer(request, self._entrance.cancelled())

    async def uploads(self, request: Request) -> Response:
        """The permission to upload files for a model."""
        caller, current = caller_of(request), services(request)
        try:
            model = self._entrance.read_uploads(request.query_params)
        except ProviderError as error:
            raise from_provider(error) from error
        provider = await current.tasks.catalog.provider_of(caller, model)
        if provider not in (self._api.provider, None):
            raise gateway_error("uploads_not_for_model", param="model", model=model, title=self._api.title)
        session = self._entrance.client_session(request.headers)
        account, granted = await current.tasks.upload_grant(caller, self._api.provider, model, session)
        add_log_fields(request, {"model": model[:_SHOWN_NAME], "provider": account.provider, "account": account.label})
        tag = public_tag(account) if _may_use_another(caller, self._api.provider) else ""
        return self._answer(request, self._entrance.grant(granted, tag), {"cache-control": "no-store"})

    def _answer(self, request: Request, body: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
        return json_response({**body, self.request_id_field: request_id(request)}, headers=headers)


def _may_use_another(caller: Caller, provider: str) -> bool:
    """True where a later request of the caller may be served by another account."""
    return caller.managed or len(caller.accounts_of(provider)) > 1


def _fingerprint(path: str, body: bytes) -> bytes:
    digest = hashlib.sha256(path.encode("utf-8", "surrogateescape") + b"\0")
    digest.update(body)
    return digest.digest()
