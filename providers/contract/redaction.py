"""Redaction: replaces the secrets of an account in a text, whole or in part, in the usual encodings.

An upstream quotes a credential in its errors, mostly cut: `sk-ab12********cd34`, `1a2b3c...9f8e`, `key ending in cd34`.
"""

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from urllib.parse import quote, quote_plus, unquote

MASK = "***"

_MIN_WHOLE = 4
"""In characters, as below. Shorter secrets occur in ordinary text, so they are not redacted."""
_MIN_DIVISIBLE = 8
"""Of shorter secrets only the whole is redacted."""
_MIN_PART = 4
"""Of a part beside a mask, or where the text says that it is the first or the last part."""
_MIN_TOKEN = 6
"""Of a part that is a token of its own. Longer ones are also redacted inside of another token, from _MIN_INSIDE."""
_MIN_INSIDE = 8

_RUN = r"[*•·●∙＊#.…x_\s-]{1,512}"
"""Masks, and what may be between two of them or beside one."""
_NAMED = r"\s?(?:[\[<({]\s?(?:[*.…x•-]{1,64}|redacted|hidden|masked)\s?[\])>}]|\\u2026)\s?"
_IS_MASK = re.compile(r"[*•·●∙＊#…]|\.\.|xx|___|---|[\[<({]|\\u2026")
_MASK_AFTER = re.compile(f"{_NAMED}|{_RUN}")
_MASK_BEFORE = re.compile(f"(?:{_NAMED}|{_RUN})\\Z")
_MASK_CHARACTERS = frozenset("x*.…-_#")
"""Characters of a mask that a secret may have as well."""
_AFTER_MASK = re.compile(r"(?<!\.)\.\s*\Z|\s+\Z")
_MAX_CUTS = 16

_LEADING_HINT = re.compile(
    r"(?:\b(?:start(?:s|ed|ing)?|begin(?:s|ning)?|first|prefix|head)\b|开头|前缀|前\s*\w{1,2}\s*[位个])[^.;。；\n]{0,24}\Z"
)
_TRAILING_HINT = re.compile(
    r"(?:\b(?:end(?:s|ed|ing)?|last|suffix|tail|final)\b|结尾|末尾|后缀|尾号|尾数|[后末]\s*\w{1,2}\s*[位个])[^.;。；\n]{0,24}\Z"
)
_HINT_BEHIND = re.compile(r"\W{0,3}(?:开头|结尾|收尾)")
_HINT_REACH, _MASK_REACH = 64, 512
_ESCAPE = re.compile(r"(?:%[0-9a-f]{2}|\\u[0-9a-f]{4}|\\[nrtbf]|&[a-z]{2,6};)\Z")
"""What ends in a letter or a digit and yet is before a token."""
_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
"""Lower case that keeps the length of a text."""

_Span = tuple[int, int]


@lru_cache(64)
def redactor(credential: str, proxy: str | None = None, cookie: str | None = None) -> "Redactor":
    """The redactor of an account's secrets. `proxy` is a URL with or without a user, `cookie` a whole Cookie header."""
    userinfo = (proxy or "").rpartition("@")[0].partition("://")[2]
    user, _, password = userinfo.partition(":")
    # A short user may be a word.
    users = [user] if len(user) >= _MIN_DIVISIBLE else []
    values = [pair.partition("=")[2].strip() for pair in (cookie or "").split(";")]
    prefix, _, body = credential.partition("-")
    # Some services quote a key without its prefix.
    bodies = [body] if prefix and len(prefix) < _MIN_PART else []
    return Redactor((credential, *bodies, cookie or "", proxy or "", userinfo, *users, password, *values))


