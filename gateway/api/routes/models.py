"""The models that a caller can use, of videos with their capabilities, and of language."""

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from gateway.api.context import caller_of, json_response, services
from gateway.api.renderers.model import render_language_model, render_model


async def models(request: Request) -> Response:
    """GET /v1/models"""
    caller = caller_of(request)
    offer, languages = await asyncio.gather(
        services(request).tasks.catalog.offer(caller), services(request).language.catalog.models(caller)
    )
    rows = [render_model(name, card) for name, card in offer.cards().items()]
    rows += [render_language_model(name, found) for name, found in languages.items()]
    return json_response({"object": "list", "data": rows})


async def model(request: Request) -> Response:
    """GET /v1/models/{id}"""
    name, caller = request.path_params["id"], caller_of(request)
    found = await services(request).language.catalog.model(caller, name)
    if found is not None:
        return json_response(render_language_model(name, found))
    offer = await services(request).tasks.catalog.offer(caller)
    return json_response(render_model(name, offer.card(name)))
