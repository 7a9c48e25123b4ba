"""The fault table as text."""

from collections.abc import Sequence

from tests.faults.runner import Judged

_HEAD = ("upstream", "route", "fault", "answer", "charges", "the same request afterwards", "recovery", "")


def as_table(judged: Sequence[Judged]) -> str:
    """A line for each row; a violation follows in a line of its own. Columns are as wide as their widest cell."""
    lines = [_HEAD, *(_cells(one) for one in judged)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEAD))]
    text = []
    for line, one in zip(lines, (None, *judged), strict=True):
        text.append("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
        text += [f"    {problem}" for problem in (one.problems if one is not None else ())]
    return "\n".join(text)


def summary(judged: Sequence[Judged]) -> str:
    """How many rows there are, and how many of them violate what."""
    failed = sum(bool(one.problems) for one in judged)
    twice = sum(one.outcome.charges > 1 for one in judged)
    rows = ", ".join(
        f"{upstream} {sum(one.row.upstream == upstream for one in judged)}"
        for upstream in dict.fromkeys(one.row.upstream for one in judged)
    )
    return f"{len(judged)} rows ({rows}): {twice} with more than one charge, {failed} not as expected"


def _cells(one: Judged) -> tuple[str, ...]:
    outcome, row = one.outcome, one.row
    return (
        row.upstream,
        row.route.name,
        row.fault.name,
        outcome.answer,
        str(outcome.charges),
        outcome.repeated,
        ", ".join(outcome.recovery),
        "FAILED" if one.problems else "ok",
    )
