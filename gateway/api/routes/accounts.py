"""Managed accounts, for the operator: status and actions."""

import contextlib
from collections.abc import Iterator
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from gateway.accounts.pool import ManagedAccount
from gateway.api.admin_auth import require_operator
from gateway.api.context import forces_refresh, json_response, language_of, services
from gateway.api.renderers.account import render_account, render_credits
from gateway.core.errors import GatewayError, gateway_error
from providers.contract.accounts import public_tag


async def accounts(request: Request) -> Response:
    """GET /v1/accounts"""
    require_operator(request)
    data = [_render(request, managed) for managed in services(request).pool.managed]
    return json_response({"object": "list", "data": data}, headers={"cache-control": "no-store"})


async def check(request: Request) -> Response:
    """POST /v1/accounts/{name}/check: check its login."""
    managed = _account_of_path(request)
    alive = await services(request).checks.check(managed.account)
    return _answer(request, managed, live=alive)


async def points(request: Request) -> Response:
    """POST /v1/accounts/{name}/points: credits, cached for two minutes unless the client sends no-cache."""
    managed = _account_of_path(request)
    with _credential_errors_as_restricted():
        credits = await services(request).checks.credits(managed.account, force_refresh=forces_refresh(request))
    return _answer(request, managed, credits=render_credits(credits))


async def receive(request: Request) -> Response:
    """POST /v1/accounts/{name}/receive: receive its daily credits."""
    managed = _account_of_path(request)
    with _credential_errors_as_restricted():
        received = await services(request).checks.receive(managed.account)
    return _answer(request, managed, received=received.received)


async def pause(request: Request) -> Response:
    """POST /v1/accounts/{name}/pause: take no submits until it is resumed or the process restarts."""
    managed = _account_of_path(request)
    services(request).pool.pause(managed.account)
    return _answer(request, managed)


async def resume(request: Request) -> Response:
    """POST /v1/accounts/{name}/resume: end its pause and clear its failures."""
    managed = _account_of_path(request)
    services(request).pool.resume(managed.account)
    return _answer(request, managed)


def _account_of_path(request: Request) -> ManagedAccount:
    """The account of the path, by its name or its tag. Raises GatewayError."""
    require_operator(request)
    name = request.path_params["name"]
    for managed in services(request).pool.managed:
        if name in (managed.account.label, public_tag(managed.account)):
            return managed
    raise gateway_error("account_not_found", name=name[:64])


@contextlib.contextmanager
def _credential_errors_as_restricted() -> Iterator[None]:
    """Map a rejected account credential to 403: a 401 would refer to the operator's own key."""
    try:
        yield
    except GatewayError as error:
        if error.code != "invalid_api_key":
            raise
        message, code, detail = error.text, error.upstream_code, error.detail
        raise GatewayError("account_restricted", message, upstream_code=code, detail=detail) from error


def _answer(request: Request, managed: ManagedAccount, **done: Any) -> Response:
    return json_response(done | {"account": _render(request, managed)})


def _render(request: Request, managed: ManagedAccount) -> dict[str, Any]:
    pool = services(request).pool
    record, status = pool.record(managed.account), pool.status(managed.account)
    return render_account(managed, record, status, pool.monotonic(), pool.unix_time, language_of(request))
