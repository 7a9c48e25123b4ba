"""Find where a text quotes a secret: the whole of it, or a first or last part beside a mask, named as one, or alone.

The work is bounded whatever the text and the secrets are: at most MAX_PLACES places of a text are looked at, and the
work at each does not grow with its surroundings.
"""

import re
from collections.abc import Callable, Iterator

MAX_PLACES = 256
"""Places of one text that begin or end like a secret."""

MIN_PART = 4
"""Characters of a part beside a mask, or where the text says that it is the first or the last part."""
MIN_DIVISIBLE = 8
"""Of shorter secrets only the whole is found."""
_MIN_TOKEN = 6
"""Of a part that is a token of its own. Longer ones are also found inside of another token, from _MIN_INSIDE."""
_MIN_INSIDE = 8
_MAX_BEHIND = 16
"""Of a last part that is looked for behind a first part and its mask. A longer one is found by its own end."""

_RUN = re.compile(r"[*•·●∙＊#.…x_\s-]{1,512}")
"""Masks, and what may be between two of them or beside one."""
_NAMED = re.compile(r"\s?(?:[\[<({]\s?(?:[*.…x•-]{1,64}|redacted|hidden|masked)\s?[\])>}]|\\u2026)\s?")
"""A mask in brackets, or an ellipsis that JSON escapes."""
_NAMED_OPENINGS, _NAMED_ENDS, _NAMED_REACH = "[<({\\", "])>}6", 80
_IS_MASK = re.compile(r"[*•·●∙＊#…]|\.\.|xx|___|---")
_MASK_CHARACTERS = frozenset("x*.…-_#")
"""Characters of a mask that a secret may have as well."""
_MAX_CUTS = 16
_MASK_REACH = 64
"""Characters beside a part that tell whether it has a mask."""

_LEADING_HINT = re.compile(
    r"(?:\b(?:start(?:s|ed|ing)?|begin(?:s|ning)?|first|prefix|head)\b|开头|前缀|前\s*\w{1,2}\s*[位个])[^.;。；\n]{0,24}\Z"
)
_TRAILING_HINT = re.compile(
    r"(?:\b(?:end(?:s|ed|ing)?|last|suffix|tail|final)\b|结尾|末尾|后缀|尾号|尾数|[后末]\s*\w{1,2}\s*[位个])[^.;。；\n]{0,24}\Z"
)
_HINT_BEHIND = re.compile(r"\W{0,3}(?:开头|结尾|收尾)")
_HINT_REACH = 64
_ESCAPE = re.compile(r"(?:%[0-9a-f]{2}|\\u[0-9a-f]{4}|\\[nrtbf]|&[a-z]{2,6};)\Z")
"""What ends in a letter or a digit and yet is before a token."""

_Span = tuple[int, int]


class TooManyPlacesError(Exception):
    """The text has more than MAX_PLACES places that begin or end like a secret."""


