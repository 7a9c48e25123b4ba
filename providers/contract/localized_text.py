"""One sentence for a person, in every language that the gateway speaks."""

from typing import NamedTuple


class LocalizedText(NamedTuple):
    """One sentence for a person, in the two languages the gateway speaks."""

    zh: str
    en: str
