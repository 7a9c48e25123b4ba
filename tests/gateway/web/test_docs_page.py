"""The API documentation in a browser: its width, its language, its accessibility."""

import pytest
from playwright.async_api import Browser

from tests.gateway.web.conftest import violations

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize(("locale", "title"), [("zh-CN", "数据结构"), ("en-US", "Schemas")])
async def test_page_is_in_the_language_of_the_browser_and_fits_a_phone(
    browser: Browser, gateway_url: str, locale: str, title: str
) -> None:
    context = await browser.new_context(locale=locale, viewport={"width": 400, "height": 800})
    try:
        page = await context.new_page()
        await page.goto(f"{gateway_url}/docs")
        assert await page.inner_text("#schemas") == title
        assert await page.evaluate("document.documentElement.scrollWidth") <= 400
        await page.click("nav a[href='#editVideo']")
        assert page.url.endswith("#editVideo")
        await page.click("a[hreflang]")
        assert await page.inner_text("#schemas") != title
    finally:
        await context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_page_is_accessible(browser: Browser, gateway_url: str, axe: str, scheme: str) -> None:
    context = await browser.new_context(color_scheme=scheme, bypass_csp=True)  # type: ignore[arg-type]
    try:
        page = await context.new_page()
        await page.goto(f"{gateway_url}/docs")
        assert await violations(page, axe) == []
    finally:
        await context.close()
