"""A provider that exists in tests only: what it takes to add one. The registry is given `ACME` and nothing else."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.localized_text import LocalizedText
from providers.contract.media import MediaRole
from providers.contract.models import ModelCard
from providers.contract.requests import Submission, VideoRequest
from providers.contract.settings import BaseUrl, ProviderSettings
from providers.contract.spec import DefaultModels, DemoVideo, ProviderSpec, SandboxPart
from providers.contract.tasks import ListedTask, Phase, Result, TaskState
from providers.transport.client import HttpClient
from tests.third_provider.native import AcmeEntrance
from tests.third_provider.sandbox import routes

TEXT, EDIT = "acme-video", "acme-edit"
CARDS = {TEXT: ModelCard(TEXT, "acme"), EDIT: ModelCard(EDIT, "acme", media_sets=(frozenset({MediaRole.VIDEO}),))}
ERRORS = {401: "INVALID_CREDENTIAL", 402: "NO_CREDITS", 404: "TASK_NOT_FOUND", 409: "NOT_CANCELLABLE"}


class AcmeSettings(ProviderSettings):
    base_url: BaseUrl = "https://acme.invalid"


@dataclass
class Acme:
    settings: AcmeSettings
    http: HttpClient
    name, query_batch, regions = "acme", 1, frozenset[str]()

    def account_from(self, credential: str, *, named: bool = False) -> Account | None:
        return Account("acme", credential) if named or re.fullmatch(r"ak-[\w-]+", credential) else None

    def owns(self, native_id: str) -> bool:
        return native_id.startswith("acme-")

    def submitted_at(self, native_id: str) -> float | None:
        return None

    def models(self) -> Sequence[ModelCard]:
        return list(CARDS.values())

    def card(self, model: str) -> ModelCard | None:
        return CARDS.get(model)

    async def prepare(self, request: VideoRequest, account: Account) -> dict[str, Any]:
        if request.raw is not None:
            own: dict[str, Any] = json.loads(request.raw.body)
            return {"prompt": "", "video": []} | own
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
        url, headers = f"{self.settings.base_url}/videos{path}", {"Authorization": f"Bearer {account.credential}"}
        reply = await self.http.send(method, url, headers=headers, json=body, once=body is not None)
        if reply.status != 200:
            raise ProviderError(ErrorKind[ERRORS[reply.status]], detail=account.redact(reply.body.decode()))
        return reply.json()


def _state(task: Mapping[str, Any]) -> TaskState:
    phase = Phase(task["status"])
    error = ProviderError(ErrorKind.CANCELLED) if phase is Phase.FAILED else None
    result = Result(task["url"]) if phase is Phase.COMPLETED else None
    facts = {"created_at": task["created"], "ended_at": task["ended"], "model": task["model"]}
    return TaskState(task["id"], phase, result=result, error=error, **facts)


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
    native=AcmeEntrance,
    sandbox=SandboxPart(routes, {"base_url": "/acme"}, DemoVideo("ak-demo", TEXT, "A kite over the dunes")),
)
