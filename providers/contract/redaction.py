"""Redaction: replaces the secrets of an account in a text, whole or in part, in the usual encodings.

An upstream quotes a credential in its errors, mostly cut: `sk-ab12********cd34`, `1a2b3c...9f8e`, `key ending in cd34`.
Both the text and the secrets may be hostile, so the work is bounded: MAX_READ characters of a text, MAX_VALUES values
of a cookie, and the places of a text that `QuotedParts` looks at.
"""

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from heapq import nlargest
from urllib.parse import quote, unquote

from providers.contract.quoted_parts import MIN_DIVISIBLE, MIN_PART, QuotedParts, TooManyPlacesError

MASK = "***"

MAX_TEXT, MAX_READ = 1024, 2048
"""Characters of a text that are kept, and that are searched, so that a part of a secret is found that goes beyond those
kept. An upstream's message may have megabytes."""
MAX_VALUES = 64
"""Values of a cookie that are redacted without the rest of it: the longest ones."""

_MIN_WHOLE = 4
"""In characters. Shorter secrets occur in ordinary text, so they are not redacted."""
_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
"""Lower case that keeps the length of a text."""
_SAME_IN_EVERY_ENCODING = re.compile(r"[A-Za-z0-9_.~-]*")
_URL_SAFE = str.maketrans("+/", "-_")


def shorten(text: str, length: int) -> str:
    """`text` cut to `length` characters, the last of them `…`. `Redactor` takes it for a mask, so that the first part
    of a secret before it is redacted."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


# Few, since one of a caller's long cookie has a megabyte.
@lru_cache(16)
def redactor(credential: str, proxy: str | None = None, cookie: str | None = None) -> "Redactor":
    """The redactor of an account's secrets. `proxy` is a URL with or without a user, `cookie` a whole Cookie header."""
    userinfo = (proxy or "").rpartition("@")[0].partition("://")[2]
    user, _, password = userinfo.partition(":")
    # A short user may be a word.
    users = [user] if len(user) >= MIN_DIVISIBLE else []
    values = dict.fromkeys(pair.partition("=")[2].strip() for pair in (cookie or "").split(";"))
    prefix, _, body = credential.partition("-")
    # Some services quote a key without its prefix.
    bodies = [body] if prefix and len(prefix) < MIN_PART else []
    longest = nlargest(MAX_VALUES, values, key=len)
    return Redactor((credential, *bodies, cookie or "", proxy or "", userinfo, *users, password, *longest))


class Redactor:
    """Replaces some secrets in texts. Calling it returns the text, cut to MAX_TEXT characters, with `***` in place of
    each secret, and of a first or last part of one: at least MIN_PART characters beside a mask or named as such, more
    where it stands alone. A text with too many places that look like parts is replaced as a whole."""

    def __init__(self, secrets: Iterable[str]) -> None:
        ends = (end for secret in secrets if len(secret) >= _MIN_WHOLE for end in _ends(secret))
        forms = {_fold(form) for end in dict.fromkeys(ends) for form in _forms(end)}
        self._forms = tuple(sorted(forms, key=len, reverse=True))

    def __call__(self, text: str) -> str:
        if not text:
            return text
        text = shorten(text, MAX_READ)
        parts = QuotedParts(_fold(text))
        try:
            spans = sorted(span for form in self._forms for span in parts.of(form))
        except TooManyPlacesError:
            return MASK
        shown, at = "", 0
        for start, end in spans:
            if start > MAX_TEXT:
                break
            if start > at or not at:
                shown += f"{text[at:start]}{MASK}"
            at = max(at, end)
        return shown + shorten(text[at:], max(1, MAX_TEXT - at))


def _fold(text: str) -> str:
    return text.lower() if text.isascii() else text.translate(_LOWER)


def _ends(secret: str) -> tuple[str, ...]:
    """What a text of MAX_READ characters can have of a secret: of a longer one no more than its ends."""
    return (secret,) if len(secret) <= MAX_READ else (secret[:MAX_READ], secret[-MAX_READ:])


def _forms(secret: str) -> Iterator[str]:
    """A secret in the encodings that a text may have."""
    for plain in {secret, unquote(secret)}:
        data = plain.encode("utf-8", "surrogatepass")
        encoded = base64.b64encode(data).decode().rstrip("=")
        yield from (plain, encoded, encoded.translate(_URL_SAFE))
        if _SAME_IN_EVERY_ENCODING.fullmatch(plain):
            continue
        quoted = quote(data, safe="")
        yield from (quoted, quoted.replace("%2F", "/"), quoted.replace("%20", "+"))
        escaped = json.dumps(plain)[1:-1]
        yield from (escaped, escaped.replace("/", r"\/"), json.dumps(plain, ensure_ascii=False)[1:-1])
        yield html.escape(plain)
