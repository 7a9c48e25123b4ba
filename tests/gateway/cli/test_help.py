"""Help texts and completion of every command."""

import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import typer.main

from gateway.cli import main
from gateway.cli.commands import PROGRAM, app
from gateway.cli.examples import EXAMPLES

Out = pytest.CaptureFixture[str]


def commands(group: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that does something, with its path."""
    root: Any = group or typer.main.get_command(app)
    for name, command in root.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


@pytest.mark.parametrize("path", [path for path, _ in commands()], ids=" ".join)
def test_help_has_an_example_and_no_types_of_python(path: tuple[str, ...], capsys: Out) -> None:
    assert main([*path, "--help"]) == 0
    shown = capsys.readouterr().out
    assert f"Example: {PROGRAM} {path[0]}" in shown
    options = shown.partition("\nOptions:\n")[2]
    assert not re.search(r"<\w+( range)?>", options)


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_of_the_help_can_be_parsed(name: str) -> None:
    program, *argv = shlex.split(EXAMPLES[name])
    assert program == PROGRAM
    found = dict(commands())
    path = tuple(name.split())
    rest = argv[len(path) :] if argv[: len(path)] == list(path) else argv[len(path) - 1 :]
    found[path].make_context(name, rest)


def test_list_of_commands_cuts_no_sentence(capsys: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["--help"]) == 0
    assert "..." not in capsys.readouterr().out.partition("Commands:")[2]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("video-gateway sub", "submit"),
        ("video-gateway submit --res", "--resolution"),
        ("video-gateway accounts ch", "check"),
    ],
)
def test_shell_completes(words: str, expected: str, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    monkeypatch.setenv("_VIDEO_GATEWAY_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(words.count(" ")))
    with pytest.raises(SystemExit):
        main([])
    assert capsys.readouterr().out.split() == [expected]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shell_gets_a_script_that_calls_the_program(shell: str, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    monkeypatch.setenv("_VIDEO_GATEWAY_COMPLETE", f"source_{shell}")
    with pytest.raises(SystemExit):
        main([])
    script = capsys.readouterr().out
    assert f"_VIDEO_GATEWAY_COMPLETE=complete_{shell}" in script and "video-gateway" in script


def test_examples_fit_a_line_of_80_columns(monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    """A command that is broken in two cannot be copied."""
    monkeypatch.setenv("COLUMNS", "80")
    for path, _ in commands():
        assert main([*path, "--help"]) == 0
        [line] = [line for line in capsys.readouterr().out.splitlines() if "Example: " in line]
        assert EXAMPLES[" ".join(path)] in line
