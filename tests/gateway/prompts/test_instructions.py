"""The request to a language model: its templates, its language, its length."""

import tomllib
from importlib.resources import files
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.localization import Language
from gateway.prompts.draft import LONGEST, PromptDraft, PromptLimit, limit_of
from gateway.prompts.instructions import characters, language_of, request_body, template
from providers.contract.localized_text import LocalizedText
from providers.contract.models import ModelCard

SHOT = {
    "camera_movement": LocalizedText("镜头向前推进", "push forward"),
    "shot_type": LocalizedText("特写镜头", "close up"),
    "lighting": LocalizedText("柔和光线", "soft"),
    "motion_prompt": LocalizedText("slowly", "slowly"),
}
ANY = PromptLimit()


def sent(draft: PromptDraft, *pictures: str, limit: PromptLimit = ANY) -> tuple[str, Any]:
    """The system message and the content of the user message."""
    body = orjson.loads(request_body("m", draft, limit, pictures))
    assert (body["model"], body["stream"]) == ("m", True)
    system, user = body["messages"]
    assert (system["role"], user["role"]) == ("system", "user")
    return system["content"], user["content"]


def keys_of(value: Any, path: str = "") -> set[str]:
    if isinstance(value, dict):
        return {key for name, inner in value.items() for key in keys_of(inner, f"{path}.{name}")}
    assert isinstance(value, str) and value
    return {path}


def test_templates_of_all_languages_have_the_same_texts() -> None:
    found = [
        tomllib.loads(one.read_text("utf-8"))
        for one in files("gateway.prompts").iterdir()
        if one.name.endswith(".toml")
    ]
    assert len(found) == 2
    assert keys_of(found[0]) == keys_of(found[1])


@pytest.mark.parametrize("language", ["zh", "en"])
def test_template_says_what_counts(language: Language) -> None:
    texts = template(language)
    assert texts.system.count("{characters}") == 1
    assert texts.labels.keys() >= {"prompt", *SHOT}
    assert texts.operations.keys() == {"remix", "edit", "extend"}


@pytest.mark.parametrize(
    ("prompt", "language"),
    [
        ("a cat walks", "en"),
        ("一只猫在走", "zh"),
        ("一只 corgi 在草地上奔跑", "zh"),
        ('A sign says "欢迎" in a busy street at night', "en"),
        ("猫が歩いている", "en"),
        ("고양이 한 마리", "en"),
        ("un chat qui marche", "en"),
        ("кошка идёт по улице", "en"),
        ("🐱", "zh"),
        ("", "zh"),
    ],
)
def test_template_follows_the_language_of_the_prompt(prompt: str, language: Language) -> None:
    assert language_of(PromptDraft(prompt)) == language


def test_own_words_of_the_shot_tell_the_language_and_terms_do_not() -> None:
    terms = {name: words for name, words in SHOT.items() if name != "motion_prompt"}
    assert language_of(PromptDraft("", terms)) == "zh"
    assert language_of(PromptDraft("", SHOT)) == "en"


def test_request_has_the_words_of_every_field_in_its_language() -> None:
    system, user = sent(PromptDraft("a cat\n#slow", SHOT))
    assert system.startswith("You write prompts")
    assert user == (
        "Description: a cat\n#slow\nCamera movement: push forward\nFraming: close up\nLight: soft\nMotion: slowly"
    )
    system, user = sent(PromptDraft("一只猫", SHOT))
    assert system.startswith("你为视频生成模型撰写提示词")
    assert user == "描述：一只猫\n镜头运动：镜头向前推进\n景别：特写镜头\n光线：柔和光线\n动作：slowly"


def test_pictures_come_before_the_words_and_are_explained() -> None:
    system, user = sent(PromptDraft(""), "https://h/a.png", "data:image/png;base64,AA==")
    assert template("zh").pictures in system
    assert [part["type"] for part in user] == ["image_url", "image_url", "text"]
    assert user[1]["image_url"] == {"url": "data:image/png;base64,AA=="}
    assert user[2]["text"] == f"描述：{template('zh').labels['none']}"
    assert template("en").pictures not in sent(PromptDraft("a cat"))[0]


@pytest.mark.parametrize("operation", ["remix", "edit", "extend"])
def test_operation_on_an_earlier_video_is_explained(operation: Any) -> None:
    system, _ = sent(PromptDraft("make it snow", operation=operation))
    assert system.endswith(template("en").operations[operation])


@pytest.mark.parametrize(
    ("prompt", "limit", "language", "expected"),
    [
        ("a cat", ANY, "en", 1000),
        ("猫", ANY, "zh", 400),
        ("a cat", PromptLimit(800), "en", 640),
        ("猫", PromptLimit(600, 2), "zh", 240),
        ("x" * 700, PromptLimit(1500), "en", 1200),
        ("x" * 900, ANY, "en", 1800),
    ],
)
def test_length_that_is_asked_for_stays_below_the_limit(
    prompt: str, limit: PromptLimit, language: Language, expected: int
) -> None:
    assert characters(PromptDraft(prompt), limit, language) == expected
    assert f" {expected} " in sent(PromptDraft(prompt), limit=limit)[0]


def test_limit_is_that_of_the_strictest_card() -> None:
    loose, strict, weighted = (
        ModelCard("a", "p", max_prompt=4000),
        ModelCard("b", "p", max_prompt=800),
        ModelCard("c", "p", max_prompt=5000, han_weight=2),
    )
    assert limit_of([loose, strict, None]) == PromptLimit(800)
    assert limit_of([loose, weighted]) == PromptLimit(4000, 2)
    assert limit_of([None, ModelCard("d", "p"), ModelCard("e", "p", max_prompt=20_000)]) == PromptLimit(LONGEST)


@given(st.text(st.characters(), max_size=40), st.text(st.characters(), max_size=10))
def test_any_words_make_a_request(prompt: str, motion: str) -> None:
    sent(PromptDraft(prompt, {"motion_prompt": LocalizedText(motion, motion)}))
