"""The token API: account operations for owners of credentials, under the paths that existing clients call.

The bearer has one or more credentials, and the response one row each in their order. A row has the account's name or
tag, never its credential. The admin key means all managed accounts.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from gateway.accounts.callers import Caller
from gateway.accounts.checks import Received
from gateway.api.admin_auth import has_admin_key
from gateway.api.context import caller_of, forces_refresh, json_response, language_of, services
from gateway.api.renderers.account import render_points
from gateway.api.schemas.body_parser import read_object
from gateway.core.errors import GatewayError, gateway_error, invalid
from providers.contract.accounts import Account, Credits
from providers.contract.errors import FieldProblem, FieldReason
from providers.registry import credential_hints

T = TypeVar("T")

MAX_BODY_BYTES = 64 * 1024
"""Enough for a credential: the body is read before the caller is authenticated."""


async def check(request: Request) -> Response:
    """POST /token/check: `{"live": true}`, or a list of rows for several credentials.

    The credentials are in the body's `token`, else in the bearer.
    """
    checks = services(request).checks
    credentials = await _credentials_of_body(request) or _credentials_of_bearer(request)
    if len(credentials) == 1 and credentials[0] is not None:
        return json_response({"live": await checks.check(credentials[0])})
    return json_response(await _rows(request, credentials, checks.check, lambda alive: {"live": alive}))


async def points(request: Request) -> Response:
    """POST /token/points: credits, cached for two minutes unless the client sends no-cache."""
    checks, force_refresh = services(request).checks, forces_refresh(request)

    async def read(account: Account) -> Credits:
        return await checks.credits(account, force_refresh=force_refresh)

    def render(left: Credits) -> dict[str, Any]:
        return {"points": render_points(left), "credits": render_points(left)}

    return json_response(await _rows(request, _credentials_of_bearer(request), read, render))


async def receive(request: Request) -> Response:
    """POST /token/receive: receive the daily credits. `received` is their number, 0 if they were received before."""

    def render(received: Received) -> dict[str, Any]:
        row: dict[str, Any] = {"success": True, "received": received.received}
        if received.credits is not None:
            flat = render_points(received.credits)
            row |= {"credits": flat, **flat}
        return row

    receive_one = services(request).checks.receive
    return json_response(await _rows(request, _credentials_of_bearer(request), receive_one, render, {"success": False}))


def _credentials_of_bearer(request: Request) -> Sequence[Account | None]:
    """The account of each credential, None for one of an invalid format. Raises GatewayError (401)."""
    authorization = request.headers.get("authorization", "")
    if has_admin_key(request, authorization):
        return [managed.account for managed in services(request).pool.managed]
    return _credentials_of(caller_of(request))


async def _credentials_of_body(request: Request) -> Sequence[Account | None]:
    """Those of the field `token`, if it is set. Raises GatewayError."""
    headers = request.headers
    if headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers:
        return ()
    async with read_object(request, MAX_BODY_BYTES, files=False) as fields:
        token = fields.get("token")
    if token is None or token == "":
        return ()
    if not isinstance(token, str):
        # Without the value: it may hold a credential.
        raise invalid([FieldProblem("token", FieldReason.NOT_ALLOWED, ("<credential>,<credential>",))])
    if not token.strip():
        return ()
    return _credentials_of(services(request).callers.identify(f"Bearer {token}"))


def _credentials_of(caller: Caller) -> Sequence[Account | None]:
    """The credentials of a pass-through caller. Raises GatewayError (401) for a gateway key."""
    if caller.managed:
        raise gateway_error("operator_only")
    return caller.credentials


async def _rows(
    request: Request,
    credentials: Sequence[Account | None],
    call: Callable[[Account], Awaitable[T]],
    render: Callable[[T], dict[str, Any]],
    failed: Mapping[str, Any] | None = None,
) -> list[dict[str, Any]]:
    """One row per credential: the rendered result of `call` for its account, or `failed` and the error."""
    accounts = list({account.id: account for account in credentials if account is not None}.values())
    results = await services(request).checks.each(accounts, call)
    by_id = {account.id: result for account, result in zip(accounts, results, strict=True)}
    language = language_of(request)
    rows = []
    for index, account in enumerate(credentials):
        row: dict[str, Any] = {"index": index}
        if account is None:
            result: T | GatewayError = gateway_error("invalid_credential_format", credentials=credential_hints())
        else:
            row |= {"token": account.label, "provider": account.provider}
            result = by_id[account.id]
        if isinstance(result, GatewayError):
            row |= {**(failed or {}), "error": result.message(language), "error_code": result.code}
        else:
            row |= render(result)
        rows.append(row)
    return rows
