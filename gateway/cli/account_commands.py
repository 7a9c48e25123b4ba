"""The operator's commands for managed accounts. Each imports its dependencies when it runs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.completions import account_names
from gateway.cli.examples import epilog_of
from gateway.cli.options import (
    ADMIN_KEY_VARIABLE,
    DEFAULT_URL,
    HELP_OPTIONS,
    AccountsJson,
    AdminKey,
    Json,
    ListsByDefault,
    Url,
)

if TYPE_CHECKING:
    from gateway.cli.client.accounts import Action

Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="NAME", show_default=False, help="Account names or tags. Default: all.", autocompletion=account_names
    ),
]
Name = Annotated[
    str,
    typer.Argument(metavar="NAME", show_default=False, help="An account's name or tag.", autocompletion=account_names),
]

accounts = typer.Typer(
    name="accounts",
    cls=ListsByDefault,
    help="For the operator: manage the gateway's accounts.",
    epilog="Without a command, the accounts are listed. Example: video-gateway accounts check",
    rich_markup_mode=None,
    context_settings={"help_option_names": list(HELP_OPTIONS)},
)


@accounts.command("list", epilog=epilog_of("accounts list"))
def list_accounts(as_json: Json = False, url: Url = DEFAULT_URL, key: AdminKey = "") -> None:
    """List the accounts and their status."""
    from gateway.cli.client.accounts import list_accounts
    from gateway.cli.client.gateway_client import GatewayClient

    with GatewayClient(url, key, key_variable=ADMIN_KEY_VARIABLE) as client:
        code = list_accounts(client, as_json=as_json)
    raise typer.Exit(code)


@accounts.command(epilog=epilog_of("accounts check"))
def check(names: Names = None, as_json: AccountsJson = False, url: Url = DEFAULT_URL, key: AdminKey = "") -> None:
    """Check logins; exit code 1 if one is rejected."""
    from gateway.cli.client.accounts import CHECK

    raise typer.Exit(_run_on_each(CHECK, names, as_json, url, key))


@accounts.command(epilog=epilog_of("accounts points"))
def points(names: Names = None, as_json: AccountsJson = False, url: Url = DEFAULT_URL, key: AdminKey = "") -> None:
    """Show the remaining credits."""
    from gateway.cli.client.accounts import POINTS

    raise typer.Exit(_run_on_each(POINTS, names, as_json, url, key))


@accounts.command(epilog=epilog_of("accounts receive"))
def receive(names: Names = None, as_json: AccountsJson = False, url: Url = DEFAULT_URL, key: AdminKey = "") -> None:
    """Receive the daily credits."""
    from gateway.cli.client.accounts import RECEIVE

    raise typer.Exit(_run_on_each(RECEIVE, names, as_json, url, key))


@accounts.command(epilog=epilog_of("accounts pause"))
def pause(name: Name, as_json: Json = False, url: Url = DEFAULT_URL, key: AdminKey = "") -> None:
    """Submit nothing with an account until it is resumed.

    A restart of the gateway ends the pause."""
    raise typer.Exit(_set_state("pause", name, as_json, url, key))


@accounts.command(epilog=epilog_of("accounts resume"))
def resume(name: Name, as_json: Json = False, url: Url = DEFAULT_URL, key: AdminKey = "") -> None:
    """End an account's pause and clear its failures."""
    raise typer.Exit(_set_state("resume", name, as_json, url, key))


def _run_on_each(action: "Action", names: Sequence[str] | None, as_json: bool, url: str, key: str) -> int:
    from gateway.cli.client.accounts import run_on_each
    from gateway.cli.client.gateway_client import GatewayClient

    with GatewayClient(url, key, key_variable=ADMIN_KEY_VARIABLE) as client:
        return run_on_each(client, action, names or (), as_json=as_json)


def _set_state(action: str, name: str, as_json: bool, url: str, key: str) -> int:
    from gateway.cli.client.accounts import set_state
    from gateway.cli.client.gateway_client import GatewayClient

    with GatewayClient(url, key, key_variable=ADMIN_KEY_VARIABLE) as client:
        return set_state(client, name, action, as_json=as_json)
