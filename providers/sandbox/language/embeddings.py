"""Embeddings: unit vectors made from the hash of a text, the same for the same text and length."""

import hashlib
import math


def vector(text: str, dimensions: int) -> list[float]:
    """A vector of length 1."""
    digest = hashlib.shake_256(text.encode()).digest(dimensions)
    numbers = [byte - 127.5 for byte in digest]
    length = math.sqrt(sum(number * number for number in numbers))
    return [round(number / length, 6) for number in numbers]
