"""The source itself: style, formatting and types are part of the tests, so that one command says it all."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from providers.registry import PROVIDERS

ROOT = Path(__file__).parent.parent


# Types take half a minute where nothing is cached, and several times that on a busy machine.
@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    "command",
    [
        ["-m", "ruff", "check", "."],
        ["-m", "ruff", "format", "--check", "."],
        ["-m", "mypy"],
        ["-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"],
    ],
    ids=["lint", "format", "types", "imports"],
)
def test_source_passes_lint_format_and_types(command: list[str]) -> None:
    done = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_gateway_names_no_provider() -> None:
    names = {"modelscope", *(name for spec in PROVIDERS for name in (spec.name, spec.title.lower()))}
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in sorted((ROOT / "gateway").rglob("*"))
        if path.is_file() and path.suffix not in (".pyc", ".md")
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if any(name in line.lower() for name in names)
    ]
    assert found == []


def test_no_module_holds_an_exception() -> None:
    """One that is raised again keeps the traceback of each time, and all that its frames hold."""
    for path in (file for folder in ("gateway", "providers") for file in (ROOT / folder).rglob("*.py")):
        for statement in ast.parse(path.read_text("utf-8")).body:
            value = statement.value if isinstance(statement, ast.Assign | ast.AnnAssign) else None
            named = value.func if isinstance(value, ast.Call) else None
            name = named.id if isinstance(named, ast.Name) else named.attr if isinstance(named, ast.Attribute) else ""
            assert not name.endswith(("Error", "Exception")), f"{path.relative_to(ROOT)}: {ast.unparse(statement)}"
