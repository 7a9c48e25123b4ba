"""The source of the pages: no outside address, no HTML made of text, every text in both languages, no loose ends."""

import json
import re
from pathlib import Path

import pytest

from gateway.web.assets import FOLDER, MEDIA_TYPES
from gateway.web.home import home_page

FILES = sorted(path for path in FOLDER.rglob("*") if path.is_file())
SCRIPTS = [path for path in FILES if path.suffix == ".js"]
NAMESPACES = ("http://www.w3.org/2000/svg",)

each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(FOLDER).as_posix())
each_script = pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.relative_to(FOLDER).as_posix())


def texts(language: str) -> dict[str, str]:
    """The texts of all pages. No two of them have a key with different texts."""
    found: dict[str, str] = {}
    for path in sorted(FOLDER.glob(f"*/texts.{language}.js")):
        source = path.read_text("utf-8")
        own: dict[str, str] = json.loads(source[source.index("{") : source.rindex("}") + 1])
        assert not found.keys() & own.keys(), path
        found |= own
    return found


def used_texts() -> set[str]:
    """Keys that stand in the source: arguments of `t`, and in tables whatever begins like a key."""
    groups = "|".join({key.partition(".")[0] for key in texts("en")})
    found: set[str | tuple[str, str]] = set()
    for path in FILES:
        source = path.read_text("utf-8")
        if path.suffix == ".html":
            found |= set(re.findall(r"data-t(?:-label|-placeholder)?=\"([^\"]+)\"", source))
        elif path.suffix == ".js" and not path.name.startswith("texts."):
            found |= set(re.findall(rf"\bt\(\"([^\"]+)\"|\"((?:{groups})(?:\.[a-z_]+)+)\"", source))
    return {key for keys in found for key in ((keys,) if isinstance(keys, str) else keys) if key}


@each_file
def test_file_is_served(path: Path) -> None:
    assert path.suffix in MEDIA_TYPES


@each_file
def test_file_asks_nobody_else(path: Path) -> None:
    addresses = re.findall(r"(?:https?:)?//[a-z0-9][\w.-]*\.[a-z]{2,}[^\s\"'`)]*", path.read_text("utf-8"))
    assert [one for one in addresses if one not in NAMESPACES] == []


@each_script
def test_script_makes_no_html_and_no_code_of_text(path: Path) -> None:
    forbidden = (
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment|"
        r"\beval\(|new Function|setAttribute\(\"style\"|\.style\s*="
    )
    assert re.findall(forbidden, path.read_text("utf-8")) == []


@each_script
def test_script_imports_what_there_is(path: Path) -> None:
    source = path.read_text("utf-8")
    for names, target in re.findall(r"^import (.+?) from \"([^\"]+)\"", source, re.MULTILINE):
        imported = (path.parent / target).resolve()
        assert imported.is_file(), target
        exported = imported.read_text("utf-8")
        for name in re.findall(r"\w+", re.sub(r"(\w+) as \w+", r"\1", names)) if names.startswith("{") else []:
            assert re.search(rf"export (?:async )?(?:const|let|function\*?|class) {name}\b", exported), (
                f"{name} of {target}"
            )
            assert len(re.findall(rf"\b{name}\b", source)) > 1, f"{name} of {target} is not used"


@each_file
def test_file_is_short(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= 400


def test_languages_have_the_same_texts() -> None:
    chinese, english = texts("zh"), texts("en")
    assert chinese.keys() == english.keys()
    for key, text in chinese.items():
        assert sorted(re.findall(r"\{\w+\}", text)) == sorted(re.findall(r"\{\w+\}", english[key])), key
        assert any("一" <= character <= "鿿" for character in text), key


def test_every_used_text_exists_and_every_text_is_used() -> None:
    known, used = texts("en").keys(), used_texts()
    assert used - known == set()
    # Roles are keys of /v1/models; states, actions and columns are those of /v1/accounts.
    looked_up = ("role.", "state.", "action.", "accounts.")
    assert {key for key in known - used if not key.startswith(looked_up)} == set()


def test_icons_that_are_used_exist() -> None:
    drawn = set(re.findall(r"<symbol id=\"([\w-]+)\"", (FOLDER / "shared" / "icons.svg").read_text("utf-8")))
    used = {name for path in SCRIPTS for name in re.findall(r"icon\(\"([\w-]+)\"\)", path.read_text("utf-8"))}
    assert used and used <= drawn


def test_styles_are_used() -> None:
    """A class without an element is a leftover."""
    source = "".join(path.read_text("utf-8") for path in FILES if path.suffix in (".js", ".html"))
    source += home_page("en", "")
    for path in FILES:
        if path.suffix == ".css":
            rules = re.sub(r"/\*.*?\*/|\{[^{}]*\}|\"[^\"]*\"", "{}", path.read_text("utf-8"), flags=re.DOTALL)
            for name in set(re.findall(r"\.([a-z][\w-]*)", rules)):
                assert name in source, f".{name} of {path.name}"
