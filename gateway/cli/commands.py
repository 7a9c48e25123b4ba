"""The program and its commands. Each command imports its dependencies when it runs, so that it starts fast."""

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from gateway.cli import account_commands, client_commands, server_commands
from gateway.cli.errors import BAD_USAGE, INTERRUPTED, CommandError
from gateway.cli.examples import epilog_of
from gateway.cli.options import HELP_OPTIONS
from gateway.cli.output import print_message, print_result, replace_unprintable

PROGRAM = "video-gateway"

COMMANDS = (
    server_commands.serve,
    server_commands.demo,
    server_commands.sandbox,
    client_commands.submit,
    client_commands.status,
    client_commands.watch,
    client_commands.cancel,
    client_commands.download,
    client_commands.models,
    server_commands.archive,
    server_commands.probe,
    server_commands.config,
)
"""In the order of the help text."""

app = typer.Typer(
    name=PROGRAM,
    help="One OpenAI-compatible API for video models.",
    epilog=f"Try it without an account: {PROGRAM} demo",
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": list(HELP_OPTIONS)},
)
for _command in COMMANDS:
    app.command(epilog=epilog_of(_command.__name__))(_command)
app.add_typer(account_commands.accounts)


def run(argv: Sequence[str] | None = None) -> int:
    """Run the command of `argv`, by default the process's arguments. Returns the exit code."""
    replace_unprintable()
    try:
        result = app(list(sys.argv[1:] if argv is None else argv), prog_name=PROGRAM, standalone_mode=False)
    except CommandError as error:
        print_message(f"error: {error}")
        if error.hint:
            print_message(f"hint: {error.hint}")
        return error.exit_code
    except typer.TyperException as error:
        print_message(_one_line(error))
        return BAD_USAGE
    except KeyboardInterrupt:
        result = INTERRUPTED
    if result == INTERRUPTED:
        print_message("interrupted")
    return result if isinstance(result, int) else 0


def _one_line(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)
    command = context.command_path if context else PROGRAM
    text = " ".join(error.format_message().split()).rstrip(".")
    return f"error: {text[:1].lower()}{text[1:]} (see {command} --help)"


def _show_version(requested: bool) -> None:
    if requested:
        from importlib.metadata import version

        print_result(f"{PROGRAM} {version('video-gateway')}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def top(
    context: typer.Context,
    show_version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        print_result(context.get_help())
