"""Libraries that few requests need are imported by the first of them: the start takes less time, and an idle process
less memory. In modules that every process imports, such a library is imported inside functions."""

from functools import partial
from importlib import import_module

from providers.offload import in_thread

_loaded: set[str] = set()


async def load(module: str) -> None:
    """Import a module in a thread, so that other requests run meanwhile: a library may take 0.1 s."""
    if module not in _loaded:
        await in_thread(partial(import_module, module))
        _loaded.add(module)
