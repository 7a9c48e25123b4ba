"""DashScope's compatible mode: `/compatible-mode/v1`."""

import uuid
from typing import ClassVar

from starlette.responses import Response

from providers.sandbox.directives import credential_directive
from providers.sandbox.language.completions import Json
from providers.sandbox.language.service import EmbeddingModel, LanguageService, Refused

_STATUS = {
    "limit_requests": 429,
    "insufficient_quota": 429,
    "AllocationQuota.FreeTierOnly": 403,
    "access_denied": 403,
    "invalid_api_key": 401,
    "model_not_found": 404,
    "InternalError": 500,
}
_ACCOUNTS = {
    "poor": ("Arrearage", "Access denied, please make sure your account is in good standing."),
    "banned": ("access_denied", "Access denied."),
    "shark": ("limit_requests", "You exceeded your current requests list."),
    "limited": ("AllocationQuota.FreeTierOnly", "The free tier of the model has been exhausted."),
    "exhausted": ("insufficient_quota", "token-plan 1-week quota has been exhausted"),
}
"""By the word in the key: code and message of every call."""


class CompatibleMode(LanguageService):
    """Errors have OpenAI's form with four fields."""

    prefix = "/compatible-mode/v1"
    owner = "system"
    chat_models: ClassVar = {
        "qwen-plus": False,
        "qwen-max": False,
        "qwen-vl-plus": False,
        "qwen3-235b-a22b": False,
        "qwq-plus": True,
    }
    embedding_models: ClassVar = {
        "text-embedding-v4": EmbeddingModel((1024, 2048, 1536, 768, 512, 256, 128, 64), 10),
        "text-embedding-v3": EmbeddingModel((1024, 768, 512, 256, 128, 64), 10),
        "text-embedding-v2": EmbeddingModel((1536,), 25),
        "text-embedding-v1": EmbeddingModel((1536,), 25),
    }
    other_models = ("wan2.6-t2v", "qwen-image-plus", "qwen3-tts-flash")
    stream_only = frozenset({"qwq-plus"})
    seeing = frozenset({"qwen-vl-plus"})
    throttled = "limit_requests"

    def error(self, refused: Refused) -> Response:
        kind = "invalid_request_error" if refused.status < 500 else "internal_error"
        error = {"message": refused.message, "type": kind, "param": None, "code": refused.code}
        return self.json({"error": error, "request_id": str(uuid.uuid4())}, refused.status, refused.headers)

    def check_key(self, key: str) -> None:
        if not key.startswith("sk-") or credential_directive(key) == "expired":
            message = "Incorrect API key provided." if key else "You didn't provide an API key."
            raise Refused(401, "invalid_api_key", message)

    def check_account(self, key: str, model: str) -> None:
        if found := _ACCOUNTS.get(credential_directive(key)):
            raise Refused(_STATUS.get(found[0], 400), *found)

    def refusal(self, code: str) -> Refused:
        return Refused(_STATUS.get(code, 400), code, f"The request was refused with {code}.")

    def daily_quota(self, model: str) -> Refused:
        return Refused(403, *_ACCOUNTS["limited"])

    def unknown_model(self, name: object) -> Refused:
        return Refused(404, "model_not_found", f"The model `{name}` does not exist or you do not have access to it.")

    def check_chat(self, body: Json, model: str) -> None:
        if body.get("enable_thinking") and not body.get("stream"):
            raise self.invalid("parameter.enable_thinking must be set to false for non-streaming calls")
        temperature, seed = body.get("temperature"), body.get("seed")
        if isinstance(temperature, int | float) and not 0 <= temperature < 2:
            raise self.invalid("<400> InternalError.Algo.InvalidParameter: Temperature should be in [0.0, 2.0)")
        if isinstance(seed, int) and not 0 <= seed < 2**31:
            raise self.invalid("<400> InternalError.Algo.InvalidParameter: Seed should be in [0, 2147483647]")
