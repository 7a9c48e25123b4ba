"""The number of values in a JSON text, before it is parsed: parsing holds the interpreter's lock until it is done."""

from providers.offload import CHUNK_BYTES


def has_more_values(text: bytes | bytearray, limit: int) -> bool:
    """True for a text with more than `limit` values. Its commas and opening brackets are counted, also those inside of
    strings."""
    found = 0
    for at in range(0, len(text), CHUNK_BYTES):
        found += sum(text.count(sign, at, at + CHUNK_BYTES) for sign in (b",", b"[", b"{"))
        if found > limit:
            return True
    return False
