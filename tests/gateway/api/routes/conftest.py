"""The application with scripted tasks and account checks behind its routes."""

from dataclasses import dataclass, field, replace
from typing import Any, cast

import httpx
import pytest
from pydantic import SecretStr
from starlette.applications import Starlette

from gateway.accounts.callers import Caller
from gateway.accounts.checks import AccountChecks, Received
from gateway.api.routes import generations
from gateway.app import create_app
from gateway.core.clock import SystemClock
from gateway.core.errors import GatewayError
from gateway.core.settings import AccountSettings, Settings
from gateway.tasks.order import SubmitOrder
from gateway.tasks.service import Tasks
from gateway.tasks.view import Submitted, Task
from providers.contract.accounts import Account, Credits
from providers.contract.tasks import Phase, Result, TaskState

SUBMITTED = Submitted("native", "signed", "upstream", "dashscope", "acc", "wan2.6-t2v", 1_700_000_000, 5, "1280x720")


def task(id: str = "one", phase: Phase = Phase.PROCESSING, **fields: Any) -> Task:
    result = fields.pop("result", None)
    return Task(id, "dashscope", TaskState(id, phase, result=result), 40, **fields)


def completed(id: str = "one", url: str = "https://files.example/v.mp4", **fields: Any) -> Task:
    return task(id, Phase.COMPLETED, result=Result(url), **fields)


@dataclass
class ScriptedTasks:
    """A fake of `Tasks`: records the calls of the routes and returns what the test has set."""

    found: dict[str, Task | None] = field(default_factory=dict)
    orders: list[SubmitOrder] = field(default_factory=list)
    waited: list[float] = field(default_factory=list)
    listed: dict[str, Any] = field(default_factory=dict)
    refreshes: list[bool] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    more: bool = False

    async def submit(self, order: SubmitOrder) -> Submitted:
        self.orders.append(order)
        return SUBMITTED

    async def wait(
        self, watches: Any, clock: Any, caller: Caller, submitted: Submitted, seconds: float, receive: Any
    ) -> Task:
        self.waited.append(seconds)
        return cast(Task, self.found[submitted.id])

    async def status(self, caller: Caller, id: str, *, force_refresh: bool = False) -> Task:
        return cast(Task, self.found[id])

    async def statuses(self, caller: Caller, ids: list[str], *, force_refresh: bool = False) -> dict[str, Task | None]:
        self.refreshes.append(force_refresh)
        return {id: self.found.get(id) for id in ids}

    async def list(self, caller: Caller, **query: Any) -> tuple[list[Task], bool]:
        self.listed = query
        return [found for found in self.found.values() if found is not None], self.more

    async def cancel(self, caller: Caller, id: str) -> Task:
        self.cancelled.append(id)
        return cast(Task, self.found[id])

    async def open_archived(self, caller: Caller, id: str, variant: str, **asked: Any) -> None:
        return None


@dataclass
class ScriptedChecks:
    """A fake of `AccountChecks`. An account maps to the error that each call for it raises."""

    errors: dict[str, GatewayError] = field(default_factory=dict)
    refreshes: list[bool] = field(default_factory=list)

    def _fail(self, account: Account) -> None:
        if account.credential in self.errors:
            raise self.errors[account.credential]

    async def check(self, account: Account) -> bool:
        self._fail(account)
        return "dead" not in account.credential

    async def credits(self, account: Account, *, force_refresh: bool = False) -> Credits:
        self.refreshes.append(force_refresh)
        self._fail(account)
        return Credits(1, 20, 300)

    async def receive(self, account: Account) -> Received:
        self._fail(account)
        return Received(66, Credits(gift=66))

    async def each(self, accounts: list[Account], call: Any) -> list[Any]:
        answers = []
        for account in accounts:
            try:
                answers.append(await call(account))
            except GatewayError as error:
                answers.append(error)
        return answers


@dataclass
class Api:
    """An application, the fakes behind its routes, and a client with its own DashScope key."""

    app: Starlette
    tasks: ScriptedTasks
    checks: ScriptedChecks
    client: httpx.AsyncClient

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self.client.get(path, headers=headers)

    async def post(self, path: str, json: Any = None, **headers: str) -> httpx.Response:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.post(path, json=json, headers=sent)


def api_of(settings: Settings) -> Api:
    app = create_app(settings, reload=False, clock=SystemClock())
    tasks, checks = ScriptedTasks(), ScriptedChecks()
    app.state.services = replace(app.state.services, tasks=cast(Tasks, tasks), checks=cast(AccountChecks, checks))
    client = httpx.AsyncClient(
        transport=httpx.ASGITransport(app, raise_app_exceptions=False),
        base_url="http://localhost",
        headers={"authorization": "Bearer sk-one", "accept-language": "en"},
    )
    return Api(app, tasks, checks, client)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Api:
    """A gateway for pass-through callers."""
    api = api_of(Settings.model_construct())
    monkeypatch.setattr(generations, "wait_for_end", api.tasks.wait)
    return api


@pytest.fixture
def managed_api() -> Api:
    """A gateway with a key and the two accounts `first` and `second`."""
    accounts = tuple(AccountSettings(name=name, credential=SecretStr(f"sk-{name}")) for name in ("first", "second"))
    keys = (SecretStr("user:gw-one"),)
    return api_of(Settings.model_construct(accounts=accounts, keys=keys, secret=(SecretStr("a long random text"),)))
