"""The request to a language model: its template, by the language that the client writes, and the body that is sent."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import orjson

from gateway.core.localization import Language
from gateway.prompts.draft import PromptDraft, PromptLimit

_USUAL: Mapping[Language, int] = {"zh": 400, "en": 1000}
"""Characters of a good prompt. A longer description may become twice as long."""
_WITHIN = 0.8
"""Part of the limit that is asked for: language models count roughly."""

_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_WORD = re.compile("[^\\W\\d_\u3400-\u9fff\uf900-\ufaff]+")
_OTHER_SCRIPT = re.compile("[\u3040-\u30ff\uac00-\ud7af]")
"""Kana and hangul: Japanese and Korean texts have Chinese characters as well."""


@dataclass(frozen=True, slots=True)
class Template:
    """The texts of a request in one language. `system` has the place `{characters}`."""

    system: str
    pictures: str
    operations: Mapping[str, str]
    labels: Mapping[str, str]


@cache
def template(language: Language) -> Template:
    """The template of a language, from its file."""
    return Template(**tomllib.loads(files("gateway.prompts").joinpath(f"{language}.toml").read_text("utf-8")))


def language_of(draft: PromptDraft) -> Language:
    """The template for the language that a draft is written in. Texts that mix Chinese with words of another language
    are Chinese where Chinese characters outnumber the words; a draft without any word of the client's own is Chinese,
    as the phrases of the shot fields are."""
    text = f"{draft.prompt} {' '.join(words.en for words in draft.shot.values() if words.zh == words.en)}"
    han, words = len(_HAN.findall(text)), len(_WORD.findall(text))
    if _OTHER_SCRIPT.search(text):
        return "en"
    return "zh" if han >= words else "en"


def request_body(model: str, draft: PromptDraft, limit: PromptLimit, pictures: Sequence[str]) -> bytes:
    """A chat request for a rewritten prompt, streamed: some models answer in no other way. `pictures` are `https://` or
    `data:` URLs."""
    language = language_of(draft)
    texts = template(language)
    system = texts.system.strip().replace("{characters}", str(characters(draft, limit, language)))
    further = (texts.operations.get(draft.operation or ""), texts.pictures if pictures else None)
    system = "\n\n".join((system, *filter(None, further)))
    content: Any = _described(draft, texts, language)
    if pictures:
        shown = [{"type": "image_url", "image_url": {"url": url}} for url in pictures]
        content = [*shown, {"type": "text", "text": content}]
    messages = [{"role": "system", "content": system}, {"role": "user", "content": content}]
    return orjson.dumps({"model": model, "messages": messages, "stream": True})


def characters(draft: PromptDraft, limit: PromptLimit, language: Language) -> int:
    """The length that is asked for."""
    most = int(limit.characters * _WITHIN / (limit.han_weight if language == "zh" else 1))
    return max(1, min(most, max(_USUAL[language], 2 * len(draft.prompt))))


def _described(draft: PromptDraft, texts: Template, language: Language) -> str:
    """The client's words, each field on a line with its label."""
    rows = [(name, words.zh if language == "zh" else words.en) for name, words in draft.shot.items()]
    described = draft.prompt.strip() or ("" if rows else texts.labels["none"])
    lines = [("prompt", described), *rows] if described else rows
    return "\n".join(f"{texts.labels[name]}{texts.labels['separator']}{_writable(words)}" for name, words in lines)


def _writable(text: str) -> str:
    """A text without halves of surrogate pairs, which no JSON in UTF-8 can hold."""
    return text.encode("utf-8", "ignore").decode()
