"""What a refusal or a failure of the site means: a kind of error and the text for people."""

from dataclasses import dataclass

from providers.contract.errors import ErrorKind
from providers.contract.localized_text import LocalizedText


@dataclass(frozen=True, slots=True)
class Meaning:
    kind: ErrorKind
    message: LocalizedText


EXPIRED = Meaning(
    ErrorKind.INVALID_CREDENTIAL,
    LocalizedText(
        "登录已失效，请更换 sessionid；国际站账号也可能属于其他站点，请检查前缀（us-、hk-、jp-、sg-）",
        "The login has expired, or the account belongs to another site: sign in and use the new sessionid, "
        "or check the prefix (us-, hk-, jp-, sg-)",
    ),
)
NO_CREDITS = Meaning(ErrorKind.NO_CREDITS, LocalizedText("积分不足", "Not enough credits"))
DAILY_LIMIT = Meaning(
    ErrorKind.NO_CREDITS,
    LocalizedText("今日生成次数已达上限，请明天再试", "The daily limit is reached; try again tomorrow (Asia/Shanghai)"),
)
TOO_FREQUENT = Meaning(
    ErrorKind.RATE_LIMITED, LocalizedText("请求过于频繁，请稍后再试", "Too many requests; try again a little later")
)
TOO_MANY = Meaning(
    ErrorKind.TOO_MANY_RUNNING,
    LocalizedText("正在运行的任务过多，请等待任务完成后再试", "Too many tasks are running; wait until one has ended"),
)
PEAK = Meaning(
    ErrorKind.TOO_MANY_RUNNING,
    LocalizedText(
        "网站处于高峰期，该模型暂时不能提交更多任务，请等待任务完成后再试",
        "At this peak time the site takes no more tasks of this model; wait until one has ended",
    ),
)
PUNISHED = Meaning(
    ErrorKind.RESTRICTED,
    LocalizedText("账号已被限制，请在官网查看原因", "The account is restricted; see the reason on the site"),
)
RISK = Meaning(
    ErrorKind.RESTRICTED,
    LocalizedText(
        "触发风控，请在官网完成验证并暂停使用该账号",
        "Risk control stopped this account; pass the check on the site and let the account rest",
    ),
)
NO_PROOF = Meaning(
    ErrorKind.RESTRICTED,
    LocalizedText(
        "触发风控：国际站要求浏览器生成的校验参数（msToken、X-Bogus），本网关不生成这些参数，请在官网操作或改用国内站账号",
        "Risk control: the international sites want browser proofs (msToken, X-Bogus) that this gateway does not make; "
        "use the site itself, or an account of the mainland site",
    ),
)
REGION = Meaning(
    ErrorKind.RESTRICTED,
    LocalizedText(
        "网站不向当前地区提供服务，请为该账号配置所在地区的代理",
        "The site does not serve this region: give the account a proxy in the region of its site",
    ),
)
REFUSED = Meaning(
    ErrorKind.CONTENT_REFUSED, LocalizedText("内容违规", "The content was refused; change the prompt or the image")
)
TEXT_REFUSED = Meaning(
    ErrorKind.CONTENT_REFUSED,
    LocalizedText("内容违规：提示词未通过审核，请修改后重试", "The prompt was refused by content review; change it"),
)
INPUT_REFUSED = Meaning(
    ErrorKind.CONTENT_REFUSED,
    LocalizedText("内容违规：输入的素材未通过审核，请更换后重试", "An input was refused by content review; replace it"),
)
OUTPUT_REFUSED = Meaning(
    ErrorKind.CONTENT_REFUSED,
    LocalizedText(
        "内容违规：生成结果未通过审核，请修改提示词或更换素材后重试",
        "What was generated was refused by content review; change the prompt or the inputs",
    ),
)
COPYRIGHT = Meaning(
    ErrorKind.CONTENT_REFUSED,
    LocalizedText(
        "内容违规：可能涉及版权，请修改提示词或更换素材后重试",
        "The content was refused, since it may infringe a copyright; change the prompt or the inputs",
    ),
)
PARAMETERS = Meaning(
    ErrorKind.INVALID_REQUEST,
    LocalizedText(
        "请求参数错误：网站不接受这些参数，请改用其他参数或模型",
        "The site refused the parameters of the request; try other values or another model",
    ),
)
MIXED_LANGUAGES = Meaning(
    ErrorKind.INVALID_REQUEST,
    LocalizedText("提示词混用了多种语言，请只使用一种语言", "The prompt mixes languages; use one language"),
)
UNSUPPORTED_LANGUAGE = Meaning(
    ErrorKind.INVALID_REQUEST,
    LocalizedText(
        "提示词使用了网站不支持的语言，请改用中文或英文",
        "The site does not support the language of the prompt; write it in Chinese or English",
    ),
)
MODEL_GONE = Meaning(
    ErrorKind.MODEL_NOT_FOUND,
    LocalizedText(
        "网站已不提供此模型，可用模型见 GET /v1/models",
        "The site no longer has this model: see GET /v1/models",
    ),
)
NOT_OPEN = Meaning(
    ErrorKind.NOT_ENTITLED,
    LocalizedText(
        "当前账号无权使用该模型或功能，请改用其他模型或账号",
        "This account may not use this model or feature; try another model or account",
    ),
)
SIGNATURE = Meaning(
    ErrorKind.UPSTREAM_ERROR,
    LocalizedText("签名校验失败，请检查服务器时间", "The site refused the signature; check the clock of the server"),
)
INPUT_LOST = Meaning(
    ErrorKind.UPLOAD_FAILED,
    LocalizedText("网站未能取得已上传的素材，请重试", "The site could not read an uploaded input; try again"),
)
FAILED = Meaning(ErrorKind.GENERATION_FAILED, LocalizedText("生成失败", "The generation failed; try again"))
CANCELLED = Meaning(ErrorKind.CANCELLED, LocalizedText("任务已取消", "The task was cancelled"))
REFUNDED = Meaning(
    ErrorKind.CANCELLED,
    # Captured 2026-03-10 on the mainland site: 你已取消生成，积分已返还.
    LocalizedText("任务已取消，积分已返还", "The task was cancelled and its credits were returned"),
)
