"""The text in a drawn clip, and its font."""

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.sandbox import captions
from providers.sandbox.captions import caption, find_font, only_ascii, ratio_name, wrap, write_caption
from providers.sandbox.clips import Scene


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("a cat", ["a cat"]),
        ("a cat on a beach", ["a cat on", "a beach"]),
        ("a cat on a very sunny beach", ["a cat on", "a ver..."]),
        ("extraordinary", ["extraord", "inary"]),
        ("一只猫在海滩上", ["一只猫在", "海滩上"]),
        ("  a\n\n b ", ["a b"]),
        ("", []),
    ],
)
def test_text_is_broken_into_lines(text: str, lines: list[str]) -> None:
    assert wrap(text, 8, 2) == lines


@given(st.text(max_size=200), st.integers(8, 60), st.integers(1, 4))
def test_lines_are_never_too_many_or_too_long(text: str, columns: int, lines: int) -> None:
    found = wrap(text, columns, lines)
    assert len(found) <= lines
    assert all(0 < len(line) <= columns for line in found)


@pytest.mark.parametrize(
    ("shape", "name"), [((9, 16), "9:16"), ((720, 1280), "9:16"), ((854, 480), "16:9"), ((300, 100), "300x100")]
)
def test_name_of_a_ratio(shape: tuple[int, int], name: str) -> None:
    assert ratio_name(shape) == name


def test_caption_has_the_model_the_ratio_and_the_first_words() -> None:
    lines = caption(Scene("wan2.6-t2v", "a cat\x00\x1b[31m " + "on a beach " * 500, (9, 16), 10), 24)
    assert lines[:4] == ["wan2.6-t2v", "9:16  10 s", "", "a cat[31m on a beach on"]
    assert len(lines) == 7


def test_lines_without_other_characters_keep_the_ascii_ones() -> None:
    assert only_ascii(["即梦 Seedance 2.5 ", "一只猫"]) == ["Seedance 2.5", ""]


@pytest.mark.skipif(not shutil.which("fc-list"), reason="fontconfig is not installed")
async def test_font_has_the_characters() -> None:
    font = await find_font("a cat")
    assert font is not None
    assert font.lower().endswith((".ttf", ".otf", ".ttc"))
    assert await find_font("a \U0010fffd cat") is None


async def test_usual_font_is_found_without_fontconfig(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    font = tmp_path / "some.ttf"
    font.touch()
    monkeypatch.setattr(captions, "_USUAL_FONTS", (str(tmp_path / "none.ttf"), str(font)))
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert await find_font("a cat") == str(font)
    assert await find_font("猫") is None


async def test_caption_without_a_font_for_all_of_it_is_in_ascii(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def ascii_only(text: str) -> str | None:
        return "/fonts/it's: one.ttf" if text.isascii() else None

    monkeypatch.setattr(captions, "find_font", ascii_only)
    assert await write_caption(["wan", "", "猫 a cat"], tmp_path)
    assert (tmp_path / "text").read_text() == "wan\n\na cat"
    assert (tmp_path / "font").readlink() == Path("/fonts/it's: one.ttf")


async def test_no_caption_without_any_font(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def nothing(text: str) -> None:
        return None

    monkeypatch.setattr(captions, "find_font", nothing)
    assert not await write_caption(["wan"], tmp_path)
