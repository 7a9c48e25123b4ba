"""Videos made of other videos: what a remix, an edit and an extension ask the providers for."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace

from gateway.accounts.callers import Caller
from gateway.core.errors import GatewayError, as_passing, from_provider, invalid
from gateway.core.messages import ERRORS
from gateway.tasks.model_catalog import FORMER_NAMES, Offer
from gateway.tasks.service import Tasks
from gateway.tasks.view import Task
from providers.contract.errors import FieldProblem, FieldReason
from providers.contract.media import MediaRole
from providers.contract.models import ModelCard
from providers.contract.requests import Media, VideoRequest
from providers.contract.tasks import Phase, Result
from providers.media_files import MediaKind


@dataclass(frozen=True, slots=True)
class Derivation:
    """What an edit or an extension asks for. The earlier video is given by its id, or as `clip`. `seconds` is what an
    extension adds, and the length of what an edit makes."""

    prompt: str
    model: str | None = None
    seconds: int | None = None
    video_id: str | None = None
    clip: Media | None = None


async def remix_request(tasks: Tasks, who: Caller, id: str, prompt: str) -> VideoRequest:
    """The model of a task with a new prompt, and the old video as reference where the model takes one.

    Raises GatewayError: 404 for no task of the caller's, 400 `not_ready` where the old video is needed and is not
    there, 501 where the model needs a picture that nobody has any more.
    """
    old = await tasks.status(who, id)
    if old.model is None:
        raise GatewayError("not_supported", ERRORS["model_unknown"])
    card = (await tasks.catalog.offer(who)).card(old.model)
    role = next((role for role in (MediaRole.VIDEO, MediaRole.REFERENCE_VIDEO) if role in card.roles), None)
    if role is not None:
        media = _video_of(tasks, who, old, role)
        return VideoRequest(old.model, prompt, media=(media,))
    if not card.open and frozenset() not in card.media_sets:
        raise GatewayError("not_supported", ERRORS["no_remix_of_pictures"], values={"model": old.model})
    return VideoRequest(old.model, prompt, duration=old.seconds or None, size=old.size or None)


async def edit_request(tasks: Tasks, who: Caller, order: Derivation) -> VideoRequest:
    """A video changed by a model that works on one. Raises GatewayError."""
    return await _on_a_video(tasks, who, order, tasks.catalog.defaults.edit, MediaRole.VIDEO)


async def extension_request(tasks: Tasks, who: Caller, order: Derivation) -> VideoRequest:
    """A video that goes on from another one. Raises GatewayError."""
    return await _on_a_video(tasks, who, order, tasks.catalog.defaults.extend, MediaRole.FIRST_CLIP)


def finished(task: Task) -> Result:
    """The result of a task.

    Raises GatewayError: 400 `not_ready` where there is none, 502 where nobody could be asked.
    """
    if task.state.result is not None:
        return task.state.result
    if task.trouble is not None:
        raise from_provider(as_passing(task.trouble))
    raise GatewayError("not_ready", ERRORS["failed_task" if task.state.phase is Phase.FAILED else "not_ready"])


def _video_of(tasks: Tasks, who: Caller, task: Task, role: MediaRole) -> Media:
    """A finished video as an input: by the upstream's link while it gives one, else out of the archive."""
    url = finished(task).url
    if url.startswith(("https://", "http://")) and not task.recalled:
        return Media(MediaKind.VIDEO, url, "video", role, from_upstream=True, proxy=task.proxy)

    async def read() -> AsyncIterator[bytes]:
        opened = await tasks.open_archived(who, task.id, "video")
        if opened is None:
            raise GatewayError("not_found", ERRORS["file_gone"])
        return opened.pieces

    return Media(MediaKind.VIDEO, "", "video", role, read=read)


def _card_for(tasks: Tasks, offer: Offer, model: str | None, defaults: Sequence[str]) -> ModelCard:
    """The card of the model that was named; where none was, of the first default that the caller can use.

    Raises GatewayError: 404 for a model that nobody knows, 501 where there is no default.
    """
    if model is not None and model not in FORMER_NAMES:
        return tasks.catalog.card(model)
    cards = [tasks.catalog.card(name) for name in defaults]
    if not cards:
        raise GatewayError("not_supported")
    return next((card for card in cards if offer.cards_of(card)), cards[0])


def _not_by_this_model(tasks: Tasks, card: ModelCard, defaults: Sequence[str]) -> GatewayError:
    """The refusal of a model, with the models that can do it."""
    if not defaults:
        return GatewayError("not_supported")
    able = ", ".join(f"{name} ({tasks.catalog.card(name).provider})" for name in defaults)
    return GatewayError("not_supported", ERRORS["not_by_this_model"], values={"model": card.name, "able": able})


async def _on_a_video(
    tasks: Tasks, who: Caller, order: Derivation, defaults: Sequence[str], role: MediaRole
) -> VideoRequest:
    offer = await tasks.catalog.offer(who)
    card = _card_for(tasks, offer, order.model, defaults)
    if role not in card.roles and MediaRole.REFERENCE_VIDEO in card.roles and frozenset() in card.media_sets:
        # A model that does everything by its prompt takes the video as a reference.
        role = MediaRole.REFERENCE_VIDEO
    if role not in card.roles or not offer.cards_of(card):
        raise _not_by_this_model(tasks, card, defaults)
    media, seconds = replace(order.clip, role=role) if order.clip else None, 0
    if order.video_id:
        old = await tasks.status(who, order.video_id)
        result = finished(old)
        media = _video_of(tasks, who, old, role)
        seconds = old.seconds or round(result.duration or 0)
    if media is None:
        raise invalid([FieldProblem("video", FieldReason.MISSING, ("{id}", "https://…"))])
    # The length of an extension is told with the clip it goes on from.
    duration = seconds + order.seconds if role is MediaRole.FIRST_CLIP and order.seconds else order.seconds
    return VideoRequest(card.name, order.prompt, duration=duration, media=(media,))
