"""The language of the terminal, and the program's texts in it.

Texts are written in English where they are used; `chinese.json` has their Chinese. A text without one is printed in
English as a whole, so that no line has two languages.
"""

import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.core.localization import Language
    from gateway.core.translations import Translator

_VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")
_PREFIXES: dict[str, str] = {"error": "错误", "hint": "提示"}


def terminal_language() -> "Language":
    """The language of this terminal by LC_ALL, LC_MESSAGES and LANG, of the two that the gateway has."""
    names = (os.environ.get(name) for name in _VARIABLES)
    return "zh" if next(filter(None, names), "").startswith("zh") else "en"


def localize(text: str) -> str:
    """A message in the language of the terminal."""
    return _look_up("messages", text)


def localize_list(texts: Sequence[str]) -> str:
    """Messages in the language of the terminal, one after the other."""
    return ("，" if terminal_language() == "zh" else ", ").join(map(localize, texts))


def localize_help(text: str) -> str:
    """A text of the help in the language of the terminal."""
    return _look_up("help", text)


def localize_column(name: str) -> str:
    """A heading of a table in the language of the terminal."""
    return _look_up("columns", name)


def localize_prefixed(prefix: str, message: str) -> str:
    """A message after `error` or `hint`, both in the same language. The gateway's are in that of the terminal
    already."""
    shown = localize(message)
    is_chinese = terminal_language() == "zh" and any("\u4e00" <= character <= "\u9fff" for character in shown)
    return f"{_PREFIXES[prefix]}：{shown}" if is_chinese else f"{prefix}: {shown}"


def _look_up(part: str, text: str) -> str:
    return text if terminal_language() == "en" else translators()[part].text(text) or text


@cache
def translators() -> "dict[str, Translator]":
    """The translators of messages, of the help and of the headings of tables: a word may mean different things."""
    import json

    from gateway.core.translations import Translator

    texts: dict[str, dict[str, str]] = json.loads(Path(__file__).with_name("chinese.json").read_bytes())
    return {part: Translator(found) for part, found in texts.items()}
