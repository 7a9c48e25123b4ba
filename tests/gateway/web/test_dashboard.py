"""The operator's page in a real browser: key, accounts, actions, figures, a gateway that is away."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page
from pydantic import SecretStr

from gateway.app import create_app
from gateway.cli.server.background import BackgroundServer
from gateway.core.settings import AccountSettings, Settings
from providers.sandbox.server import SandboxServer
from tests.e2e.conftest import FastClock, settings_for
from tests.gateway.web.conftest import TIMEOUT_MS, Watch, until, violations

pytestmark = pytest.mark.asyncio(loop_scope="session")

ADMIN_KEY, CLIENT_KEY = "gw-admin-of-tests", "gw-client-of-tests"
ACCOUNTS = [
    AccountSettings(name="main", credential=SecretStr("session-dashboard"), max_running=9),
    AccountSettings(name="lapsed", credential=SecretStr("us-session-expired")),
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


def managed_settings(upstream: SandboxServer) -> Settings:
    keys = (SecretStr(f"client:{CLIENT_KEY}"),)
    return settings_for(upstream, accounts=ACCOUNTS, keys=keys, admin_key=SecretStr(ADMIN_KEY))


@pytest.fixture(scope="module")
def managed(upstream: SandboxServer) -> Iterator[Gateway]:
    with BackgroundServer(create_app(managed_settings(upstream), clock=FastClock())) as server:
        yield Gateway(server.url)


@pytest_asyncio.fixture(loop_scope="session")
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    """An empty browser profile in English, whose pages ask no other host and say nothing in the console."""
    opened = await browser.new_context(viewport={"width": 1280, "height": 900}, locale="en")
    opened.set_default_timeout(TIMEOUT_MS)
    # A browser reports each request that fails, as those without a valid key do.
    watch = Watch(opened, ("http://127.0.0.1:",), ("Failed to load resource",))
    yield opened
    await opened.close()
    assert watch.problems == []


async def unlock(page: Page) -> None:
    await page.fill("#admin-key", ADMIN_KEY)
    await page.press("#admin-key", "Enter")
    await page.wait_for_selector("[data-account=main]")


async def unlocked(context: BrowserContext, managed: Gateway) -> Page:
    page = await context.new_page()
    await page.clock.install()
    await page.goto(f"{managed.url}/dashboard")
    await unlock(page)
    return page


async def next_reading(page: Page) -> None:
    """Move the page's time to its next reading."""
    await page.clock.fast_forward(2000)


async def test_only_the_admin_key_shows_the_accounts(context: BrowserContext, managed: Gateway) -> None:
    page = await context.new_page()
    await page.goto(f"{managed.url}/dashboard")
    await page.fill("#admin-key", CLIENT_KEY)
    await page.press("#admin-key", "Enter")
    await page.wait_for_selector("#locked .field-error")
    assert await page.is_hidden("#content")
    await unlock(page)
    await page.reload()
    await page.wait_for_selector("[data-account=main]")
    await page.click("#forget-button")
    await page.wait_for_selector("#locked:not([hidden])")
    assert await page.input_value("#admin-key") == ""
    assert await page.evaluate("localStorage.getItem('video-gateway.admin-key')") is None


def cell(account: str, column: str) -> str:
    """JavaScript: the text of an account's column."""
    return f"document.querySelector('[data-account={account}] [data-column={column}]').innerText"


def action(account: str, name: str) -> str:
    return f"[data-account={account}] [data-action={name}]"


async def test_operator_sees_submits_and_pauses_and_resumes_an_account(
    context: BrowserContext, managed: Gateway
) -> None:
    page = await unlocked(context, managed)
    managed.submit("wan2.6-t2v")
    await next_reading(page)
    await until(page, f"{cell('team', 'submitted')} === '1'")
    await until(page, "Number(document.querySelector('[data-figure=submits] b').textContent) > 0")
    await page.focus(action("team", "pause"))
    await page.keyboard.press("Enter")
    await page.wait_for_selector("[data-account=team][data-state=paused] .chip:text-is('Paused')")
    assert "team is paused" in await page.inner_text("#toast")
    assert await page.evaluate("document.activeElement.dataset.action") == "resume"
    await page.keyboard.press("Enter")
    await page.wait_for_selector("[data-account=team][data-state=ready]")
    assert await page.evaluate("document.activeElement.dataset.action") == "pause"
    await page.click(action("main", "points"))
    await until(page, f"/^[0-9,]+$/.test({cell('main', 'credits')})")
    await page.click(action("team", "points"))
    await until(page, "document.querySelector('#toast .danger p')?.textContent.includes('credits')")


