"""The playground as a page: accessibility, narrow screens, keys, fields of a model, errors at their fields."""

import json
from pathlib import Path

import pytest

from providers.sandbox.server import SandboxServer
from tests.gateway.web.conftest import OpenPage, SlowGateway, card_in, choose_model, new_key, submit, until, violations

pytestmark = pytest.mark.asyncio(loop_scope="session")

PICTURES = Path("providers/sandbox/pictures").absolute()
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
FOLDS = ("Describe the shot", "Advanced", "Show as code")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_page_is_accessible(open_page: OpenPage, axe: str, scheme: str) -> None:
    async with open_page(key=None, color_scheme=scheme) as page:
        assert await violations(page, axe) == [], "without a key"
        await page.fill("#welcome-key", new_key())
        await page.press("#welcome-key", "Enter")
        await page.wait_for_selector(".example")
        assert await violations(page, axe) == [], "without tasks"
        await page.click("#model")
        assert await violations(page, axe) == [], "list of models"
        await choose_model(page, "wan2.6-i2v")
        await page.set_input_files("#media-files", PICTURES / "cat.jpg")
        for title in FOLDS:
            await page.click(f"summary:has-text('{title}')")
        for prompt, state in (
            ("in doubt #fail=DataInspectionFailed", "failed"),
            ("fine", "completed"),
            ("so long #stuck", "processing"),
        ):
            await submit(page, prompt, "wan2.6-i2v")
            await card_in(page, state)
        await page.click("#key-button")
        assert await violations(page, axe) == [], "everything open"


async def test_page_is_accessible_on_a_phone(open_page: OpenPage, axe: str) -> None:
    async with open_page(**PHONE) as page:
        assert await violations(page, axe) == [], "form"
        await submit(page, "in my pocket")
        await card_in(page, "completed")
        assert await violations(page, axe) == [], "tasks"


async def test_phone_shows_one_view_at_a_time(open_page: OpenPage, slow: SlowGateway) -> None:
    async with open_page(at=slow, **PHONE) as page:
        await page.wait_for_selector("#submit:not(:disabled)")
        box = await page.locator("#submit").bounding_box()
        assert box is not None and box["y"] + box["height"] <= 844 and box["width"] > 340
        assert not await page.is_visible("#tasks-list")
        await page.fill("#prompt", "in my pocket #seconds=60")
        await page.tap("#submit")
        await page.wait_for_selector("#submit[aria-busy=false]", state="attached")
        slow.clock.advance(30)
        await card_in(page, "processing")
        assert await page.inner_text("#tab-tasks") == "Tasks (1)"
        assert not await page.is_visible("#prompt")
        slow.clock.advance(60)
        await card_in(page, "completed")
        assert await page.evaluate("document.documentElement.scrollWidth") == 390
        await page.tap("#tab-create")
        assert await page.is_visible("#prompt")
        assert await page.evaluate("document.documentElement.scrollWidth") == 390


async def test_only_fields_of_the_model_are_shown(open_page: OpenPage) -> None:
    async with open_page() as page:
        await page.click("summary:has-text('Advanced')")
        await choose_model(page, "wan2.6-t2v")
        assert await page.is_visible("#negative_prompt") and await page.is_visible("[data-field=ratio]")
        assert not await page.is_visible("#inputs")
        await choose_model(page, "jimeng-video-3.0-pro")
        assert not await page.is_visible("#negative_prompt") and await page.is_visible("#inputs")
        await choose_model(page, "wan2.6-i2v")
        # The video has the shape of its picture.
        assert not await page.is_visible("[data-field=ratio]")


async def test_search_finds_a_model_and_escape_keeps_the_chosen_one(open_page: OpenPage) -> None:
    async with open_page() as page:
        before = await page.input_value("#model")
        await page.click("#model")
        groups = await page.locator("#model-list [role=group]").evaluate_all("all => all.map((one) => one.ariaLabel)")
        assert groups == ["Jimeng", "DashScope"]
        await page.fill("#model", "hailuo kling turbo")
        assert await page.inner_text("#model-list") == "No model matches"
        await page.fill("#model", "KLING turbo")
        assert await page.locator("[role=option]").count() == 1
        await page.press("#model", "Escape")
        assert await page.input_value("#model") == before
        await page.press("#model", "ArrowDown")
        await page.press("#model", "ArrowDown")
        await page.press("#model", "Enter")
        assert await page.input_value("#model") != before


async def test_keys_reach_the_prompt_and_close_panels(open_page: OpenPage) -> None:
    async with open_page() as page:
        await page.press("body", "/")
        assert await page.evaluate("document.activeElement.id") == "prompt"
        await page.click("#key-button")
        assert await page.evaluate("document.activeElement.id") == "key-field"
        await page.press("#key-field", "Escape")
        assert not await page.is_visible("#key-field")


