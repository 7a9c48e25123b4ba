"""Links of uploaded files: used again for a while, and uploaded once for concurrent submits."""

import asyncio

import httpx
import pytest
import respx

from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind
from providers.dashscope.provider import DashScope
from providers.dashscope.uploads import (
    LINK_SECONDS,
)
from providers.transport.client import HttpClient
from tests.providers.dashscope.media import media, tone
from tests.providers.dashscope.store import Store, oss_error
from tests.providers.dashscope.wire import (
    ACCEPTED,
    ID,
    KEY,
    NOW,
    error_body,
    refused,
    submitted,
)

# --- links that are used again ------------------------------------------------------------------------------------


async def test_link_is_used_again_for_its_model_and_account_only(
    provider: DashScope, store: Store, account: Account
) -> None:
    async def send(account: Account, model: str = "wan2.6-t2v") -> int:
        await submitted(provider, account, model=model, sound=media(tone()))
        return store.files.call_count

    assert [await send(account), await send(account)] == [1, 1]
    assert await send(account, "wan2.7-t2v") == 2
    assert await send(Account("dashscope", "sk-other")) == 3
    assert await send(Account("dashscope", KEY, region="cn-beijing")) == 4
    # A named account whose credential was replaced may belong to another main account now.
    assert await send(Account("dashscope", "sk-new", name="mine")) == 5
    assert await send(Account("dashscope", "sk-newer", name="mine")) == 6
    assert [await send(account), store.submits.call_count] == [6, 8]


async def test_cached_link_expires(http: HttpClient, store: Store, account: Account) -> None:
    now = float(NOW)
    provider = DashScope(http, now=lambda: now)
    for later, uploads in ((0.0, 1), (LINK_SECONDS - 1, 1), (2.0, 2)):
        now += later
        await submitted(provider, account, sound=media(tone()))
        assert store.files.call_count == uploads


@pytest.mark.parametrize(
    ("code", "again"),
    [
        ("InvalidParameter.DataInspection", True),
        ("InvalidURL.ConnectionRefused", True),
        ("InvalidFile.DownloadFailed", True),
        ("InvalidParameter", True),
        ("DataInspectionFailed", False),
        ("Throttling", False),
        ("InternalError", True),
    ],
)
async def test_refused_submit_forgets_its_links(
    provider: DashScope, store: Store, account: Account, code: str, again: bool
) -> None:
    store.submits.respond(400, json=error_body(code))
    await refused(provider, account, sound=media(tone()))
    store.submits.respond(200, json=ACCEPTED)
    await submitted(provider, account, sound=media(tone()))
    assert store.files.call_count == 1 + again


async def test_same_bytes_at_the_same_time_go_once(provider: DashScope, store: Store, account: Account) -> None:
    await asyncio.gather(*(submitted(provider, account, sound=media(tone())) for _ in range(20)))
    assert (store.policies.call_count, store.files.call_count, store.submits.call_count) == (1, 1, 20)


async def test_waiters_share_the_error(provider: DashScope, store: Store, account: Account) -> None:
    store.files.respond(403, text=oss_error("SignatureDoesNotMatch", "no"))
    errors = await asyncio.gather(*(refused(provider, account, sound=media(tone())) for _ in range(5)))
    assert {error.code for error in errors} == {"SignatureDoesNotMatch"}
    assert (store.files.call_count, store.submits.call_count) == (1, 0)
    store.files.respond(200)
    assert await submitted(provider, account, sound=media(tone())) == ID


async def test_callers_with_another_route_do_not_wait(router: respx.MockRouter, store: Store) -> None:
    def transport(proxy: str | None) -> httpx.AsyncBaseTransport:
        def dead(request: httpx.Request) -> httpx.Response:
            raise httpx.ProxyError("dead")

        return httpx.MockTransport(dead if proxy else router.async_handler)

    async with HttpClient(transport=transport) as http:
        provider = DashScope(http)
        error, id = await asyncio.gather(
            refused(provider, Account("dashscope", KEY, proxy="http://dead:1"), sound=media(tone())),
            submitted(provider, Account("dashscope", KEY), sound=media(tone())),
        )
    assert (error.kind, id) == (ErrorKind.UNREACHABLE, ID)


async def test_waiter_computes_itself_if_the_first_caller_gives_up(
    provider: DashScope, store: Store, account: Account
) -> None:
    reached = asyncio.Event()

    async def never(request: httpx.Request) -> httpx.Response:
        reached.set()
        await asyncio.Event().wait()
        raise AssertionError

    store.files.mock(side_effect=never)
    gone = tone()
    leader = asyncio.create_task(submitted(provider, account, sound=media(gone)))
    await reached.wait()
    others = [asyncio.create_task(submitted(provider, account, sound=media(tone()))) for _ in range(3)]
    await asyncio.sleep(0.01)
    others[0].cancel()
    store.files.mock(side_effect=None, return_value=httpx.Response(200))
    leader.cancel()
    gone.close()
    assert [await other for other in others[1:]] == [ID, ID]
    assert (store.policies.call_count, store.submits.call_count) == (2, 2)
    assert isinstance((await asyncio.gather(leader, others[0], return_exceptions=True))[1], asyncio.CancelledError)
