"""Submit orders: all inputs of a submit, so that no later step needs the HTTP request."""

from dataclasses import dataclass
from typing import Literal, Protocol

from gateway.accounts.callers import Caller
from gateway.prompts.draft import PromptDraft
from providers.contract.requests import Media, VideoRequest


class ClientPresence(Protocol):
    """Whether the client of a submit is still connected."""

    async def is_disconnected(self) -> bool:
        """True once the client can no longer receive the response."""


class _Connected:
    async def is_disconnected(self) -> bool:
        return False


CONNECTED: ClientPresence = _Connected()
"""A client that never disconnects."""


@dataclass(frozen=True, slots=True)
class Derivation:
    """A video derived from an earlier one, given by `video_id` or, for an edit and an extension, as `clip`.

    Without a `model`, a remix uses that of the earlier video, the others the default of their operation. `seconds` is
    the length that an extension adds, or the length of an edited or remixed video.
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

    `fingerprint` identifies the content of the request, see `idempotency.fingerprint_of`. `idempotency_key` and
    `retry_count`, the number of retries of the client's library, are None where the client sends none.
    `unmarked_retries` says that the client's library resends a submit on its own without a count. `nearest` snaps
    duration and size to the nearest that the model supports instead of rejecting them. `draft` is what a language model
    rewrites the prompt from, None where it stays as it is.
    """

    caller: Caller
    request: VideoRequest | Derivation
    fingerprint: bytes
    idempotency_key: str | None = None
    retry_count: int | None = None
    unmarked_retries: bool = False
    nearest: bool = False
    draft: PromptDraft | None = None
    client: ClientPresence = CONNECTED
