"""The READMEs, in both languages, match the code and each other."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.app import all_routes
from gateway.core.errors import ERROR_SPECS
from gateway.core.settings import Settings
from providers.contract.spec import AnySpec
from providers.dashscope.models import MODELS as DASHSCOPE_MODELS
from providers.jimeng.models import MODELS as JIMENG_MODELS
from providers.jimeng.models import PREFERRED, WITHDRAWN
from providers.registry import PROVIDERS
from providers.sandbox.directives import DIRECTIVES
from tests.readme_tables import FILES, rewritten

ROOT = Path(__file__).parent.parent
PAIRS = [("README.md", "README.zh-CN.md"), ("gateway/README.md", "gateway/README.zh-CN.md")]
OPERATING = ("deploy/README.md", "deploy/README.zh-CN.md")
CHINESE = (*(chinese for _, chinese in PAIRS), OPERATING[1])
DOCUMENTS = (
    *(name for pair in PAIRS for name in pair),
    *OPERATING,
    "providers/README.md",
    "providers/sandbox/README.md",
    "tests/bench/README.md",
    "tests/faults/README.md",
    "tests/faults/README.zh-CN.md",
    "CHANGELOG.md",
)
MAX_BYTES = 12_288
"""Of the first page. More belongs into one of the documents that it links to."""

each_document = pytest.mark.parametrize("name", DOCUMENTS)


def read(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def blocks(text: str) -> list[str]:
    return re.findall(r"^```.*?^```", text, re.MULTILINE | re.DOTALL)


def anchors(text: str) -> set[str]:
    """Those that GitHub gives to the headings, outside of code."""
    for block in blocks(text):
        text = text.replace(block, "")
    titles = (re.sub(r"\[(.*?)\]\(.*?\)", r"\1", title) for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def broken_links(name: str) -> Iterator[str]:
    folder = (ROOT / name).parent
    for target in re.findall(r"\]\(([^)\s]+)\)", read(name)):
        path, _, anchor = target.partition("#")
        if re.match(r"https?:", target):
            continue
        file = (folder / path).resolve() if path else ROOT / name
        if not file.exists() or (anchor and anchor not in anchors(file.read_text("utf-8"))):
            yield target


@each_document
def test_links_lead_to_files_and_headings(name: str) -> None:
    assert list(broken_links(name)) == []


def test_every_document_is_checked() -> None:
    found = {str(path.relative_to(ROOT)) for path in ROOT.glob("*.md")}
    for folder in ("gateway", "providers", "deploy", "tests"):
        found |= {str(path.relative_to(ROOT)) for path in (ROOT / folder).rglob("*.md")}
    assert found == set(DOCUMENTS)


@pytest.mark.parametrize("name", PAIRS[0])
def test_first_page_is_short(name: str) -> None:
    assert len(read(name).encode()) <= MAX_BYTES


@pytest.mark.parametrize("name", FILES)
def test_tables_match_the_code(name: str) -> None:
    assert rewritten(read(name), name) == read(name), "run: python -m tests.readme_tables"


def test_every_model_of_the_tables_is_named() -> None:
    names = [card.name for card in (*JIMENG_MODELS, *WITHDRAWN, *DASHSCOPE_MODELS)]
    text = read("providers/README.md")
    assert [name for name in names if not name.startswith("wan2.1-") and f"`{name}`" not in text] == []


@pytest.mark.parametrize("name", ["providers/README.md", "gateway/README.zh-CN.md"])
def test_default_models_are_named(name: str) -> None:
    text = read(name)
    for model in PREFERRED[:5]:
        assert f"`{model}`" in text or f"`…{model.removeprefix('jimeng-video')}`" in text


@pytest.mark.parametrize("name", OPERATING)
def test_every_setting_is_named(name: str) -> None:
    text = read(name)
    tables = {"accounts": "[[accounts]]", "providers": "[providers."}
    tables |= {
        name: f"[{name}]"
        for name in ("aliases", "rotation", "timeouts", "limits", "live", "media", "archive", "api", "key_limits")
    }
    assert [name for name in Settings.model_fields if tables.get(name, f"`{name}`") not in text] == []


@pytest.mark.parametrize("name", OPERATING)
@pytest.mark.parametrize("spec", PROVIDERS, ids=lambda spec: spec.name)
def test_every_setting_of_a_provider_is_named(name: str, spec: AnySpec) -> None:
    text = read(name)
    assert f"[providers.{spec.name}]" in text
    tables = {"models": f"[[providers.{spec.name}.models]]"}
    names = [tables.get(setting, setting) for setting in spec.settings.model_fields]
    assert [name for name in (*names, *spec.environment) if name not in text] == []


@pytest.mark.parametrize("name", PAIRS[1])
def test_every_error_code_is_listed_with_its_status(name: str) -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\d{3}) \| (\S*) ?\| \S", read(name), re.MULTILINE)
    assert {code: (int(status), bool(retry)) for code, status, retry in rows} == {
        code: (spec.status, spec.should_retry) for code, spec in ERROR_SPECS.items()
    }


@pytest.mark.parametrize("name", PAIRS[0])
def test_troubleshooting_names_existing_codes(name: str) -> None:
    rows = re.findall(r"^\| (\d{3}) `(\w+)`", read(name), re.MULTILINE)
    assert len(rows) >= 3
    assert [code for status, code in rows if ERROR_SPECS[code].status != int(status)] == []


@each_document
def test_named_routes_exist(name: str) -> None:
    paths = {re.sub(r"\{.*?\}", "{id}", route.path) for route in all_routes()}
    for path in re.findall(r"`(?:GET|POST) (/[^`?]*)", read(name) if name != "CHANGELOG.md" else ""):
        assert re.sub(r"\{.*?\}", "{id}", path) in paths, path


@pytest.mark.parametrize("name", ["providers/sandbox/README.md"])
def test_named_directives_exist(name: str) -> None:
    known = {row.directive for row in DIRECTIVES}
    named = re.findall(r"`#([a-z0-9-]+)", read(name))
    assert len(named) > 30
    assert [word for word in named if word not in known] == []


@pytest.mark.parametrize(("english", "chinese"), PAIRS, ids=["first page", "api"])
def test_both_languages_have_the_same_code(english: str, chinese: str) -> None:
    assert blocks(read(english)) == blocks(read(chinese))


def test_both_guides_have_the_same_code_for_operating() -> None:
    _, operating = re.split(r"^## Operating$", read(OPERATING[0]), flags=re.MULTILINE)
    assert blocks(operating) == blocks(read(OPERATING[1]))


@pytest.mark.parametrize("name", CHINESE)
def test_bold_text_of_the_chinese_documents_is_rendered(name: str) -> None:
    """CommonMark: a closing `**` after punctuation is followed by a blank or punctuation; an opening one likewise."""
    text = read(name)
    for block in blocks(text):
        text = text.replace(block, "")
    for line in re.sub(r"`[^`]*`", "x", text).splitlines():
        for before, inner, after in re.findall(r"(^|.)\*\*(.+?)\*\*(.|$)", line):
            assert not (re.match(r"[^\w\s]", inner[-1]) and re.match(r"\w", after)), line
            assert not (re.match(r"[^\w\s]", inner[0]) and re.match(r"\w", before)), line


@pytest.mark.parametrize("name", CHINESE)
def test_chinese_documents_have_one_word_for_each_secret(name: str) -> None:
    """凭证 is what an upstream gives, 密钥 what the gateway gives."""
    assert re.findall(r"(?:DashScope|即梦|ModelScope|上游|平台)\s?的?\s?密钥|认证令牌", read(name)) == []


@pytest.mark.parametrize("name", PAIRS[0])
def test_figures_of_the_first_page_are_measured_ones(name: str) -> None:
    measured = read("tests/bench/README.md")
    [reasons] = re.findall(r"^## (?:Why|为什么用它)$(.*?)^!", read(name), re.MULTILINE | re.DOTALL)
    figures = set(re.findall(r"(?<![\w.])\d[\d,.]*\d\b", reasons)) - {"429"}
    assert {"8,455", "149", "4.5", "500", "1,000"} <= figures
    assert [figure for figure in figures if not re.search(rf"(?<![\d,.]){re.escape(figure)}\b", measured)] == []


@pytest.mark.parametrize("name", PAIRS[0])
def test_commands_of_the_first_page_name_existing_files(name: str) -> None:
    named = re.findall(r"deploy/[\w./@-]+", read(name))
    assert len(named) > 5
    assert [path for path in named if not (ROOT / path.rstrip(".")).exists()] == []


def test_wire_watch_names_existing_files() -> None:
    text = read("providers/README.md")
    for path in re.findall(r"`((?:jimeng|dashscope|modelscope|sandbox)/[\w./]*)`", text):
        assert (ROOT / "providers" / path).exists(), path
    for path, names in re.findall(r"`((?:jimeng|dashscope|modelscope)/[\w/]+\.py)`: ((?:`\w+`(?:, )?)+)", text):
        source = (ROOT / "providers" / path).read_text("utf-8")
        for name in re.findall(r"`(\w+)`", names):
            assert re.search(rf"^(?:class )?{name}\b", source, re.MULTILINE), (path, name)


@pytest.mark.parametrize("name", PAIRS[1])
def test_files_and_names_of_the_development_chapter_exist(name: str) -> None:
    """Paths are relative to the repository, to `gateway/`, to the row's folder, or stand beside a path of the line."""
    _, chapter = re.split(r"^## (?:Development|开发)$", read(name), flags=re.MULTILINE)
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
