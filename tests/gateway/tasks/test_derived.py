"""The requests of a remix, an edit and an extension."""

from typing import Any, Literal

import pytest

from gateway.core.errors import GatewayError
from gateway.tasks.derived import ArchivedVideo, derived_request
from gateway.tasks.order import Derivation
from providers.contract.media import MediaRole
from providers.contract.requests import Media, VideoRequest
from providers.contract.spec import DefaultModels
from providers.contract.tasks import Phase, TaskState
from providers.media_files import MediaKind
from tests.gateway_fixture import ONE, TWO, GatewayFixture, pass_through_caller
from tests.upstream import ScriptedProvider, card, finished

CARDS = {
    one.name: one
    for one in (
        card("words", "scripted"),
        card("references", "scripted", MediaRole.REFERENCE_VIDEO),
        card("editor", "scripted", MediaRole.VIDEO),
        card("extender", "scripted", MediaRole.FIRST_CLIP),
    )
}
CLIP = Media(MediaKind.VIDEO, "https://h/own.mp4", "video")


@pytest.fixture
def env() -> GatewayFixture:
    defaults = DefaultModels(edit=("editor",), extend=("extender",))
    return GatewayFixture(ScriptedProvider(cards=list(CARDS.values())), defaults=defaults)


async def earlier(env: GatewayFixture, model: str = "words", *, ended: bool = True) -> str:
    """The id of a task of a model."""
    submitted = await env.submit(pass_through_caller(ONE, TWO), VideoRequest(model, "cat"))
    id = submitted.upstream_id
    env.provider.states[id] = finished(id) if ended else TaskState(id, Phase.PROCESSING)
    return submitted.id


async def derived(
    env: GatewayFixture, operation: Literal["remix", "edit", "extend"], prompt: str = "dog", **fields: Any
) -> VideoRequest:
    return await derived_request(env.tasks, pass_through_caller(ONE, TWO), Derivation(operation, prompt, **fields))


async def refused(env: GatewayFixture, operation: Literal["remix", "edit", "extend"], **fields: Any) -> str:
    with pytest.raises(GatewayError) as caught:
        await derived(env, operation, **fields)
    return caught.value.code


class TestRemix:
    async def test_model_without_references_gets_the_new_prompt_only(self, env: GatewayFixture) -> None:
        request = await derived(env, "remix", video_id=await earlier(env))
        assert (request.model, request.prompt, request.media) == ("words", "dog", ())

    async def test_model_with_references_gets_the_earlier_video(self, env: GatewayFixture) -> None:
        request = await derived(env, "remix", video_id=await earlier(env, "references"))
        (media,) = request.media
        assert (media.role, media.url, media.from_upstream) == (
            MediaRole.REFERENCE_VIDEO,
            "https://h/v.mp4",
            True,
        )

    async def test_remix_by_another_model_and_length(self, env: GatewayFixture) -> None:
        request = await derived(env, "remix", video_id=await earlier(env), model="references", seconds=10)
        assert (request.model, request.duration, len(request.media)) == ("references", 10, 1)

    async def test_unknown_task_is_not_found(self, env: GatewayFixture) -> None:
        assert await refused(env, "remix", video_id="x") == "task_not_found"

    async def test_required_video_that_is_not_ready_is_an_error(self, env: GatewayFixture) -> None:
        assert await refused(env, "remix", video_id=await earlier(env, "references", ended=False)) == "not_ready"


class TestEditsAndExtensions:
    @pytest.mark.parametrize(
        ("operation", "model", "role"),
        [("edit", "editor", MediaRole.VIDEO), ("extend", "extender", MediaRole.FIRST_CLIP)],
    )
    async def test_model_and_input_role_are_those_of_the_operation(
        self, env: GatewayFixture, operation: Literal["edit", "extend"], model: str, role: MediaRole
    ) -> None:
        for given in ({"video_id": await earlier(env)}, {"clip": CLIP}):
            request = await derived(env, operation, **given)
            assert (request.model, request.media[0].role) == (model, role)

    async def test_model_that_takes_videos_as_references_is_accepted(self, env: GatewayFixture) -> None:
        request = await derived(env, "edit", model="references", clip=CLIP)
        assert request.media[0].role is MediaRole.REFERENCE_VIDEO

    async def test_model_without_video_input_is_refused(self, env: GatewayFixture) -> None:
        assert await refused(env, "edit", model="words", clip=CLIP) == "not_supported"

    async def test_missing_video_is_refused(self, env: GatewayFixture) -> None:
        assert await refused(env, "extend") == "invalid_value"

    async def test_extension_has_the_total_duration(self, env: GatewayFixture) -> None:
        assert (await derived(env, "extend", clip=CLIP, seconds=4)).duration == 4
        assert (await derived(env, "edit", clip=CLIP, seconds=4)).duration == 4


async def test_archived_video_that_is_gone_is_an_error(env: GatewayFixture) -> None:
    with pytest.raises(GatewayError) as caught:
        await ArchivedVideo(env.tasks, pass_through_caller(ONE), "scripted-1").open()
    assert caught.value.code == "not_found"
