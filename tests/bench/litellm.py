"""LiteLLM's proxy, which serves DashScope's videos on /v1/videos: how it is started and asked."""

import base64
import json
import re
from pathlib import Path

from tests.bench.requests import Requests

MASTER_KEY = "sk-bench-master"
HEADERS = {"Authorization": f"Bearer {MASTER_KEY}"}
SUBMIT = Requests(("/v1/videos",), HEADERS, "POST", '{"model":"wan2.6-t2v","prompt":"a cat"}')

ENVIRONMENT = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOG": "ERROR",
    "LITELLM_MODE": "PRODUCTION",
}
"""What its manual wants for production, and its price list from the package instead of the network."""

_UPSTREAM_ID = re.compile(r"(?<=;video_id:)[^;]+")
_PREFIX = "video_"


def command(python: str, folder: Path, port: int, upstream: int, key: str) -> list[str]:
    """One process with one model, its configuration written into `folder`."""
    file = folder / "litellm.yaml"
    configuration = {
        "model_list": [
            {
                "model_name": "wan2.6-t2v",
                "litellm_params": {
                    "model": "dashscope/wan2.6-t2v",
                    "custom_llm_provider": "dashscope",
                    "api_base": f"http://127.0.0.1:{upstream}",
                    "api_key": key,
                },
            }
        ],
        "general_settings": {"master_key": MASTER_KEY},
    }
    # JSON is YAML.
    file.write_text(json.dumps(configuration), "utf-8")
    start = "from litellm import run_server; run_server()"
    options = ["--config", str(file), "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
    return [python, "-c", start, *options, "--telemetry", "False"]


def id_of(answer: bytes) -> str:
    """The id in the answer to a submit."""
    id: str = json.loads(answer)["id"]
    return id


def with_upstream_id(id: str, upstream_id: str) -> str:
    """The same id for another task of the upstream: its ids are base64 of what they lead to."""
    text = base64.b64decode(id.removeprefix(_PREFIX)).decode("utf-8")
    return _PREFIX + base64.b64encode(_UPSTREAM_ID.sub(upstream_id, text).encode()).decode("ascii")
