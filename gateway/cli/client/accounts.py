"""`accounts`: what the gateway's operator does with its accounts, from a shell."""

import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

from gateway.cli.client.gateway_client import BrokenAnswerError, GatewayClient, RefusedError
from gateway.cli.errors import CommandError
from gateway.cli.output import give, give_table, say

_COLUMNS = (
    *("name", "provider", "region", "state", "rests until"),
    *("running", "submitted", "failed", "credits", "last error"),
)
_NOT_OFFERED = "not_supported"
"""What the gateway answers where an upstream has no such thing."""


_AT_ONCE = 4

T = TypeVar("T")


class Told(NamedTuple):
    """What an action came to: cells for its columns, whether that is a failure, and why."""

    cells: tuple[str, ...]
    failed: bool = False
    message: str = ""


class Action(NamedTuple):
    """Something that can be asked of every account: its word in the path, its columns and how its answer is read.

    `unknown` stands in the first column for an account that could not be asked.
    """

    word: str
    columns: tuple[str, ...]
    read: Callable[[Mapping[str, Any]], Told]
    unknown: str = ""


def list_accounts(client: GatewayClient, *, as_json: bool) -> int:
    """Print how the accounts stand. Gives the exit code."""
    answer = client.accounts()
    if as_json:
        give(answer.text)
        return 0
    with _of_the_gateway():
        rows = [_row(account, time.time()) for account in answer.body["data"]]
    give_table(_COLUMNS, rows, whole=True)
    if not rows:
        _say_there_are_none()
    return 0


def ask_each(client: GatewayClient, action: Action, names: Sequence[str], *, as_json: bool) -> int:
    """Do something with the accounts of these names, without names with all of them, and print what it came to.

    Gives the exit code: 1 when one fails. Where an upstream has no such thing, that is a failure only of an account
    that was named. With `as_json` each account is one line, the gateway's answer with the name in front.
    """
    # Before anything is asked of an account, this shows that the key is right.
    listed = client.accounts().body
    with _of_the_gateway():
        providers = {account[mark]: account["provider"] for account in listed["data"] for mark in ("name", "tag")}
        wanted = names or [account["name"] for account in listed["data"]]
    rows, failed = [], False
    for name, (told, body) in _a_few_at_once(
        action.word, wanted, lambda name: _ask(client, action, name, named=bool(names))
    ):
        failed = failed or told.failed
        if as_json:
            give(json.dumps({"name": name, **body}, ensure_ascii=False))
        rows.append((name, providers.get(name, ""), *told.cells, _one_line(told.message)))
    if not as_json:
        give_table(("name", "provider", *action.columns, "message"), rows, whole=True)
    if not wanted:
        _say_there_are_none()
    return int(failed)


def set_state(client: GatewayClient, name: str, word: str, *, as_json: bool) -> int:
    """`pause` or `resume` an account and print its name and its state. Gives the exit code."""
    answer = client.on_account(name, word)
    if as_json:
        give(answer.text)
        return 0
    with _of_the_gateway():
        give("\t".join((answer.body["account"]["name"], answer.body["account"]["state"])))
    return 0


def _ask(client: GatewayClient, action: Action, name: str, *, named: bool) -> tuple[Told, Mapping[str, Any]]:
    """What an action came to for one account, and the gateway's JSON on it."""
    try:
        body = client.on_account(name, action.word).body
    except (RefusedError, BrokenAnswerError) as failure:
        error = failure.error if isinstance(failure, RefusedError) else {}
        lacking = _not_offered(error)
        cells = (action.unknown, *[""] * (len(action.columns) - 1))
        told = Told(cells, named or not lacking, error["message"] if lacking else str(failure))
        return told, {"error": error or {"message": str(failure)}}
    with _of_the_gateway():
        return action.read(body), body


def _not_offered(error: Mapping[str, Any]) -> bool:
    """True when the upstream has no such thing, rather than that it refused it."""
    return error.get("code") == _NOT_OFFERED and "upstream_code" not in error


def _checked(body: Mapping[str, Any]) -> Told:
    account = body["account"]
    if body["live"]:
        return Told(("alive", account["state"]))
    return Told(("refused", account["state"]), True, (account["last_error"] or {}).get("message", ""))


def _counted(body: Mapping[str, Any]) -> Told:
    return Told(tuple(str(body["credits"][name]) for name in ("total", "gift", "purchase", "vip")))


def _received(body: Mapping[str, Any]) -> Told:
    return Told((str(body["received"]), _credits(body["account"])))


CHECK = Action("check", ("login", "state"), _checked, "unknown")
POINTS = Action("points", ("total", "gift", "purchase", "vip"), _counted)
RECEIVE = Action("receive", ("received", "credits"), _received)


def _a_few_at_once(what: str, names: Sequence[str], ask: Callable[[str], T]) -> Iterator[tuple[str, T]]:
    """Each name with its answer, in the order given; on a terminal with a bar, since it takes its time."""
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        answers: Iterable[T] = threads.map(ask, names)
        if len(names) > 1 and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import track

            answers = track(answers, what, len(names), console=Console(stderr=True), transient=True)
        yield from zip(names, answers, strict=True)


@contextlib.contextmanager
def _of_the_gateway() -> Iterator[None]:
    """Raises CommandError where an answer is read that is not the gateway's."""
    try:
        yield
    except (KeyError, TypeError, AttributeError):
        raise CommandError("the answer tells of no account: is it the gateway that listens there?") from None


def _row(account: Mapping[str, Any], now: float) -> tuple[str, ...]:
    until, last_error = account["rests_until"], account["last_error"]
    most = account["max_running"]
    return (
        account["name"],
        account["provider"],
        account["region"] or "",
        account["state"],
        clock_time(until, now) if until is not None and until > now else "",
        str(account["running"]) if most is None else f"{account['running']}/{most}",
        str(account["submitted"]),
        str(account["failed"]),
        _credits(account),
        _one_line(f"{clock_time(last_error['at'], now)} {last_error['message']}") if last_error else "",
    )


def _credits(account: Mapping[str, Any]) -> str:
    return str(account["credits"]["total"]) if account["credits"] else ""


def clock_time(at: float, now: float) -> str:
    """A time in unix seconds for a person, in local time: without the date where that is today's."""
    there, here = time.localtime(at), time.localtime(now)
    return time.strftime("%H:%M" if there[:3] == here[:3] else "%m-%d %H:%M", there)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _say_there_are_none() -> None:
    from providers.registry import credential_variables

    say(f"this gateway has no accounts of its own: configure {credential_variables()}, or [[accounts]]")
