"""The command line: usage, exit codes and the printed configuration."""

import importlib.metadata
import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.cli import main
from gateway.cli.server.configuration import toml_lines

VERSION = importlib.metadata.version("video-gateway")


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """`serve` leaves its options in the environment, for its workers."""
    before = dict(os.environ)
    monkeypatch.chdir(tmp_path)
    yield
    os.environ.clear()
    os.environ.update(before)


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"video-gateway {VERSION}\n"


def test_module_is_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "gateway", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"video-gateway {VERSION}\n"


def test_without_a_command_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    shown = capsys.readouterr().out
    for command in (
        "serve",
        "demo",
        "sandbox",
        "submit",
        "status",
        "watch",
        "cancel",
        "download",
        "models",
        "accounts",
        "config",
    ):
        assert f"\n  {command} " in shown


@pytest.mark.parametrize(
    "command",
    ["serve", "demo", "sandbox", "submit", "status", "watch", "cancel", "download", "models", "accounts", "config"],
)
def test_help_of_every_command_names_every_option(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"Usage: video-gateway {command}")
    assert "--help" in shown


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["sreve"], "no such command 'sreve'. Did you mean 'serve'? (see video-gateway --help)"),
        (["xyz"], "no such command 'xyz' (see video-gateway --help)"),
        (["serve", "--prot", "1"], "no such option: --prot"),
        (["serve", "--port", "many"], "invalid value for '--port'"),
        (["serve", "--port", "70000"], "invalid value for '--port'"),
        (["serve", "--workers", "0"], "invalid value for '--workers'"),
        (["serve", "extra"], "extra"),
        (["submit"], "missing argument 'PROMPT' (see video-gateway submit --help)"),
        (["status"], "missing argument"),
        (["submit", "a cat"], "a key is required: use --key or set GATEWAY_KEY"),
        (["status", "1", "--key", "sk-“x”"], "the key has characters that no key has"),
        (["models", "--key", "k", "--url", "ftp://there"], "--url ftp://there"),
        (["models", "--key", "k", "--url", "http://"], "--url http://"),
        (["models", "--key", "k", "--url", "http://a:b:c"], "--url http://a:b:c"),
        (["submit", "a cat", "--key", "k", "--option", "novalue"], "--option novalue: must be name=value"),
        (["submit", "a cat", "--key", "k", "--field", "=5"], "--field =5: must be name=value"),
        (["submit", "a \udcff cat", "--key", "k"], "not valid text"),
        (
            ["submit", "a cat", "--key", "k", "--image", "cat.png"],
            "--image cat.png: no such file, and not an https:// URL",
        ),
        (["submit", "a cat", "--key", "k", "--last-frame", "."], "--last-frame .: no such file"),
        (["submit", "a cat", "--key", "k", "--image", "4AAQ" * 99], "4AAQ…: File name too long"),
        (["submit", "a cat", "--key", "k", *["--video", "https://a/v.mp4"] * 4], "--video: at most 3 are allowed"),
        (["download"], "missing argument 'ID' (see video-gateway download --help)"),
        (["download", "7"], "a key is required"),
        (["download", "7", "--key", "k", "-o", "no/where.mp4"], "-o no/where.mp4: no such directory: no"),
        (["download", "7", "--key", "k", "-o", "4AAQ" * 99], "4AAQ: File name too long"),
        (["download", "7", "--key", "k", "-o", "/dev/null"], "/dev/null is not a regular file"),
        (["serve", "--config", "missing.toml"], "configuration: missing.toml does not exist"),
        (["config", "--config", "missing.toml"], "configuration: missing.toml does not exist"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(
    argv: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(argv) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert message in err


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (b"prot = 5", "prot: unknown key"),
        (b"port = 'x'", "port: "),
        (b"port = ", "gateway.toml"),
        (b"port = '\xff'", "not UTF-8"),
    ],
)
def test_invalid_file_is_one_line_and_exit_code_2(
    file: bytes, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "gateway.toml").write_bytes(file)
    assert main(["config"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: configuration: ")
    assert err.count("\n") == 1
    assert message in err


def test_invalid_environment_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("GATEWAY_ALIASES", "no json")
    assert main(["config"]) == 2
    assert capsys.readouterr().err.startswith("error: configuration: ")


def test_configuration_is_printed_without_secrets(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(
        'port = 6000\nadmin_key = "hush-admin"\n[aliases]\n"sora-2" = "jimeng-video-3.0-fast"\n'
        '[[models]]\nname = "n"\nkey = "k"\nbenefit_type = "b"\n[timeouts]\nread = 9\n'
        '[media]\nnetworks = ["10.1.0.0/16"]\n'
    )
    monkeypatch.setenv("JIMENG_TOKENS", "hush-session,socks5://me:hush@proxy:1@hush-other")
    monkeypatch.setenv("GATEWAY_KEYS", "bob:gw-hush")
    monkeypatch.setenv("DASHSCOPE_BASE_URL", "http://me:hush@there/api")

    assert main(["config", "--config", str(file), "--json"]) == 0
    as_json = capsys.readouterr().out
    shown = json.loads(as_json)
    assert shown["port"] == 6000
    assert shown["timeouts"]["read"] == 9
    assert shown["providers"]["jimeng"]["models"][0]["key"] == "k"
    assert shown["providers"]["dashscope"]["base_url"] == "http://***@there/api"
    assert shown["media"]["networks"] == ["10.1.0.0/16"]

    assert main(["config", "--config", str(file)]) == 0
    as_toml = capsys.readouterr().out
    assert "hush" not in as_json + as_toml
    assert "# providers.jimeng.base_url is not set" in as_toml
    read = tomllib.loads(as_toml)
    assert read == _without_nothing(shown)


def _without_nothing(table: dict[str, Any]) -> dict[str, Any]:
    """Unset values are comments in TOML."""
    present = {name: value for name, value in table.items() if value is not None}
    return {name: _without_nothing(value) if isinstance(value, dict) else value for name, value in present.items()}


def test_toml_keys_are_quoted_where_necessary() -> None:
    table = {"a.b": {"c d": {"e": "“q”\n"}}, "empty": {}, "list": [{"x": None, "y-1": 2}]}
    lines = list(toml_lines(table))
    assert tomllib.loads("\n".join(lines)) == {
        "a.b": {"c d": {"e": "“q”\n"}},
        "empty": {},
        "list": [{"y-1": 2}],
    }


def test_interrupt_exits_with_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(*args: object, **more: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("gateway.cli.server.configuration.show_configuration", interrupted)
    assert main(["config"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_commands_import_only_what_they_need() -> None:
    code = (
        "import sys; from gateway.cli import main; main(['--version'])\n"
        "print(*sorted({'rich', 'httpx', 'uvicorn', 'aiohttp', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[1:] == [""]
