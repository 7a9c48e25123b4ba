"""The usage of all gateway keys of the process, by owner tag. A reload changes limits and keeps what is counted."""

from collections.abc import Mapping
from zoneinfo import ZoneInfo

from gateway.core.clock import Clock
from gateway.core.key_limit_settings import KeyLimitSettings
from gateway.limits.daily_counts import Calendar
from gateway.limits.key_usage import KeyUsage
from gateway.limits.running_tasks import RunningTasks, TaskKey, record_results
from providers.contract.accounts import Account
from providers.contract.errors import ProviderError
from providers.contract.tasks import TaskState

MAX_FORMER = 1000
"""Keys that are not configured any more, whose counts are kept for the rest of the day."""


class KeyUsages:
    """Each configured key has counters, with limits or without: a reload may bring limits."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._usages: dict[str, KeyUsage] = {}
        self._owners: dict[TaskKey, RunningTasks] = {}
        self._configured: tuple[str, ...] = ()

    def of(self, owner: str, name: str) -> KeyUsage:
        """The usage of a key, by its owner tag."""
        found = self._usages.get(owner)
        if found is None:
            found = self._usages[owner] = KeyUsage(name, self._clock, self._owners)
        return found

    def configure(self, names: Mapping[str, str], settings: KeyLimitSettings) -> None:
        """Apply the limits of a configuration. `names` are the names of its keys by owner tag."""
        calendar = Calendar(ZoneInfo(settings.time_zone), settings.time_zone)
        for owner, name in names.items():
            self.of(owner, name).configure(name, settings.of_key(name), calendar)
        self._configured = tuple(names)
        former = [owner for owner in self._usages if owner not in names]
        kept = [owner for owner in former if not self._usages[owner].is_idle][-MAX_FORMER:]
        for owner in former:
            if owner not in kept:
                del self._usages[owner]

    def configured(self) -> list[KeyUsage]:
        """The usage of each configured key, in the order of the configuration."""
        return [self._usages[owner] for owner in self._configured]

    def on_results(self, account: Account, results: Mapping[str, TaskState | ProviderError]) -> None:
        """Record what a query has found, by upstream id."""
        record_results(self._owners, account, results)
