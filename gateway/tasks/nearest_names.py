"""The names of models that are closest to a name that no model has."""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher

SHOWN_NAME = 64
"""Characters of a name that an error shows."""
_NEAREST = 3
"""How many closest models an error names."""


def nearest_names(name: str, names: Sequence[str]) -> list[str]:
    """The names closest to a name, best first, by common parts and common subsequences of letters. Of a name that is
    longer than any, its beginning counts: to compare all of it takes seconds."""
    name = name[:SHOWN_NAME]
    matcher = SequenceMatcher(b=name.casefold(), autojunk=False)
    parts = _parts(name)

    def likeness(other: str) -> float:
        matcher.set_seq1(other.casefold())
        others = _parts(other)
        return matcher.ratio() + len(parts & others) / len(parts | others)

    return sorted(dict.fromkeys(names), key=likeness, reverse=True)[:_NEAREST]


def _parts(name: str) -> frozenset[str]:
    return frozenset(re.split(r"[-_/ ]+", name.casefold()))
