"""What the shell completes besides commands and options: values that the running gateway knows.

A gateway that does not answer within a second, or not to this key, gives no values.
"""

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import typer

from gateway.cli.errors import CommandError
from gateway.cli.options import ADMIN_KEY_VARIABLE, DEFAULT_URL, KEY_VARIABLE

if TYPE_CHECKING:
    from gateway.cli.client.gateway_client import GatewayClient

_SECONDS = 1.0


def model_names(context: typer.Context, incomplete: str) -> list[str]:
    """The models of the key, for completion."""
    return _names(context, KEY_VARIABLE, incomplete, lambda client: (row["id"] for row in client.models().body["data"]))


def account_names(context: typer.Context, incomplete: str) -> list[str]:
    """The names of the gateway's accounts, for completion."""
    return _names(
        context, ADMIN_KEY_VARIABLE, incomplete, lambda client: (row["name"] for row in client.accounts().body["data"])
    )


def _names(
    context: typer.Context, variable: str, incomplete: str, read: "Callable[[GatewayClient], Iterable[Any]]"
) -> list[str]:
    from gateway.cli.client.gateway_client import GatewayClient

    url = context.params.get("url") or os.environ.get("GATEWAY_URL") or DEFAULT_URL
    key = context.params.get("key") or os.environ.get(variable) or ""
    try:
        with GatewayClient(url, key, seconds=_SECONDS) as client:
            return [name for name in map(str, read(client)) if name.startswith(incomplete)]
    except (CommandError, KeyError, TypeError):
        return []
