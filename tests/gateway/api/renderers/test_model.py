"""A model on /v1/models."""

import pytest

from gateway.api.renderers.model import render_language_model, render_model
from gateway.api.schemas.language import LanguageModelObject
from providers.contract.language import LanguageKind, LanguageModel
from providers.contract.media import MediaLimits, MediaRole
from providers.contract.models import ModelCard
from providers.media_files import MediaKind


def test_a_model_without_choices_has_no_defaults() -> None:
    rendered = render_model("plain", ModelCard("plain", "jimeng"))
    assert rendered == {
        "id": "plain",
        "object": "model",
        "created": 1735689600,
        "owned_by": "jimeng",
        "type": "video",
        "status": "available",
        "durations": (),
        "resolutions": (),
        "ratios": (),
        "sizes": [],
        "inputs": [[]],
        "input_counts": {},
        "takes_files": True,
        "files": {},
        "parameters": [],
    }


def test_every_choice_is_shown_with_its_default() -> None:
    card = ModelCard(
        "rich",
        "dashscope",
        durations=(5, 10),
        duration=5,
        resolutions=("720p", "1080p"),
        resolution="720p",
        ratios=("16:9",),
        ratio="16:9",
        media_sets=(frozenset(), frozenset({MediaRole.FIRST_FRAME, MediaRole.LAST_FRAME})),
        media_limits={MediaRole.FIRST_FRAME: 2},
        media_files={MediaKind.IMAGE: MediaLimits(max_bytes=10)},
        fields=frozenset({"seed", "audio"}),
        max_prompt=800,
    )
    rendered = render_model("rich", card)
    assert (rendered["default_duration"], rendered["default_resolution"], rendered["default_ratio"]) == (
        5,
        "720p",
        "16:9",
    )
    assert rendered["inputs"] == [[], ["first_frame", "last_frame"]]
    assert rendered["input_counts"] == {"first_frame": 2, "last_frame": 1}
    assert rendered["files"] == {"image": {"max_bytes": 10}}
    assert (rendered["parameters"], rendered["max_prompt"]) == (["audio", "seed"], 800)


def test_an_alias_names_the_model_behind_it() -> None:
    rendered = render_model("sora-2", ModelCard("real", "jimeng", key="upstream-real", title="Real", available=False))
    assert (rendered["id"], rendered["alias_of"], rendered["upstream_model"]) == ("sora-2", "real", "upstream-real")
    assert (rendered["title"], rendered["status"]) == ("Real", "unavailable")


@pytest.mark.parametrize(("sees_pictures", "modalities"), [(False, ["text"]), (True, ["text", "image"])])
def test_language_model_says_which_input_it_takes(sees_pictures: bool, modalities: list[str]) -> None:
    model = LanguageModel("real", "jimeng", LanguageKind.CHAT, sees_pictures=sees_pictures)
    rendered = render_language_model("chat-alias", model)
    LanguageModelObject.model_validate(rendered)
    assert (rendered["type"], rendered["input_modalities"], rendered["alias_of"]) == ("chat", modalities, "real")
