"""LangChain, unchanged, through the gateway. It needs an environment of its own, which `.ci/run` makes:
LANGCHAIN_PYTHON is a Python with langchain-openai and dashscope."""

import json
import os
import subprocess
from typing import Any

import pytest

from tests.e2e.client_programs import JOURNEYS
from tests.environment import bare

pytestmark = [
    pytest.mark.clients,
    pytest.mark.skipif("LANGCHAIN_PYTHON" not in os.environ, reason="LANGCHAIN_PYTHON names no Python with langchain"),
]


def run(program: str, *arguments: str) -> Any:
    """What a program prints as JSON."""
    command = [os.environ["LANGCHAIN_PYTHON"], str(JOURNEYS / program), *arguments]
    environment = bare(os.environ) | {"NO_PROXY": "*"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=110, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_existing_project_changes_its_base_urls_and_keys_only(url: str, key: str) -> None:
    assert run("existing_project.py", url, f"ms-{key},{key}") == {
        "shot": "You said: a cat on a windowsill",
        "numbers": 1536,
        "submitted": [200, "PENDING"],
        "finished": [200, "SUCCEEDED"],
        "video": True,
        "same": True,
    }


def test_chat_and_embeddings_of_langchain(url: str, key: str) -> None:
    assert run("langchain_chat.py", f"{url}/v1", f"ms-{key},{key}") == {
        "content": "You said: hello",
        "tokens": 4,
        "streamed": ["You", " said:", " one", " two"],
        "streamed_async": ["You", " said:", " one", " two"],
        "tool_calls": [["weather", {"city": "Paris"}]],
        "documents": [1536, 1536, 1536],
        "query": 1536,
        "failed": "invalid_value",
    }
