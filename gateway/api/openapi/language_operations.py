"""The operations of language models, and the list of all models."""

from gateway.api.openapi.operation import (
    LANGUAGE,
    Operation,
    OperationGroup,
    path_parameter,
)
from gateway.api.schemas import language, responses

CHAT = OperationGroup(
    "Chat and embeddings",
    "OpenAI's chat completions and embeddings, passed through to the upstream.",
    (
        Operation(
            "post",
            "/v1/chat/completions",
            "createChatCompletion",
            "Send a chat request to a language model; with `stream` its chunks are relayed as they arrive",
            {200: (language.ChatCompletion, "text/event-stream")},
            body=language.ChatRequest,
            forms=False,
            parameters=(LANGUAGE,),
            error_statuses=(400, 401, 403, 404, 413, 429, 502),
        ),
        Operation(
            "post",
            "/v1/embeddings",
            "createEmbeddings",
            "Compute embeddings of texts",
            {200: language.EmbeddingList},
            body=language.EmbeddingRequest,
            forms=False,
            parameters=(LANGUAGE,),
            error_statuses=(400, 401, 403, 404, 413, 429, 502),
        ),
    ),
)

MODELS = OperationGroup(
    "Models",
    "The models that a credential can use.",
    (
        Operation(
            "get",
            "/v1/models",
            "listModels",
            "The models that the credential can use: of videos with their capabilities, of chat and of embeddings",
            {200: language.ModelList},
            error_statuses=(401,),
        ),
        Operation(
            "get",
            "/v1/models/{id}",
            "getModel",
            "A model, with its capabilities if it makes videos",
            {200: (responses.ModelObject, language.LanguageModelObject)},
            parameters=(path_parameter("id", "A model name, as listed by GET /v1/models."),),
            error_statuses=(401, 404),
        ),
    ),
)
