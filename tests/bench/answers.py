"""HTTP as the benchmark reads it: by Content-Length, and no more of it than is needed."""

from typing import NamedTuple


class Answer(NamedTuple):
    """`head` is in lower case, without the empty line at its end."""

    status: int
    head: bytes
    body: bytes

    @property
    def good(self) -> bool:
        return 200 <= self.status < 300

    def number(self, header: bytes) -> int | None:
        """A header that is a whole number, None where it is missing; its name in lower case."""
        return number_of(self.head, header)


def number_of(head: bytes, header: bytes) -> int | None:
    """A header of a head in lower case that is a whole number, None where it is missing."""
    at = head.find(b"\r\n" + header + b":")
    if at < 0:
        return None
    value = head[at + len(header) + 3 :].partition(b"\r\n")[0].strip()
    return int(value) if value.isdigit() else None


def read_head(received: bytes) -> Answer:
    """An answer whose head is all there; of its body what came along."""
    end = received.index(b"\r\n\r\n")
    return Answer(int(received[9:12]), received[:end].lower(), received[end + 4 :])


def read_answer(received: bytes) -> Answer | None:
    """The one answer in what was received, None while it is not all there. Nothing may be sent behind it."""
    if b"\r\n\r\n" not in received:
        return None
    answer = read_head(received)
    length = answer.number(b"content-length")
    if length is not None:
        return answer if len(answer.body) >= length else None
    return answer if answer.body.endswith(b"0\r\n\r\n") else None
