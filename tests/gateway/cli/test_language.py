"""The program in Chinese: every text has its Chinese, and no line has two languages."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

import gateway.cli
from gateway.cli import main
from gateway.cli.commands import app
from gateway.cli.errors import CommandError
from gateway.cli.help import width_of, wrap
from gateway.cli.language import localize, terminal_language, translators
from gateway.cli.output import print_error, print_table
from tests.gateway.cli.test_help import commands

Out = pytest.CaptureFixture[str]

PRINTING = {"CommandError", "ResponseError", "print_message", "note", "_note", "__init__", "localize", "_saying"}
VARIABLES = {"message", "text", "_NO_ARCHIVE"}
LETTERS = re.compile(r"[A-Za-z]{2,}")
SENTENCE = re.compile(r"[a-z]{2,} [a-z]{2,}")
ENGLISH = {"probe_report", "announcement", "graceful_stop"}
"""Files that write reports for maintainers, and log lines, which are English everywhere."""
QUOTES = {"configuration: {}", "the archive: {}", "--webhook {}: {}", "{}{} (see {} --help)"}
"""Lines that quote an English text of another part: they are translated with its text or not at all."""
SOURCES = [path for path in Path(gateway.cli.__file__).parent.rglob("*.py") if path.stem not in ENGLISH]


@pytest.fixture
def chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")


def template(node: ast.expr) -> str | None:
    """The text of a literal, with `{}` for what is filled in; None for another expression."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return None


def messages(path: Path) -> Iterator[str]:
    """What a file prints as messages or raises as errors."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        for expression in printed(node):
            text = template(expression)
            # A message of names and punctuation is the same in every language.
            if text is not None and LETTERS.search(text.replace("{}", "")):
                yield text


def printed(node: ast.AST) -> list[ast.expr]:
    """The expressions of a node that are messages."""
    if isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        hints = [word.value for word in node.keywords if word.arg == "hint"]
        return [*node.args[:1], *hints] if name in PRINTING else []
    if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in VARIABLES:
        return [node.value]
    if isinstance(node, ast.FunctionDef) and node.name.endswith(("_message", "_hint")):
        return [one.value for one in ast.walk(node) if isinstance(one, ast.Return) and one.value is not None]
    return []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_every_message_has_its_chinese(path: Path) -> None:
    known = translators()["messages"]

    def is_known(text: str) -> bool:
        return text in QUOTES or known.text(text.replace("{}", "X")) is not None

    assert [text for text in messages(path) if not is_known(text)] == []


def help_texts(command: Any) -> Iterator[str]:
    yield from filter(None, (command.help, command.epilog, *(getattr(one, "help", "") for one in command.params)))
    for below in getattr(command, "commands", {}).values():
        yield from help_texts(below)


def test_every_text_of_the_help_has_its_chinese() -> None:
    known = translators()["help"]
    paragraphs = [part for text in help_texts(typer.main.get_command(app)) for part in text.split("\n\n")]
    assert len(paragraphs) > 80
    assert [part for part in paragraphs if known.text(part) is None] == []


@pytest.mark.parametrize("path", [path for path, _ in commands()], ids=" ".join)
def test_help_is_chinese_line_by_line_and_fits_80_columns(
    path: tuple[str, ...], chinese: None, monkeypatch: pytest.MonkeyPatch, capsys: Out
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main([*path, "--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("用法：video-gateway ")
    assert [line for line in lines if width_of(line) > 80] == []
    assert [line for line in lines if SENTENCE.search(line.partition("video-gateway")[0])] == []


@pytest.mark.parametrize(
    ("argv", "shown"),
    [
        (["sreve"], "错误：没有命令 'sreve'，是否要用 'serve'？（见 video-gateway --help）\n"),
        (["submit"], "错误：缺少参数 'PROMPT'（见 video-gateway submit --help）\n"),
        (["models", "x"], "错误：多余的参数：x（见 video-gateway models --help）\n"),
        (["sandbox", "--port", "x"], "错误：'--port' 的值无效：必须是整数（见 video-gateway sandbox --help）\n"),
        (
            ["sandbox", "--port", "70000"],
            "错误：'--port' 的值无效：不能大于 65535（见 video-gateway sandbox --help）\n",
        ),
        (["models", "--key"], "错误：选项 '--key' 需要一个值（见 video-gateway --help）\n"),
        (["models"], "错误：缺少凭证：请用 --key 或环境变量 GATEWAY_KEY 提供网关密钥或上游凭证\n"),
        (["models", "--key", "k", "--url", "http://"], "错误：--url http://：应为 URL，例如 http://127.0.0.1:5100\n"),
        (["submit", "x", "--key", "k", "--image", "a.png"], "错误：--image a.png：没有该文件，也不是 https:// 链接\n"),
        (["submit", "x", "--key", "k", "-o", "no/a"], "错误：-o no/a：没有目录 no\n"),
        (["archive", "--dry-run"], "错误：--dry-run 须与 --prune 同用\n"),
        (["config", "--config", "none.toml"], "error: configuration: none.toml does not exist\n"),
    ],
)
def test_error_is_one_line_of_one_language(
    argv: list[str], shown: str, chinese: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(argv) == 2
    assert capsys.readouterr().err == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("port 80 on 0.0.0.0 needs more privileges: choose one above 1023 with --port", "端口 80（0.0.0.0）"),
        (
            "port 5100 on ::1 is already in use: stop the process that uses it, or choose another with --port",
            "端口 5100",
        ),
        ("cat.mp4.part has 1,024 bytes: the same command resumes the download", "重新执行同一命令可继续下载"),
        ("cat.mp4 cannot be written: No space left on device", "无法写入 cat.mp4：磁盘空间不足"),
        ("cat.mp4: Permission denied", "cat.mp4：没有权限"),
    ],
)
def test_message_is_translated_with_what_it_quotes(text: str, shown: str, chinese: None) -> None:
    assert shown in localize(text)


def test_unknown_text_stays_english_with_its_prefix(chinese: None, capsys: Out) -> None:
    print_error(CommandError("no such text", hint="nor this"))
    assert capsys.readouterr().err == "error: no such text\nhint: nor this\n"


@pytest.mark.parametrize(
    ("variables", "language"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_TW"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": ""}, "zh"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
    ],
)
def test_language_is_that_of_the_messages_of_the_locale(
    variables: dict[str, str], language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert terminal_language() == language


def test_lines_break_between_chinese_characters_and_never_before_their_punctuation() -> None:
    assert list(wrap("一二三，四五（video）六。", 8)) == ["一二三，", "四五", "（video）", "六。"]
    assert list(wrap("one two three", 8)) == ["one two", "three"]
    assert list(wrap("x" * 20 + " 尾", 8)) == ["x" * 20, "尾"]


def test_table_has_chinese_headings_on_a_terminal_only(
    chinese: None, monkeypatch: pytest.MonkeyPatch, capsys: Out
) -> None:
    print_table(("name", "state"), [("main", "ready")])
    assert capsys.readouterr().out == "name\tstate\nmain\tready\n"
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    print_table(("name", "state"), [("main", "ready")])
    shown = capsys.readouterr().out
    assert "账号" in shown and "状态" in shown and "name" not in shown
