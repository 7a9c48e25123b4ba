"""Every sentence of the gateway for people, in Chinese and English: what happened, why, and what to do now."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, cast

from providers.contract.errors import FieldProblem, FieldReason
from providers.contract.localized_text import LocalizedText
from providers.contract.tasks import Phase, Queue, TaskState

Language = Literal["zh", "en"]

ERRORS: dict[str, LocalizedText] = {
    "no_credential": LocalizedText(
        "未提供认证令牌",
        "No credential was given: send `Authorization: Bearer <key>`",
    ),
    "invalid_api_key": LocalizedText(
        "API认证失败，请检查配置", "The credential was refused: check the key or the configuration"
    ),
    "unknown_key": LocalizedText(
        "认证令牌无效：此网关只接受自己的密钥",
        "The credential is not one of this gateway's keys: ask its operator for one",
    ),
    "no_proxies": LocalizedText(
        "此网关不接受凭证中的代理，请去掉代理前缀",
        "This gateway takes no proxy with a credential: leave its prefix out",
    ),
    "unusable_credential": LocalizedText(
        "认证令牌格式无效，应为 {credentials}",
        "The credential has a form that is not known here: send {credentials}",
    ),
    "too_many_credentials": LocalizedText(
        "凭证过多：一个请求最多 {limit} 个", "Too many credentials: at most {limit} in one request"
    ),
    "no_answer": LocalizedText("上游没有应答", "The upstream gave no answer"),
    "cancel_unanswered": LocalizedText(
        "取消请求已发出但没有收到确认，请查询任务状态或再试一次",
        "The cancel was sent and its answer lost: ask how the task stands, or cancel again",
    ),
    "no_account_for_provider": LocalizedText(
        "没有可用于 {provider} 的凭证，请在 Authorization 中加入该平台的凭证，或选择其他模型",
        "No credential for {provider}: add one to the Authorization header, or choose another model",
    ),
    "not_in_region": LocalizedText(
        "模型 {model} 在该账号所属站点不可用，可用站点：{regions}",
        "The account's site does not offer {model}; it is offered at: {regions}",
    ),
    "model_not_found": LocalizedText(
        "模型 {model} 不存在，可用模型见 GET /v1/models", "There is no model {model}: see GET /v1/models"
    ),
    "model_gone": LocalizedText(
        "该账号所属站点目前不提供模型 {model}，可用模型见 GET /v1/models",
        "The account's site does not offer the model {model} now: see GET /v1/models",
    ),
    "nearest_models": LocalizedText(
        "{reason}；相近的可用模型：{nearest}", "{reason}; the nearest that are there: {nearest}"
    ),
    "task_not_found": LocalizedText(
        "任务不存在或已过期", "There is no such task, or it has expired, or another credential made it"
    ),
    "not_found": LocalizedText("路径不存在，接口见 /docs", "There is no such path: see /docs"),
    "method_not_allowed": LocalizedText(
        "该路径不支持 {method} 方法，接口见 /docs", "This path does not take {method}: see /docs"
    ),
    "content_policy_violation": LocalizedText("内容违规", "The content was refused; change the prompt or the image"),
    "account_restricted": LocalizedText("账号受限", "The account is restricted"),
    "insufficient_quota": LocalizedText("积分不足", "Not enough credits"),
    "rate_limit_exceeded": LocalizedText("请求过于频繁，请稍后再试", "Too many requests; try again later"),
    "account_resting": LocalizedText(
        "{reason}。该账号暂停接受任务，约 {eta}后恢复，请届时再试",
        "{reason}. The account rests for about {eta}: try again then",
    ),
    "account_without_credits": LocalizedText(
        "{reason}。该账号暂停接受任务，约 {eta}后恢复；充值或领取积分后，用 POST /token/points 或 /token/check "
        "可立即恢复",
        "{reason}. The account rests for about {eta}; once there is more to spend, POST /token/points or /token/check "
        "ends that at once",
    ),
    "accounts_resting": LocalizedText(
        "{total} 个账号暂时都不能接受任务：{states}。请在约 {eta}后再试",
        "No account of {total} can take this now: {states}. Try again in about {eta}",
    ),
    "accounts_used_up": LocalizedText(
        "{total} 个账号都不能接受任务：{states}。请充值、领取积分、更新登录或添加账号",
        "No account of {total} can take this: {states}. Top up, receive credits, log in anew or add accounts",
    ),
    "accounts_paused": LocalizedText(
        "全部 {total} 个账号都已被管理员暂停，请联系网关管理员恢复",
        "Every account of {total} is paused: ask the gateway's operator to resume one",
    ),
    "proxies_lead_nowhere": LocalizedText(
        "无法通过账号的代理连接上游，请求未发出，请检查代理后重试",
        "The upstream cannot be reached by the account's proxy, nothing was sent: check the proxy, then try again",
    ),
    "accounts_replaced": LocalizedText(
        "网关的上游账号刚刚更换，本次未提交，请重试",
        "The gateway's upstream accounts were replaced and nothing was submitted: send the request again",
    ),
    "no_accounts": LocalizedText(
        "网关尚未配置上游账号，请联系网关管理员", "The gateway has no upstream accounts: ask its operator to add one"
    ),
    "paused_by_operator": LocalizedText("已由管理员暂停", "Paused by the operator"),
    "without_weight": LocalizedText("配置文件中 weight = 0", "weight is 0 in the file"),
    "as_many_as_may": LocalizedText("运行中的任务已达 max_running", "As many tasks are running as max_running allows"),
    "accounts_not_entitled": LocalizedText(
        "{total} 个账号都无权使用该模型，请选择其他模型，或在官网开通",
        "No account of {total} may use this model: choose another one, or have it opened on the site",
    ),
    "no_check": LocalizedText(
        "该平台无法检查登录状态，只能通过提交得知",
        "This upstream does not tell whether a login is alive: only a submit does",
    ),
    "no_credits_told": LocalizedText("该平台不提供积分查询", "This upstream does not tell what is left"),
    "no_gifts": LocalizedText("该平台没有可领取的积分", "This upstream has no credits to receive"),
    "operator_only": LocalizedText(
        "仅限网关管理员：请使用 GATEWAY_ADMIN_KEY，未设置时只能从本机访问",
        "This is the operator's: use GATEWAY_ADMIN_KEY, or, where none is set, ask from the machine itself",
    ),
    "account_not_found": LocalizedText(
        "没有名为 {name} 的账号，账号列表见 GET /v1/accounts", "There is no account {name}: see GET /v1/accounts"
    ),
    "invalid_request": LocalizedText("请求参数错误", "The upstream refused the parameters of the request"),
    "not_cancellable": LocalizedText(
        "任务无法取消：上游不支持取消，或任务已开始或已结束",
        "The task cannot be cancelled: the upstream has no cancel, or the task has started or ended",
    ),
    "cancelled": LocalizedText("任务已取消", "The task was cancelled"),
    "generation_failed": LocalizedText("生成失败", "The generation failed; try again"),
    "upstream_error": LocalizedText(
        "上游返回了无法识别的响应，请稍后再试", "The upstream gave an answer nobody can read; try later"
    ),
    "upstream_unavailable": LocalizedText(
        "无法连接上游，请求未发出，请稍后重试", "The upstream cannot be reached, nothing was sent; try again"
    ),
    "stopping": LocalizedText("网关正在停止，请稍后重试", "The gateway is being stopped; try again"),
    "upload_failed": LocalizedText(
        "素材上传到上游失败，任务未创建，也未扣费，请重试",
        "An input did not reach the upstream: nothing was created and nothing charged; try again",
    ),
    "submission_unconfirmed": LocalizedText(
        "提交结果未知：请求已发出但没有收到确认，可能已扣费，请先在官网查看，不要直接重试",
        "The submit was sent and its answer lost: it may be charged. Look on the site before you repeat it",
    ),
    "internal_error": LocalizedText(
        "网关内部错误，请附上 request_id 反馈", "The gateway failed; report it with the request_id"
    ),
    "too_large": LocalizedText(
        "请求体过大，上限为 {limit}；图片和视频请用表单（multipart/form-data）以文件上传，其上限更高",
        "The body is too large: at most {limit} are taken. Pictures and clips go better as files in a form "
        "(multipart/form-data), which may be larger",
    ),
    "form_too_large": LocalizedText("表单过大，上限为 {limit}", "The form is too large: at most {limit} are taken"),
    "invalid_json": LocalizedText("请求体不是有效的 JSON 对象", "The body is not a JSON object"),
    "invalid_form": LocalizedText("请求体不是有效的表单", "The body is not a valid form"),
    "archive_out_of_reach": LocalizedText(
        "上游已没有该任务，而存档暂时无法访问，请稍后重试",
        "The upstream has this task no longer, and the archive cannot be asked just now: try again",
    ),
    "unknown_file": LocalizedText(
        "{name}：没有接收文件的该字段，可用：{fields}",
        "{name}: there is no such field for a file; files go into {fields}",
    ),
    "statuses_wanted": LocalizedText(
        "status 只支持 unfinished；查询指定任务请用 ids=…",
        "status can only be unfinished; name tasks with ids=…",
    ),
    "too_many_files": LocalizedText("文件过多，最多 {limit} 个", "There are too many files: at most {limit}"),
    "unsupported_media_type": LocalizedText(
        "不支持的 Content-Type，请使用 application/json 或 multipart/form-data",
        "This Content-Type is not understood: use application/json or multipart/form-data",
    ),
    "file_too_large": LocalizedText(
        "{param}：文件过大，最多 {limit}", "{param}: the file is too large: at most {limit} are taken"
    ),
    "range_not_satisfiable": LocalizedText("请求的范围超出文件", "The range lies outside of the file"),
    "url_unfetchable": LocalizedText(
        "{param}：无法获取该地址，请给出公网可访问的 https:// 链接，或直接上传文件",
        "{param}: the address cannot be fetched: give a public https:// address, or send the file itself",
    ),
    "fetches_busy": LocalizedText(
        "{param}：网关正在下载的文件过多，请稍后重试，或直接上传文件",
        "{param}: the gateway is fetching too many files just now: try again, or send the file itself",
    ),
    "url_not_given": LocalizedText(
        "{param}：该地址的服务器返回 HTTP {status}，请给出无需登录即可下载的 https:// 链接，或直接上传文件",
        "{param}: the address's host answers with HTTP {status}: give an https:// address that anybody can download, "
        "or send the file itself",
    ),
    "url_compressed": LocalizedText(
        "{param}：该地址的服务器返回压缩传输（Content-Encoding）的内容，请给出文件原样的 https:// 链接，或直接上传文件",
        "{param}: the address's host sends it compressed (Content-Encoding): give an https:// address of the plain "
        "file, or send the file itself",
    ),
    "url_broken_off": LocalizedText(
        "{param}：该地址的服务器中断了下载，请重试，或直接上传文件",
        "{param}: the address's host broke off the download: try again, or send the file itself",
    ),
    "url_too_slow": LocalizedText(
        "{param}：该地址未能在 {seconds} 秒内下载完成，请换用更快的链接或更小的文件，或直接上传文件",
        "{param}: the address took more than {seconds} s to download: give a faster one or a smaller file, or send the "
        "file itself",
    ),
    "url_too_large": LocalizedText(
        "{param}：该地址的文件过大，上限为 {limit}，请换用更小的文件",
        "{param}: the file at the address is too large, at most {limit} are taken: give a smaller one",
    ),
    "broken_data_url": LocalizedText(
        "{param}：data: 链接不是有效的 base64，格式为 data:image/png;base64,…",
        "{param}: this data: URL is not valid base64; its form is data:image/png;base64,…",
    ),
    "no_enhancement": LocalizedText(
        "enhance_prompt：此版本未接入语言模型，请直接提供完整提示词",
        "enhance_prompt: this version speaks to no language model; send the finished prompt",
    ),
    "idempotency_mismatch": LocalizedText(
        "同一 Idempotency-Key 已用于不同的请求，请换一个新的 key",
        "This Idempotency-Key came with another body before: use a new key for a new video",
    ),
    "not_ready": LocalizedText("视频尚未生成完成，请稍后再取", "The video is not finished: ask again later"),
    "failed_task": LocalizedText("任务失败，没有可下载的视频", "The task has failed: there is no video"),
    "no_thumbnail": LocalizedText("该视频没有封面", "This video has no thumbnail"),
    "not_supported": LocalizedText("不支持该操作", "This is not supported"),
    "file_gone": LocalizedText(
        "文件已过期，上游不再提供下载",
        "The file has expired: the upstream has it no longer, and there is no other link",
    ),
    "file_not_fetched": LocalizedText(
        "暂时无法从上游下载文件，请稍后重试", "The upstream's file cannot be fetched just now; try again"
    ),
    "file_not_given": LocalizedText(
        "上游没有给出文件，链接可能已过期；请稍后重试，或到上游网站下载",
        "The upstream does not give its file, whose link may have expired: try later, or fetch it on its site",
    ),
    "no_remix_of_pictures": LocalizedText(
        "模型 {model} 需要图片，而原任务的图片没有保存；请用 POST /v1/videos 重新提交并附上图片",
        "{model} needs a picture, and that of the old task is not kept: submit a new one with POST /v1/videos",
    ),
    "no_characters": LocalizedText(
        "没有上游支持角色（characters），请改用参考图", "No upstream keeps characters: use reference images instead"
    ),
    "model_unknown": LocalizedText(
        "无法得知该任务使用的模型，请改用 POST /v1/videos 重新提交",
        "The model of this task is not known: submit a new one with POST /v1/videos",
    ),
    "not_by_this_model": LocalizedText(
        "模型 {model} 不支持该操作，或没有可用于它的凭证；支持该操作的模型：{able}，请使用相应平台的凭证",
        "{model} cannot do this, or there is no credential for it: use {able}, with a credential of that provider",
    ),
    "ids_needed": LocalizedText("请用 ids=… 指定任务，最多 {limit} 个", "Name the tasks with ids=…, at most {limit}"),
}

_STATES: dict[Phase, LocalizedText] = {
    Phase.QUEUED: LocalizedText("排队中", "Queued"),
    Phase.PROCESSING: LocalizedText("视频生成中", "Generating the video"),
    Phase.POST_PROCESSING: LocalizedText("后期处理中", "Post-processing"),
    Phase.FINALIZING: LocalizedText("即将完成", "Nearly finished"),
    Phase.COMPLETED: LocalizedText("视频生成完成", "The video is finished"),
    Phase.FAILED: LocalizedText("生成失败", "The generation failed"),
}

_PLACE = LocalizedText("，第 {place} 位", ", place {place}")
_ETA = LocalizedText("，预计 {eta}", ", about {eta} to go")
_HOURS = LocalizedText("{count} 小时", "{count} h")
_MINUTES = LocalizedText("{count} 分钟", "{count} min")
_SECONDS = LocalizedText("{count} 秒", "{count} s")

_THIS: dict[Language, str] = {"zh": "该值", "en": "this"}
_SHOWN_PROBLEMS = 20
_SHOWN_VALUE = 60

QUERY_FAILED = LocalizedText("查询失败: {reason}", "The query failed: {reason}")

_PROBLEMS: dict[FieldReason, tuple[LocalizedText, LocalizedText]] = {
    FieldReason.NOT_ALLOWED: (
        LocalizedText("{param}：不支持{value}", "{param}: {value} is not possible"),
        LocalizedText("，可选：{allowed}", "; allowed: {allowed}"),
    ),
    FieldReason.UNSUPPORTED: (
        LocalizedText("{param}：此模型不支持该参数", "{param}: this model does not take it"),
        LocalizedText("，支持：{allowed}", "; it takes: {allowed}"),
    ),
    FieldReason.MISSING: (
        LocalizedText("{param}：缺少必填参数", "{param}: it is needed"),
        LocalizedText("，可用组合：{allowed}", "; possible: {allowed}"),
    ),
    FieldReason.CONFLICT: (
        LocalizedText("{param}：与其他参数冲突", "{param}: it contradicts another field"),
        LocalizedText("，可用：{allowed}", "; possible: {allowed}"),
    ),
    FieldReason.TOO_MANY: (
        LocalizedText("{param}：素材过多", "{param}: there are too many"),
        LocalizedText("，此模型最多 {allowed} 个", "; this model takes {allowed} at most"),
    ),
    FieldReason.BROKEN: (
        LocalizedText(
            "{param}：这个{value} 文件不完整或已损坏，请重新发送",
            "{param}: this {value} file breaks off or is damaged: send it again",
        ),
        LocalizedText("", ""),
    ),
    FieldReason.TOO_LONG: (
        LocalizedText("{param}：文本过长，长度为{value} 个字符", "{param}: {value} characters are too many"),
        LocalizedText("，此模型最多 {allowed} 个字符", "; this model takes {allowed} at most"),
    ),
}


def say(words: LocalizedText, language: Language, **values: object) -> str:
    """The sentence in one language, its places filled; a value that is a sentence is taken in the same language."""
    text = words.zh if language == "zh" else words.en
    if not values:
        return text
    return text.format(
        **{name: say(value, language) if isinstance(value, LocalizedText) else value for name, value in values.items()}
    )


def filled(words: LocalizedText, **values: object) -> LocalizedText:
    """The sentence in both languages, its places filled; a value that is a sentence is taken in the same language."""
    zh = {name: value.zh if isinstance(value, LocalizedText) else value for name, value in values.items()}
    en = {name: value.en if isinstance(value, LocalizedText) else value for name, value in values.items()}
    return LocalizedText(words.zh.format(**zh), words.en.format(**en))


def spell_time(seconds: float) -> LocalizedText:
    """A length of time, rounded to what a person wants to know."""
    if seconds >= 5400:
        return filled(_HOURS, count=round(seconds / 3600))
    if seconds >= 90:
        return filled(_MINUTES, count=round(seconds / 60))
    return filled(_SECONDS, count=max(1, round(seconds)))


def spell_bytes(size: int) -> str:
    """A size as people write it: 20 MB is 20 × 1024 × 1024 bytes.

    >>> spell_bytes(20 * 1024 * 1024)
    '20 MB'
    """
    for unit, bytes in (("GB", 1024**3), ("MB", 1024**2), ("KB", 1024)):
        if size >= bytes:
            return f"{round(size / bytes, 1):g} {unit}"
    return f"{size} B"


@lru_cache(256)
def choose_language(accept_language: str, default: Language) -> Language:
    """The language a client prefers, from its Accept-Language header; `default` where it names neither."""
    best: tuple[float, Language] | None = None
    for part in accept_language.split(","):
        name, _, quality = part.strip().partition(";")
        primary = name.strip().lower().partition("-")[0]
        if primary not in ("zh", "en"):
            continue
        try:
            weight = float(quality.strip().removeprefix("q=")) if quality else 1.0
        except ValueError:
            continue
        if weight > 0 and (best is None or weight > best[0]):
            best = (weight, cast(Language, primary))
    return best[1] if best else default


def describe_problems(problems: Sequence[FieldProblem], language: Language) -> str:
    """Every refused field in one sentence each, with what the model allows; of very many, the first ones."""
    joint = "；" if language == "zh" else "; "
    return joint.join(_describe_problem(problem, language) for problem in problems[:_SHOWN_PROBLEMS])


def _describe_problem(problem: FieldProblem, language: Language) -> str:
    what, way_out = _PROBLEMS[problem.reason]
    value = problem.value[:_SHOWN_VALUE]
    # Chinese sets foreign words off by a blank, and not its own.
    shown = f" {value}" if language == "zh" and value and value.isascii() else value or _THIS[language]
    text = say(what, language, param=problem.param, value=shown)
    if problem.hint:
        return f"{text}{'。' if language == 'zh' else '. '}{say(problem.hint, language)}"
    if problem.allowed:
        text += say(way_out, language, allowed=", ".join(problem.allowed))
    return text


def describe_state(state: TaskState, language: Language) -> str:
    """What is going on with a task, in one sentence."""
    if state.note:
        return say(state.note, language)
    text = say(_STATES[state.phase], language)
    if state.queue:
        text += say(_PLACE, language, place=state.queue.position) + _describe_eta(state.queue, language)
    return text


def _describe_eta(queue: Queue, language: Language) -> str:
    if not queue.eta_seconds:
        return ""
    return say(_ETA, language, eta=say(spell_time(queue.eta_seconds), language))
