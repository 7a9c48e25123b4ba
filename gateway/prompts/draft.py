"""What a prompt is rewritten from: the client's words, the shot it describes, and how long the result may be."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from providers.contract.localized_text import LocalizedText
from providers.contract.models import ModelCard
from providers.validation import text_length

LONGEST = 5000
"""Characters of a prompt where the model has no lower limit: a longer one is a script, and no language model writes it
in time."""


@dataclass(frozen=True, slots=True)
class PromptDraft:
    """A prompt to rewrite. `prompt` is as the client wrote it, `shot` has the words of each shot field by its name, in
    both languages. `operation` is what is done to an earlier video, None for a new one."""

    prompt: str
    shot: Mapping[str, LocalizedText] = field(default_factory=dict)
    operation: Literal["remix", "edit", "extend"] | None = None

    @property
    def is_empty(self) -> bool:
        """True where there are no words to rewrite."""
        return not self.prompt.strip() and not self.shot


class PromptLimit(NamedTuple):
    """The most characters of a prompt; a Chinese one counts as `han_weight`."""

    characters: int = LONGEST
    han_weight: int = 1

    def length(self, text: str) -> int:
        return text_length(text, self.han_weight)


def limit_of(cards: Iterable[ModelCard | None]) -> PromptLimit:
    """The limit for every one of some models, of which a missing one has none."""
    known = [card for card in cards if card is not None and card.max_prompt]
    return PromptLimit(
        min([LONGEST, *(card.max_prompt for card in known)]), max([1, *(card.han_weight for card in known)])
    )
