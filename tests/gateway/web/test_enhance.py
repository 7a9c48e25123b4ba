"""The enhance switch of the playground: preview, what is sent, trouble."""

import json
from typing import Any

import pytest
from playwright.async_api import Page, Route

from providers.sandbox.server import SandboxServer
from tests.gateway.web.conftest import OpenPage, card_in, choose_model, new_key, until, violations
from tests.gateway.web.test_page import PICTURES

pytestmark = pytest.mark.asyncio(loop_scope="session")

REVISED = "a cat. Rich natural detail"


def sent(upstream: SandboxServer, key: str) -> list[str]:
    """The prompts of the videos of a key."""
    return [body["input"]["prompt"] for body in upstream.sandbox.bodies("dashscope", key.partition(",")[2])]


def asked(upstream: SandboxServer, key: str) -> int:
    return upstream.sandbox.submits("chat", key.partition(",")[2])


async def write(page: Page, prompt: str, *, enhance: bool = True) -> None:
    await choose_model(page, "wan2.6-t2v")
    await page.fill("#prompt", prompt)
    if enhance:
        await page.check("#enhance")


async def preview(page: Page) -> str:
    await page.click("#enhance-preview")
    await page.wait_for_selector("#enhance-text:visible")
    return await page.inner_text("#enhance-text")


async def test_prompt_is_rewritten_when_it_is_sent(open_page: OpenPage, upstream: SandboxServer) -> None:
    key = new_key()
    async with open_page(key=key) as page:
        await write(page, "a cat")
        await page.click("#submit")
        card = await card_in(page, "completed")
        assert REVISED in await card.inner_text()
    assert [prompt.startswith(REVISED) for prompt in sent(upstream, key)] == [True]


async def test_what_is_previewed_is_what_is_sent(open_page: OpenPage, upstream: SandboxServer) -> None:
    key = new_key()
    async with open_page(key=key) as page:
        await write(page, "a cat")
        await page.click("summary:has-text('Describe the shot')")
        await page.select_option("#shot-lighting", "soft")
        shown = await preview(page)
        assert shown.startswith("a cat, soft. Rich")
        await page.click("summary:has-text('Show as code')")
        code = await page.inner_text(".code-box pre")
        assert shown in code and "enhance_prompt" not in code and '"lighting"' not in code
        await page.click("#submit")
        await card_in(page, "completed")
        assert sent(upstream, key) == [shown]
        assert asked(upstream, key) == 1


async def test_preview_goes_when_the_prompt_changes(open_page: OpenPage, upstream: SandboxServer) -> None:
    key = new_key()
    async with open_page(key=key) as page:
        await write(page, "a cat")
        await preview(page)
        assert await page.inner_text("#enhance-preview") == "Rewrite again"
        await page.fill("#prompt", "a dog")
        assert not await page.is_visible("#enhance-text")
        assert await page.inner_text("#enhance-preview") == "Preview"
        await page.fill("#prompt", "a cat")
        assert (await page.inner_text("#enhance-text")).startswith(REVISED)
        await page.uncheck("#enhance")
        assert not await page.is_visible("#enhance-text") and not await page.is_visible("#enhance-preview")
        await page.click("#submit")
        await card_in(page, "completed")
    assert sent(upstream, key) == ["a cat"]


async def test_preview_is_edited_as_ones_own_prompt(open_page: OpenPage, upstream: SandboxServer) -> None:
    key = new_key()
    async with open_page(key=key) as page:
        await write(page, "a cat")
        await page.click("summary:has-text('Describe the shot')")
        await page.select_option("#shot-lighting", "soft")
        shown = await preview(page)
        await page.click("#enhance-use")
        assert await page.input_value("#prompt") == shown
        assert await page.evaluate("document.activeElement.id") == "prompt"
        assert not await page.is_checked("#enhance") and await page.input_value("#shot-lighting") == ""
        await page.press("#prompt", "End")
        await page.click("#submit")
        await card_in(page, "completed")
    assert sent(upstream, key) == [shown]


async def test_trouble_is_told_at_the_switch_and_on_the_task(open_page: OpenPage, upstream: SandboxServer) -> None:
    key = new_key()
    async with open_page(key=key, expected_errors=("400",)) as page:
        await write(page, "a cat #say=refusal")
        await page.click("#enhance-preview")
        await page.wait_for_selector("#enhance-problem:visible")
        assert "declined to rewrite" in await page.inner_text("#enhance-problem")
        await page.fill("#prompt", "a cat #say")
        assert not await page.is_visible("#enhance-problem")
        await page.fill("#prompt", "a cat #say=refusal")
        await page.click("#submit")
        card = await card_in(page, "completed")
        assert "was not rewritten" in await card.inner_text()
    assert sent(upstream, key) == ["a cat #say=refusal"]


async def test_preview_of_a_changed_prompt_is_given_up(open_page: OpenPage) -> None:
    async with open_page() as page:

        async def never_answered(route: Route) -> None:
            pass

        await page.route("**/v1/videos/prompts", never_answered)
        await write(page, "a cat")
        async with page.expect_request("**/v1/videos/prompts"):
            await page.click("#enhance-preview")
        await page.wait_for_selector("#enhance-preview[aria-busy=true]")
        await page.fill("#prompt", "a dog")
        await page.wait_for_selector("#enhance-preview[aria-busy=false]")
        assert await page.inner_text("#enhance-preview") == "Preview"
        await page.unroute("**/v1/videos/prompts")
        assert (await preview(page)).startswith("a dog.")


async def test_switch_outlasts_a_reload_and_needs_a_language_model(open_page: OpenPage) -> None:
    async with open_page() as page:
        await write(page, "a cat")
        await until(page, "localStorage['video-gateway.draft']?.includes('\"enhance\":true')")
        await page.reload()
        await page.wait_for_selector("#enhance:visible")
        assert await page.is_checked("#enhance")
    async with open_page(key="session-alone") as page:
        await page.wait_for_selector("#submit:not(:disabled)")
        assert not await page.is_visible("#enhance")


async def test_pictures_go_along_with_the_preview(open_page: OpenPage, upstream: SandboxServer) -> None:
    key = new_key()
    async with open_page(key=key, language="zh") as page:
        await choose_model(page, "wan2.6-i2v")
        await page.set_input_files("#media-files", PICTURES / "cat.jpg")
        await page.fill("#prompt", "一只猫")
        await page.check("#enhance")
        assert (await preview(page)).startswith("一只猫。主体的外观和场景与图片一致")
    (body,) = upstream.sandbox.bodies("chat", key.partition(",")[2])
    assert json.dumps(body).count("image_url") == 2


async def test_switch_with_its_preview_is_accessible(open_page: OpenPage, axe: str) -> None:
    async with open_page() as page:
        await write(page, "a cat")
        await preview(page)
        found: Any = await violations(page, axe)
        assert found == []
