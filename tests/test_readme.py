"""The READMEs, in both languages, match the code."""

import re
from pathlib import Path

import pytest

from gateway.app import all_routes
from gateway.core.settings import Settings
from providers.contract.spec import AnySpec
from providers.dashscope.models import MODELS as DASHSCOPE_MODELS
from providers.jimeng.models import MODELS as JIMENG_MODELS
from providers.jimeng.models import PREFERRED, WITHDRAWN
from providers.registry import PROVIDERS
from providers.sandbox.directives import DIRECTIVES
from tests.readme_tables import rewritten

ROOT = Path(__file__).parent.parent
ENGLISH, CHINESE = ((ROOT / name).read_text("utf-8") for name in ("README.md", "README.zh-CN.md"))

each_language = pytest.mark.parametrize("readme", [ENGLISH, CHINESE], ids=["en", "zh"])


@pytest.mark.parametrize(("language", "readme"), [("en", ENGLISH), ("zh", CHINESE)])
def test_model_tables_match_the_cards(language: str, readme: str) -> None:
    assert rewritten(readme, language) == readme, "run: python -m tests.readme_tables"


@each_language
def test_every_model_of_the_tables_is_named(readme: str) -> None:
    names = [card.name for card in (*JIMENG_MODELS, *WITHDRAWN, *DASHSCOPE_MODELS)]
    assert [name for name in names if not name.startswith("wan2.1-") and f"`{name}`" not in readme] == []


@each_language
def test_default_models_are_named(readme: str) -> None:
    for name in PREFERRED[:5]:
        assert f"`{name}`" in readme or f"`…{name.removeprefix('jimeng-video')}`" in readme


@each_language
def test_every_setting_is_named(readme: str) -> None:
    tables = {"accounts": "[[accounts]]", "providers": "[providers."}
    tables |= {
        name: f"[{name}]" for name in ("aliases", "rotation", "timeouts", "limits", "live", "media", "archive", "api")
    }
    assert [name for name in Settings.model_fields if tables.get(name, f"`{name}`") not in readme] == []


@each_language
@pytest.mark.parametrize("spec", PROVIDERS, ids=lambda spec: spec.name)
def test_every_setting_of_a_provider_is_named(readme: str, spec: AnySpec) -> None:
    assert f"[providers.{spec.name}]" in readme
    tables = {"models": f"[[providers.{spec.name}.models]]"}
    names = [tables.get(name, f"{name}") for name in spec.settings.model_fields]
    assert [name for name in (*names, *spec.environment) if name not in readme] == []


@each_language
def test_named_routes_exist(readme: str) -> None:
    paths = {re.sub(r"\{.*?\}", "{id}", route.path) for route in all_routes()}
    for path in re.findall(r"`(?:GET|POST) (/[^`?]*)", readme):
        assert re.sub(r"\{.*?\}", "{id}", path) in paths, path


@each_language
def test_named_directives_exist(readme: str) -> None:
    known = {row.directive for row in DIRECTIVES}
    for word in re.findall(r"`#([a-z0-9-]+)", readme):
        assert word in known, word


def test_both_languages_have_the_same_code() -> None:
    def blocks(readme: str) -> list[str]:
        return re.findall(r"^```.*?^```", readme, re.MULTILINE | re.DOTALL)

    assert blocks(ENGLISH) == blocks(CHINESE)


def test_wire_watch_names_existing_files() -> None:
    text = (ROOT / "providers" / "README.md").read_text("utf-8")
    for path in re.findall(r"`((?:jimeng|dashscope|modelscope|sandbox)/[\w./]*)`", text):
        assert (ROOT / "providers" / path).exists(), path
    for path, names in re.findall(r"`((?:jimeng|dashscope|modelscope)/[\w/]+\.py)`: ((?:`\w+`(?:, )?)+)", text):
        source = (ROOT / "providers" / path).read_text("utf-8")
        for name in re.findall(r"`(\w+)`", names):
            assert re.search(rf"^(?:class )?{name}\b", source, re.MULTILINE), (path, name)


@each_language
def test_files_and_names_of_the_development_chapter_exist(readme: str) -> None:
    """Paths are relative to the repository, to `gateway/`, to the row's folder, or stand beside a path of the line."""
    _, chapter = re.split(r"^## (?:Development|开发)$", readme, flags=re.MULTILINE)
    code = "\n".join(path.read_text("utf-8") for path in ROOT.glob("*/**/*.py") if ".venv" not in path.parts)
    missing = []
    for line in chapter.splitlines():
        folder = re.match(r"\| `([\w/]+/)`", line)
        roots = [ROOT, ROOT / "gateway", *(ROOT / "providers").iterdir(), *([ROOT / folder[1]] if folder else [])]
        roots += [(ROOT / path).parent for path in re.findall(r"`([\w/]+/\w+\.py)", line)]
        for path, name in re.findall(r"`([\w/.-]+/|[\w/]*\w+\.py)(?::([\w.]+))?`", line):
            found = next((root / path for root in roots if (root / path).exists()), None)
            if found is None or (name and not re.search(rf"\b{name.rpartition('.')[2]}\b", found.read_text("utf-8"))):
                missing.append(f"{path}:{name}")
        for name in re.findall(r"`([A-Z]\w*\.\w+|[A-Z][a-z]+[A-Z]\w+)`", line):
            if not re.search(rf"\b{name.rpartition('.')[2]}\b", code):
                missing.append(name)
    assert missing == []
