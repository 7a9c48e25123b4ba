"""The models that a gateway key may use, by patterns of names and of providers."""

import re
from collections.abc import Sequence
from fnmatch import translate


class AllowedModels:
    """Patterns with `*`, `?` and `[…]`, compared without regard to case. Without patterns everything is allowed."""

    def __init__(self, models: Sequence[str] = (), providers: Sequence[str] = ()) -> None:
        self.models = tuple(models)
        self.providers = tuple(providers)
        self._models = _compiled(models)
        self._providers = _compiled(providers)

    def allows(self, provider: str, *names: str) -> bool:
        """True for a model of an allowed provider, one of whose names, aliases included, is allowed."""
        if self._providers is not None and not self._providers.fullmatch(provider.casefold()):
            return False
        return self._models is None or any(self._models.fullmatch(_folded(name)) for name in names if name)


def _compiled(patterns: Sequence[str]) -> re.Pattern[str] | None:
    alternatives = [translate(_folded(pattern)) for pattern in patterns]
    return re.compile("|".join(alternatives)) if alternatives else None


def _folded(name: str) -> str:
    return " ".join(name.split()).casefold()
