"""Client-facing messages in two languages."""

import string
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.localization import choose_language, describe_problems, describe_state, localize
from gateway.core.messages import ERRORS
from providers.contract.errors import FieldProblem, FieldReason
from providers.contract.localized_text import LocalizedText
from providers.contract.tasks import Phase, Queue, TaskState


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "zh"),
        ("en", "en"),
        ("en-US,en;q=0.9", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en;q=0.1,zh;q=0.2", "zh"),
        ("fr,de;q=0.5", "zh"),
        ("*", "zh"),
        ("en;q=0", "zh"),
        ("en;q=x,zh", "zh"),
        ("ZH-tw", "zh"),
    ],
)
def test_language_of_the_client_is_used(header: str, language: str) -> None:
    assert choose_language(header, "zh") == language
    assert choose_language("fr", "en") == "en"


@given(st.text())
def test_any_header_gives_a_supported_language(header: str) -> None:
    assert choose_language(header, "en") in ("zh", "en")


def test_long_headers_do_not_stay_in_memory() -> None:
    tracemalloc.start()
    try:
        for number in range(400):
            choose_language(f"en;q=0.{number}," + "x" * 60_000, "zh")
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert grown < 1_000_000


@pytest.mark.parametrize("key", ERRORS)
def test_every_message_has_both_languages_with_the_same_placeholders(key: str) -> None:
    zh, en = ERRORS[key]
    placeholders = [{name for _, name, _, _ in string.Formatter().parse(text) if name} for text in (zh, en)]
    assert zh
    assert en
    assert placeholders[0] == placeholders[1]


def test_braces_in_an_upstream_message_are_no_placeholders() -> None:
    assert localize(LocalizedText("{x}", "{y}"), "en") == "{y}"


@pytest.mark.parametrize(
    ("state", "zh", "en"),
    [
        (TaskState("1", Phase.QUEUED), "排队中", "Queued"),
        (
            TaskState("1", Phase.QUEUED, queue=Queue(3, 40, 120)),
            "排队中，第 3 位，预计 2 分钟",
            "Queued, position 3, about 2 min left",
        ),
        (
            TaskState("1", Phase.QUEUED, queue=Queue(3, None, 20)),
            "排队中，第 3 位，预计 20 秒",
            "Queued, position 3, about 20 s left",
        ),
        (TaskState("1", Phase.QUEUED, queue=Queue(3)), "排队中，第 3 位", "Queued, position 3"),
        (TaskState("1", Phase.PROCESSING), "视频生成中", "Generating the video"),
        (TaskState("1", Phase.FINALIZING, note=LocalizedText("正在提取", "fetching")), "正在提取", "fetching"),
    ],
)
def test_state_messages(state: TaskState, zh: str, en: str) -> None:
    assert describe_state(state, "zh") == zh
    assert describe_state(state, "en") == en


def test_all_problems_are_listed_with_the_allowed_values() -> None:
    problems = [
        FieldProblem("duration", FieldReason.NOT_ALLOWED, ("5", "10"), "7"),
        FieldProblem("watermark", FieldReason.UNSUPPORTED),
        FieldProblem("prompt", FieldReason.MISSING),
        FieldProblem("size", FieldReason.CONFLICT, ("9:16",)),
        FieldProblem("image_url", FieldReason.UNSUPPORTED, hint=LocalizedText("去别处", "go elsewhere")),
    ]
    assert describe_problems(problems, "en") == (
        "duration: 7 is not supported; allowed: 5, 10; watermark: not supported by this model; prompt: required; "
        "size: conflicts with another field; allowed: 9:16; image_url: not supported by this model. go elsewhere"
    )
    chinese = describe_problems(problems, "zh")
    assert "duration：不支持 7，可选：5, 10；" in chinese
    assert chinese.endswith("此模型不支持该参数。去别处")


@pytest.mark.parametrize(("value", "shown"), [("", "不支持该值"), ("5", "不支持 5"), ("横屏", "不支持横屏")])
def test_chinese_messages_space_foreign_words(value: str, shown: str) -> None:
    problem = FieldProblem("ratio", FieldReason.NOT_ALLOWED, ("16:9",), value)
    assert describe_problems([problem], "zh") == f"ratio：{shown}，可选：16:9"


@pytest.mark.parametrize("reason", FieldReason)
@pytest.mark.parametrize("value", ["", "PNG"])
def test_every_reason_is_a_full_sentence(reason: FieldReason, value: str) -> None:
    for language in ("zh", "en"):
        text = describe_problems([FieldProblem("image", reason, ("1",), value)], language)
        assert text.startswith("image") and text == " ".join(text.split())
        assert "{" not in text
