"""`sandbox`: the embedded upstream alone, in the foreground."""

import contextlib
import signal
import threading

from gateway.cli.errors import CommandError, exit_on
from gateway.cli.language import terminal_language
from gateway.cli.output import print_message, print_result, print_table
from gateway.cli.server.listening import bind_error_message
from gateway.core.localization import localize
from providers.registry import credential_hints
from providers.sandbox.directives import DIRECTIVES
from providers.sandbox.server import SandboxServer
from providers.sandbox.settings import SandboxSettings


def run_sandbox(settings: SandboxSettings, host: str, port: int) -> None:
    """Serve until SIGTERM or Ctrl-C. Raises CommandError if the address cannot be bound."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(exit_on(signal.SIGINT, signal.SIGTERM, exit_code=0))
        try:
            upstream = stack.enter_context(SandboxServer(settings, host=host, port=port))
        except OSError as error:
            raise CommandError(bind_error_message(error, host, port)) from None
        print_table(
            ("in the prompt or key", "where", "what happens"),
            [(row.pattern, ", ".join(row.upstreams), row.description) for row in DIRECTIVES],
        )
        for variable, url in upstream.environment().items():
            print_result(f"{variable}={url}")
        hints = localize(credential_hints(), terminal_language())
        print_message(f"Ready for any credential of the right form: {hints}. Stop with Ctrl-C.")
        threading.Event().wait()
