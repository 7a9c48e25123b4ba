"""Tables on terminals of every width."""

import io
import sys
from collections.abc import Sequence

import pytest
from rich.cells import cell_len
from rich.console import Console

from gateway.cli import output
from gateway.cli.output import print_table

Out = pytest.CaptureFixture[str]

COLUMNS = ("name", "provider", "region", "state", "paused until", "running", "last error")
ROWS = [
    ("main", "jimeng", "", "too_many_running", "16:39", "1/2", "16:38 Too many tasks are running; wait until one ends"),
    ("备用账号二号", "dashscope", "", "expired", "", "0", "16:39 登录已过期，请重新登录后更新凭证"),
    ("x" * 30, "jimeng", "", "ready", "", "0", ""),
]


def shown(width: int, columns: Sequence[str] = COLUMNS, rows: Sequence[Sequence[str]] = ROWS) -> list[str]:
    text = io.StringIO()
    Console(file=text, width=width, highlight=False).print(output._table(columns, rows, width))
    return [line.rstrip() for line in text.getvalue().splitlines()]


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120, 200])
def test_every_name_and_state_is_whole_and_every_word_of_the_last_column_is_there(width: int) -> None:
    lines = shown(width)
    assert all(cell_len(line) <= width for line in lines)
    for row in ROWS:
        for cell in row[:-1]:
            assert any(cell in line for line in lines), cell
    joined = "".join("".join(lines).split())
    for *_, last in ROWS:
        assert set("".join(last.split())) <= set(joined)
    assert "…" not in joined


@pytest.mark.parametrize(("width", "rows_are_lines"), [(60, False), (120, True)])
def test_row_is_one_line_where_there_is_room_and_else_a_block(width: int, rows_are_lines: bool) -> None:
    lines = shown(width, rows=ROWS[:1])
    assert (lines[0].split()[0] == "name") == rows_are_lines
    assert any(line.startswith("main") and "jimeng" in line for line in lines) == rows_are_lines


def test_column_without_a_value_is_left_out() -> None:
    assert "region" not in "\n".join(shown(200))
    assert "region" in shown(200, rows=[])[0]


def test_pipe_gets_whole_lines_with_all_columns(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(COLUMNS, ROWS)
    assert capsys.readouterr().out.splitlines() == ["\t".join(row) for row in (COLUMNS, *ROWS)]


def test_cells_cannot_control_the_terminal_or_add_lines(monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    hostile = "\x1b[31mred[bold]\x07\nnext\tline"
    shown_text = "\n".join(shown(120, ("name", "state"), [(hostile, "ready")]))
    assert "\x1b" not in shown_text
    assert "red[bold]\ufffd next line  ready" in shown_text
    for stream in (sys.stdout, sys.stderr):
        monkeypatch.setattr(stream, "isatty", lambda: True)
    output.print_result(hostile)
    output.print_message(hostile)
    assert "\x1b" not in "".join(capsys.readouterr())
