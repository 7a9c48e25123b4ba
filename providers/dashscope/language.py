"""Chat and embeddings in DashScope's compatible mode: models and errors."""

import re

from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.language import LanguageKind, LanguageModel
from providers.dashscope.errors import error_from
from providers.dashscope.models import PROVIDER
from providers.openai_compatible import Failure

CHAT_MODELS = (
    "qwen-plus",
    "qwen-max",
    "qwen-flash",
    "qwen-turbo",
    "qwen-long",
    "qwen3-max",
    "qwen3-235b-a22b-instruct-2507",
    "qwen3-coder-plus",
    "qwen3-vl-plus",
    "qwen-vl-max",
    "qwen-vl-plus",
    "qwq-plus",
    "qvq-max",
    "deepseek-v3.2",
    "deepseek-r1",
    "kimi-k2-thinking",
    "glm-4.6",
)
EMBEDDING_MODELS = ("text-embedding-v4", "text-embedding-v3", "text-embedding-v2", "text-embedding-v1")

_FAMILY = re.compile(r"(?:qwen|qwq|qvq|deepseek|kimi|moonshot|glm|llama|baichuan|yi-|text-embedding)", re.IGNORECASE)
_OTHER = re.compile(r"image|tts|asr|realtime|livetranslate|speech|audio|rerank|-vc|-vd", re.IGNORECASE)
"""Models of pictures and sounds in the list."""
_SEES = re.compile(r"qwen[\d.]*-(?:vl|omni)-|qvq|qwen3\.[5-9]-|kimi-k2\.[5-9]|glm-\d(?:\.\d)?v", re.IGNORECASE)
"""Models that take pictures, as the page of visual understanding lists them. Those of OCR read text and nothing
else."""


def model_of(name: str) -> LanguageModel | None:
    """The language model of a name of a known family, else None."""
    if not _FAMILY.match(name) or _OTHER.search(name):
        return None
    if "embedding" in name:
        return LanguageModel(name, PROVIDER, LanguageKind.EMBEDDING)
    sees = bool(_SEES.match(name)) and "-ocr" not in name
    return LanguageModel(name, PROVIDER, LanguageKind.CHAT, sees_pictures=sees)


def error_of(failed: Failure) -> ProviderError:
    """The error of an error response. Whatever its code is, a rate limit is that of one model."""
    error = error_from(failed.status, failed.code, failed.message, failed.retry_after)
    error.model_only |= error.kind is ErrorKind.RATE_LIMITED
    return error
