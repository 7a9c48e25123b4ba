"""Clean the answer of a language model: what remains is the prompt itself, in one paragraph.

Models are told to output nothing but the prompt. Many add what this module removes: their thoughts, an introduction,
Markdown, quotation marks, a closing remark.
"""

import re
from collections.abc import Callable

import orjson

from gateway.prompts.draft import PromptLimit
from gateway.prompts.failure import PromptError

_THOUGHTS = re.compile(r"<(think|thinking|thought|reasoning)>.*?(?:</\1>|\Z)", re.DOTALL | re.IGNORECASE)
_END_OF_THOUGHTS = re.compile(r"\A.*</(?:think|thinking|thought|reasoning)>", re.DOTALL | re.IGNORECASE)
_TOKENS = re.compile(r"<\|[^|<>]{1,40}\|>|</?(?:answer|output|prompt|result)>", re.IGNORECASE)
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufffe\uffff]")
_FENCED = re.compile(r"```[^\S\n]*[\w+-]{0,20}[^\S\n]*\n?(.*?)(?:```|\Z)", re.DOTALL)

_NOUN = "(?:prompts?|version|description|rewrite|result|output|answer)"
_NOUN_ZH = "(?:提示词|描述|版本|结果)"
_SUBJECT = (
    r"(?:(?:the|your|my|this|final|full|complete|rewritten|revised|improved|enhanced|optimi[sz]ed|refined|"
    r"polished|expanded|detailed|vivid|new|better|english|chinese|video|generation)\s+)*"
    rf"{_NOUN}"
)
_INTRODUCTIONS = (
    re.compile(
        r"(?:(?:sure|certainly|of course|okay|ok|absolutely|great)[!,.:\s]+)*"
        r"(?:(?:here(?:'s|’s| is| are| you go| it is)|(?:below|this) is)\b"
        rf"(?:[^\n:]{{0,80}}\b{_NOUN}\b[^\n:]{{0,40}}:|\s*:|[^\n:]{{0,80}}:[^\S\n]*\n)"
        rf"|{_SUBJECT}\s*:)\s*",
        re.IGNORECASE,
    ),
    re.compile(r"(?:sure|certainly|of course|okay|absolutely)[!.]\s+", re.IGNORECASE),
    re.compile(r"(?:好的|好|当然|没问题|可以)[，,。！!\s]+(?=\S)"),
    re.compile(
        rf"(?:以下|下面|这)(?:是|为)(?:[^\n：:。]{{0,40}}{_NOUN_ZH}[^\n：:。]{{0,20}}[：:]|[^\n：:。]{{0,40}}[：:][^\S\n]*\n)\s*"
    ),
    re.compile(
        r"[【\[]?(?:改写|优化|润色|扩写|完善|最终|完整|新)?(?:之?后)?的?(?:中文|英文)?(?:视频)?(?:生成)?"
        rf"{_NOUN_ZH}[】\]]?\s*[：:]\s*"
    ),
)
_REMARK = re.compile(
    r"[*_-]*\s?(?:note|notes|let me know|i hope|hope this|feel free|would you like|this prompt|explanation|word count|"
    r"character count|注意?[：:]|说明[：:]|备注|希望(?:这|对|能)|如需|"
    r"如果(?:你|您)(?:还|需|想要?(?:修改|调整)|希望|对)|以上|字数|共\s?\d+)",
    re.IGNORECASE,
)
_LINE_MARKS = re.compile(
    r"^[^\S\n]*(?:#{1,6}[^\S\n]+|>[^\S\n]?|[-*+•][^\S\n]+|\d{1,2}[.)、][^\S\n]*(?=\D))", re.MULTILINE
)
_EMPHASIS = re.compile(
    r"(\*\*\*|\*\*|__|~~|`)(?=\S)(.{1,1000}?)(?<=\S)\1|(?<![\w*])\*(?=[^\s*])([^*\n]{1,1000}?)(?<=\S)\*(?![\w*])"
)
_MARKS, _MOST_MARKS = ("**", "*", "__", "~~", "`"), 100
_RULES = re.compile(r"^[^\S\n]*(?:-{3,}|\*{3,}|_{3,}|={3,})[^\S\n]*$", re.MULTILINE)
_QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’", "「": "」", "『": "』", "《": "》", "«": "»", "`": "`", "【": "】"}
_CJK = "\u3000-\u303f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef"
_BETWEEN_CJK = re.compile(rf"(?<=[{_CJK}])\n+(?=[{_CJK}])")

