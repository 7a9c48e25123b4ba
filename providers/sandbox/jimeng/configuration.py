"""The configuration call, and the sandbox's routes that change its response."""

from collections.abc import Callable

import orjson
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from providers.sandbox.answers import PAGE
from providers.sandbox.jimeng.catalogue import JimengModels
from providers.sandbox.jimeng.envelopes import Envelopes, json_response
from providers.sandbox.jimeng.errors import PARAMETER, Refused, need
from providers.sandbox.jimeng.sites import SITES, Site, likely_site

PATH = "/mweb/v1/video_generate/get_common_config"
_MODELS, _MODEL, _CONFIG_FAULT = (
    "/_sandbox/jimeng/models", "/_sandbox/jimeng/models/{key}", "/_sandbox/jimeng/config-trouble",
)  # fmt: skip

SCENES = ("video_generate", "generate_video")
"""`scene` of the bodies seen working: the first on cn 2026-09-30, the second in autumn 2026 and abroad 2025-12."""


class Configuration:
    """Answers for guests too; no session and no `Sign` is asked for."""

    def __init__(self, models: JimengModels, envelopes: Envelopes) -> None:
        self._models = models
        self._envelopes = envelopes

    async def _answer(self, request: Request) -> Response:
        text = await request.body()
        if self._models.fault_status is not None:
            return HTMLResponse(PAGE, self._models.fault_status)
        if self._models.fault_ret:
            return self._envelopes.refuse(Refused(self._models.fault_ret))
        try:
            _check(text)
        except Refused as refused:
            return self._envelopes.refuse(refused)
        return self._envelopes.answer(self._models.configuration(likely_site(request)))

    def routes(self) -> list[Route]:
        """The call and the control routes."""
        return [Route(PATH, self._answer, methods=["POST"]), *control_routes(self._models)]


def _check(text: bytes) -> None:
    """An empty object, or a known scene with parameters. Raises `Refused`."""
    try:
        body = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise Refused(PARAMETER, "body is not JSON") from None
    if not isinstance(body, dict):
        raise Refused(PARAMETER, "body is not an object")
    if body:
        need(body.get("scene") in SCENES, "scene")
        need(isinstance(body.get("params", {}), dict), "params")


def control_routes(models: JimengModels) -> list[Route]:
    """`GET …/models`; `DELETE` and `PUT …/models/{key}?site=cn` (without `site`: every site); `PUT
    …/config-trouble?status=404` or `?ret=1015`, and `DELETE` of it. All answer what the sites have now."""

    def now(status: int = 200) -> Response:
        fault = {"status": models.fault_status, "ret": models.fault_ret}
        return json_response({"models": models.keys(), "config_trouble": fault}, status)

    async def listed(request: Request) -> Response:
        return now()

    def changing(change: Callable[[str, Site | None], None]) -> Callable[[Request], object]:
        async def endpoint(request: Request) -> Response:
            site = request.query_params.get("site")
            if site is not None and site not in SITES:
                return json_response({"error": f"site must be one of {', '.join(SITES)}"}, 400)
            try:
                change(request.path_params["key"], site)
            except KeyError:
                return json_response({"error": "no site has ever had this model"}, 404)
            return now()

        return endpoint

    async def fault(request: Request) -> Response:
        if request.method == "DELETE":
            models.set_config_fault()
            return now()
        status, ret = request.query_params.get("status", ""), request.query_params.get("ret", "")
        try:
            if not status and not ret:
                raise ValueError("status or ret")
            models.set_config_fault(int(status) if status else None, ret=ret)
        except ValueError:
            return json_response({"error": "name a status from 400 to 599, or a ret"}, 400)
        return now()

    return [
        Route(_MODELS, listed, methods=["GET"]),
        Route(_MODEL, changing(models.retire), methods=["DELETE"]),
        Route(_MODEL, changing(models.restore), methods=["PUT"]),
        Route(_CONFIG_FAULT, fault, methods=["PUT", "DELETE"]),
    ]
