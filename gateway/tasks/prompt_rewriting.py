"""Prompts of submits, rewritten by a language model where the client asks for it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cachetools import TTLCache

from gateway.accounts.callers import Caller
from gateway.core import tracing
from gateway.core.clock import Clock
from gateway.core.errors import GatewayError
from gateway.core.logs import GATEWAY, location_of
from gateway.core.prompt_messages import NOT_ENHANCED
from gateway.media.intake import MediaIntake
from gateway.prompts.draft import PromptDraft, PromptLimit, limit_of
from gateway.prompts.enhancer import Enhanced, PromptEnhancer
from gateway.prompts.failure import reason_of
from gateway.prompts.pictures import pictures_of
from gateway.tasks.idempotency import RETRY_SECONDS
from gateway.tasks.model_catalog import Catalog
from gateway.tasks.order import SubmitOrder
from gateway.tasks.send_deadline import SendDeadline
from providers.contract.localized_text import LocalizedText
from providers.contract.models import ModelCard
from providers.contract.requests import FieldWarning, VideoRequest

SENDING_SECONDS = 8.0
"""Seconds of a submit's deadline that the language model leaves to the submit itself."""
_MAX_CACHED = 500

_UNLISTED = ModelCard("", "", unlisted=True)
"""The card that inputs are checked against where no model is known."""


@dataclass(frozen=True, slots=True)
class Rewriting:
    """The outcome for one submit. `prompt` is None where the original stays: the warning says why."""

    prompt: str | None = None
    warnings: tuple[FieldWarning, ...] = ()
    log_fields: Mapping[str, str] = field(default_factory=dict)


UNCHANGED = Rewriting()


class PromptRewriter:
    """Rewrites the prompts of submits, and of clients that only want the prompt.

    The prompt of a submit that fails is cached for a retry of the same content: the language model is paid once.
    """

    def __init__(self, enhancer: PromptEnhancer, catalog: Catalog, intake: MediaIntake, clock: Clock) -> None:
        self.enhancer = enhancer
        self._catalog = catalog
        self._intake = intake
        self._cached: TTLCache[tuple[str, bytes, PromptLimit], Enhanced] = TTLCache(
            _MAX_CACHED, RETRY_SECONDS, clock.monotonic
        )

    async def for_submit(
        self, order: SubmitOrder, request: VideoRequest, cards: Iterable[ModelCard | None], deadline: SendDeadline
    ) -> Rewriting:
        """Rewrite the prompt of an order whose inputs are ready, for any of these cards. On any trouble the
        prompt stays as it is, and a warning says why."""
        if order.draft is None:
            return UNCHANGED
        limit = limit_of(cards)
        key = order.caller.identity, order.fingerprint, limit
        done = self._cached.get(key)
        try:
            if done is None:
                pictures = await pictures_of(request)
                seconds = deadline.seconds_left - SENDING_SECONDS
                with tracing.span("rewrite prompt"):
                    done = await self.enhancer.enhance(order.caller, order.draft, limit, pictures, seconds=seconds)
        except GatewayError as error:
            return _unchanged(error)
        except Exception as error:
            # The video is what the client pays for: it is made with the prompt as it is.
            GATEWAY.error("a prompt could not be rewritten", extra={"fields": {"cause": location_of(error)}})
            return _unchanged(GatewayError("internal_error"))
        self._cached[key] = done
        return Rewriting(done.prompt, log_fields={"enhance": "ok", **_named(done.log_fields)})

    def submitted(self, order: SubmitOrder) -> None:
        """Forget the prompt of an order that was submitted: a new one with the same content gets a new prompt."""
        if order.draft is None:
            return
        for key in [key for key in self._cached if key[:2] == (order.caller.identity, order.fingerprint)]:
            self._cached.pop(key, None)

    async def preview(self, caller: Caller, request: VideoRequest, draft: PromptDraft) -> tuple[Enhanced, str | None]:
        """The rewritten prompt of a request that is not submitted, and the model whose limit it keeps; None where the
        request names none and the caller has none.

        Raises GatewayError: 404 for an unknown model, and where there is no rewritten prompt.
        """
        card = await self._card(caller, request)
        pictures: tuple[str, ...] = ()
        if request.media and await self.enhancer.sees_pictures(caller):
            async with self._intake.ready(card or _UNLISTED, request, caller.identity) as ready:
                pictures = await pictures_of(ready)
        done = await self.enhancer.enhance(caller, draft, limit_of([card]), pictures)
        return done, card.name if card is not None else None

    async def _card(self, caller: Caller, request: VideoRequest) -> ModelCard | None:
        offer = await self._catalog.offer(caller)
        if not self._catalog.means_default(request.model):
            return offer.known_card(request.model)
        try:
            return offer.card_for(request)
        except GatewayError:
            return None


def _unchanged(error: GatewayError) -> Rewriting:
    reason = reason_of(error)
    why = LocalizedText(error.message("zh"), error.message("en"))
    # The upstream's own text may have braces.
    message = LocalizedText(*(text.replace("{reason}", said) for text, said in zip(NOT_ENHANCED, why, strict=True)))
    warning = FieldWarning("not_enhanced", "enhance_prompt", reason, message)
    return Rewriting(warnings=(warning,), log_fields={"enhance": reason, **_named(error.log_fields())})


def _named(fields: Mapping[str, str]) -> dict[str, str]:
    """The log fields of a language call, apart from those of the video's."""
    return {f"enhance_{name}": fields[name] for name in ("model", "account") if fields.get(name)}
