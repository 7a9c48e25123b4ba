"""LangChain's ChatOpenAI and OpenAIEmbeddings with nothing but another base URL and key. Prints what they answered."""

import asyncio
import json
import sys
from typing import Any

import openai
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings


@tool  # type: ignore[untyped-decorator, unused-ignore]
def weather(city: str) -> str:
    """The weather of a city."""
    return f"sunny in {city}"


async def streamed(chat: ChatOpenAI) -> list[str]:
    return [str(chunk.content) async for chunk in chat.astream("one two") if chunk.content]


def main(url: str, key: str) -> dict[str, Any]:
    chat = ChatOpenAI(model="Qwen/Qwen3-235B-A22B-Instruct-2507", base_url=url, api_key=key, temperature=0.3)
    # The service takes texts, not token numbers, as with its own address.
    embeddings = OpenAIEmbeddings(
        model="text-embedding-v2", base_url=url, api_key=key, check_embedding_ctx_length=False, chunk_size=25
    )
    answer = chat.invoke("hello")
    called = chat.bind_tools([weather]).invoke("Paris")
    failed = ""
    try:
        chat.invoke("#refuse=data")
    except openai.BadRequestError as error:
        failed = str(error.code)
    return {
        "content": answer.content,
        "tokens": answer.usage_metadata["total_tokens"],
        "streamed": [str(chunk.content) for chunk in chat.stream("one two") if chunk.content],
        "streamed_async": asyncio.run(streamed(chat)),
        "tool_calls": [[call["name"], call["args"]] for call in called.tool_calls],
        "documents": [len(row) for row in embeddings.embed_documents(["a", "b", "c"])],
        "query": len(embeddings.embed_query("a")),
        "failed": failed,
    }


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
