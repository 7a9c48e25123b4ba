"""A request keeps the services that it began with."""

from types import SimpleNamespace
from typing import Any

from starlette.types import Message, Receive, Scope, Send

from gateway.api.services import RequestServices, services_of


async def receive() -> Message:
    return {"type": "http.request"}


async def send(message: Message) -> None:
    pass


async def test_request_keeps_its_services() -> None:
    state = SimpleNamespace(services="old")
    seen: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(services_of(scope))
        state.services = "new"
        seen.append(services_of(scope))

    layer = RequestServices(app)
    for _ in range(2):
        await layer({"type": "http", "app": SimpleNamespace(state=state)}, receive, send)
    assert seen == ["old", "old", "new", "new"]


async def test_lifespan_scope_has_no_services() -> None:
    """The lifespan begins before the services exist."""
    seen: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)

    await RequestServices(app)({"type": "lifespan"}, receive, send)
    assert seen == [{"type": "lifespan"}]
