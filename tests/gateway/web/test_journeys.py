"""What people do in the playground, in a real browser, to the end: submit, watch, play, come back."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.async_api import Page, Route
from pydantic import SecretStr

from gateway.app import create_app
from gateway.cli.server.background import BackgroundServer
from gateway.core.settings import AccountSettings
from providers.sandbox.server import SandboxServer
from tests.e2e.conftest import FastClock, settings_for
from tests.gateway.web.conftest import (
    OpenPage,
    SlowGateway,
    card_in,
    choose_model,
    gateway_settings,
    new_key,
    submit,
    until,
)

pytestmark = pytest.mark.asyncio(loop_scope="session")

PICTURE = Path("providers/sandbox/pictures/cat.jpg").absolute()
WATCH_PROGRESS = """
window.seen = [];
new MutationObserver(() => {
  const bar = document.querySelector("[role=progressbar]");
  if (bar) window.seen.push(Number(bar.ariaValueNow));
}).observe(document.querySelector("#tasks-list"), { subtree: true, childList: true, attributes: true });
"""
KEPT_FILES = """
new Promise((resolve, reject) => {
  const opening = indexedDB.open("video-gateway");
  opening.onerror = reject;
  opening.onsuccess = () => {
    const counting = opening.result.transaction("inputs").objectStore("inputs").count();
    counting.onsuccess = () => resolve(counting.result);
  };
})
"""
STORED = "Object.keys(localStorage).filter((name) => /key|tasks|draft/.test(name))"


async def test_first_visit_makes_and_plays_a_video(open_page: OpenPage) -> None:
    async with open_page(key=None) as page:
        await page.click("text=Use a sample key")
        await page.click(".example >> nth=0")
        await page.wait_for_selector("#submit:not(:disabled)")
        await page.evaluate(WATCH_PROGRESS)
        await page.press("#prompt", "Control+Enter")
        await card_in(page, "completed")
        assert await page.title() == "✓ ready · video-gateway"
        seen = await page.evaluate("window.seen")
        assert seen == sorted(seen) and seen
        assert "Ready: A paper boat" in await page.inner_text("#live")
        await page.click("[data-action=play]")
        await until(page, "document.querySelector('.stage video').currentTime > 0.05")
        assert await page.evaluate("document.querySelector('.stage video').muted")


async def test_picture_becomes_a_first_frame(open_page: OpenPage, upstream: SandboxServer) -> None:
    key = new_key()
    async with open_page(key=key) as page:
        await choose_model(page, "wan2.6-i2v")
        await page.set_input_files("#media-files", PICTURE)
        assert await page.input_value(".thumb select") == "first_frame"
        await submit(page, "it wakes up", "wan2.6-i2v")
        await card_in(page, "completed")
        (body,) = upstream.sandbox.bodies("dashscope", key.partition(",")[2])
        assert body["input"]["img_url"].startswith(("oss://", "data:image/jpeg"))


async def test_reload_in_the_middle_goes_on(open_page: OpenPage, slow: SlowGateway) -> None:
    async with open_page(at=slow) as page:
        await submit(page, "a long way #seconds=60")
        slow.clock.advance(30)
        await card_in(page, "processing")
        await page.reload()
        assert await (await card_in(page, "processing")).query_selector("[role=progressbar]")
        slow.clock.advance(60)
        await card_in(page, "completed")


async def test_task_of_another_browser_is_found(open_page: OpenPage, slow: SlowGateway) -> None:
    key = new_key()
    async with httpx.AsyncClient(base_url=slow.url, headers={"Authorization": f"Bearer {key}"}) as client:
        body = {"model": "wan2.6-t2v", "prompt": "from elsewhere #seconds=60"}
        (await client.post("/v1/videos/generations", json=body)).raise_for_status()
    slow.clock.advance(30)
    async with open_page(key=key, at=slow) as page:
        await card_in(page, "processing")
        slow.clock.advance(60)
        await card_in(page, "completed")


async def test_gateway_that_restarts_is_found_again(open_page: OpenPage, slow: SlowGateway) -> None:
    settings = gateway_settings(slow.upstream)
    with BackgroundServer(create_app(settings, clock=FastClock())) as first:
        port = int(first.url.rpartition(":")[2])
        at = replace(slow, url=first.url)
        opened = open_page(at=at, expected_errors=("net::ERR_",))
        page = await opened.__aenter__()
        await submit(page, "patience #seconds=60")
        slow.clock.advance(30)
        await card_in(page, "processing")
    await page.wait_for_selector("body.away .banner.warning")
    with BackgroundServer(create_app(settings, clock=FastClock()), port=port):
        await page.wait_for_selector("body:not(.away)")
        slow.clock.advance(60)
        await card_in(page, "completed")
        assert await page.query_selector(".banner.warning") is None
        await opened.__aexit__(None, None, None)


async def test_page_that_loads_while_the_gateway_goes_away_recovers(open_page: OpenPage) -> None:
    async with open_page(expected_errors=("net::ERR_",)) as page:
        await page.route("**/v1/models", _abort)
        await page.reload()
        await page.wait_for_selector("#submit:not([disabled])", state="attached")
        await card_in_empty(page)


async def card_in_empty(page: Page) -> None:
    await page.wait_for_selector("#tasks-empty .example >> nth=2")


async def _abort(route: Route) -> None:
    await route.abort()
    await route.request.frame.page.unroute("**/v1/models")


async def test_task_that_takes_too_long_is_still_watched(open_page: OpenPage, slow: SlowGateway) -> None:
    settings = settings_for(slow.upstream, video_poll_interval=50, video_timeout=300)
    with BackgroundServer(create_app(settings, clock=FastClock())) as impatient:
        async with open_page(at=replace(slow, url=impatient.url)) as page:
            await submit(page, "in no hurry #seconds=60")
            await page.wait_for_selector(".task-say:has-text('longer than usual')")
            assert await page.locator(".task[data-state=failed]").count() == 0
            slow.clock.advance(60)
            await page.reload()
            await card_in(page, "completed")


async def test_listed_task_with_another_id_is_the_same_task(open_page: OpenPage, upstream: SandboxServer) -> None:
    """A gateway with keys gives a listed task a new id after a restart."""
    key = new_key()
    keys: dict[str, Any] = {"keys": (SecretStr("web:gw-web"),), "secret": (SecretStr("s" * 40),)}
    accounts = (AccountSettings(name="main", credential=SecretStr(key.partition(",")[2])),)
    settings = settings_for(upstream, video_poll_interval=50, accounts=accounts, **keys)
    with BackgroundServer(create_app(settings, clock=FastClock())) as first:
        port = int(first.url.rpartition(":")[2])
        opened = open_page(at=first.url, key="gw-web", expected_errors=("net::ERR_",))
        page = await opened.__aenter__()
        await submit(page, "one and the same #stuck")
        await card_in(page, "processing")
    with BackgroundServer(create_app(settings, clock=FastClock()), port=port):
        async with page.expect_response("**/v1/videos/tasks?status=unfinished") as listed:
            await page.reload()
        assert len((await (await listed.value).json())["data"]) == 1
        await card_in(page, "processing")
        assert await page.locator(".task").count() == 1
        await opened.__aexit__(None, None, None)


@pytest.mark.parametrize(
    ("language", "words"), [("en", "then try again"), ("zh", "内容违规")], ids=["english", "chinese"]
)
async def test_failure_says_what_happened(open_page: OpenPage, language: str, words: str) -> None:
    async with open_page(language=language) as page:
        await submit(page, "no way #fail=DataInspectionFailed")
        card = await card_in(page, "failed")
        assert words in await (await card.query_selector(".task-say")).inner_text()
        assert await (await card.query_selector(".task-actions button")).get_attribute("data-action") == "again"


async def test_switch_of_the_language_translates_everything(open_page: OpenPage) -> None:
    async with open_page() as page:
        await submit(page, "no way #fail=DataInspectionFailed")
        await card_in(page, "failed")
        await page.click("#language-button")
        await page.wait_for_selector(".task-say:has-text('内容违规')")
        assert await page.get_attribute("html", "lang") == "zh-CN"
        assert await page.input_value("#prompt") == "no way #fail=DataInspectionFailed"
        # What the page itself says is Chinese now; prompts, models and names stay.
        for selector in ("label", "legend", "summary", ".chip", "#submit .submit-line", "h2"):
            for text in await page.locator(f"{selector}:visible").all_inner_texts():
                assert any("一" <= character <= "鿿" for character in text) or not text.strip("0123456789:p% s"), text


async def test_waiting_task_can_be_cancelled(open_page: OpenPage) -> None:
    async with open_page() as page:
        await submit(page, "never begins #pending")
        await card_in(page, "pending")
        await page.click("[data-action=cancel]")
        await card_in(page, "cancelled")


async def test_again_restores_the_whole_form(open_page: OpenPage) -> None:
    async with open_page() as page:
        await choose_model(page, "jimeng-video-3.0-pro")
        await page.set_input_files("#media-files", PICTURE)
        await page.click("summary:has-text('Describe the shot')")
        await page.select_option("#shot-lighting", "soft")
        await page.check("input[name=duration][value='10']", force=True)
        await submit(page, "a cat", "jimeng-video-3.0-pro")
        await card_in(page, "completed")
        await choose_model(page, "wan2.6-t2v")
        await page.fill("#prompt", "something else")
        await page.select_option("#shot-lighting", "")
        await page.click("[data-action=again]")
        assert await page.input_value("#prompt") == "a cat"
        assert await page.inner_text("#submit small") == "jimeng-video-3.0-pro · 10 s · 1080p"
        assert await page.input_value("#shot-lighting") == "soft"
        assert await page.input_value(".thumb select") == "first_frame"


async def test_pictures_are_there_again_after_a_reload(open_page: OpenPage) -> None:
    async with open_page() as page:
        await choose_model(page, "wan2.6-i2v")
        await page.set_input_files("#media-files", PICTURE)
        await submit(page, "it wakes up", "wan2.6-i2v")
        await card_in(page, "completed")
        await page.reload()
        await page.click("[data-action=again]")
        assert await page.input_value(".thumb select") == "first_frame"
        assert PICTURE.name in await page.inner_text(".thumb-name")
        await until(page, "document.querySelector('.thumb img').naturalWidth > 0")


async def test_two_tabs_show_the_same_tasks(open_page: OpenPage, slow: SlowGateway) -> None:
    async with open_page(at=slow) as page:
        other = await page.context.new_page()
        await other.goto(page.url)
        await other.wait_for_selector("html[data-ready]")
        await submit(page, "seen from both sides #seconds=60")
        slow.clock.advance(30)
        await card_in(other, "processing")
        slow.clock.advance(60)
        await card_in(other, "completed")
        await card_in(page, "completed")
        await page.click("#clear-finished")
        await other.wait_for_selector(".example")


async def test_download_comes_through_the_gateway(open_page: OpenPage) -> None:
    async with open_page() as page:
        await submit(page, "keep this")
        await card_in(page, "completed")
        async with page.expect_download() as download:
            await page.click("[data-action=download]")
        path = await (await download.value).path()
        assert path.read_bytes()[4:8] == b"ftyp"


async def test_video_plays_through_the_gateway_where_its_link_does_not(
    open_page: OpenPage, upstream: SandboxServer
) -> None:
    async with open_page(expected_errors=("net::ERR_",)) as page:
        await page.route(f"{upstream.url}/**", lambda route: route.abort())
        await submit(page, "behind a wall")
        await card_in(page, "completed")
        await page.click("[data-action=play]")
        await until(page, "document.querySelector('.stage video[controls]')?.currentTime > 0.05")
        assert (await page.get_attribute(".stage video", "src") or "").startswith("blob:")


async def test_expired_link_says_how_to_keep_videos(open_page: OpenPage) -> None:
    async with open_page() as page:
        await submit(page, "too late #link-expired", "jimeng-video-3.0-fast")
        card = await card_in(page, "completed")
        assert "The link has expired" in await card.inner_text()
        assert "ARCHIVE_URL" in await card.inner_text()
        assert await page.locator(".task [data-action=download]").count() == 0


async def test_lost_answer_is_never_charged_twice(open_page: OpenPage, upstream: SandboxServer) -> None:
    key, keys = new_key(), []

    async def lose_first(route: Route) -> None:
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) > 1:
            return await route.continue_()
        await route.fetch()
        return await route.abort()

    async with open_page(key=key, expected_errors=("net::ERR_",)) as page:
        await page.route("**/v1/videos/generations", lose_first)
        await submit(page, "once only", "jimeng-video-3.0-fast")
        await card_in(page, "unconfirmed")
        await page.click("#submit")
        await card_in(page, "completed")
        assert await page.locator(".task").count() == 1
    assert keys[0] == keys[1]
    assert upstream.sandbox.submits("jimeng", key.partition(",")[0]) == 1


async def test_polls_where_events_are_cut(open_page: OpenPage, slow: SlowGateway) -> None:
    async def no_events(route: Route) -> None:
        error = {"error": {"code": "not_found", "message": "no such path"}}
        await route.fulfill(status=404, content_type="application/json", body=json.dumps(error))

    async with open_page(at=slow, expected_errors=("404",)) as page:
        await page.route("**/events", no_events)
        await submit(page, "in the old way #seconds=60")
        await submit(page, "and one more #seconds=60")
        slow.clock.advance(60)
        await page.wait_for_selector(".task[data-state=completed] >> nth=1")


async def test_many_tasks_share_few_connections(open_page: OpenPage, slow: SlowGateway) -> None:
    async with open_page(at=slow) as page:
        open_streams: set[str] = set()
        three = asyncio.Event()

        def on_request(url: str) -> None:
            if url.endswith("/events"):
                open_streams.add(url)
            if len(open_streams) >= 3:
                three.set()

        page.on("request", lambda request: on_request(request.url))
        page.on("requestfinished", lambda request: open_streams.discard(request.url))
        page.on("requestfailed", lambda request: open_streams.discard(request.url))
        for number in range(5):
            await submit(page, f"number {number} #seconds=60")
        await three.wait()
        slow.clock.advance(30)
        # The others are polled.
        await page.wait_for_selector(".task[data-state=processing] >> nth=4")
        assert len(open_streams) == 3
        slow.clock.advance(60)
        await page.wait_for_selector(".task[data-state=completed] >> nth=4")


async def test_forgotten_key_leaves_nothing(open_page: OpenPage) -> None:
    async with open_page() as page:
        await choose_model(page, "wan2.6-i2v")
        await page.set_input_files("#media-files", PICTURE)
        await submit(page, "a secret plan", "wan2.6-i2v")
        assert await page.evaluate(KEPT_FILES) == 1
        await card_in(page, "completed")
        await until(page, f"{STORED}.length === 3")
        await page.click("#key-button")
        await page.click("#key-panel button:has-text('Forget')")
        await page.wait_for_selector("#welcome-key")
        await page.reload()
        await page.wait_for_selector("#welcome-key")
        stored = await page.evaluate("JSON.stringify({...localStorage})")
        assert "secret" not in stored and "sk-" not in stored
        assert await page.evaluate(KEPT_FILES) == 0


async def test_key_that_is_not_remembered_stays_in_the_page(open_page: OpenPage) -> None:
    async with open_page(key=None) as page:
        await page.click("label.switch:has-text('Remember')")
        await page.fill("#welcome-key", new_key())
        await page.press("#welcome-key", "Enter")
        await submit(page, "leave no trace")
        await card_in(page, "completed")
        assert await page.evaluate(STORED) == []
