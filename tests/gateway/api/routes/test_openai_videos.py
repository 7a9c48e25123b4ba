"""The OpenAI Videos API: the submit orders and the responses of its routes."""

from typing import Any

import pytest

from gateway.tasks.order import Derivation
from tests.gateway.api.routes.conftest import Api, completed, task

BODY = {"model": "wan2.6-t2v", "prompt": "a cat", "seconds": "5"}


@pytest.mark.parametrize("prefix", ["/v1", ""])
async def test_create_answers_with_a_video_under_its_signed_id(api: Api, prefix: str) -> None:
    answer = await api.post(f"{prefix}/videos", BODY)
    video = answer.json()
    assert answer.status_code == 200
    assert (video["id"], video["object"], video["status"], video["prompt"]) == ("signed", "video", "queued", "a cat")
    assert (video["seconds"], video["size"], video["remixed_from_video_id"]) == ("5", "1280x720", None)
    assert answer.headers["location"] == "/v1/videos/signed"


async def test_create_snaps_seconds_and_size_to_the_nearest_of_the_model(api: Api) -> None:
    await api.post("/v1/videos", BODY)
    assert api.tasks.orders[0].nearest is True


class TestDerivedVideos:
    async def test_a_remix_names_the_earlier_video(self, api: Api) -> None:
        answer = await api.post("/v1/videos/earlier/remix", {"prompt": "a dog"})
        assert api.tasks.orders[0].request == Derivation("remix", "a dog", video_id="earlier")
        assert answer.json()["remixed_from_video_id"] == "earlier"

    @pytest.mark.parametrize(("path", "operation"), [("edits", "edit"), ("extensions", "extend")])
    async def test_edits_and_extensions_take_the_video_of_the_body(self, api: Api, path: str, operation: str) -> None:
        answer = await api.post(f"/v1/videos/{path}", {"prompt": "a dog", "video": {"id": "earlier"}})
        asked = api.tasks.orders[0].request
        assert isinstance(asked, Derivation)
        assert (asked.operation, asked.prompt, asked.video_id) == (operation, "a dog", "earlier")
        assert answer.json()["remixed_from_video_id"] == "earlier"

    async def test_remixes_of_two_videos_have_two_fingerprints(self, api: Api) -> None:
        for id in ("one", "two"):
            await api.post(f"/v1/videos/{id}/remix", {"prompt": "a dog"})
        first, second = (order.fingerprint for order in api.tasks.orders)
        assert first != second


class TestListing:
    async def test_a_page_has_its_first_and_last_id(self, api: Api) -> None:
        api.tasks.found, api.tasks.more = {"one": task("one"), "two": completed("two")}, True
        page = (await api.get("/v1/videos?limit=2&after=zero&order=asc")).json()
        assert [video["status"] for video in page["data"]] == ["in_progress", "completed"]
        assert (page["first_id"], page["last_id"], page["has_more"]) == ("one", "two", True)
        assert api.tasks.listed == {"limit": 2, "after": "zero", "ascending": True}

    async def test_an_empty_page_has_no_ids(self, api: Api) -> None:
        page = (await api.get("/v1/videos")).json()
        assert page == {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}
        assert api.tasks.listed == {"limit": 20, "after": None, "ascending": False}

    @pytest.mark.parametrize(
        ("query", "param"),
        [
            ("limit=0", "limit"),
            ("limit=101", "limit"),
            ("limit=x", "limit"),
            ("limit=-1", "limit"),
            ("order=up", "order"),
        ],
    )
    async def test_error_names_the_invalid_parameter(self, api: Api, query: str, param: str) -> None:
        answer = await api.get(f"/v1/videos?{query}")
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


class TestContent:
    async def test_an_unknown_variant_is_refused(self, api: Api) -> None:
        answer = await api.get("/v1/videos/one/content?variant=spritesheet")
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "variant")

    async def test_a_running_task_has_no_content_yet(self, api: Api) -> None:
        api.tasks.found["one"] = task("one")
        answer = await api.get("/v1/videos/one/content")
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "not_ready")

    async def test_a_video_without_a_cover_has_no_thumbnail(self, api: Api) -> None:
        api.tasks.found["one"] = completed("one")
        answer = await api.get("/v1/videos/one/content?variant=thumbnail")
        assert answer.status_code == 404

    async def test_deleted_file_of_the_archive_is_not_found(self, api: Api) -> None:
        api.tasks.found["one"] = completed("one", url="/v1/videos/one/content")
        answer = await api.get("/v1/videos/one/content")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


async def test_delete_cancels_and_repeats_the_id(api: Api) -> None:
    api.tasks.found["one"] = task("one")
    answer = await api.client.delete("/v1/videos/one")
    assert answer.json() == {"id": "one", "object": "video.deleted", "deleted": True}
    assert api.tasks.cancelled == ["one"]


@pytest.mark.parametrize("path", ["/v1/videos/characters", "/v1/videos/characters/one"])
async def test_characters_are_not_supported(api: Api, path: str) -> None:
    call: Any = api.get if path.endswith("one") else api.post
    answer = await call(path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (501, "not_supported")
