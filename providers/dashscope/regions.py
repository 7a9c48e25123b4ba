"""The regions of DashScope that have a host of their own for everybody, by the words of Alibaba Cloud.

Keys, hosts and models belong to one region: elsewhere a key is refused as invalid. Frankfurt and Tokyo have only hosts
of single workspaces, which a configured base URL names.
"""

BEIJING = "cn-beijing"
SINGAPORE = "ap-southeast-1"
VIRGINIA = "us-east-1"
HONG_KONG = "cn-hongkong"

BASE_URLS: dict[str, str] = {
    BEIJING: "https://dashscope.aliyuncs.com/api/v1",
    SINGAPORE: "https://dashscope-intl.aliyuncs.com/api/v1",
    VIRGINIA: "https://dashscope-us.aliyuncs.com/api/v1",
    HONG_KONG: "https://cn-hongkong.dashscope.aliyuncs.com/api/v1",
}
"""Hong Kong's is being retired in favour of hosts of single workspaces."""


def compatible_url(base_url: str) -> str:
    """The base URL of the OpenAI-compatible API of chat and embeddings, on the host of a base URL of the task API.

    >>> compatible_url("https://dashscope.aliyuncs.com/api/v1")
    'https://dashscope.aliyuncs.com/compatible-mode/v1'
    """
    return base_url.removesuffix("/api/v1") + "/compatible-mode/v1"


COMPATIBLE_URLS: dict[str, str] = {region: compatible_url(url) for region, url in BASE_URLS.items()}
