"""Shared state of the parts of the embedded upstream."""

from collections.abc import Callable
from dataclasses import dataclass

from starlette.datastructures import State

from providers.sandbox.files import Files
from providers.sandbox.settings import SandboxSettings
from providers.sandbox.state import Ledger


@dataclass(frozen=True, slots=True)
class SandboxContext:
    """`clock` gives unix seconds. `state` is the application's, for what tests reach into."""

    settings: SandboxSettings
    clock: Callable[[], float]
    ledger: Ledger
    files: Files
    state: State
