"""ModelScope's API-Inference: `/v1`."""

from typing import ClassVar

from starlette.responses import Response

from providers.sandbox.directives import credential_directive
from providers.sandbox.language.completions import Json
from providers.sandbox.language.service import EmbeddingModel, LanguageService, Refused


class ModelScope(LanguageService):
    """Errors have a message and mostly no code: `errors` for a token, a rate limit and a quota, else `error`."""

    prefix = "/v1"
    owner = "system"
    chat_models: ClassVar = {
        "Qwen/Qwen3-235B-A22B-Instruct-2507": False,
        "Qwen/Qwen3-235B-A22B-Thinking-2507": True,
        "Qwen/Qwen3-8B": False,
        "Qwen/Qwen3-VL-235B-A22B-Instruct": False,
        "deepseek-ai/DeepSeek-V3.2": False,
    }
    embedding_models: ClassVar = {
        "Qwen/Qwen3-Embedding-8B": EmbeddingModel((4096, 1024, 512), 64),
        "Qwen/Qwen3-Embedding-0.6B": EmbeddingModel((1024, 512, 256), 64),
    }
    other_models = ("Qwen/Qwen-Image", "MusePublic/489_ckpt_FLUX_1")
    seeing = frozenset({"Qwen/Qwen3-VL-235B-A22B-Instruct"})
    throttled = "rate_limit"

    def error(self, refused: Refused) -> Response:
        key = "errors" if refused.status in (401, 429) else "error"
        return self.json({key: {"message": refused.message}, "request_id": "sandbox"}, refused.status, refused.headers)

    def check_key(self, key: str) -> None:
        if not key.startswith("ms-") or credential_directive(key) == "expired":
            raise Refused(401, "", "Authentication failed, please make sure that a valid ModelScope token is supplied.")

    def check_account(self, key: str, model: str) -> None:
        match credential_directive(key):
            case "poor":
                raise self._quota("You have exceeded today's quota, please try again tomorrow", 0)
            case "limited":
                raise self.daily_quota(model)
            case "shark":
                raise Refused(429, "", "Request limit exceeded.")

    def daily_quota(self, model: str) -> Refused:
        return self._quota(f"You have exceeded today's quota for model {model}, please try again tomorrow", 1990)

    def _quota(self, message: str, left: int) -> Refused:
        headers = {
            "modelscope-ratelimit-requests-limit": "2000",
            "modelscope-ratelimit-requests-remaining": str(left),
            "modelscope-ratelimit-model-requests-limit": "500",
            "modelscope-ratelimit-model-requests-remaining": "0",
        }
        return Refused(429, "", message, headers)

    def refusal(self, code: str) -> Refused:
        if code == self.throttled:
            return Refused(429, "", "Request limit exceeded.")
        return super().refusal(code)

    def unknown_model(self, name: object) -> Refused:
        return Refused(400, "", f"Model id : {name} , has no provider supported")

    def check_chat(self, body: Json, model: str) -> None:
        if body.get("enable_thinking") and not body.get("stream"):
            raise self.invalid("parameter.enable_thinking must be set to false for non-streaming calls")
