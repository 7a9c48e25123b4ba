"""Models of chat, embeddings and the list of models, for the OpenAPI document. Bodies and answers pass through: nothing
is validated with the models of requests."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from gateway.api.schemas.responses import ModelObject

_MODEL = "A name of GET /v1/models, an alias, or another name of the upstream; by default the provider's default."


class ChatRequest(BaseModel):
    """OpenAI's chat request. It passes through as it is: further fields are the upstream's own."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {"model": "qwen-plus", "messages": [{"role": "user", "content": "Describe a sunrise"}], "stream": True}
            ]
        },
    )

    model: str | None = Field(None, description=_MODEL)
    messages: list[dict[str, Any]]
    stream: bool = Field(False, description="Answer with Server-Sent Events.")


class EmbeddingRequest(BaseModel):
    """OpenAI's embedding request. It passes through as it is."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={"examples": [{"model": "text-embedding-v4", "input": ["a cat", "a dog"]}]},
    )

    model: str | None = Field(None, description=_MODEL)
    input: str | list[str]


class ChatCompletion(BaseModel):
    """OpenAI's chat completion, as the upstream sends it; with `stream`, `text/event-stream` of its chunks."""

    model_config = ConfigDict(extra="allow")

    id: str
    object: Literal["chat.completion"]
    model: str
    choices: list[dict[str, Any]]
    usage: dict[str, Any] | None = None


class EmbeddingList(BaseModel):
    """OpenAI's list of embeddings, as the upstream sends it."""

    model_config = ConfigDict(extra="allow")

    object: Literal["list"]
    model: str
    data: list[dict[str, Any]]
    usage: dict[str, Any] | None = None


class LanguageModelObject(BaseModel):
    """A language model."""

    model_config = ConfigDict(extra="forbid")

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    type: Literal["chat", "embedding"]
    input_modalities: list[Literal["text", "image"]] = Field(
        description="Kinds of input that the model takes, as far as known."
    )
    alias_of: str | None = None


class ModelList(BaseModel):
    """Models of videos, of chat and of embeddings."""

    model_config = ConfigDict(extra="forbid")

    object: Literal["list"]
    data: list[ModelObject | LanguageModelObject]
