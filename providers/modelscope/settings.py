"""The settings of ModelScope: `[providers.modelscope]`."""

from pydantic import Field

from providers.contract.settings import BaseUrl, UpstreamSettings

BASE_URL = "https://api-inference.modelscope.cn/v1"


class ModelScopeSettings(UpstreamSettings):
    """Accounts are access tokens."""

    base_url: BaseUrl = Field(
        BASE_URL, description="Ends in /v1. Tokens of modelscope.ai need https://api-inference.modelscope.ai/v1."
    )
    model: str = Field("Qwen/Qwen3-235B-A22B-Instruct-2507", description="The chat model of requests that name none.")
    embedding_model: str = Field(
        "Qwen/Qwen3-Embedding-8B", description="The embedding model of requests that name none."
    )
