"""Prompt enhancer: a language model of the caller's own accounts rewrites the prompt of a video."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from gateway.accounts.callers import Caller
from gateway.core.errors import GatewayError
from gateway.language.body import LanguageBody
from gateway.language.service import Language
from gateway.prompts.cleaning import clean_answer
from gateway.prompts.completion import read_completion
from gateway.prompts.draft import PromptDraft, PromptLimit
from gateway.prompts.failure import PromptError
from gateway.prompts.instructions import request_body
from providers.contract.language import LanguageKind
from providers.offload import offload
from providers.registry import credential_hints

TIME_LIMIT = 20.0
"""Seconds for all calls together."""


@dataclass(frozen=True, slots=True)
class Enhanced:
    """A rewritten prompt. `log_fields` are the model, the provider and the account that wrote it."""

    prompt: str
    model: str
    log_fields: Mapping[str, str]


class _Attempt(NamedTuple):
    model: str
    pictures: tuple[str, ...]


class PromptEnhancer:
    """Rewrites prompts. Raises GatewayError where there is no rewritten prompt: its message says why."""

    def __init__(self, language: Language, *, time_limit: float = TIME_LIMIT) -> None:
        self._language = language
        self.time_limit = time_limit

    async def sees_pictures(self, caller: Caller) -> bool:
        """True for a caller with a language model that takes pictures."""
        return bool(await self._language.catalog.chat_models(caller, see_pictures=True))

    async def enhance(
        self,
        caller: Caller,
        draft: PromptDraft,
        limit: PromptLimit,
        pictures: Sequence[str] = (),
        *,
        seconds: float | None = None,
    ) -> Enhanced:
        """Rewrite a draft, within `seconds` and the time limit.

        Models that take pictures are tried before those that do not, and those of each of the caller's providers in
        turn. A prompt that one of them refuses is not sent to another. The error is that of the first.
        """
        within = self.time_limit if seconds is None else min(seconds, self.time_limit)
        if within <= 0:
            raise PromptError("timeout", seconds=round(self.time_limit))
        try:
            async with asyncio.timeout(within):
                return await self._enhance(caller, draft, limit, tuple(pictures))
        except TimeoutError:
            raise PromptError("timeout", seconds=round(self.time_limit)) from None

    async def _enhance(
        self, caller: Caller, draft: PromptDraft, limit: PromptLimit, pictures: tuple[str, ...]
    ) -> Enhanced:
        if draft.is_empty and not pictures:
            raise PromptError("missing")
        if limit.length(draft.prompt) > limit.characters:
            raise PromptError("too_long_to_rewrite", limit=limit.characters)
        first: GatewayError | None = None
        for attempt in await self._attempts(caller, draft, pictures):
            try:
                return await self._ask(caller, draft, limit, attempt)
            except GatewayError as error:
                if error.code == "content_policy_violation":
                    raise
                first = first or error
        if first is not None:
            raise first
        if caller.managed:
            raise PromptError("no_managed_account")
        raise PromptError("no_account", credentials=credential_hints(self._language.catalog.chat_providers))

    async def _attempts(self, caller: Caller, draft: PromptDraft, pictures: tuple[str, ...]) -> list[_Attempt]:
        catalog = self._language.catalog
        seeing = await catalog.chat_models(caller, see_pictures=True) if pictures else []
        others = [] if draft.is_empty else await catalog.chat_models(caller)
        if pictures and draft.is_empty and not seeing and await catalog.chat_models(caller):
            raise PromptError("missing")
        return [*(_Attempt(model, pictures) for model in seeing), *(_Attempt(model, ()) for model in others)]

    async def _ask(self, caller: Caller, draft: PromptDraft, limit: PromptLimit, attempt: _Attempt) -> Enhanced:
        size = sum(len(picture) for picture in attempt.pictures)
        body = await offload(size, partial(request_body, attempt.model, draft, limit, attempt.pictures))
        call = await self._language.open(caller, LanguageKind.CHAT, LanguageBody(body, attempt.model, stream=True))
        answer = await read_completion(call.response, limit)
        return Enhanced(clean_answer(answer, limit), call.model, call.log_fields)
