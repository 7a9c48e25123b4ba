"""The playground in a real browser, in front of a gateway and the sandbox on loopback ports.

One browser for all tests of a process, a new context (an empty browser profile) for each test.
"""

import asyncio
import itertools
import json
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, Request, async_playwright

from gateway.app import create_app
from gateway.cli.server.background import BackgroundServer
from gateway.core.settings import Settings, TimeoutSettings
from providers.sandbox.server import SandboxServer
from tests.clock import SandboxClock
from tests.e2e.conftest import UPSTREAM, FastClock, settings_for

OpenPage = Callable[..., AbstractAsyncContextManager[Page]]
"""`open_page(key=…, language=…)`: a page of the playground with what it has to keep clean, checked at the end."""

TIMEOUT_MS = 30_000
_NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# As root there is no sandbox of processes, and containers have little shared memory.
_ARGUMENTS = ["--no-sandbox", "--disable-dev-shm-usage", "--autoplay-policy=no-user-gesture-required"]

_numbers = itertools.count(1)


def find_chromium() -> str | None:
    named = os.environ.get("CHROMIUM")
    return named or next(filter(None, map(shutil.which, _NAMES)), None)


def new_key() -> str:
    """A credential of each upstream that no other test uses."""
    stamp = f"{next(_numbers)}x{time.time_ns()}"
    return f"session{stamp},sk-{stamp}"


def gateway_settings(upstream: SandboxServer) -> Settings:
    # Beside a browser a call may take seconds that are not meant to time out.
    return settings_for(upstream, video_poll_interval=50, timeouts=TimeoutSettings(connect=10, read=25, total=30))


@pytest.fixture(scope="session")
def upstream() -> Iterator[SandboxServer]:
    with SandboxServer(UPSTREAM) as running:
        yield running


@pytest.fixture(scope="session")
def gateway_url(upstream: SandboxServer) -> Iterator[str]:
    with BackgroundServer(create_app(gateway_settings(upstream), clock=FastClock())) as gateway:
        yield gateway.url


@dataclass(frozen=True, slots=True)
class SlowGateway:
    """A gateway with a sandbox of its own, whose time tests move."""

    url: str
    upstream: SandboxServer
    clock: SandboxClock


@pytest.fixture(scope="session")
def slow() -> Iterator[SlowGateway]:
    clock = SandboxClock()
    with SandboxServer(UPSTREAM, clock) as upstream:
        app = create_app(gateway_settings(upstream), clock=FastClock())
        with BackgroundServer(app) as gateway:
            yield SlowGateway(gateway.url, upstream, clock)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    program = find_chromium()
    if program is None:
        pytest.skip("no Chromium on this machine: install chromium, or set CHROMIUM to its path")
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=program, args=_ARGUMENTS)
        yield launched
        await launched.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core, which `.ci/run` installs from npm."""
    folder = os.environ.get("AXE_CORE")
    if not folder:
        pytest.skip("no axe-core: set AXE_CORE to the prefix of an npm installation of it")
    return (Path(folder) / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def page(browser: Browser, gateway_url: str) -> AsyncIterator[Page]:
    """The playground, without a key: nothing happens in it."""
    opened = await browser.new_page()
    await opened.goto(f"{gateway_url}/playground")
    await opened.wait_for_selector("html[data-ready]")
    yield opened
    await opened.close()


@pytest.fixture
def open_page(browser: Browser, gateway_url: str, upstream: SandboxServer) -> OpenPage:
    @asynccontextmanager
    async def open_(
        *,
        key: str | None = "",
        language: str = "en",
        at: str | SlowGateway = gateway_url,
        expected_errors: tuple[str, ...] = (),
        **options: Any,
    ) -> AsyncIterator[Page]:
        """`key` None opens the page without one, "" with a new one. `at` is another gateway, or the address of one
        with the same sandbox. `expected_errors` are what the console may say."""
        url, upstream_url = (at.url, at.upstream.url) if isinstance(at, SlowGateway) else (at, upstream.url)
        kept = [] if key is None else [{"name": "video-gateway.key", "value": json.dumps(key or new_key())}]
        origin = {"origin": url, "localStorage": [*kept, {"name": "video-gateway.language", "value": language}]}
        defaults: dict[str, Any] = {
            "viewport": {"width": 1280, "height": 800},
            "storage_state": {"cookies": [], "origins": [origin]},
        }
        context = await browser.new_context(**defaults | options)
        context.set_default_timeout(TIMEOUT_MS)
        watch = Watch(context, (f"{url}/", f"{upstream_url}/"), expected_errors)
        try:
            page = await context.new_page()
            await page.goto(f"{url}/playground")
            await page.wait_for_selector("html[data-ready]")
            yield page
            assert watch.problems == []
        finally:
            await context.close()

    return open_


class Watch:
    """What a page must not do: errors in the console, requests to other hosts."""

    def __init__(self, context: BrowserContext, origins: tuple[str, ...], expected_errors: tuple[str, ...]) -> None:
        """`origins` are how the addresses of requests may begin, `expected_errors` what the console may say."""
        self.problems: list[str] = []
        self._origins = origins
        self._expected = expected_errors
        context.on("request", self._on_request)
        context.on("console", lambda message: self._on_message(message.type, message.text))
        context.on("weberror", lambda error: self._on_message("error", str(error.error)))

    def _on_request(self, request: Request) -> None:
        if not request.url.startswith((*self._origins, "blob:", "data:")):
            self.problems.append(f"request to {request.url}")

    def _on_message(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and not any(word in text for word in self._expected):
            self.problems.append(f"{kind}: {text}")


async def submit(page: Page, prompt: str, model: str = "wan2.6-t2v") -> None:
    """Fill in model and prompt, submit, and wait until the gateway has answered."""
    await choose_model(page, model)
    await page.fill("#prompt", prompt)
    await page.click("#submit")
    # On a phone the tasks come into view, and the button goes out of it.
    await page.wait_for_selector("#submit[aria-busy=false]", state="attached")


async def choose_model(page: Page, model: str) -> None:
    await page.fill("#model", model)
    await page.press("#model", "Enter")


async def card_in(page: Page, state: str) -> Any:
    """The first card in a state, once there is one."""
    return await page.wait_for_selector(f".task[data-state={state}]")


async def run(page: Page, module: str, expression: str, argument: Any = None) -> Any:
    """The value of a JavaScript expression of `module` (its exports) and `given`."""
    code = f"""async (given) => {{
      const folder = document.querySelector("script[type=module]").src.replace(/\\w+\\/[^/]*$/, "");
      const module = await import(folder + {module!r});
      return {expression};
    }}"""
    return await page.evaluate(code, argument)


async def until(page: Page, expression: str) -> None:
    """Wait until a JavaScript expression is true. Playwright's own way compiles text, which the page's policy
    forbids."""
    check = f"done => {{ const check = () => (({expression}) ? done() : requestAnimationFrame(check)); check(); }}"
    await asyncio.wait_for(page.evaluate(f"new Promise({check})"), TIMEOUT_MS / 1000)


async def violations(page: Page, axe: str) -> list[str]:
    """What axe-core finds in a page, once its transitions are over."""
    await page.evaluate(axe)
    await page.evaluate(
        "document.getAnimations().forEach((one) => one.effect.getTiming().iterations === Infinity || one.finish())"
    )
    found: dict[str, Any] = await page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    return [f"{rule['id']}: {[node['html'][:120] for node in rule['nodes']]}" for rule in found["violations"]]
