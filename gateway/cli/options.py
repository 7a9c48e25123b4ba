"""What several commands share: options, arguments, and the group that lists by default."""

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

DEFAULT_URL = "http://127.0.0.1:5100"
HELP_OPTIONS = ("-h", "--help")

Config = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="TOML file; else GATEWAY_CONFIG, else gateway.toml if there is one."),
]
Url = Annotated[str, typer.Option("--url", envvar="GATEWAY_URL", show_envvar=True, help="The running gateway.")]
Key = Annotated[
    str,
    typer.Option(
        "--key",
        envvar="GATEWAY_KEY",
        show_envvar=True,
        show_default=False,
        help="A key of the gateway, or an upstream credential of your own.",
    ),
]
AdminKey = Annotated[
    str,
    typer.Option(
        "--key",
        envvar="GATEWAY_ADMIN_KEY",
        show_envvar=True,
        show_default=False,
        help="The gateway's admin key; where it has none, its own machine needs none.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the gateway's JSON as it is.")]
AccountsJson = Annotated[bool, typer.Option("--json", help="Print JSON, one line for each account.")]
Ids = Annotated[list[str], typer.Argument(metavar="ID...", show_default=False, help="Task ids.")]
Names = Annotated[
    list[str] | None, typer.Argument(metavar="NAME", show_default=False, help="Names or tags of accounts; none: all.")
]
Name = Annotated[str, typer.Argument(metavar="NAME", show_default=False, help="An account's name, or its tag.")]
TaskSeconds = Annotated[float, typer.Option("--task-seconds", min=0.0, help="How long a video takes.")]
HiddenTaskSeconds = Annotated[float, typer.Option("--task-seconds", min=0.0, hidden=True)]


class ListsByDefault(TyperGroup):
    """A group that lists what it is about when no subcommand is named; options are then those of `list`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        named = bool(args) and (args[0] in HELP_OPTIONS or not args[0].startswith("-"))
        return super().parse_args(ctx, args if named else ["list", *args])
