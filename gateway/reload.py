"""Reading the configuration again, on SIGHUP and when its file has changed, without dropping a request.

New services take the place of the old ones in one step; a running request keeps those that it began with. A
configuration that cannot be used is refused, and the one before stays.
"""

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from starlette.datastructures import State

from gateway.accounts.pool import ManagedAccount
from gateway.api.services import Services
from gateway.bootstrap import ProcessState, build_services
from gateway.core.logs import GATEWAY, where
from gateway.core.settings import Settings, SettingsError
from gateway.core.settings_loader import stamp_of

LOOK_SECONDS = 1.0
"""Between two looks at the file. It is read once two of them agree, so that no half-written file is."""

AT_START_ONLY = frozenset(
    {
        *("host", "port", "workers", "cors_origins", "log_level", "log_format", "timeouts", "limits"),
        *("archive", "archive_url"),
    }
)
"""Settings that only a new start puts into force."""


class Reloader:
    """Keeps `state.services` in step with the configuration that `load` gives; `file` is the one to watch."""

    def __init__(self, state: State, process: ProcessState, load: Callable[[], Settings], file: Path) -> None:
        self._state = state
        self._process = process
        self._load = load
        self._file = file
        self._read = self._latest = state.services.settings.stamp
        self._wanted = asyncio.Event()

    def want(self) -> None:
        """Read it again now, whether the file has changed or not."""
        self._wanted.set()

    async def run(self) -> None:
        """Until it is cancelled."""
        with _on_hangup(self.want):
            while True:
                try:
                    async with asyncio.timeout(LOOK_SECONDS):
                        await self._wanted.wait()
                except TimeoutError:
                    if not self.look():
                        continue
                self._wanted.clear()
                await self.reload()

    def look(self) -> bool:
        """True once for each change of the file. A file that is gone is one that is being replaced."""
        stamp, before = stamp_of(self._file), self._latest
        self._latest = stamp
        return stamp is not None and stamp == before and stamp != self._read

    async def reload(self) -> None:
        """Read the configuration and put it into force, or say why not."""
        self._read = self._latest = stamp_of(self._file)
        old = self._process.pool.managed
        try:
            settings = await asyncio.to_thread(self._load)
            if settings.stamp is None and self._state.services.settings.stamp is not None:
                # Without keys everybody would be let in: a file that is gone is one that is being replaced.
                raise SettingsError(f"{self._file} is gone")
            if self._state.services.settings.keys and not settings.keys:
                raise SettingsError(
                    "it has no keys any more, which would let everybody in: start anew if that is meant"
                )
            services = build_services(settings, self._process)
        except SettingsError as error:
            GATEWAY.error(f"the new configuration is refused, the one before stays: {error}")
            return
        except Exception as error:
            GATEWAY.error("the configuration could not be read", extra={"fields": {"cause": where(error)}})
            return
        before, self._state.services = self._state.services, services
        self._announce(before, old, services)

    @staticmethod
    def _announce(before: Services, old: Sequence[ManagedAccount], now: Services) -> None:
        known, named = ([m.account.label for m in accounts] for accounts in (old, now.pool.managed))
        fields: dict[str, object] = {"accounts": len(named)}
        fields |= {"came": ",".join(name for name in named if name not in known) or "-"}
        fields |= {"went": ",".join(name for name in known if name not in named) or "-"}
        GATEWAY.info("the configuration was read again", extra={"fields": fields})
        late = sorted(name for name in AT_START_ONLY if getattr(before.settings, name) != getattr(now.settings, name))
        if late:
            GATEWAY.warning(f"these have changed and need a new start: {', '.join(late)}")


@contextlib.contextmanager
def _on_hangup(call: Callable[[], None]) -> Iterator[None]:
    """Inside it SIGHUP calls a function, where this process's signals are this thread's to handle."""
    if not hasattr(signal, "SIGHUP") or threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, call)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)
