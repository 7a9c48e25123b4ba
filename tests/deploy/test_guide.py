"""The operating guide names files, settings and commands that exist."""

import re

from typer.testing import CliRunner

from gateway.cli.commands import app
from gateway.core.settings import Settings
from providers.registry import PROVIDERS
from tests.deploy.paths import DEPLOY, ROOT

GUIDE = (DEPLOY / "README.md").read_text("utf-8")


def test_links_lead_to_files() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", GUIDE)
    assert len(links) > 10
    assert [link for link in links if not (DEPLOY / link).exists()] == []


def test_named_files_of_the_folder_exist() -> None:
    # .env is what the reader makes.
    named = {name.rstrip(".'`") for name in re.findall(r"deploy/[\w./@-]+", GUIDE)} - {"deploy/.env"}
    assert named and [name for name in named if not (ROOT / name).exists()] == []


def test_every_way_to_run_it_is_described() -> None:
    ways = {path.name for path in DEPLOY.iterdir() if path.is_dir()} - {"screenshots"}
    assert [name for name in ways if f"{name}/" not in GUIDE] == []


def test_named_variables_exist() -> None:
    known = {f"GATEWAY_{name.upper()}" for name in Settings.model_fields} | {
        name for spec in PROVIDERS for name in spec.environment
    }
    known |= {"GATEWAY_CONFIG", "GATEWAY_KEY"}
    assert set(re.findall(r"\b(?:GATEWAY|JIMENG|DASHSCOPE)_\w+", GUIDE)) <= known


def test_named_commands_and_their_options_exist() -> None:
    for line in re.findall(r"video-gateway ((?:serve|sandbox|accounts|archive)\b[^`\n#|]*)", GUIDE):
        command, *rest = line.split()
        described = CliRunner().invoke(app, [command, "--help"]).output
        assert [word for word in rest if word.startswith("--") and word not in described] == []
