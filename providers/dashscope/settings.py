"""The settings of DashScope: `[providers.dashscope]`."""

from pydantic import Field

from providers.contract.settings import BaseUrl, ProviderSettings
from providers.dashscope.regions import BASE_URLS, BEIJING, compatible_url


class DashScopeSettings(ProviderSettings):
    """Accounts are API keys."""

    queries_per_second: float = Field(20.0, ge=0, description="Queries a second of one account; 0 = no limit.")
    base_url: BaseUrl = Field(BASE_URLS[BEIJING], description="Ends in /api/v1. Another one replaces every region's.")
    image_model: str = Field("wan2.6-i2v", description="The model when only an image is given and no model is named.")
    compatible_url: BaseUrl | None = Field(
        None,
        description="Chat and embeddings, ends in /compatible-mode/v1; by default on the host of base_url. Another one "
        "replaces every region's.",
    )
    chat_model: str = Field("qwen-plus", description="The chat model of requests that name none.")
    embedding_model: str = Field("text-embedding-v4", description="The embedding model of requests that name none.")

    @property
    def language_url(self) -> str:
        """The base URL of chat and embeddings: that of the same host, whose keys another one refuses as invalid."""
        return self.compatible_url or compatible_url(self.base_url)
