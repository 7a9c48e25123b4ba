"""Uploaded pictures: known by their content, not by their name, and handed on as `data:` URLs."""

import base64

from gateway.errors import GatewayError
from gateway.messages import ERRORS

MAX_BYTES = 20 * 1024 * 1024
"""The largest picture that any upstream takes."""

_SIGNATURES: tuple[tuple[bytes, int, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", 0, "image/png"),
    (b"\xff\xd8\xff", 0, "image/jpeg"),
    (b"WEBP", 8, "image/webp"),
    (b"BM", 0, "image/bmp"),
)
"""First bytes, where they stand, and the type they mean: the types that the upstreams read."""


def data_url(content: bytes, param: str) -> str:
    """A picture as `data:image/…;base64,…`. Raises GatewayError for what is no picture, or too large."""
    if len(content) > MAX_BYTES:
        raise GatewayError("too_large", ERRORS["picture_too_large"], param=param, values={"limit": MAX_BYTES})
    kind = picture_type(content)
    if kind is None:
        raise GatewayError("invalid_value", ERRORS["not_a_picture"], param=param, values={"param": param})
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def picture_type(content: bytes) -> str | None:
    """The media type by the first bytes; None for anything else."""
    for signature, offset, kind in _SIGNATURES:
        if content[offset : offset + len(signature)] == signature:
            return kind if kind != "image/webp" or content.startswith(b"RIFF") else None
    return None
