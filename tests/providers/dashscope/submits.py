"""What is sent for a request to a documented model, or why it is refused."""

from typing import Any

import pytest

from providers.contract.errors import ErrorKind, FieldReason, ProviderError
from providers.contract.media import MediaRole
from providers.contract.requests import Media, VideoRequest
from providers.dashscope.models import MODELS
from providers.dashscope.payload import build
from providers.dashscope.request_protocols import protocol_of
from providers.validation import validate

CARDS = {card.name: card for card in MODELS}
FF, LF = MediaRole.FIRST_FRAME, MediaRole.LAST_FRAME
RI, RV, RA = MediaRole.REFERENCE_IMAGE, MediaRole.REFERENCE_VIDEO, MediaRole.REFERENCE_AUDIO
VI = MediaRole.VIDEO


def inputs(*roles: MediaRole) -> tuple[Media, ...]:
    return tuple(Media(role.kind, f"https://h/{number}", f"{role}", role) for number, role in enumerate(roles))


def sent(model: str, *roles: MediaRole, prompt: str = "p", **fields: Any) -> dict[str, Any]:
    """The parameters of the submit, and with `input` all of it."""
    card, protocol = CARDS[model], protocol_of(model)
    assert protocol is not None
    fields.setdefault("media", inputs(*roles))
    return build(validate(card, VideoRequest(model, prompt, **fields)), card, protocol).body


def parameters(model: str, *roles: MediaRole, **fields: Any) -> dict[str, Any]:
    found: dict[str, Any] = sent(model, *roles, **fields)["parameters"]
    return found


def problems(model: str, *roles: MediaRole, prompt: str = "p", **fields: Any) -> dict[str, FieldReason]:
    with pytest.raises(ProviderError) as caught:
        sent(model, *roles, prompt=prompt, **fields)
    assert caught.value.kind is ErrorKind.INVALID_REQUEST
    return {problem.param: problem.reason for problem in caught.value.fields}


def hint(model: str, *roles: MediaRole, **fields: Any) -> object:
    with pytest.raises(ProviderError) as caught:
        sent(model, *roles, **fields)
    return caught.value.fields[0].hint
