"""Answers of language models: what is around the prompt is removed, and what is no prompt is an error."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.prompts.cleaning import clean_answer
from gateway.prompts.draft import PromptLimit
from gateway.prompts.failure import PromptError

ANY = PromptLimit()
CAT = "A tabby cat walks along a sunlit wall, slow push in."
MAO = "一只橘猫走在阳光下的墙头，镜头缓缓推进。"

ANSWERS = [
    "{}",
    "  \n{}\n\n",
    "\ufeff{}\u200b",
    '"{}"',
    "“{}”",
    "「{}」",
    "'{}'",
    "**{}**",
    "*{}*",
    "`{}`",
    "```\n{}\n```",
    "```text\n{}\n```",
    "Sure!\n\n```prompt\n{}\n```\nLet me know if you want changes.",
    "Here is your prompt:\n{}",
    "Here's the rewritten video prompt: {}",
    "Sure! Here is your video prompt:\n\n**{}**",
    "Certainly! Below is the enhanced prompt:\n\n{}",
    "Prompt: {}",
    "**Prompt:** {}",
    "**Enhanced Video Prompt:**\n\n> {}",
    "Revised prompt: {}",
    "Final prompt:\n{}",
    "好的，以下是改写后的视频提示词：\n\n{}",
    "以下是优化后的提示词：{}",
    "提示词：{}",
    "【视频提示词】：{}",
    "改写后的提示词：\n“{}”",
    "{}\n\nNote: I kept the cat.",
    "{}\n\nLet me know if you would like any changes!",
    "{}\n\n（注：保留了原意）",
    "{}\n\n希望这段提示词对你有帮助。",
    "{}\n（字数：20）",
    "<think>The user wants a cat.\nI write it.</think>\n{}",
    "<think>One.</think><think>Two.</think>{}",
    "I think about the cat.\n</think>\n\n{}",
    "<thinking>Hm.</thinking>Here is the prompt: {}",
    "<answer>{}</answer>",
    "{}<|im_end|>",
    '{{"prompt": "{}"}}',
    '```json\n{{"revised_prompt": "{}"}}\n```',
    "- {}",
    "1. {}",
    "# {}",
    "> {}",
    "---\n{}\n---",
]


@pytest.mark.parametrize("prompt", [CAT, MAO], ids=["en", "zh"])
@pytest.mark.parametrize("answer", ANSWERS)
def test_what_is_around_the_prompt_is_removed(answer: str, prompt: str) -> None:
    assert clean_answer(answer.format(prompt), ANY) == prompt


@pytest.mark.parametrize(
    ("answer", "prompt"),
    [
        ("A cat.\nIt jumps.\n\nSoft light.", "A cat. It jumps. Soft light."),
        ("Here is a cat on the beach: waves crash behind it.", "Here is a cat on the beach: waves crash behind it."),
        ("This is the story of a fox: it runs.", "This is the story of a fox: it runs."),
        ("这是一只猫的一天：它在墙头醒来。", "这是一只猫的一天：它在墙头醒来。"),
        ("一只猫。\n\n如果你仔细看，远处有一座山。", "一只猫。如果你仔细看，远处有一座山。"),
        ("一只猫。\n\n如果您需要调整，请告诉我。", "一只猫。"),
        ("一只猫。\n\n注意：保留了原意。", "一只猫。"),
        ("Here you go: a cat.", "a cat."),
        ("Here is what I wrote:\n\nA cat.", "A cat."),
        ("下面是我写的：\n一只猫。", "一只猫。"),
        ("一只猫。\n它跳起来。\n\n光线柔和。", "一只猫。它跳起来。光线柔和。"),
        ("- A cat\n- Soft light", "A cat Soft light"),
        ("The **cat** and the *dog* at `night`", "The cat and the dog at night"),
        ('She says "hello" and leaves', 'She says "hello" and leaves'),
        ('"Hello," she says, "bye"', '"Hello," she says, "bye"'),
        ("他说：“快跑。”", "他说：“快跑。”"),
        ("3 cats run at 5 * 4 speed_of_light #slow", "3 cats run at 5 * 4 speed_of_light #slow"),
        ("Here the cat sleeps: calm", "Here the cat sleeps: calm"),
        ("A prompt: a man reads it from a sheet", "A prompt: a man reads it from a sheet"),
        ("画面：一只猫", "画面：一只猫"),
        ("\ud83d\udc31 a cat", "🐱 a cat"),
        ("a \ud83d cat", "a cat"),
        ("a family 👨‍👩‍👧 walks", "a family 👨‍👩‍👧 walks"),
        ("a\x00 cat\u202e", "a cat"),
    ],
)
def test_prompt_itself_stays(answer: str, prompt: str) -> None:
    assert clean_answer(answer, ANY) == prompt


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("", "empty"),
        (" \n\t", "empty"),
        ("…", "empty"),
        ('""', "empty"),
        ("```\n```", "empty"),
        ("<think>The user wants", "empty"),
        ("<think>I am done</think>", "empty"),
        ("\ud83d", "empty"),
        ("I'm sorry, but I can't help with that.", "refused"),
        ("I cannot write this prompt.", "refused"),
        ("Sorry, I can't.", "refused"),
        ("As an AI model, I must decline.", "refused"),
        ('"I’m sorry, but I can’t assist with that."', "refused"),
        ("很抱歉，我无法协助完成这个请求。", "refused"),
        ("抱歉，该内容违反规定。", "refused"),
        ("我无法改写这段描述。", "refused"),
        ("您的请求包含违规内容", "refused"),
        ("作为一个AI，我不能这样做", "refused"),
        ("<think>Not allowed.</think>对不起，我不能。", "refused"),
        ("x" * 5001, "too_long"),
    ],
)
def test_answer_without_a_prompt_is_an_error(answer: str, reason: str) -> None:
    with pytest.raises(PromptError) as caught:
        clean_answer(answer, ANY)
    assert caught.value.reason == reason


def test_limit_counts_as_the_model_counts() -> None:
    assert clean_answer(f"“{'猫' * 10}”", PromptLimit(20, han_weight=2)) == "猫" * 10
    with pytest.raises(PromptError):
        clean_answer("猫" * 11, PromptLimit(20, han_weight=2))
    assert len(clean_answer("a" * 20, PromptLimit(20, han_weight=2))) == 20


def outcome(answer: str, limit: PromptLimit) -> tuple[str | None, str]:
    """The prompt, or None and the reason."""
    try:
        return clean_answer(answer, limit), ""
    except PromptError as error:
        return None, error.reason


pieces = st.sampled_from(
    [
        *('"', "“", "”", "```", "```json\n", "**", "*", "# ", "> ", "- ", "\n", "\n\n", "<think>", "</think>", "<|x|>"),
        *(
            "Here is your prompt:",
            "提示词：",
            "好的，",
            "Note: ",
            "希望",
            "{",
            "}",
            '{"prompt": "',
            "\ud83d",
            "\udc31",
            "🐱",
        ),
        *("\ufeff", "\x00", "\u2028", " ", "a cat", "猫", "I'm sorry", "抱歉", "。"),
    ]
)
answers = st.text(max_size=60) | st.lists(pieces | st.text(st.characters(), max_size=6), max_size=25).map("".join)


@given(answers, st.integers(1, 60), st.sampled_from([1, 2]))
def test_any_answer_becomes_a_prompt_within_the_limit_or_an_error(answer: str, characters: int, weight: int) -> None:
    limit = PromptLimit(characters, weight)
    prompt, reason = outcome(answer, limit)
    if prompt is None:
        assert reason in ("empty", "refused", "too_long")
        return
    assert prompt.strip() == prompt != ""
    assert 0 < limit.length(prompt) <= characters
    assert "\n" not in prompt and "<think>" not in prompt
    prompt.encode("utf-8")


@pytest.mark.parametrize(
    "unit",
    [
        '"',
        "```",
        "**",
        "<think>",
        "Here is ",
        "提示词：",
        "\n",
        "_a_",
        "* ",
        "- ",
        "{",
        "the new ",
        "`- ",
        "**a ",
        "猫\n",
        "\n\n(",
    ],
)
def test_long_junk_is_cleaned_in_time(unit: str) -> None:
    """25,000 characters is the most that is read."""
    began = time.perf_counter()
    _, reason = outcome(unit * (25_000 // len(unit)), ANY)
    assert reason in ("empty", "too_long")
    assert time.perf_counter() - began < 2
