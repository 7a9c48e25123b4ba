"""What messages tell people to install is what the package's extras install."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
_HINT = re.compile(r"pip install ([^\"`]+)")


def test_install_hints_name_packages_of_the_extras() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = {
        name: {Requirement(text).name for text in texts} for name, texts in project["optional-dependencies"].items()
    }
    hints = {
        hint
        for folder in ("gateway", "providers")
        for path in (ROOT / folder).rglob("*.py")
        for hint in _HINT.findall(path.read_text("utf-8"))
    }
    packages = {hint: set(hint.split()) for hint in hints}
    assert len(packages) >= 3
    assert [hint for hint, names in packages.items() if names not in extras.values()] == []
