"""Translations of texts that are written in English where they are used, looked up by their English.

A key of the texts may have `{}` in place of words: names, numbers and paths stay as they are, other words are looked up
as texts of their own.
"""

import re
from collections.abc import Mapping
from functools import cached_property


class Translator:
    """Translates texts. Those without a translation have none: they stay English as a whole."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts

    def text(self, english: str) -> str | None:
        """The translation of a text; None without one."""
        if english in self._texts:
            return self._texts[english]
        if "\n\n" in english:
            return "\n\n".join(self.text(part) or part for part in english.split("\n\n"))
        for pattern, translation in self._patterns:
            found = pattern.fullmatch(english)
            if found is not None:
                parts = translation.split("{}")
                words = [self.text(words) or words for words in found.groups()]
                return parts[0] + "".join(word + part for word, part in zip(words, parts[1:], strict=True))
        return None

    @cached_property
    def _patterns(self) -> list[tuple[re.Pattern[str], str]]:
        return [
            (re.compile("(.+)".join(re.escape(part) for part in english.split("{}")), re.DOTALL), translation)
            for english, translation in self._texts.items()
            if "{}" in english
        ]