async def test_several_pictures_have_roles_that_change_places(open_page: OpenPage, upstream: SandboxServer) -> None:
    key = new_key()
    async with open_page(key=key) as page:
        await choose_model(page, "wan2.7-i2v")
        await page.set_input_files("#media-files", [PICTURES / "cat.jpg", PICTURES / "cat.png"])
        roles = page.locator(".thumb select")
        assert await roles.evaluate_all("all => all.map((one) => one.value)") == ["first_frame", "last_frame"]
        await roles.nth(0).select_option("last_frame")
        assert await roles.evaluate_all("all => all.map((one) => one.value)") == ["last_frame", "first_frame"]
        await page.click("[aria-label='Remove cat.jpg']")
        assert await page.locator(".thumb").count() == 1
        await page.evaluate(
            """bytes => {
              const data = new DataTransfer();
              data.items.add(new File([new Uint8Array(bytes)], "pasted.png", { type: "image/png" }));
              const given = { clipboardData: data, bubbles: true, cancelable: true };
              document.dispatchEvent(new ClipboardEvent("paste", given));
            }""",
            list((PICTURES / "cat.png").read_bytes()),
        )
        assert await roles.evaluate_all("all => all.map((one) => one.value)") == ["first_frame", "last_frame"]
        await submit(page, "from one to the other", "wan2.7-i2v")
        await card_in(page, "completed")
    (body,) = upstream.sandbox.bodies("dashscope", key.partition(",")[2])
    assert [item["type"] for item in body["input"]["media"]] == ["first_frame", "last_frame"]


async def test_order_of_pictures_is_changed_by_keyboard_and_by_drag(open_page: OpenPage) -> None:
    names = "all => all.map((one) => one.title)"
    async with open_page() as page:
        await choose_model(page, "wan2.7-i2v")
        await page.set_input_files("#media-files", [PICTURES / "cat.jpg", PICTURES / "cat.png"])
        pictures = page.locator(".thumb-name")
        await page.focus("[aria-label='Move cat.jpg back']")
        await page.keyboard.press("Enter")
        assert await pictures.evaluate_all(names) == ["cat.png", "cat.jpg"]
        assert await page.evaluate("document.activeElement.closest('.thumb') !== null")
        await page.locator(".thumb").nth(0).drag_to(page.locator(".thumb").nth(1))
        assert await pictures.evaluate_all(names) == ["cat.jpg", "cat.png"]
        roles = page.locator(".thumb select")
        assert await roles.evaluate_all("all => all.map((one) => one.value)") == ["first_frame", "last_frame"]


async def test_error_stands_at_its_field(open_page: OpenPage) -> None:
    async with open_page(expected_errors=("400",)) as page:
        await choose_model(page, "wan2.6-t2v")
        await page.fill("#prompt", "many words " * 200)
        await page.click("#submit")
        assert "too long" in await page.locator("[data-field=prompt] .problem").inner_text()
        assert await page.get_attribute("#prompt", "aria-invalid") == "true"
        assert await page.evaluate("document.activeElement.id") == "prompt"
        assert await page.locator(".task").count() == 0


async def test_error_offers_what_is_allowed(open_page: OpenPage) -> None:
    async with open_page(expected_errors=("400",)) as page:
        await page.route(
            "**/v1/videos/generations",
            lambda route: route.continue_(
                post_data=_with_ratio(route.request.post_data), headers=_without_length(route.request.headers)
            ),
        )
        await choose_model(page, "wan2.6-t2v")
        await page.fill("#prompt", "a cat")
        await page.click("#submit")
        chips = page.locator("[data-field=ratio] .allowed button")
        await chips.first.wait_for()
        assert await chips.all_inner_texts() == ["16:9", "9:16", "1:1", "4:3", "3:4"]
        await chips.nth(1).click()
        assert await page.is_checked("input[name=ratio][value='9:16']")
        assert await page.locator(".problem").count() == 0


def _with_ratio(body: str | None) -> str:
    return json.dumps(json.loads(body or "{}") | {"ratio": "5:1"})


def _without_length(headers: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name != "content-length"}


async def test_error_without_a_field_is_a_banner_with_the_request_id(open_page: OpenPage) -> None:
    async with open_page(expected_errors=("400",)) as page:
        await submit(page, "a cat #refuse=DataInspectionFailed")
        text = await page.inner_text("#form-problem .banner")
        assert "req_" in text
        assert await page.locator(".task").count() == 0
        assert await page.input_value("#prompt") == "a cat #refuse=DataInspectionFailed"


async def test_refused_key_is_told(open_page: OpenPage) -> None:
    async with open_page(key="sk-expired-1", expected_errors=("401",)) as page:
        await submit(page, "a cat")
        assert "req_" in await page.inner_text("#form-problem .banner")