class QuotedParts:
    """Finds the parts of secrets in one text. Both are in lower case."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._backwards = text[::-1]
        self._places = 0

    def of(self, secret: str) -> Iterator[_Span]:
        """The spans of a secret and of its first and last parts, which may overlap. Raises TooManyPlacesError."""
        if len(secret) < MIN_DIVISIBLE:
            yield from ((at, at + len(secret)) for at in self._occurrences(secret))
            return
        for start in self._occurrences(secret[:MIN_PART]):
            length = self._first_part_length(secret, start)
            is_whole = length == len(secret)
            span = (start, start + length) if is_whole else self._leading(secret, start, start + length)
            if span is not None:
                yield span
        for at in self._occurrences(secret[-MIN_PART:]):
            end = at + MIN_PART
            length = self._last_part_length(secret, end)
            span = self._trailing(end - length, end) if length < len(secret) else None
            if span is not None:
                yield span

    def _occurrences(self, part: str) -> Iterator[int]:
        at = self._text.find(part)
        while at >= 0:
            self._places += 1
            if self._places > MAX_PLACES:
                raise TooManyPlacesError
            yield at
            at = self._text.find(part, at + 1)

    def _first_part_length(self, secret: str, start: int) -> int:
        """Characters of the longest first part of the secret at `start`, which has MIN_PART of them."""
        most = min(len(secret), len(self._text) - start)
        return _longest(most, lambda length: self._text.startswith(secret[:length], start))

    def _last_part_length(self, secret: str, end: int) -> int:
        """Characters of the longest last part of the secret before `end`, which has MIN_PART of them."""
        return _longest(min(len(secret), end), lambda length: self._text.endswith(secret[-length:], 0, end))

    def _leading(self, secret: str, start: int, end: int) -> _Span | None:
        """The span of a first part of a secret with the mask and the last part behind it, None where it is not
        redacted."""
        if self._begins_token(start) or self._is_distinct(start, end, _MIN_TOKEN):
            mask = self._mask_after(start + MIN_PART, end)
            if mask is not None:
                return start, self._end_of_mask(secret, *mask)
        return (start, end) if self._stands_alone(start, end, _LEADING_HINT) else None

    def _trailing(self, start: int, end: int) -> _Span | None:
        """The span of a last part of a secret with the mask before it, None where it is not redacted."""
        if self._ends_token(end) or self._is_distinct(start, end, _MIN_TOKEN):
            start_of_mask = self._mask_before(start, end - MIN_PART)
            if start_of_mask is not None:
                return start_of_mask, end
        return (start, end) if self._stands_alone(start, end, _TRAILING_HINT) else None

    def _mask_after(self, least: int, end: int) -> _Span | None:
        """The span of the mask behind a first part. The part ends at `end`, or from `least` on where the secret has
        characters of the mask."""
        named = _NAMED.match(self._text, end)
        if named is not None:
            return named.span()
        cut = end
        while cut > max(least, end - _MAX_CUTS) and self._text[cut - 1] in _MASK_CHARACTERS:
            cut -= 1
        run = _RUN.match(self._text, cut)
        is_mask = run is not None and _IS_MASK.search(self._text, cut, min(run.end(), end + _MASK_REACH)) is not None
        return run.span() if run is not None and is_mask else None

    def _mask_before(self, start: int, most: int) -> int | None:
        """The start of the mask before a last part. The part starts at `start`, or up to `most` where the secret has
        characters of the mask."""
        text = self._text
        if text[max(0, start - 2) : start].rstrip()[-1:] in _NAMED_ENDS:
            opening = max(text.rfind(one, max(0, start - _NAMED_REACH), start) for one in _NAMED_OPENINGS)
            if opening >= 0 and _NAMED.fullmatch(text, opening, start) is not None:
                return opening
        cut = start
        while cut < min(most, start + _MAX_CUTS) and text[cut] in _MASK_CHARACTERS:
            cut += 1
        run = _RUN.match(self._backwards, len(text) - cut)
        if run is None or _IS_MASK.search(text, max(cut - len(run[0]), start - _MASK_REACH), cut) is None:
            return None
        return cut - len(run[0].rstrip())

    def _end_of_mask(self, secret: str, start: int, end: int) -> int:
        """The end of a mask, with the last part of the secret behind it, which may be short."""
        text = self._text
        for length in range(min(len(secret), _MAX_BEHIND), 0, -1):
            behind = end + length
            if text.startswith(secret[-length:], end) and (
                self._ends_token(behind) or text.endswith(secret[-MIN_PART:], start, behind)
            ):
                return behind
        # A blank and a full stop behind a mask are those of the sentence.
        mask = text[start:end].rstrip()
        return start + len(mask) - (mask.endswith(".") and not mask.endswith(".."))

    def _stands_alone(self, start: int, end: int, hint: re.Pattern[str]) -> bool:
        """True for a part without a mask that is redacted."""
        if self._is_distinct(start, end, _MIN_INSIDE):
            return True
        if not (self._begins_token(start) and self._ends_token(end)):
            return False
        return (
            self._is_distinct(start, end, _MIN_TOKEN)
            or hint.search(self._text, max(0, start - _HINT_REACH), start) is not None
            or _HINT_BEHIND.match(self._text, end) is not None
        )

    def _is_distinct(self, start: int, end: int, length: int) -> bool:
        """True for a part of at least `length` characters that is no word."""
        return end - start >= length and not self._text[start:end].isalpha()

    def _begins_token(self, start: int) -> bool:
        if start == 0 or not _is_of_token(self._text[start - 1]):
            return True
        return _ESCAPE.search(self._text, max(0, start - 8), start) is not None

    def _ends_token(self, end: int) -> bool:
        return end == len(self._text) or not _is_of_token(self._text[end])


def _longest(most: int, matches: Callable[[int], bool]) -> int:
    """The largest length up to `most` that matches. MIN_PART does, and whatever is shorter than a length that does."""
    length, beyond = MIN_PART, 2 * MIN_PART
    while beyond <= most and matches(beyond):
        length, beyond = beyond, 2 * beyond
    beyond = min(beyond, most + 1)
    while beyond - length > 1:
        middle = (length + beyond) // 2
        length, beyond = (middle, beyond) if matches(middle) else (length, middle)
    return length


def _is_of_token(character: str) -> bool:
    """ASCII only: Chinese sets no blank around a key."""
    return character.isascii() and character.isalnum()
