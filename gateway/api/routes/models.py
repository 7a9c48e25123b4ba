"""The models that a caller can use, with their capabilities."""

from starlette.requests import Request
from starlette.responses import Response

from gateway.api.context import caller_of, json_response, services
from gateway.api.renderers.model import render_model


async def models(request: Request) -> Response:
    """GET /v1/models"""
    cards = (await services(request).tasks.catalog.offer(caller_of(request))).cards()
    return json_response({"object": "list", "data": [render_model(name, card) for name, card in cards.items()]})


async def model(request: Request) -> Response:
    """GET /v1/models/{id}"""
    name, offer = request.path_params["id"], await services(request).tasks.catalog.offer(caller_of(request))
    return json_response(render_model(name, offer.card(name)))
