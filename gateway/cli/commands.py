"""The program and its commands. Each command imports its dependencies when it runs, so that it starts fast."""

import re
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from gateway.cli import account_commands, client_commands, server_commands
from gateway.cli.errors import BAD_USAGE, INTERRUPTED, CommandError, OutputClosedError
from gateway.cli.examples import epilog_of
from gateway.cli.help import localize_command
from gateway.cli.options import HELP_OPTIONS
from gateway.cli.output import print_error, print_message, print_result, replace_unprintable

PROGRAM = "video-gateway"

_INPUT = r"Input should be (.+?)(?:, unable to parse .+)?$"
"""The words of pydantic, which typer uses, about a value."""

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
    command = typer.main.get_command(app)
    localize_command(command)
    try:
        result = command(list(sys.argv[1:] if argv is None else argv), prog_name=PROGRAM, standalone_mode=False)
    except OutputClosedError as error:
        return error.exit_code
    except CommandError as error:
        print_error(error)
        return error.exit_code
    except typer.TyperException as error:
        print_error(_usage_error(error))
        return BAD_USAGE
    except KeyboardInterrupt:
        result = INTERRUPTED
    if result == INTERRUPTED:
        print_message("interrupted")
    return result if isinstance(result, int) else 0


def _usage_error(error: typer.TyperException) -> CommandError:
    context = getattr(error, "ctx", None)
    command = context.command_path if context else PROGRAM
    text = re.sub(_INPUT, r"must be \1", " ".join(error.format_message().split())).rstrip(".")
    return CommandError(f"{text[:1].lower()}{text[1:]} (see {command} --help)", BAD_USAGE)


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