_REFUSALS = re.compile(
    r"(?:i(?:'m| am|’m) (?:really |very |so )?sorry|sorry,|i (?:can(?:'t|’t|not)|am unable|won(?:'t|’t))"
    r"|i(?:'m|’m) (?:unable|not able)|unfortunately, i|as an ai|i must decline"
    r"|(?:非常|很|十分|实在)?(?:抱歉|对不起)|我(?:不能|无法|没办法|不可以)|无法(?:提供|协助|生成|满足|完成|改写|处理)|作为(?:一个|一名)?\s*(?:ai|人工智能|语言模型)"
    r"|(?:该|您的|你的)(?:请求|内容|描述).{0,20}(?:违反|违规|不当))",
    re.IGNORECASE,
)


def clean_answer(text: str, limit: PromptLimit) -> str:
    """The prompt in an answer: not empty, without line breaks, within the limit.

    Raises PromptError for an answer that is empty, refuses, or is too long.
    """
    # Halves of a surrogate pair that came in two chunks are joined, a lone one is dropped.
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "ignore")
    text = _END_OF_THOUGHTS.sub("", _THOUGHTS.sub("", text))
    text = _CONTROLS.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    for _ in range(4):
        before = text
        for step in _STEPS:
            text = step(_spaced(text))
        text = _spaced(text)
        if text == before:
            break
    text = " ".join(_BETWEEN_CJK.sub("", text).split())
    if not any(character.isalnum() for character in text):
        raise PromptError("empty")
    if _REFUSALS.match(text):
        raise PromptError("refused")
    if limit.length(text) > limit.characters:
        raise PromptError("too_long", limit=limit.characters)
    return text


def _spaced(text: str) -> str:
    """A text with at most one blank between words and one empty line between paragraphs: the patterns above take a time
    that grows with the square of a run of blanks."""
    lines = [" ".join(line.split()) for line in text.split("\n")]
    return "\n".join(line for line, before in zip(lines, ["", *lines], strict=False) if line or before).strip()


def _without_fence(text: str) -> str:
    """The first block of code; a text without one as it is."""
    found = _FENCED.search(text)
    return found[1] if found is not None and found[1].strip() else text.replace("```", "")


def _without_json(text: str) -> str:
    """The only text of a JSON object."""
    if not text.startswith("{"):
        return text
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    texts = [item for item in value.values() if isinstance(item, str)] if isinstance(value, dict) else []
    return texts[0] if len(texts) == 1 else text


def _without_introduction(text: str) -> str:
    bare = text.lstrip("*_# \n")
    # The marks around an introduction, as in "**Prompt:** a cat", end behind it.
    marks = "*_" if text[0:1] in ("*", "_") else ""
    for introduction in _INTRODUCTIONS:
        found = introduction.match(bare)
        if found is not None:
            return bare[found.end() :].lstrip(marks) or text
    return text


def _without_remark(text: str) -> str:
    """The text before a closing remark: a paragraph of its own, or a line in brackets."""
    lines = text.split("\n")
    for number, line in enumerate(lines[1:], 1):
        bare = line.lstrip("(（")
        if (bare != line or not lines[number - 1]) and _REMARK.match(bare):
            return "\n".join(lines[:number])
    return text


def _without_markdown(text: str) -> str:
    text = _RULES.sub("", text)
    text = _LINE_MARKS.sub("", text)
    if sum(text.count(mark) for mark in _MARKS) > _MOST_MARKS:
        # To look for pairs in so many takes long, and they are junk.
        return re.sub("|".join(map(re.escape, _MARKS)), "", text)
    return _EMPHASIS.sub(lambda found: found[2] or found[3], text)


def _without_quotes(text: str) -> str:
    """The text inside quotation marks that enclose all of it."""
    if len(text) < 2 or _QUOTES.get(text[0]) != text[-1]:
        return text
    inner = text[1:-1]
    return text if text[0] in inner or text[-1] in inner else inner


_STEPS: tuple[Callable[[str], str], ...] = (
    lambda text: _TOKENS.sub("", text),
    _without_fence,
    _without_json,
    _without_introduction,
    _without_remark,
    _without_markdown,
    _without_quotes,
)
