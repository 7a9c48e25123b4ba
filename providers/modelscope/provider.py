"""The provider `modelscope`: chat and embeddings of ModelScope's API-Inference. It makes no videos."""

import re
from collections.abc import Mapping, Sequence

from providers.contract.accounts import Account
from providers.contract.language import LanguageModel, LanguageResponse
from providers.modelscope.errors import error_of
from providers.modelscope.models import CHAT_MODELS, EMBEDDING_MODELS, PROVIDER, model_of
from providers.openai_compatible import CompatibleApi, unlisted
from providers.transport.client import HttpClient

USER_AGENT = "video-gateway"
_TOKEN = re.compile(r"ms-[\x21-\x7e]+")
_PRINTABLE = re.compile(r"[\x21-\x7e]+")


class ModelScope:
    """`base_url` ends in `/v1`. `defaults` are models of the configuration, which the table has as well."""

    def __init__(self, http: HttpClient, base_url: str, defaults: Sequence[str] = ()) -> None:
        self._api = CompatibleApi(http, error_of, USER_AGENT)
        self._base_url = base_url
        names = dict.fromkeys((*defaults, *CHAT_MODELS, *EMBEDDING_MODELS))
        self._models = {name.lower(): model for name in names if (model := model_of(name)) is not None}

    @property
    def name(self) -> str:
        return PROVIDER

    @property
    def regions(self) -> frozenset[str]:
        return frozenset()

    def account_from(self, credential: str, *, named: bool = False) -> Account | None:
        """The account of an `ms-…` token; with `named`, of any printable ASCII text."""
        pattern = _PRINTABLE if named else _TOKEN
        return Account(PROVIDER, credential) if pattern.fullmatch(credential) else None

    def language_models(self) -> Sequence[LanguageModel]:
        return list(self._models.values())

    def language_model(self, name: str) -> LanguageModel | None:
        """A model of the table, or an unlisted one for a name in two parts, `organisation/model`."""
        return self._models.get(name.lower()) or unlisted(model_of(name))

    async def chat(self, body: bytes, account: Account, headers: Mapping[str, str]) -> LanguageResponse:
        return await self._api.post(f"{self._base_url}/chat/completions", body, account, headers)

    async def embed(self, body: bytes, account: Account, headers: Mapping[str, str]) -> LanguageResponse:
        return await self._api.post(f"{self._base_url}/embeddings", body, account, headers)

    async def discover_language(self, account: Account) -> Sequence[LanguageModel]:
        names = await self._api.models(f"{self._base_url}/models", account)
        return [model for name in names if (model := model_of(name)) is not None]

    async def check(self, account: Account) -> None:
        """Return if the list of models can be read. Raises INVALID_CREDENTIAL if the upstream rejects the token."""
        await self._api.models(f"{self._base_url}/models", account)
