"""The gateway's own accounts, for its operator: how they stand, and what can be done with them."""

import contextlib
import math
from collections.abc import Iterator
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from gateway.accounts.health import AccountState
from gateway.accounts.pool import ManagedAccount, Standing
from gateway.api.admin_auth import require_operator
from gateway.api.context import insists, json_answer, language, services
from gateway.core.errors import GatewayError, describe, refused
from gateway.core.messages import ERRORS, Language, say
from providers.contract.accounts import Credits


async def accounts(request: Request) -> Response:
    """GET /v1/accounts"""
    require_operator(request)
    spoken = language(request)
    data = [_render(request, managed, spoken) for managed in services(request).pool.managed]
    return json_answer({"object": "list", "data": data}, headers={"cache-control": "no-store"})


async def check(request: Request) -> Response:
    """POST /v1/accounts/{name}/check: is its login alive?"""
    managed = _asked_for(request)
    alive = await services(request).care.check(managed.account)
    return _answer(request, managed, live=alive)


async def points(request: Request) -> Response:
    """POST /v1/accounts/{name}/points: what is left, read within the last two minutes unless the client insists."""
    managed = _asked_for(request)
    with _for_operators():
        credits = await services(request).care.credits(managed.account, insist=insists(request))
    return _answer(request, managed, credits=render_credits(credits))


async def receive(request: Request) -> Response:
    """POST /v1/accounts/{name}/receive: take today's credits."""
    managed = _asked_for(request)
    with _for_operators():
        received = await services(request).care.receive(managed.account)
    return _answer(request, managed, received=received.received)


async def pause(request: Request) -> Response:
    """POST /v1/accounts/{name}/pause: no more submits, until it is resumed or this process starts anew."""
    managed = _asked_for(request)
    services(request).pool.pause(managed.account)
    return _answer(request, managed)


async def resume(request: Request) -> Response:
    """POST /v1/accounts/{name}/resume: forget what is held against it."""
    managed = _asked_for(request)
    services(request).pool.resume(managed.account)
    return _answer(request, managed)


def _asked_for(request: Request) -> ManagedAccount:
    """The account of the path, by its name or its tag. Raises GatewayError."""
    require_operator(request)
    name = request.path_params["name"]
    for managed in services(request).pool.managed:
        if name in (managed.account.label, managed.account.tag):
            return managed
    raise refused("account_not_found", name=name[:64])


@contextlib.contextmanager
def _for_operators() -> Iterator[None]:
    """A refused login is the account's: 401 would say that the operator's key is."""
    try:
        yield
    except GatewayError as error:
        if error.code != "invalid_api_key":
            raise
        words, code, detail = error.words, error.upstream_code, error.detail
        raise GatewayError("account_restricted", words, upstream_code=code, detail=detail) from error


def _answer(request: Request, managed: ManagedAccount, **done: Any) -> Response:
    return json_answer(done | {"account": _render(request, managed, language(request))})


def _render(request: Request, managed: ManagedAccount, spoken: Language) -> dict[str, Any]:
    """An account without anything secret; times in unix seconds."""
    account, pool = managed.account, services(request).pool
    seat, standing = pool.seat(account), pool.standing(account)
    closed = seat.health.closed_models(pool.now())
    shown: dict[str, Any] = {
        "name": account.label,
        "tag": account.tag,
        "provider": account.provider,
        "region": account.region or None,
        "proxy": account.proxy is not None,
        "weight": managed.weight,
        "max_running": managed.max_running,
        "state": standing.state.value,
        "reason": _reason(managed, standing, spoken),
        "rests_until": _ahead(standing, pool.now()),
        "closed_models": {model: math.ceil(pause.until) for model, pause in closed.items()},
        "running": seat.busy,
        "submitted": seat.submitted,
        "failed": seat.failed,
        "last_error": None,
        "credits": None,
    }
    if seat.last_error is not None:
        error = seat.last_error.error
        shown["last_error"] = {
            "code": error.code or None,
            "message": describe(error, spoken),
            "at": int(seat.last_error.at),
        }
    if seat.credits is not None:
        shown["credits"] = render_credits(seat.credits.credits) | {"seen_at": int(seat.credits.at)}
    return shown


def _reason(managed: ManagedAccount, standing: Standing, spoken: Language) -> str | None:
    if standing.error is not None:
        return describe(standing.error, spoken)
    if standing.state is AccountState.PAUSED:
        return say(ERRORS["paused_by_operator" if managed.weight else "without_weight"], spoken)
    return say(ERRORS["as_many_as_may"], spoken) if standing.state is AccountState.FULL else None


def _ahead(standing: Standing, now: float) -> int | None:
    """When a rest ends; a refused login that may be looked at again has no such time."""
    resting = standing.error is not None and standing.until is not None and standing.until > now
    return math.ceil(standing.until) if resting and standing.until is not None else None


def render_credits(credits: Credits) -> dict[str, int]:
    return {"total": credits.total, "gift": credits.gift, "purchase": credits.purchase, "vip": credits.vip}
