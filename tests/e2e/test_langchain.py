"""LangChain, unchanged, through the gateway. It needs an environment of its own, which `.ci/run` makes:
LANGCHAIN_PYTHON is a Python with langchain-openai."""

import json
import os
import subprocess

import pytest

from tests.e2e.client_programs import JOURNEYS
from tests.environment import bare


@pytest.mark.clients
@pytest.mark.skipif("LANGCHAIN_PYTHON" not in os.environ, reason="LANGCHAIN_PYTHON names no Python with langchain")
def test_chat_and_embeddings_of_langchain(url: str, key: str) -> None:
    command = [os.environ["LANGCHAIN_PYTHON"], str(JOURNEYS / "langchain_chat.py"), f"{url}/v1", f"ms-{key},{key}"]
    environment = bare(os.environ) | {"NO_PROXY": "*"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=110, env=environment)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "content": "You said: hello",
        "tokens": 4,
        "streamed": ["You", " said:", " one", " two"],
        "streamed_async": ["You", " said:", " one", " two"],
        "tool_calls": [["weather", {"city": "Paris"}]],
        "documents": [1536, 1536, 1536],
        "query": 1536,
        "failed": "invalid_value",
    }
