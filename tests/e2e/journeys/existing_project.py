"""A project that uses Wan by Alibaba's SDK and a language model by LangChain: `existing_project.py URL KEY`.

Only the two base URLs and the keys are other than before. Prints what it got as JSON.
"""

import json
import sys

import dashscope
from dashscope import VideoSynthesis
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

url, key = sys.argv[1:]
dashscope.base_http_api_url = f"{url}/api/v1"
dashscope.api_key = key

chat = ChatOpenAI(model="Qwen/Qwen3-235B-A22B-Instruct-2507", base_url=f"{url}/v1", api_key=key)
shot = chat.invoke("a cat on a windowsill").content
embeddings = OpenAIEmbeddings(
    model="text-embedding-v2", base_url=f"{url}/v1", api_key=key, check_embedding_ctx_length=False
)
vector = embeddings.embed_query(shot)

submitted = VideoSynthesis.async_call(
    model="wan2.6-t2v",
    prompt=shot,
    size="1280*720",
    duration=10,
    seed=12345,
    prompt_extend=True,
    watermark=False,
)
finished = VideoSynthesis.wait(submitted)
print(
    json.dumps(
        {
            "shot": shot,
            "numbers": len(vector),
            "submitted": [submitted.status_code, submitted.output.task_status],
            "finished": [finished.status_code, finished.output.task_status],
            "video": finished.output.video_url.startswith("http"),
            "same": finished.output.task_id == submitted.output.task_id,
        }
    )
)
