"""The operator's page in a real browser: key, accounts, actions, figures."""

import math
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from gateway.app import create_app
from gateway.cli.server.background import BackgroundServer
from gateway.core.settings import AccountSettings
from providers.sandbox.server import SandboxServer
from tests.e2e.conftest import FastClock, settings_for
from tests.gateway.web.conftest import TIMEOUT_MS, until, violations
from tests.gateway.web.test_modules import run

pytestmark = pytest.mark.asyncio(loop_scope="session")

ADMIN_KEY, CLIENT_KEY = "gw-admin-of-tests", "gw-client-of-tests"
ACCOUNTS = [
    AccountSettings(name="main", credential=SecretStr("session-dashboard"), max_running=9),
    AccountSettings(name="team", credential=SecretStr("sk-dashboard")),
]


@dataclass(frozen=True, slots=True)
class Gateway:
    url: str

    def submit(self, model: str) -> None:
        headers = {"authorization": f"Bearer {CLIENT_KEY}"}
        body = {"model": model, "prompt": "a cat"}
        answer = httpx.post(f"{self.url}/v1/videos/generations", json=body, headers=headers, trust_env=False)
        assert answer.status_code == 200, answer.text


@pytest.fixture(scope="module")
def managed(upstream: SandboxServer) -> Iterator[Gateway]:
    keys = (SecretStr(f"client:{CLIENT_KEY}"),)
    settings = settings_for(upstream, accounts=ACCOUNTS, keys=keys, admin_key=SecretStr(ADMIN_KEY))
    with BackgroundServer(create_app(settings, clock=FastClock())) as server:
        yield Gateway(server.url)


@pytest_asyncio.fixture(loop_scope="session")
async def context(browser: Browser, managed: Gateway) -> AsyncIterator[BrowserContext]:
    state: Any = {
        "cookies": [],
        "origins": [{"origin": managed.url, "localStorage": [{"name": "video-gateway.language", "value": "en"}]}],
    }
    opened = await browser.new_context(viewport={"width": 1280, "height": 900}, storage_state=state)
    opened.set_default_timeout(TIMEOUT_MS)
    yield opened
    await opened.close()


async def unlocked(context: BrowserContext, managed: Gateway) -> Page:
    page = await context.new_page()
    await page.goto(f"{managed.url}/dashboard")
    await page.fill("#admin-key", ADMIN_KEY)
    await page.press("#admin-key", "Enter")
    await page.wait_for_selector("#content:not([hidden])")
    return page


async def test_only_the_admin_key_shows_the_accounts(context: BrowserContext, managed: Gateway) -> None:
    page = await context.new_page()
    await page.goto(f"{managed.url}/dashboard")
    await page.fill("#admin-key", CLIENT_KEY)
    await page.press("#admin-key", "Enter")
    await page.wait_for_selector("#locked .field-error")
    assert await page.is_hidden("#content")
    await page.fill("#admin-key", ADMIN_KEY)
    await page.press("#admin-key", "Enter")
    await page.wait_for_selector("[data-account=main]")
    await page.reload()
    await page.wait_for_selector("[data-account=main]")
    await page.click("#forget-button")
    await page.wait_for_selector("#locked:not([hidden])")
    assert await page.evaluate("localStorage.getItem('video-gateway.admin-key')") is None


async def test_operator_sees_submits_and_pauses_and_resumes_an_account(
    context: BrowserContext, managed: Gateway
) -> None:
    page = await unlocked(context, managed)
    row = "[data-account=team]"
    managed.submit("wan2.6-t2v")
    await until(page, f"document.querySelector('{row} td:nth-child(5)').textContent === '1'")
    await until(page, "Number(document.querySelector('[data-figure=submits] .figure-value').textContent) > 0")
    await page.click(f"{row} button:text-is('Pause')")
    await page.wait_for_selector(f"{row}[data-state=paused]")
    assert "team is paused" in await page.inner_text("#notices")
    await page.click(f"{row} button:text-is('Resume')")
    await page.wait_for_selector(f"{row}[data-state=ready]")
    await page.click("[data-account=main] button:text-is('Credits')")
    await until(page, "/^[0-9]+$/.test(document.querySelector('[data-account=main] td:nth-child(7)').textContent)")
    await page.click(f"{row} button:text-is('Credits')")
    await until(page, "document.querySelector('#notices .danger p').textContent.includes('credits')")
    await page.click("#language-button")
    await until(page, "document.querySelector('#accounts-title').textContent === '账号'")


@pytest.mark.parametrize("width", [400, 1280])
async def test_page_is_accessible_at_this_width(
    context: BrowserContext, managed: Gateway, axe: str, width: int
) -> None:
    page = await unlocked(context, managed)
    await page.set_viewport_size({"width": width, "height": 800})
    assert await violations(page, axe) == []
    assert await page.evaluate("document.documentElement.scrollWidth") <= width


async def test_metrics_are_read_as_prometheus_reads_them(context: BrowserContext, managed: Gateway) -> None:
    page = await unlocked(context, managed)
    odd = 'odd{a="x\\"y\\\\z\\n,} 1",b=""} 2.5e3\n'
    text = f"{generate_latest().decode()}{odd}nothing NaN\n"
    expected: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if not math.isnan(sample.value):
                expected[sample.name] = expected.get(sample.name, 0) + sample.value
    code = (
        "((one) => [Object.fromEntries([...one.samples.keys()].map((name) => [name, one.sum(name)])),"
        " one.samples.get('odd')[0].labels])(new module.Reading(given, 1))"
    )
    sums, labels = await run(page, "dashboard/metrics.js", code, f"{text}broken{{ 1\n")
    assert sums == pytest.approx(expected)
    assert labels == {"a": 'x"y\\z\n,} 1', "b": ""}


async def test_rates_survive_a_restart_and_quantiles_lie_within_their_bucket(
    context: BrowserContext, managed: Gateway
) -> None:
    page = await unlocked(context, managed)

    def buckets(*counts: int) -> str:
        return "".join(f'h_bucket{{le="{le}"}} {count}\n' for le, count in zip(("1", "2", "+Inf"), counts, strict=True))

    first, second, restarted = "c 5\n" + buckets(1, 1, 1), "c 9\n" + buckets(1, 5, 6), "c 2\n" + buckets(0, 2, 2)
    code = (
        "((rs) => ({rate: [module.increase(rs[0], rs[1], 'c'), module.increase(rs[1], rs[2], 'c')],"
        " median: [module.quantile(0.5, rs[0], rs[1], 'h'), module.quantile(0.5, rs[1], rs[2], 'h')],"
        " highest: module.quantile(1, rs[0], rs[1], 'h'), none: module.quantile(0.5, rs[0], rs[0], 'h')}))"
        "(given.map((text) => new module.Reading(text, 1)))"
    )
    found = await run(page, "dashboard/metrics.js", code, [first, second, restarted])
    assert found == {"rate": [4, 2], "median": [1.625, 1.5], "highest": 2, "none": None}
