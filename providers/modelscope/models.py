"""The language models of ModelScope, used until its own list is read, and what the names of its list mean."""

import re

from providers.contract.language import LanguageKind, LanguageModel

PROVIDER = "modelscope"

CHAT_MODELS = (
    "Qwen/Qwen3-235B-A22B-Instruct-2507",
    "Qwen/Qwen3-235B-A22B-Thinking-2507",
    "Qwen/Qwen3-30B-A3B-Instruct-2507",
    "Qwen/Qwen3-8B",
    "Qwen/Qwen3-Coder-480B-A35B-Instruct",
    "Qwen/Qwen3-VL-235B-A22B-Instruct",
    "deepseek-ai/DeepSeek-V3.2",
    "ZhipuAI/GLM-4.6",
)
EMBEDDING_MODELS = ("Qwen/Qwen3-Embedding-8B", "Qwen/Qwen3-Embedding-4B", "Qwen/Qwen3-Embedding-0.6B")

_NAME = re.compile(r"[\w.-]+/[\w.:-]+")
_EMBEDDING = re.compile(r"embedding|/bge-|/gte", re.IGNORECASE)
_OTHER = re.compile(r"image|flux|diffusion|sdxl|kolors|video|wan2|tts|lora|rerank", re.IGNORECASE)
"""Models of pictures, videos and sounds in the list."""
_SEES = re.compile(
    r"-vl\b|vl\d|internvl|qvq|-omni|glm-\d(?:\.\d)?v|kimi-k2\.[5-9]|minicpm-v|qwen3\.[5-9]|llama-4|gemma-3|step3|vision",
    re.IGNORECASE,
)
"""Models that take pictures. Those of OCR read the text in them and nothing else."""


def model_of(name: str) -> LanguageModel | None:
    """The model of a name of the list; None for one that is no language model."""
    if not _NAME.fullmatch(name) or _OTHER.search(name):
        return None
    if _EMBEDDING.search(name):
        return LanguageModel(name, PROVIDER, LanguageKind.EMBEDDING)
    sees = bool(_SEES.search(name)) and "ocr" not in name.lower()
    return LanguageModel(name, PROVIDER, LanguageKind.CHAT, sees_pictures=sees)
