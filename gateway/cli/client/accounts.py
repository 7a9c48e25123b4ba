"""`accounts`: the operator's commands for managed accounts."""

import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

from gateway.cli.client.gateway_client import BrokenResponseError, GatewayClient, ResponseError
from gateway.cli.errors import CommandError
from gateway.cli.language import localize
from gateway.cli.output import print_message, print_result, print_table

_COLUMNS = (
    *("name", "provider", "region", "state", "paused until"),
    *("running", "submitted", "calls", "failed", "credits", "last error"),
)
_NOT_SUPPORTED = "not_supported"
"""The error code for an operation that the upstream does not support."""
_CONCURRENCY = 4

T = TypeVar("T")


class ActionResult(NamedTuple):
    """The result of an action for one account: cells for its columns, whether it failed, and why."""

    cells: tuple[str, ...]
    failed: bool = False
    message: str = ""


class Action(NamedTuple):
    """An operation on an account: its name in the path, its columns and the parser of its response.

    `unknown` is the first cell of an account whose call failed.
    """

    name: str
    columns: tuple[str, ...]
    parse: Callable[[Mapping[str, Any]], ActionResult]
    unknown: str = ""


def list_accounts(client: GatewayClient, *, as_json: bool) -> int:
    """Print the status of the accounts. Returns the exit code."""
    answer = client.accounts()
    if as_json:
        print_result(answer.text)
        return 0
    with _valid_response():
        rows = [_row(account, time.time()) for account in answer.body["data"]]
    print_table(_COLUMNS, rows)
    if not rows:
        _say_no_accounts()
    return 0


def run_on_each(client: GatewayClient, action: Action, names: Sequence[str], *, as_json: bool) -> int:
    """Run an action on the named accounts, without names on all of them, and print the results.

    Returns the exit code: 1 if one fails. An operation that the upstream does not support is no failure. With `as_json`
    each account is one line: the gateway's response with the name added.
    """
    # Checks the admin key before any account is touched.
    listed = client.accounts().body
    with _valid_response():
        providers = {account[field]: account["provider"] for account in listed["data"] for field in ("name", "tag")}
        selected = names or [account["name"] for account in listed["data"]]
    rows, failed = [], False
    for name, (result, body) in _run_concurrently(action.name, selected, lambda name: _run(client, action, name)):
        failed = failed or result.failed
        if as_json:
            print_result(json.dumps({"name": name, **body}, ensure_ascii=False))
        rows.append((name, providers.get(name, ""), *result.cells, _one_line(result.message)))
    if not as_json:
        print_table(("name", "provider", *action.columns, "message"), rows)
    if not selected:
        _say_no_accounts()
    return int(failed)


def set_state(client: GatewayClient, name: str, action: str, *, as_json: bool) -> int:
    """`pause` or `resume` an account and print its name and state. Returns the exit code."""
    answer = client.account_action(name, action)
    if as_json:
        print_result(answer.text)
        return 0
    with _valid_response():
        print_result("\t".join((answer.body["account"]["name"], answer.body["account"]["state"])))
    return 0


def _run(client: GatewayClient, action: Action, name: str) -> tuple[ActionResult, Mapping[str, Any]]:
    """The result of an action for one account, and the gateway's JSON."""
    try:
        body = client.account_action(name, action.name).body
    except (ResponseError, BrokenResponseError) as failure:
        error = failure.error if isinstance(failure, ResponseError) else {}
        unsupported = _is_unsupported(error)
        cells = (action.unknown, *[""] * (len(action.columns) - 1))
        result = ActionResult(cells, not unsupported, error["message"] if unsupported else str(failure))
        return result, {"error": error or {"message": str(failure)}}
    with _valid_response():
        return action.parse(body), body


def _is_unsupported(error: Mapping[str, Any]) -> bool:
    """True if the upstream does not support the operation, rather than rejects it."""
    return error.get("code") == _NOT_SUPPORTED and "upstream_code" not in error


def _parse_check(body: Mapping[str, Any]) -> ActionResult:
    account = body["account"]
    if body["live"]:
        return ActionResult(("alive", account["state"]))
    return ActionResult(("refused", account["state"]), True, (account["last_error"] or {}).get("message", ""))


def _parse_credits(body: Mapping[str, Any]) -> ActionResult:
    return ActionResult(tuple(str(body["credits"][name]) for name in ("total", "gift", "purchase", "vip")))


def _parse_received(body: Mapping[str, Any]) -> ActionResult:
    return ActionResult((str(body["received"]), _credits(body["account"])))


CHECK = Action("check", ("login", "state"), _parse_check, "unknown")
POINTS = Action("points", ("total", "gift", "purchase", "vip"), _parse_credits)
RECEIVE = Action("receive", ("received", "credits"), _parse_received)


def _run_concurrently(what: str, names: Sequence[str], call: Callable[[str], T]) -> Iterator[tuple[str, T]]:
    """Each name with its result, in the order given; on a terminal with a progress bar."""
    with ThreadPoolExecutor(_CONCURRENCY) as threads:
        answers: Iterable[T] = threads.map(call, names)
        if len(names) > 1 and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import track

            answers = track(answers, what, len(names), console=Console(stderr=True), transient=True)
        yield from zip(names, answers, strict=True)


@contextlib.contextmanager
def _valid_response() -> Iterator[None]:
    """Raises CommandError if a response is not the gateway's."""
    try:
        yield
    except (KeyError, TypeError, AttributeError):
        raise CommandError("the response has no accounts: is it the gateway?") from None


def _row(account: Mapping[str, Any], now: float) -> tuple[str, ...]:
    until, last_error = account["rests_until"], account["last_error"]
    most = account["max_running"]
    return (
        account["name"],
        account["provider"],
        account["region"] or "",
        account["state"],
        format_time(until, now) if until is not None and until > now else "",
        str(account["running"]) if most is None else f"{account['running']}/{most}",
        str(account["submitted"]),
        str(account["calls"]),
        str(account["failed"]),
        _credits(account),
        _one_line(f"{format_time(last_error['at'], now)} {last_error['message']}") if last_error else "",
    )


def _credits(account: Mapping[str, Any]) -> str:
    return str(account["credits"]["total"]) if account["credits"] else ""


def format_time(at: float, now: float) -> str:
    """A unix time as local time, without the date if it is today."""
    there, here = time.localtime(at), time.localtime(now)
    return time.strftime("%H:%M" if there[:3] == here[:3] else "%m-%d %H:%M", there)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _say_no_accounts() -> None:
    from providers.registry import credential_variables

    print_message(f"this gateway has no accounts: configure {credential_variables(localize(' or '))}, or [[accounts]]")
