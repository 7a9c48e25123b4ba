"""`probe`: makes the free calls of an upstream with one account and writes a report for a bug report.

It calls the upstream itself, with the configuration of a gateway, which need not run.
"""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gateway.accounts.callers import Callers
from gateway.accounts.configured import managed_accounts
from gateway.bootstrap import build_process_state, build_services
from gateway.cli.errors import BAD_USAGE, CommandError, configuration_errors
from gateway.cli.language import terminal_language
from gateway.cli.output import print_message, print_result
from gateway.cli.server.configuration import read_settings
from gateway.cli.server.probe_report import RecordingClient, probe
from gateway.core.clock import SystemClock
from gateway.core.errors import GatewayError
from gateway.core.localization import localize
from gateway.core.settings import Settings
from providers.contract.accounts import Account, public_tag
from providers.registry import Registry, credential_hints
from providers.transport.timeouts import Timeouts


def run_probe(config: Path | None, name: str | None, key: str, out: Path | None) -> int:
    """Write the report of one account. Returns the exit code: 1 if a call failed. Raises CommandError."""
    report = asyncio.run(_probe(read_settings(config), name, key))
    text = json.dumps(report, ensure_ascii=False, indent=1)
    if out is None:
        print_result(text)
    else:
        try:
            out.write_text(text + "\n", "utf-8")
        except OSError as error:
            raise CommandError(f"{out} cannot be written: {error.strerror}") from None
    for call in report["calls"]:
        print_message(
            f"{call['call']:8} {'ok' if call['ok'] else 'failed':6} {call['seconds']:6.2f} s  {_summary(call['read'])}"
        )
    print_message(
        "nothing was submitted or charged; read the report before you share it, and add the log line of the failed "
        "request"
    )
    return 0 if all(call["ok"] for call in report["calls"]) else 1


def _summary(read: Any) -> str:
    if isinstance(read, list):
        return f"{len(read)} read"
    if isinstance(read, dict):
        return " ".join(str(read[name]) for name in ("error", "code", "detail") if read.get(name))
    return str(read)


async def _probe(settings: Settings, name: str | None, key: str) -> dict[str, Any]:
    # The archive is not used and need not be reachable.
    settings = settings.model_copy(update={"archive_url": None})
    timeouts = settings.timeouts
    async with RecordingClient(Timeouts(timeouts.connect, timeouts.read, timeouts.total)) as http:
        with configuration_errors():
            process = build_process_state(settings, SystemClock(), http)
            services = build_services(settings, process)
            registry = services.registry
            accounts: Sequence[Account] = [managed.account for managed in managed_accounts(settings, registry)]
        async with process.background:
            if key:
                accounts = _accounts_of(services.callers, registry, key)
            account = _choose([one for one in accounts if one.provider in registry.videos], name)
            return await probe(registry.videos[account.provider], account, http)


def _accounts_of(callers: Callers, registry: Registry, key: str) -> Sequence[Account]:
    """The accounts of a gateway key, or of an upstream credential, also if callers may not use theirs. Raises
    CommandError."""
    own = None if key.startswith("gw-") else registry.account_from(key)
    if own is not None:
        return [own]
    try:
        return callers.identify(f"Bearer {key}").accounts
    except GatewayError as error:
        raise CommandError(error.message(terminal_language()), BAD_USAGE) from None


def _choose(accounts: Sequence[Account], name: str | None) -> Account:
    """The account with a name or tag, or the only one. Raises CommandError."""
    if not accounts:
        hints = localize(credential_hints(), terminal_language())
        raise CommandError(f"no account: configure one, or set GATEWAY_KEY or --key to {hints}", BAD_USAGE)
    labels = ", ".join(account.label for account in accounts)
    if name is None and len(accounts) > 1:
        raise CommandError(f"name one account: {labels}", BAD_USAGE)
    found = next((account for account in accounts if name in (None, account.label, public_tag(account))), None)
    if found is None:
        raise CommandError(f"no such account: {name}. Accounts: {labels}", BAD_USAGE)
    return found
