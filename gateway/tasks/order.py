"""What a route orders: a submit with all that the road to the upstream needs, so that no step asks the web request."""

from dataclasses import dataclass
from typing import Literal, Protocol

from gateway.accounts.callers import Caller
from providers.contract.requests import Media, VideoRequest


class ClientPresence(Protocol):
    """The client of a submit, as far as the submit has to know it."""

    async def is_disconnected(self) -> bool:
        """True once the client is no longer there to receive the response."""


class _Connected:
    async def is_disconnected(self) -> bool:
        return False


CONNECTED: ClientPresence = _Connected()
"""A client that waits however long it takes."""


@dataclass(frozen=True, slots=True)
class Derivation:
    """A video made of an earlier one, which is given by `video_id` or, for an edit and an extension, as `clip`.

    Without a `model`, a remix takes that of the earlier video, the others take the default of their operation.
    `seconds` is what an extension adds, and the length of what an edit makes.
    """

    operation: Literal["remix", "edit", "extend"]
    prompt: str
    model: str | None = None
    seconds: int | None = None
    video_id: str | None = None
    clip: Media | None = None


@dataclass(frozen=True, slots=True)
class SubmitOrder:
    """One submit of one client.

    `fingerprint` is of what the client wrote, see `idempotency.fingerprint_of`. `idempotency_key` is the client's own,
    `retry_count` how often its library has sent this before; None where it says nothing. `nearest` moves duration and
    size to the nearest that the model can do instead of refusing them.
    """

    caller: Caller
    request: VideoRequest | Derivation
    fingerprint: bytes
    idempotency_key: str | None = None
    retry_count: int | None = None
    nearest: bool = False
    client: ClientPresence = CONNECTED

    @property
    def is_repeatable(self) -> bool:
        """True where the client may send it again and gets what was made meanwhile."""
        return self.idempotency_key is not None or self.retry_count is not None