class Redactor:
    """Replaces some secrets in texts. Calling it returns the text with `***` in place of each secret, and of a first or
    last part of one: at least _MIN_PART characters beside a mask or named as such, more where it stands alone."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form.translate(_LOWER) for secret in secrets if len(secret) >= _MIN_WHOLE for form in _forms(secret)}
        self._forms = tuple(sorted(forms, key=len, reverse=True))

    def __call__(self, text: str) -> str:
        if not text:
            return text
        folded = text.translate(_LOWER)
        spans = sorted(span for form in self._forms for span in _spans(folded, form))
        if not spans:
            return text
        shown, at = "", 0
        for start, end in spans:
            if start > at or not at:
                shown += f"{text[at:start]}{MASK}"
            at = max(at, end)
        return shown + text[at:]


def _forms(secret: str) -> Iterator[str]:
    """A secret in the encodings that a text may have."""
    for plain in {secret, unquote(secret)}:
        data = plain.encode("utf-8", "surrogatepass")
        encoded = base64.b64encode(data).decode().rstrip("=")
        escaped = json.dumps(plain)[1:-1]
        quoted = (quote(data, safe=""), quote(data), quote_plus(data))
        in_json = (escaped, escaped.replace("/", r"\/"), json.dumps(plain, ensure_ascii=False)[1:-1])
        yield from (plain, *quoted, *in_json, html.escape(plain), encoded, encoded.translate(_URL_SAFE))


_URL_SAFE = str.maketrans("+/", "-_")


def _spans(text: str, form: str) -> Iterator[_Span]:
    """Where a text has a form of a secret, or a first or last part of it."""
    if len(form) < _MIN_DIVISIBLE:
        yield from ((at, at + len(form)) for at in _occurrences(text, form))
        return
    for at in _occurrences(text, form[:_MIN_PART]):
        length = _MIN_PART
        while length < len(form) and text.startswith(form[length], at + length):
            length += 1
        span = (at, at + length) if length == len(form) else _leading(text, form, at, at + length)
        if span is not None:
            yield span
    for at in _occurrences(text, form[-_MIN_PART:]):
        end, length = at + _MIN_PART, _MIN_PART
        while length < len(form) and length < end and text[end - length - 1] == form[-length - 1]:
            length += 1
        span = _trailing(text, end - length, end) if length < len(form) else None
        if span is not None:
            yield span


def _occurrences(text: str, part: str) -> Iterator[int]:
    at = text.find(part)
    while at >= 0:
        yield at
        at = text.find(part, at + 1)


def _leading(text: str, form: str, start: int, end: int) -> _Span | None:
    """The span of a first part of a secret with the mask and the last part behind it, None where it is not redacted."""
    if _begins_token(text, start) or _is_distinct(text, start, end, _MIN_TOKEN):
        for cut in range(end, max(start + _MIN_PART, end - _MAX_CUTS) - 1, -1):
            mask = _MASK_AFTER.match(text, cut)
            if mask is not None and _IS_MASK.search(mask[0]):
                return start, _end_of_mask(text, form, *mask.span())
            if text[cut - 1] not in _MASK_CHARACTERS:
                break
    hinted = _LEADING_HINT.search(text, max(0, start - _HINT_REACH), start) or _HINT_BEHIND.match(text, end)
    return (start, end) if _stands_alone(text, start, end, hinted=hinted is not None) else None


def _trailing(text: str, start: int, end: int) -> _Span | None:
    """The span of a last part of a secret with the mask before it, None where it is not redacted."""
    if _ends_token(text, end) or _is_distinct(text, start, end, _MIN_TOKEN):
        for cut in range(start, min(end - _MIN_PART, start + _MAX_CUTS) + 1):
            mask = _MASK_BEFORE.search(text, max(0, cut - _MASK_REACH), cut)
            if mask is not None and _IS_MASK.search(mask[0]):
                return mask.start() + len(mask[0]) - len(mask[0].lstrip()), end
            if text[cut] not in _MASK_CHARACTERS:
                break
    hinted = _TRAILING_HINT.search(text, max(0, start - _HINT_REACH), start) or _HINT_BEHIND.match(text, end)
    return (start, end) if _stands_alone(text, start, end, hinted=hinted is not None) else None


def _end_of_mask(text: str, form: str, start: int, end: int) -> int:
    """The end of a mask, with the last part of the secret behind it. The secret may have characters of the mask."""
    for cut in range(end, max(start, end - _MAX_CUTS), -1):
        found = _end_of_last_part(text, form, cut)
        if found > end:
            return found
        if text[cut - 1] not in _MASK_CHARACTERS:
            break
    behind = _AFTER_MASK.search(text, start, end)
    return behind.start() if behind is not None else end


def _end_of_last_part(text: str, form: str, start: int) -> int:
    """The end of the longest last part of a secret at `start`, which may be short; 0 for none."""
    for length in range(min(len(form), len(text) - start), 0, -1):
        if text.startswith(form[-length:], start) and (length >= _MIN_PART or _ends_token(text, start + length)):
            return start + length
    return 0


def _stands_alone(text: str, start: int, end: int, *, hinted: bool) -> bool:
    """True for a part without a mask that is redacted."""
    is_token = _begins_token(text, start) and _ends_token(text, end)
    return (is_token and (hinted or _is_distinct(text, start, end, _MIN_TOKEN))) or _is_distinct(
        text, start, end, _MIN_INSIDE
    )


def _is_distinct(text: str, start: int, end: int, length: int) -> bool:
    """True for a part of at least `length` characters that is no word."""
    return end - start >= length and not text[start:end].isalpha()


def _begins_token(text: str, start: int) -> bool:
    if start == 0 or not _is_of_token(text[start - 1]):
        return True
    return _ESCAPE.search(text, max(0, start - 8), start) is not None


def _ends_token(text: str, end: int) -> bool:
    return end == len(text) or not _is_of_token(text[end])


def _is_of_token(character: str) -> bool:
    """ASCII only: Chinese sets no blank around a key."""
    return character.isascii() and character.isalnum()
