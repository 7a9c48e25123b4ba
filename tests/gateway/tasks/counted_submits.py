"""A scripted submit for the idempotency store, and its orders."""

import asyncio
from typing import Any

from gateway.accounts.callers import Caller
from gateway.core.errors import GatewayError
from gateway.tasks.idempotency import Charge, SubmitRecord, fingerprint_of
from gateway.tasks.order import SubmitOrder
from gateway.tasks.view import Submitted
from providers.contract.accounts import Account
from providers.contract.requests import VideoRequest

LOG_FIELDS = {"account": "main"}
CAT, DOG = (fingerprint_of("video", VideoRequest("m", prompt)) for prompt in ("cat", "dog"))


def made(id: str) -> Submitted:
    return Submitted(id, id, id, "p", "account", "m", 0)


def order(caller: str, fingerprint: bytes, **options: Any) -> SubmitOrder:
    return SubmitOrder(Caller((Account("p", caller),)), VideoRequest("m"), fingerprint, **options)


class Upstream:
    """Counts submits. Raises `errors` first, after sending unless `early`."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.submits = 0
        self.account = "main"
        self.early = False
        self.findable = False
        self.seeds: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def submit(self, order: SubmitOrder, record: SubmitRecord) -> Submitted:
        self.seeds.append(record.seed)
        if record.unconfirmed:
            if self.findable:
                return made("found")
            raise GatewayError("submission_unconfirmed")
        self.submits += 1
        number = self.submits
        if not self.early:
            record.on_charge(Charge(Account("p", self.account).id, LOG_FIELDS))
        await self.gate.wait()
        if self.errors:
            raise self.errors.pop(0)
        return made(f"task-{number}")


async def let_tasks_run() -> None:
    for _ in range(20):
        await asyncio.sleep(0)
