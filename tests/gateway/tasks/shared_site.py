"""An upstream that several gateway processes share, and submits with idempotency keys to it."""

import asyncio
from collections.abc import Sequence
from typing import Any

from gateway.core.settings import RotationSettings, TimeoutSettings
from gateway.tasks.view import Submitted
from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.media import MediaRole
from providers.contract.requests import Submission, VideoRequest
from tests.gateway_fixture import REQUEST, GatewayFixture, pass_through_caller
from tests.upstream import UploadingProvider, card

ACCOUNTS = tuple(Account("scripted", f"s-secret-{number}") for number in range(6))
KEYS = [f"key-{number}" for number in range(12)]
HANGS = ProviderError(ErrorKind.ANSWER_LOST, detail="hangs")


class Site(UploadingProvider):
    """An upstream with several accounts, shared by several processes. It creates one task for a submit key and account,
    and shows it at once. `trouble` is the error of every call of an account, by its credential. No call gets through
    a proxy of `dead_proxies`."""

    def __init__(self) -> None:
        super().__init__()
        self.cards = {"scripted-model": card("scripted-model", "scripted", MediaRole.FIRST_FRAME)}
        self.tasks: dict[tuple[str, str], str] = {}
        self.trouble: dict[str, ProviderError] = {}
        self.dead_proxies: set[str] = set()
        self.looked_up: list[str] = []
        self.found_model: str | None = None

    async def _answer(self, account: Account) -> None:
        # Each call takes a while, so that concurrent submits overlap.
        for _ in range(3):
            await asyncio.sleep(0)
        if str(account.proxy) in self.dead_proxies:
            raise ProviderError(ErrorKind.UNREACHABLE, detail="the proxy cannot be reached")
        error = self.trouble.get(account.credential)
        if error is HANGS:
            await asyncio.Event().wait()
        if error is not None:
            raise error

    async def find(self, submit_key: str, account: Account) -> Submission | None:
        self.looked_up.append(account.credential)
        await self._answer(account)
        id = self.tasks.get((account.credential, submit_key))
        return Submission(id, self.found_model) if id is not None else None

    async def submit(self, prepared: VideoRequest, account: Account, *, submit_key: str) -> Submission:
        await self._answer(account)
        made = await super().submit(prepared, account, submit_key=submit_key)
        return Submission(self.tasks.setdefault((account.credential, submit_key), made.id))


def process(site: Site, *, connect: float = 0.05, secret: Sequence[str] = (), **rotation: Any) -> GatewayFixture:
    """One of the processes. `connect` is its time limit of a connection in seconds."""
    return GatewayFixture(
        site,
        keys=(),
        secret=secret,
        rotation=RotationSettings(**rotation),
        timeouts=TimeoutSettings(connect=connect),
    )


def order_of(env: GatewayFixture, key: str, accounts: Sequence[Account] = ACCOUNTS) -> list[Account]:
    keys = env.locator.submit_keys(pass_through_caller(*accounts), f"client:{key}")
    return env.pool.in_rendezvous_order(accounts, keys.order_key)


async def submit(env: GatewayFixture, key: str, accounts: Sequence[Account] = ACCOUNTS) -> Submitted:
    return await env.submit_with_key(pass_through_caller(*accounts), REQUEST, key)
