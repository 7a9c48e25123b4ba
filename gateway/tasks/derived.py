"""Derived requests: the video requests of a remix, an edit and an extension of an earlier video."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from gateway.accounts.callers import Caller
from gateway.archive.archive import OpenedFile
from gateway.archive.records import Variant
from gateway.core.errors import GatewayError, as_transient, from_provider, invalid
from gateway.core.messages import ERRORS
from gateway.tasks.model_catalog import Catalog, Offer
from gateway.tasks.order import Derivation
from gateway.tasks.view import Task
from providers.contract.errors import ErrorKind, FieldProblem, FieldReason
from providers.contract.media import MediaRole
from providers.contract.models import ModelCard
from providers.contract.requests import Media, VideoRequest
from providers.contract.tasks import Phase, Result
from providers.media_files import MediaKind


class EarlierTasks(Protocol):
    """Access to earlier tasks: `Tasks` implements it."""

    catalog: Catalog

    async def status(self, caller: Caller, id: str) -> Task: ...

    async def open_archived(self, caller: Caller, id: str, variant: Variant) -> OpenedFile | None: ...


async def derived_request(tasks: EarlierTasks, caller: Caller, derivation: Derivation) -> VideoRequest:
    """The request for a video that is derived from an earlier one.

    Raises GatewayError: 404 for a task that is not the caller's, 400 `not_ready` where the earlier video is needed but
    not finished, 501 for a model without the operation.
    """
    match derivation.operation:
        case "remix":
            return await _remix(tasks, caller, derivation)
        case "edit":
            return await _on_a_video(tasks, caller, derivation, tasks.catalog.defaults.edit, MediaRole.VIDEO)
        case "extend":
            return await _on_a_video(tasks, caller, derivation, tasks.catalog.defaults.extend, MediaRole.FIRST_CLIP)


async def _remix(tasks: EarlierTasks, caller: Caller, derivation: Derivation) -> VideoRequest:
    """The model of the earlier task with a new prompt, and the earlier video as reference where the model takes one.

    Raises 501 where the model needs a picture, since the one of the earlier request is not stored.
    """
    prompt = derivation.prompt
    old = await tasks.status(caller, derivation.video_id or "")
    if old.model is None:
        raise GatewayError("not_supported", ERRORS["task_model_unknown"])
    model = derivation.model or old.model
    card = (await tasks.catalog.offer(caller)).card(model)
    role = next((role for role in (MediaRole.VIDEO, MediaRole.REFERENCE_VIDEO) if role in card.roles), None)
    if role is not None:
        media = _video_of(tasks, caller, old, role)
        return VideoRequest(model, prompt, duration=derivation.seconds, media=(media,))
    if not card.unlisted and frozenset() not in card.media_sets:
        raise GatewayError("not_supported", ERRORS["remix_needs_picture"], values={"model": model})
    duration = derivation.seconds or old.seconds or None
    return VideoRequest(model, prompt, duration=duration, size=old.size or None)


def finished(task: Task) -> Result:
    """The result of a task.

    Raises GatewayError: 400 `not_ready` where there is none, 502 where the upstream is unavailable.
    """
    if task.state.result is not None:
        return task.state.result
    # A task that the upstream does not find for the moment is one that has not ended.
    if task.query_error is not None and task.query_error.kind is not ErrorKind.TASK_NOT_FOUND:
        raise from_provider(as_transient(task.query_error))
    raise GatewayError("not_ready", ERRORS["task_failed" if task.state.phase is Phase.FAILED else "not_ready"])


@dataclass(frozen=True, slots=True)
class ArchivedVideo:
    """The archived video of an earlier task."""

    tasks: EarlierTasks
    caller: Caller
    id: str

    async def open(self) -> AsyncIterator[bytes]:
        """Its bytes. Raises GatewayError (404) if the archive no longer has them."""
        opened = await self.tasks.open_archived(self.caller, self.id, "video")
        if opened is None:
            raise GatewayError("not_found", ERRORS["file_expired"])
        return opened.pieces


def _video_of(tasks: EarlierTasks, caller: Caller, task: Task, role: MediaRole) -> Media:
    """A finished video as an input: by the upstream's link where there is one, else from the archive."""
    url = finished(task).url
    if url.startswith(("https://", "http://")) and not task.restored:
        return Media(MediaKind.VIDEO, url, "video", role, from_upstream=True, proxy=task.proxy)
    return Media(MediaKind.VIDEO, "", "video", role, source=ArchivedVideo(tasks, caller, task.id))


def _card_for(tasks: EarlierTasks, offer: Offer, model: str | None, defaults: Sequence[str]) -> ModelCard:
    """The card of the named model; without a name, of the first default that the caller can use.

    Raises GatewayError: 404 for an unknown model, 501 where there is no default.
    """
    if model is not None and not tasks.catalog.means_default(model):
        return offer.known_card(model)
    cards = [tasks.catalog.card(name) for name in defaults]
    if not cards:
        raise GatewayError("not_supported")
    return next((card for card in cards if offer.cards_of(card) and offer.allows(card)), cards[0])


def _unsupported_model(tasks: EarlierTasks, card: ModelCard, defaults: Sequence[str]) -> GatewayError:
    """Build the error (501) for a model, naming the models that support the operation."""
    if not defaults:
        return GatewayError("not_supported")
    able = ", ".join(f"{name} ({tasks.catalog.card(name).provider})" for name in defaults)
    return GatewayError(
        "not_supported", ERRORS["operation_not_supported_by_model"], values={"model": card.name, "able": able}
    )


async def _on_a_video(
    tasks: EarlierTasks, caller: Caller, derivation: Derivation, defaults: Sequence[str], role: MediaRole
) -> VideoRequest:
    offer = await tasks.catalog.offer(caller)
    card = _card_for(tasks, offer, derivation.model, defaults)
    if role not in card.roles and MediaRole.REFERENCE_VIDEO in card.roles and frozenset() in card.media_sets:
        # A model that edits by its prompt takes the video as a reference.
        role = MediaRole.REFERENCE_VIDEO
    if role not in card.roles or not offer.cards_of(card):
        raise _unsupported_model(tasks, card, defaults)
    media, seconds = replace(derivation.clip, role=role) if derivation.clip else None, 0
    if derivation.video_id:
        old = await tasks.status(caller, derivation.video_id)
        result = finished(old)
        media = _video_of(tasks, caller, old, role)
        seconds = old.seconds or round(result.duration or 0)
    if media is None:
        raise invalid([FieldProblem("video", FieldReason.MISSING, ("{id}", "https://…"))])
    # The duration of an extension includes the clip that it extends.
    added = derivation.seconds
    duration = seconds + added if role is MediaRole.FIRST_CLIP and added else added
    # The alias that the client wrote, if any: a key may be allowed to use a model by that name only.
    written = derivation.model if derivation.model and not tasks.catalog.means_default(derivation.model) else card.name
    return VideoRequest(written, derivation.prompt, duration=duration, media=(media,))
