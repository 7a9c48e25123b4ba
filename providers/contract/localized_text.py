"""A text for people in the two languages of the gateway."""

from typing import NamedTuple


class LocalizedText(NamedTuple):
    """A text for people, in Chinese and English."""

    zh: str
    en: str
