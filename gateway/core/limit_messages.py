"""Messages to a client whose gateway key has reached a limit. They are part of `messages.ERRORS`."""

from providers.contract.localized_text import LocalizedText

LIMIT_ERRORS: dict[str, LocalizedText] = {
    "key_requests": LocalizedText(
        "请求过于频繁：此密钥每秒最多 {limit} 个请求（突发 {burst} 个），请在{eta}后重试",
        "Too many requests: this key may send {limit} a second, {burst} at once. Try again in {eta}",
    ),
    "key_running": LocalizedText(
        "此密钥运行中的任务已达上限 {limit} 个。本次未提交，也未扣费：请等待任务结束后重试，或先取消一个任务",
        "This key has reached its limit of {limit} running tasks. Nothing was submitted or charged: wait until one "
        "ends, or cancel one",
    ),
    "key_submits": LocalizedText(
        "此密钥今日的 {limit} 次提交已用完。本次未提交，也未扣费：额度将于 {at} 恢复（约 {eta}后），"
        "如需更多请联系网关管理员",
        "This key has used its {limit} submits of today. Nothing was submitted or charged: the quota resets at {at}, "
        "in about {eta}. For more, ask the gateway's administrator",
    ),
    "key_seconds": LocalizedText(
        "此密钥今日的视频时长额度（{limit} 秒）剩余 {left} 秒，不够生成这个 {seconds} 秒的视频。本次未提交，也未扣费："
        "请缩短时长，或等额度于 {at} 恢复（约 {eta}后），如需更多请联系网关管理员",
        "This key has {left} s left of its {limit} s of video of today, and this video takes {seconds} s. Nothing was "
        "submitted or charged: choose a shorter one, or wait until the quota resets at {at}, in about {eta}. For more, "
        "ask the gateway's administrator",
    ),
    "model_not_allowed": LocalizedText(
        "此密钥无权使用模型 {model}，可用模型见 GET /v1/models",
        "This key may not use model {model}: see GET /v1/models for those that it may use",
    ),
    "no_usage": LocalizedText(
        "用量按网关密钥统计：请使用网关密钥，管理员密钥可查看全部密钥",
        "Usage is counted for gateway keys: send one, or the admin key to see all of them",
    ),
}
