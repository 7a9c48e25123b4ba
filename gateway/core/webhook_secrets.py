"""Secrets of webhooks in the form of Standard Webhooks: `whsec_` and the base64 of 24 to 64 bytes."""

import base64

PREFIX = "whsec_"
_MIN_BYTES, _MAX_BYTES = 24, 64
_CHARACTER = "[A-Za-z0-9+/]"
PATTERN = (
    f"^{PREFIX}(?:{_CHARACTER}{{4}}){{8,20}}"
    f"(?:{_CHARACTER}{{2}}==|{_CHARACTER}{{3}}=|{_CHARACTER}{{4}}(?:{_CHARACTER}{{2}}==)?)?$"
)
"""What `is_secret` takes, as a regular expression for JSON schema."""


def encode_secret(key: bytes) -> str:
    return PREFIX + base64.b64encode(key).decode()


def is_secret(text: str) -> bool:
    """True for a secret that every verifier reads as the same bytes: base64 with its padding, without other
    characters."""
    try:
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except ValueError:
        return False
    return text.startswith(PREFIX) and _MIN_BYTES <= len(key) <= _MAX_BYTES