async def test_text_of_people_is_never_html(open_page: OpenPage) -> None:
    evil = "<img src=x onerror=alert(1)><b>bold</b>"
    async with open_page() as page:
        await submit(page, evil)
        card = await card_in(page, "completed")
        assert await (await card.query_selector(".task-prompt")).inner_text() == evil
        assert await page.locator(".task b").count() == 0


async def test_code_is_the_request_that_is_sent(open_page: OpenPage) -> None:
    async with open_page() as page:
        await choose_model(page, "wan2.6-t2v")
        await page.fill("#prompt", 'it\'s a cat, "quoted"')
        await page.click("summary:has-text('Describe the shot')")
        await page.select_option("#shot-camera_movement", "zoom_in")
        await page.click("summary:has-text('Advanced')")
        await page.fill("#seed", "42")
        await page.fill("#provider_options", '{"a": [1, true, null]}')
        await page.click("summary:has-text('Show as code')")
        shown = await page.inner_text(".code-box pre")
        async with page.expect_request("**/v1/videos/generations") as request:
            await page.click("#submit")
        sent = json.loads((await request.value).post_data or "")
    assert (
        sent["camera_movement"] == "zoom_in"
        and sent["seed"] == 42
        and sent["provider_options"] == {"a": [1, True, None]}
    )
    body = shown[shown.index("-d '") + 4 : -1].replace("'\\''", "'")
    assert json.loads(body) == sent


async def test_invalid_options_are_not_sent(open_page: OpenPage) -> None:
    async with open_page() as page:
        await page.click("summary:has-text('Advanced')")
        await page.fill("#prompt", "a cat")
        await page.fill("#provider_options", "{half")
        await page.click("#submit")
        assert await page.is_visible("#provider-options-error")
        assert await page.evaluate("document.activeElement.id") == "provider_options"
        assert await page.locator(".task").count() == 0


async def test_list_is_filtered_and_cleared(open_page: OpenPage) -> None:
    async with open_page() as page:
        await submit(page, "fine")
        await card_in(page, "completed")
        await submit(page, "waits #pending")
        await card_in(page, "pending")
        await page.check("input[name=filter][value=done]", force=True)
        assert await page.locator(".task:visible").count() == 1
        await page.click("#clear-finished")
        assert await page.inner_text("#tasks-empty") == "No task in this state."
        await page.check("input[name=filter][value=all]", force=True)
        assert await page.locator(".task:visible").count() == 1


async def test_end_is_notified_to_who_asked_and_looks_elsewhere(open_page: OpenPage) -> None:
    """The system's notifications are replaced by a list; the page counts as hidden."""
    async with open_page() as page:
        await page.add_init_script(
            """
            window.told = [];
            window.Notification = class extends EventTarget {
              static permission = "default";
              static requestPermission = async () => (this.permission = "granted");
              constructor(title) {
                super();
                window.told.push(title);
              }
            };
            Object.defineProperty(document, "hidden", { get: () => true });
            """
        )
        await page.reload()
        await submit(page, "nobody asked")
        await card_in(page, "completed")
        await page.click("#notify")
        await page.wait_for_selector("#notify[aria-pressed=true]")
        await page.click("#clear-finished")
        await submit(page, "tell me")
        await card_in(page, "completed")
        assert await page.evaluate("window.told") == ["Ready: tell me"]
        assert await page.title() == "✓ ready · video-gateway"
        await page.click("#notify")
        await page.wait_for_selector("#notify[aria-pressed=false]")


async def test_theme_and_language_are_kept(open_page: OpenPage) -> None:
    async with open_page(color_scheme="light") as page:
        await page.click("#theme-button")
        await page.click("#theme-button")
        await page.click("#language-button")
        background = await page.evaluate("getComputedStyle(document.body).backgroundColor")
        await page.reload()
        assert await page.get_attribute("html", "data-theme") == "dark"
        assert await page.get_attribute("html", "lang") == "zh-CN"
        assert await page.evaluate("getComputedStyle(document.body).backgroundColor") == background == "rgb(16, 16, 21)"


async def test_two_hundred_tasks_stay_quick(open_page: OpenPage) -> None:
    """A change of one task lays out its card only: well under a frame of 16 ms, with room for busy machines."""
    async with open_page() as page:
        milliseconds = await page.evaluate(
            """async () => {
              const folder = document.querySelector("script[type=module]").src.replace(/[^/]*$/, "");
              const store = await import(folder + "store.js");
              const result = { url: "", cover_url: "data:image/gif;base64,R0lGODlhAQABAAAAACw=" };
              for (let number = 0; number < 200; number += 1) {
                const [local, prompt] = [`local-${number}`, `number ${number}`];
                store.add({ local, prompt, state: "completed", created: number, model: "m", result });
              }
              const started = performance.now();
              for (let number = 0; number < 100; number += 1) store.change("local-150", { progress: number });
              document.body.getBoundingClientRect();
              return (performance.now() - started) / 100;
            }"""
        )
        assert milliseconds < 16
        await until(page, "document.querySelectorAll('.task').length === 200")
