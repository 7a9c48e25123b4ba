"""`sandbox`: the embedded upstream alone, in the foreground."""

import signal
import threading

from gateway.cli.errors import CommandError, end_on
from gateway.cli.output import give, give_table, say
from gateway.cli.server.listening import why_not
from providers.registry import credential_hints
from providers.sandbox.directives import DIRECTIVES
from providers.sandbox.server import SandboxServer
from providers.sandbox.settings import SandboxSettings


def run_sandbox(settings: SandboxSettings, host: str, port: int) -> None:
    """Serve until SIGTERM or Ctrl-C. Raises CommandError when the port cannot be taken."""
    end_on(signal.SIGINT, signal.SIGTERM, exit_code=0)
    try:
        upstream = SandboxServer(settings, host=host, port=port)
    except OSError as error:
        raise CommandError(why_not(error, host, port)) from None
    with upstream:
        give_table(
            ("in the prompt or key", "what happens", "where"),
            [(row.pattern, row.description, ", ".join(row.upstreams)) for row in DIRECTIVES],
        )
        for variable, url in upstream.environment().items():
            give(f"{variable}={url}")
        say(f"Ready: any credential of the right form will do: {credential_hints().en}. Ctrl-C ends it.")
        threading.Event().wait()
