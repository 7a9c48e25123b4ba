"""The token API: account operations for owners of credentials, under the paths that existing clients call.

The bearer has one or more credentials, and the response one row each in their order. A row has the account's name or
tag, never its credential. The admin key means all managed accounts.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from gateway.accounts.callers import Caller
from gateway.accounts.checks import Received
from gateway.api.admin_auth import has_admin_key
from gateway.api.context import caller_of, forces_refresh, json_response, language_of, services
from gateway.api.renderers.account import render_points
from gateway.api.schemas.body_parser import read_object
from gateway.core.errors import GatewayError, gateway_error
from providers.contract.accounts import Account, Credits

T = TypeVar("T")

MAX_BODY_BYTES = 64 * 1024
"""Enough for a credential: the body is read before the caller is authenticated."""


async def check(request: Request) -> Response:
    """POST /token/check: `{"live": true}`, or a list of rows for several credentials.

    The credentials are in the body's `token`, else in the bearer.
    """
    checks = services(request).checks
    accounts = await _accounts_of_body(request) or _accounts_of_bearer(request)
    if len(accounts) == 1:
        return json_response({"live": await checks.check(accounts[0])})
    answers = await checks.each(accounts, checks.check)
    return json_response(_rows(request, accounts, answers, lambda alive: {"live": alive}))


async def points(request: Request) -> Response:
    """POST /token/points: credits, cached for two minutes unless the client sends no-cache."""
    checks, force_refresh = services(request).checks, forces_refresh(request)
    accounts = _accounts_of_bearer(request)

    async def read(account: Account) -> Credits:
        return await checks.credits(account, force_refresh=force_refresh)

    answers = await checks.each(accounts, read)
    return json_response(
        _rows(request, accounts, answers, lambda left: {"points": render_points(left), "credits": render_points(left)})
    )


async def receive(request: Request) -> Response:
    """POST /token/receive: receive the daily credits. `received` is their number, 0 if they were received before."""
    checks = services(request).checks
    accounts = _accounts_of_bearer(request)
    answers = await checks.each(accounts, checks.receive)

    def render(received: Received) -> dict[str, Any]:
        row: dict[str, Any] = {"success": True, "received": received.received}
        if received.credits is not None:
            flat = render_points(received.credits)
            row |= {"credits": flat, **flat}
        return row

    return json_response(_rows(request, accounts, answers, render, {"success": False}))


def _accounts_of_bearer(request: Request) -> Sequence[Account]:
    """Raises GatewayError (401)."""
    authorization = request.headers.get("authorization", "")
    if has_admin_key(request, authorization):
        return [managed.account for managed in services(request).pool.managed]
    return _accounts_of(caller_of(request))


async def _accounts_of_body(request: Request) -> Sequence[Account]:
    """The accounts of the field `token`, if it is set. Raises GatewayError."""
    headers = request.headers
    if headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers:
        return ()
    async with read_object(request, MAX_BODY_BYTES, files=False) as fields:
        token = fields.get("token")
    if not isinstance(token, str) or not token.strip():
        return ()
    return _accounts_of(services(request).callers.identify(f"Bearer {token}"))


def _accounts_of(caller: Caller) -> Sequence[Account]:
    """The pass-through accounts of a caller. Raises GatewayError (401) for a gateway key."""
    if caller.managed:
        raise gateway_error("operator_only")
    return caller.accounts


def _rows(
    request: Request,
    accounts: Sequence[Account],
    answers: Sequence[T | GatewayError],
    render: Callable[[T], dict[str, Any]],
    failed: Mapping[str, Any] | None = None,
) -> list[dict[str, Any]]:
    """One row per account: its rendered answer, or `failed` and the error."""
    language = language_of(request)
    rows = []
    for index, (account, answer) in enumerate(zip(accounts, answers, strict=True)):
        row: dict[str, Any] = {"index": index, "token": account.label, "provider": account.provider}
        if isinstance(answer, GatewayError):
            row |= {**(failed or {}), "error": answer.message(language), "error_code": answer.code}
        else:
            row |= render(answer)
        rows.append(row)
    return rows
