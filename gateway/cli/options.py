"""Options and arguments shared by commands, and the command group whose default is `list`."""

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

DEFAULT_URL = "http://127.0.0.1:5100"
HELP_OPTIONS = ("-h", "--help")
KEY_VARIABLE = "GATEWAY_KEY"
ADMIN_KEY_VARIABLE = "GATEWAY_ADMIN_KEY"

Config = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="TOML file. Default: GATEWAY_CONFIG, else gateway.toml."),
]
Url = Annotated[
    str,
    typer.Option("--url", metavar="URL", envvar="GATEWAY_URL", show_envvar=True, help="URL of the running gateway."),
]
Key = Annotated[
    str,
    typer.Option(
        "--key",
        metavar="KEY",
        envvar=KEY_VARIABLE,
        show_envvar=True,
        show_default=False,
        help="A gateway key or an upstream credential.",
    ),
]
ArchiveKey = Annotated[
    str,
    typer.Option(
        "--key",
        metavar="KEY",
        envvar=KEY_VARIABLE,
        show_envvar=True,
        show_default=False,
        help="Archive only what this gateway key or upstream credential owns. Default: the tasks of all accounts.",
    ),
]
AdminKey = Annotated[
    str,
    typer.Option(
        "--key",
        metavar="KEY",
        envvar=ADMIN_KEY_VARIABLE,
        show_envvar=True,
        show_default=False,
        help="The admin key. If the gateway has none, only its own machine has access.",
    ),
]
Force = Annotated[bool, typer.Option("--force", "-f", help="Replace an existing file.")]
Json = Annotated[bool, typer.Option("--json", help="Print the JSON of the gateway unchanged.")]
JsonLines = Annotated[bool, typer.Option("--json", help="Print a line of JSON, the status object, at each change.")]
AccountsJson = Annotated[bool, typer.Option("--json", help="Print one line of JSON per account.")]
Ids = Annotated[list[str], typer.Argument(metavar="ID...", show_default=False, help="Task ids.")]
TaskSeconds = Annotated[
    float, typer.Option("--task-seconds", metavar="SECONDS", min=0.0, help="Seconds that a video takes.")
]
HiddenTaskSeconds = Annotated[float, typer.Option("--task-seconds", min=0.0, hidden=True)]


class ListsByDefault(TyperGroup):
    """A command group whose default command is `list`, also for options without a command."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        named = bool(args) and (args[0] in HELP_OPTIONS or not args[0].startswith("-"))
        # A shell that completes the name of a command has not got it yet.
        return super().parse_args(ctx, args if named or ctx.resilient_parsing else ["list", *args])