async def test_account_that_fails_shows_its_error_in_both_languages(context: BrowserContext, managed: Gateway) -> None:
    page = await unlocked(context, managed)
    assert await page.text_content("#accounts-title") == "Accounts"
    await page.click(action("lapsed", "check"))
    await page.wait_for_selector("[data-account=lapsed][data-state=expired] .chip.danger:text-is('Login expired')")
    await until(page, f"{cell('lapsed', 'error')}.includes('login has expired')")
    assert "lapsed: the upstream rejects the login" in await page.inner_text("#toast")
    await until(page, "document.querySelector('#accounts-ready').textContent === '2 of 3 ready'")
    await page.click("#language-button")
    await until(page, f"{cell('lapsed', 'error')}.includes('登录已失效')")
    assert await page.text_content("#accounts-title") == "账号"
    assert await page.title() == "2/3 · 运维面板"


async def test_gateway_that_is_away_is_told_and_found_again(context: BrowserContext, upstream: SandboxServer) -> None:
    settings = managed_settings(upstream)
    with BackgroundServer(create_app(settings, clock=FastClock())) as first:
        page = await unlocked(context, Gateway(first.url))
        await page.wait_for_selector("#link.success:text-is('Live')")
        port = int(first.url.rpartition(":")[2])
    await next_reading(page)
    await page.wait_for_selector("#link.warning:text-is('Not responding')")
    assert "reconnects" in await page.inner_text("#notices")
    assert await page.is_visible("[data-account=main]")
    with BackgroundServer(create_app(settings, clock=FastClock()), port=port):
        await next_reading(page)
        await page.wait_for_selector("#link.success:text-is('Live')")
        assert await page.inner_text("#notices") == ""


async def test_answer_that_breaks_off_is_read_again(context: BrowserContext, managed: Gateway) -> None:
    page = await unlocked(context, managed)
    await page.evaluate(
        """() => {
          const asked = window.fetch;
          window.fetch = async (...given) => {
            window.fetch = asked;
            const broken = new ReadableStream({ start: (stream) => stream.error(new TypeError("broken off")) });
            return new Response(broken);
          };
        }"""
    )
    await next_reading(page)
    await page.wait_for_selector("#link.warning")
    await next_reading(page)
    await page.wait_for_selector("#link.success")


async def test_arrow_keys_tell_earlier_values_of_a_plot(context: BrowserContext, managed: Gateway) -> None:
    page = await unlocked(context, managed)
    await next_reading(page)
    await until(page, "document.querySelector('[data-plot=answers] .line')?.getAttribute('d')")
    plot = page.get_by_role("slider", name="Responses per second")
    assert (await plot.get_attribute("aria-valuetext") or "").startswith("now: 2xx ")
    await plot.focus()
    await page.keyboard.press("ArrowLeft")
    assert (await plot.get_attribute("aria-valuetext") or "").startswith("−0:02: 2xx ")
    assert await page.locator("[data-plot=latency] .cursor").count() == 1
    await page.keyboard.press("End")
    assert await plot.get_attribute("aria-valuenow") == "0"


@pytest.mark.parametrize(("width", "theme"), [(400, "dark"), (1280, "light")])
async def test_page_is_accessible_at_this_width(
    context: BrowserContext, managed: Gateway, axe: str, width: int, theme: Any
) -> None:
    page = await context.new_page()
    await page.set_viewport_size({"width": width, "height": 800})
    await page.emulate_media(color_scheme=theme)
    await page.goto(f"{managed.url}/dashboard")
    await page.wait_for_selector("#admin-key")
    assert await violations(page, axe) == []
    await unlock(page)
    await page.click(action("main", "check"))
    await page.wait_for_selector("#toast .banner")
    assert await violations(page, axe) == []
    assert await page.evaluate("document.documentElement.scrollWidth") <= width


async def test_without_an_admin_key_accounts_are_shown_and_actions_refused(
    context: BrowserContext, upstream: SandboxServer
) -> None:
    settings = settings_for(upstream, accounts=ACCOUNTS)
    with BackgroundServer(create_app(settings, clock=FastClock())) as gateway:
        page = await context.new_page()
        await page.goto(f"{gateway.url}/dashboard")
        await page.click(action("main", "pause"))
        await page.wait_for_selector("#toast .banner.danger:has-text('main: ')")
        assert await page.get_attribute("[data-account=main]", "data-state") == "ready"
        assert await page.is_hidden("#forget-button")
