"""Client-facing messages of prompts that are not rewritten, in Chinese and English, by the reason."""

from providers.contract.localized_text import LocalizedText

NOT_REWRITTEN: dict[str, LocalizedText] = {
    "no_account": LocalizedText(
        "改写提示词需要语言模型的凭证：请在 Authorization 中加入 {credentials}",
        "Rewriting a prompt needs a credential for a language model: add {credentials} to the Authorization header",
    ),
    "no_managed_account": LocalizedText(
        "此网关密钥没有可用的语言模型，无法改写提示词，请联系网关管理员",
        "This gateway key has no language model to rewrite prompts with: ask the gateway's administrator for one",
    ),
    "timeout": LocalizedText(
        "语言模型未在 {seconds} 秒内写完提示词，请稍后再试",
        "The language model did not finish the prompt within {seconds} s: try again later",
    ),
    "interrupted": LocalizedText(
        "语言模型的回答在中途中断，请重试", "The language model broke off its answer: try again"
    ),
    "unreadable": LocalizedText(
        "语言模型的回答无法识别，请重试，或请网关管理员检查语言模型的设置",
        "The language model's answer cannot be read: try again, or ask the gateway's administrator to check its "
        "settings",
    ),
    "empty": LocalizedText(
        "语言模型没有写出提示词，请重试，或把描述写得更具体",
        "The language model wrote no prompt: try again, or describe the video in more detail",
    ),
    "refused": LocalizedText(
        "语言模型拒绝改写这段描述，请修改描述",
        "The language model declined to rewrite this description: change it",
    ),
    "too_long": LocalizedText(
        "语言模型写出的提示词超过 {limit} 个字符的上限，请重试，或缩短描述",
        "The prompt that the language model wrote exceeds the limit of {limit} characters: try again, or shorten the "
        "description",
    ),
    "too_long_to_rewrite": LocalizedText(
        "描述超过 {limit} 个字符，无法改写，请缩短后再试",
        "The description has more than {limit} characters and cannot be rewritten: shorten it",
    ),
    "missing": LocalizedText(
        "没有可改写的文字：请填写 prompt，或镜头、光线等描述；根据图片撰写需要能看图的语言模型",
        "There are no words to rewrite: send a prompt or a shot description. Writing one from pictures alone needs a "
        "language model that sees pictures",
    ),
}

NOT_ENHANCED = LocalizedText(
    "提示词未改写，视频使用原提示词。原因：{reason}",
    "The prompt was not rewritten, and the video uses the original one. Reason: {reason}",
)
