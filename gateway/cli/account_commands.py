"""The operator's commands about the accounts of a gateway, each with its options. What it needs is imported late."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from gateway.cli.options import (
    DEFAULT_URL,
    HELP_OPTIONS,
    AccountsJson,
    AdminKey,
    Json,
    ListsByDefault,
    Name,
    Names,
    Url,
)

if TYPE_CHECKING:
    from gateway.cli.client.accounts import Action

accounts = typer.Typer(
    name="accounts",
    cls=ListsByDefault,
    help="For the operator: the gateway's own accounts.",
    epilog="Without a command: list.",
    rich_markup_mode=None,
    context_settings={"help_option_names": list(HELP_OPTIONS)},
)


@accounts.command("list")
def list_accounts(as_json: Json = False, url: Url = DEFAULT_URL, key: AdminKey = "") -> None:
    """Print how the accounts stand."""
    from gateway.cli.client.accounts import list_accounts
    from gateway.cli.client.gateway_client import GatewayClient

    with GatewayClient(url, key) as client:
        code = list_accounts(client, as_json=as_json)
    raise typer.Exit(code)


@accounts.command()
def check(names: Names = None, as_json: AccountsJson = False, url: Url = DEFAULT_URL, key: AdminKey = "") -> None:
    """Ask whether logins are alive; exit code 1 when one is not."""
    from gateway.cli.client.accounts import CHECK

    raise typer.Exit(_run_on_each(CHECK, names, as_json, url, key))


@accounts.command()
def points(names: Names = None, as_json: AccountsJson = False, url: Url = DEFAULT_URL, key: AdminKey = "") -> None:
    """Print what is left to spend."""
    from gateway.cli.client.accounts import POINTS

    raise typer.Exit(_run_on_each(POINTS, names, as_json, url, key))


@accounts.command()
def receive(names: Names = None, as_json: AccountsJson = False, url: Url = DEFAULT_URL, key: AdminKey = "") -> None:
    """Take today's credits."""
    from gateway.cli.client.accounts import RECEIVE

    raise typer.Exit(_run_on_each(RECEIVE, names, as_json, url, key))


@accounts.command()
def pause(name: Name, as_json: Json = False, url: Url = DEFAULT_URL, key: AdminKey = "") -> None:
    """Submit nothing more with an account until it is resumed.

    The gateway forgets it when it starts anew."""
    raise typer.Exit(_set_state("pause", name, as_json, url, key))


@accounts.command()
def resume(name: Name, as_json: Json = False, url: Url = DEFAULT_URL, key: AdminKey = "") -> None:
    """Hold nothing against an account any more."""
    raise typer.Exit(_set_state("resume", name, as_json, url, key))


def _run_on_each(action: "Action", names: Sequence[str] | None, as_json: bool, url: str, key: str) -> int:
    from gateway.cli.client.accounts import run_on_each
    from gateway.cli.client.gateway_client import GatewayClient

    with GatewayClient(url, key) as client:
        return run_on_each(client, action, names or (), as_json=as_json)


def _set_state(action: str, name: str, as_json: bool, url: str, key: str) -> int:
    from gateway.cli.client.accounts import set_state
    from gateway.cli.client.gateway_client import GatewayClient

    with GatewayClient(url, key) as client:
        return set_state(client, name, action, as_json=as_json)
