"""A provider that exists in tests only: what it takes to add one. `ACME` is all that the registry is given."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.localized_text import LocalizedText
from providers.contract.media import MediaRole
from providers.contract.models import ModelCard
from providers.contract.requests import Submission, VideoRequest
from providers.contract.settings import BaseUrl, ProviderSettings
from providers.contract.spec import DefaultModels, DemoVideo, ProviderSpec, SandboxPart
from providers.contract.tasks import ListedTask, Phase, Result, TaskState
from providers.sandbox.context import SandboxContext
from providers.sandbox.files import base_of
from providers.transport.client import HttpClient

TEXT, EDIT = "acme-video", "acme-edit"
CARDS = (ModelCard(TEXT, "acme"), ModelCard(EDIT, "acme", media_sets=(frozenset({MediaRole.VIDEO}),)))
ERRORS = {401: "INVALID_CREDENTIAL", 402: "NO_CREDITS", 404: "TASK_NOT_FOUND", 409: "NOT_CANCELLABLE"}


class AcmeSettings(ProviderSettings):
    base_url: BaseUrl = "https://acme.invalid"


class Acme:
    name, query_batch, regions = "acme", 1, frozenset[str]()

    def __init__(self, settings: AcmeSettings, http: HttpClient) -> None:
        self._settings, self._http = settings, http

    def account_from(self, credential: str, *, named: bool = False) -> Account | None:
        return Account("acme", credential) if named or re.fullmatch(r"ak-[\w-]+", credential) else None

    def owns(self, native_id: str) -> bool:
        return native_id.startswith("acme-")

    def submitted_at(self, native_id: str) -> float | None:
        return None

    def models(self) -> Sequence[ModelCard]:
        return CARDS

    def card(self, model: str) -> ModelCard | None:
        return next((card for card in CARDS if card.name == model), None)

    async def prepare(self, request: VideoRequest, account: Account) -> dict[str, Any]:
        return {"model": request.model, "prompt": request.prompt, "video": [item.url for item in request.media]}

    async def submit(self, prepared: dict[str, Any], account: Account, *, submit_key: str) -> Submission:
        return Submission((await self._call("POST", "", account, prepared))["id"])

    async def query(self, ids: Sequence[str], account: Account) -> Mapping[str, TaskState | ProviderError]:
        return {id: _state(await self._call("GET", f"/{id}", account)) for id in ids}

    async def cancel(self, id: str, account: Account) -> None:
        await self._call("POST", f"/{id}/cancel", account)

    async def list(self, account: Account, *, before: float | None, limit: int) -> Sequence[ListedTask]:
        return [ListedTask(_state(task)) for task in await self._call("GET", "", account)]

    async def _call(self, method: str, path: str, account: Account, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {account.credential}"}
        url = f"{self._settings.base_url}/videos{path}"
        reply = await self._http.send(method, url, headers=headers, json=body, once=body is not None)
        if reply.status != 200:
            raise ProviderError(ErrorKind[ERRORS[reply.status]], detail=account.redact(reply.body.decode()))
        return reply.json()


def _state(task: Mapping[str, Any]) -> TaskState:
    phase, done = Phase(task["status"]), task["status"] == "completed"
    error = ProviderError(ErrorKind.CANCELLED) if phase is Phase.FAILED else None
    result = Result(task["url"]) if done else None
    at = task["at"]
    ended_at = at if phase.ended else None
    return TaskState(
        task["id"], phase, created_at=at, ended_at=ended_at, model=task["model"], result=result, error=error
    )


def _routes(context: SandboxContext) -> Sequence[Route]:
    tasks: dict[str, dict[str, Any]] = {}

    def guarded(answer: Callable[[str, Request, bytes], Any]) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> JSONResponse:
            key, body = request.headers["authorization"].removeprefix("Bearer "), await request.body()
            # A refusal that quotes the key, as real ones do.
            found = 401 if "dead" in key else answer(key, request, body)
            return JSONResponse(found) if not isinstance(found, int) else JSONResponse(f"refused: {key}", found)

        return endpoint

    def submit(key: str, request: Request, body: bytes) -> Any:
        if "poor" in key:
            return 402
        sent, id = orjson.loads(body), f"acme-{len(tasks) + 1}"
        status = "queued" if "#wait" in sent["prompt"] else "completed"
        url = context.files.link(base_of(request), "acme", "best.mp4", {})
        tasks[id] = {"id": id, "status": status, "at": context.clock(), "url": url, "key": key, **sent}
        return {"id": id}

    def show(key: str, request: Request, body: bytes) -> Any:
        found = tasks.get(request.path_params["id"], {})
        return found if found.get("key") == key else 404

    def cancel(key: str, request: Request, body: bytes) -> Any:
        task = tasks[request.path_params["id"]]
        if task["status"] != "queued":
            return 409
        task["status"] = "failed"
        return task

    def show_all(key: str, request: Request, body: bytes) -> Any:
        return [task for task in reversed(tasks.values()) if task["key"] == key]

    return [
        Route("/acme/videos", guarded(submit), methods=["POST"]),
        Route("/acme/videos", guarded(show_all), methods=["GET"]),
        Route("/acme/videos/{id}", guarded(show), methods=["GET"]),
        Route("/acme/videos/{id}/cancel", guarded(cancel), methods=["POST"]),
    ]


ACME = ProviderSpec(
    name="acme",
    title="Acme",
    settings=AcmeSettings,
    environment={"ACME_API_KEY": "credentials", "ACME_BASE_URL": "base_url", "ACME_QPS": "queries_per_second"},
    create=lambda settings, http, now: Acme(settings, http),
    default_models=lambda settings: DefaultModels(text=(TEXT,), edit=(EDIT,)),
    credential_hint=LocalizedText("Acme ak- 密钥", "an Acme key (ak-…)"),
    secret_patterns=(r"\bak-[\w-]{4,}",),
    result_link_seconds=3600,
    sandbox=SandboxPart(_routes, {"base_url": "/acme"}, DemoVideo("ak-demo", TEXT, "A kite over the dunes")),
)
