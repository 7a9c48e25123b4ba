"""Hot reload of the configuration, on SIGHUP and when its file changes, without dropping a request.

The new services replace the old ones atomically; a running request keeps the services that it began with. An invalid
configuration is rejected and the current one stays.
"""

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel
from starlette.datastructures import State

from gateway.accounts.pool import ManagedAccount
from gateway.api.services import Services
from gateway.bootstrap import ProcessState, build_services
from gateway.core import metrics
from gateway.core.logs import GATEWAY, location_of
from gateway.core.settings import Settings, SettingsError
from gateway.core.settings_loader import file_version

CHECK_SECONDS = 1.0
"""Poll interval of the file. It is loaded once two polls agree, so that a half-written file is never loaded."""

RESTART_ONLY = frozenset(
    {
        *(
            "host",
            "port",
            "workers",
            "root_path",
            "trusted_proxies",
            "cors_origins",
            "log_level",
            "log_format",
            "timeouts",
            "limits",
            "live",
        ),
        *("archive", "archive_url"),
    }
)
"""Settings that take effect only after a restart."""
_ACCOUNTS = frozenset({"accounts", "credentials"})
"""Keys whose changes are told by the names of the accounts."""


class Reloader:
    """Keeps `state.services` in step with the configuration that `load` gives; `file` is the one to watch."""

    def __init__(self, state: State, process: ProcessState, load: Callable[[], Settings], file: Path) -> None:
        self._state = state
        self._process = process
        self._started_with = state.services.settings
        self._load = load
        self._file = file
        self._loaded = self._latest = state.services.settings.file_version
        self._requested = asyncio.Event()

    def request_reload(self) -> None:
        """Request a reload, whether the file has changed or not."""
        self._requested.set()

    async def run(self) -> None:
        """Watch and reload until cancelled."""
        with _on_hangup(self.request_reload):
            while True:
                try:
                    async with asyncio.timeout(CHECK_SECONDS):
                        await self._requested.wait()
                except TimeoutError:
                    if not self.has_changed():
                        continue
                self._requested.clear()
                await self.reload()

    def has_changed(self) -> bool:
        """True once for each change of the file. A missing file is assumed to be in replacement."""
        version, before = file_version(self._file), self._latest
        self._latest = version
        return version is not None and version == before and version != self._loaded

    async def reload(self) -> None:
        """Load and apply the configuration, or log why it is rejected."""
        self._loaded = self._latest = file_version(self._file)
        old = self._process.pool.managed
        try:
            settings = await asyncio.to_thread(self._load)
            if settings.file_version is None and self._state.services.settings.file_version is not None:
                # Without its keys the gateway would be open to everybody: keep the current configuration.
                raise SettingsError(f"{self._file} is gone")
            if self._state.services.settings.keys and not settings.keys:
                raise SettingsError(
                    "it has no keys, which opens the gateway to everybody: restart the gateway if that is intended"
                )
            services = build_services(settings, self._process)
        except SettingsError as error:
            metrics.RELOAD_OK.set(0)
            GATEWAY.error(f"new configuration rejected, keeping the current one: {error}")
            return
        except Exception as error:
            metrics.RELOAD_OK.set(0)
            GATEWAY.error("configuration could not be loaded", extra={"fields": {"cause": location_of(error)}})
            return
        before, self._state.services = self._state.services, services
        self._log(before, old, services)

    def _log(self, before: Services, old: Sequence[ManagedAccount], now: Services) -> None:
        """Log what has changed: accounts and keys by name, other settings by key."""
        new = now.pool.managed
        fields: dict[str, object] = {"accounts": len(new)}
        fields |= _changes(
            {managed.account.label: managed for managed in old}, {managed.account.label: managed for managed in new}
        )
        fields |= {"settings": ",".join(_differences(before.settings, now.settings)) or "-"}
        GATEWAY.info("configuration reloaded", extra={"fields": fields})
        started_with = self._started_with
        pending = sorted(name for name in RESTART_ONLY if getattr(started_with, name) != getattr(now.settings, name))
        if pending:
            names = ", ".join(pending)
            GATEWAY.warning(f"settings that differ from the running ones take effect after a restart: {names}")


def _changes(before: Mapping[str, ManagedAccount], now: Mapping[str, ManagedAccount]) -> dict[str, str]:
    """The names of accounts that were added and removed, and of those whose credential or settings have changed."""
    names = {
        "added": now.keys() - before.keys(),
        "removed": before.keys() - now.keys(),
        "changed": {name for name in now.keys() & before.keys() if now[name] != before[name]},
    }
    return {
        what: ",".join(name for name in dict.fromkeys((*before, *now)) if name in some) or "-"
        for what, some in names.items()
    }


def _differences(before: object, now: object, key: str = "") -> Iterator[str]:
    """The keys whose values differ, without the values. `key` is that of the two values, "" for the whole settings."""
    if before == now:
        return
    if isinstance(before, BaseModel) and isinstance(now, BaseModel):
        names = [name for name in type(now).model_fields if name not in _ACCOUNTS]
        pairs = [(name, getattr(before, name), getattr(now, name)) for name in names]
    elif isinstance(before, Mapping) and isinstance(now, Mapping):
        pairs = [(name, before.get(name), now.get(name)) for name in sorted(before.keys() | now.keys())]
    else:
        yield key
        return
    for name, one, other in pairs:
        yield from _differences(one, other, f"{key}.{name}" if key else name)


@contextlib.contextmanager
def _on_hangup(call: Callable[[], None]) -> Iterator[None]:
    """Call a function on SIGHUP inside the context; a no-op outside of the main thread."""
    if not hasattr(signal, "SIGHUP") or threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, call)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)
