"""Which groups of faults each route meets, as a table without an empty cell: `python -m tests.faults --coverage`.

A cell has the number of faults, `jimeng/dashscope` where they differ, or the letter of the reason why there are none.
"""

from collections.abc import Callable, Mapping, Sequence

from tests.faults import catalog
from tests.faults.catalog import UPSTREAMS, Fault
from tests.faults.relay import Stage
from tests.faults.routes import ROUTES, ROWS
from tests.faults.rows import Route

_OWN_WORDS = [
    *catalog.DIRECTED_AFTER,
    *catalog.DIRECTED_BEFORE,
    *catalog.REFUSALS["jimeng"],
    *catalog.REFUSALS["dashscope"],
]

GROUPS: Mapping[str, Sequence[Fault]] = {
    "other answers": catalog.PAGES,
    "bodies": catalog.BODIES,
    "broken HTTP": catalog.FRAMING,
    "silence": catalog.SILENT,
    "lost": catalog.LOST,
    "cut sending": catalog.SENDING,
    "no connection": catalog.UNREACHED,
    "wrong address": catalog.MISLED,
    "proxies": [*catalog.TUNNELS, *catalog.SOCKS, catalog.PROXY_REFUSES],
    "own words": _OWN_WORDS,
}
"""Faults by what goes wrong. Those of one route only, such as redirect loops of files, count as own words."""

REASONS: Mapping[str, str] = {
    "a": "the request has arrived by then: it can no longer fail to be sent",
    "b": "nothing is sent, so nothing is answered",
    "c": "the call and its code are the same as on the submit routes, which meet these faults",
    "d": "the fault is in the answer, and here the answer is the upstream's own",
    "e": "no proxy is on the way",
    "f": "the way to the gateway breaks, not the one to an upstream: what a gateway answers is its own code",
    "g": "a second attempt is shown with a few faults: the first attempt is the route above",
    "h": "the caller's own host or a file: it says nothing in the words of an upstream",
}


def _is_about_connections(route: Route) -> bool:
    return any(word in route.name for word in ("no connection", "proxy fails"))


def _reason(route: Route, group: str) -> str:
    """The letter of the reason why a route meets no fault of a group."""
    found = next((letter for letter, applies in _RULES if applies(route, group)), "")
    assert found, f"no fault of the group {group!r} and no reason: {route.name}"
    return found


_ON_THE_WAY = ("cut sending", "no connection", "wrong address")
_RULES: tuple[tuple[str, Callable[[Route, str], bool]], ...] = (
    ("f", lambda route, group: bool(route.in_front)),
    ("e", lambda route, group: group == "proxies" and route.via == "direct"),
    ("g", lambda route, group: route.times is not None),
    ("b", lambda route, group: _is_about_connections(route)),
    ("a", lambda route, group: route.stage is Stage.AFTER and route.name.endswith("accepted") and group in _ON_THE_WAY),
    ("d", lambda route, group: route.name.endswith("refused")),
    (
        "h",
        lambda route, group: group == "own words" and route.name.startswith(("input", "upload", "content", "archive")),
    ),
    ("c", lambda route, group: True),
)


def table() -> str:
    """The table in Markdown, with the reasons below."""
    lines = [("route", *GROUPS), ("---",) * (len(GROUPS) + 1)]
    names = dict.fromkeys(route.name for route in ROUTES)
    lines += [(_named(name), *(_cell(name, group) for group in GROUPS)) for name in names]
    text = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return text + "\n\n" + "\n".join(f"- **{letter}**: {reason}" for letter, reason in REASONS.items())


def faults() -> tuple[list[Fault], list[Fault], list[Fault]]:
    """The faults that both upstreams meet, and those of Jimeng and of DashScope only."""
    met = [{row.fault.name: row.fault for row in ROWS if row.upstream == upstream} for upstream in UPSTREAMS]
    both = met[0].keys() & met[1].keys()
    jimeng, dashscope = ([fault for name, fault in one.items() if name not in both] for one in met)
    return [met[0][name] for name in both], jimeng, dashscope


def _named(name: str) -> str:
    """The name of a route, with its only upstream."""
    having = [upstream for upstream in UPSTREAMS if _count(name, upstream)]
    return name if len(having) == len(UPSTREAMS) else f"{name} ({having[0]} only)"


def _count(name: str, upstream: str, group: str = "") -> int:
    return sum(
        row.route.name == name and row.upstream == upstream and (not group or _group_of(row.fault) == group)
        for row in ROWS
    )


def _group_of(fault: Fault) -> str:
    return next((group for group, faults in GROUPS.items() if fault in faults), "own words")


def _cell(name: str, group: str) -> str:
    counts = [_count(name, upstream, group) for upstream in UPSTREAMS if _count(name, upstream)]
    if not any(counts):
        return _reason(next(route for route in ROUTES if route.name == name), group)
    return "/".join(map(str, dict.fromkeys(counts)))
