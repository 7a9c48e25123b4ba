"""The README tells the truth of today."""

import re
from pathlib import Path

from gateway.app import ROUTES
from gateway.settings import Settings
from providers.dashscope.models import MODELS as DASHSCOPE_MODELS
from providers.jimeng.models import MODELS as JIMENG_MODELS
from providers.sandbox.outcomes import OUTCOMES

README = (Path(__file__).parent.parent / "README.md").read_text("utf-8")


def test_every_model_of_the_tables_is_named() -> None:
    names = [model.card.name for model in JIMENG_MODELS] + [card.name for card in DASHSCOPE_MODELS]
    told = [name for name in names if not name.startswith(("wan2.1-", "happyhorse-1.0-"))]
    assert [name for name in told if f"`{name}`" not in README] == []


def test_every_setting_is_named() -> None:
    tables = {"aliases": "[aliases]", "models": "[[models]]", "timeouts": "[timeouts]", "limits": "[limits]"}
    assert [name for name in Settings.model_fields if tables.get(name, f"`{name}`") not in README] == []


def test_the_routes_it_names_are_there() -> None:
    paths = {re.sub(r"\{.*?\}", "{id}", route.path) for route in ROUTES}
    for path in re.findall(r"`(?:GET|POST) (/[^`?]*)", README):
        assert path in paths, path


def test_the_words_it_names_do_something() -> None:
    known = {row.word for row in OUTCOMES}
    for word in re.findall(r"`#([a-z0-9-]+)", README):
        assert word in known, word
