"""What a cancel came to, from the site's answer and the task's record afterwards. Pure.

Captured 2026-03-10 on the mainland site: an accepted cancel is ret "0", and the record then has status 30 with
你已取消生成，积分已返还. What the site answers to a cancel that it refuses was never captured.
"""

from providers.contract.errors import Blame, ErrorKind, ProviderError
from providers.contract.localized_text import LocalizedText
from providers.contract.tasks import Phase, TaskState
from providers.jimeng.history import NoEnvelopeError
from providers.jimeng.site.errors import SIGNATURE_REFUSED

_NO_SUCH_CALL = (404, 405)
_NOT_OF_THE_TASK = frozenset({ErrorKind.UNREACHABLE, ErrorKind.ANSWER_LOST})

REASONS: dict[Phase, LocalizedText] = {
    Phase.QUEUED: LocalizedText(
        "网站没有取消该任务，任务仍在排队", "The site did not cancel the task: it is still queued"
    ),
    Phase.PROCESSING: LocalizedText(
        "任务已开始生成，网站只能取消排队中的任务",
        "The task is being generated, and the site cancels only what is in the queue",
    ),
    Phase.POST_PROCESSING: LocalizedText(
        "任务已生成，正在后期处理，无法取消",
        "The task is generated and in post-processing: it is too late",
    ),
    Phase.FINALIZING: LocalizedText(
        "任务已生成，正在提取视频，无法取消", "The task is generated and its link is being fetched: it is too late"
    ),
    Phase.COMPLETED: LocalizedText("任务已完成，无法取消", "The task has completed: it is too late to cancel it"),
    Phase.FAILED: LocalizedText("任务已失败，无需取消", "The task has failed: there is nothing to cancel"),
}
"""Why a task was not cancelled, by its state afterwards."""

_REFUSED = LocalizedText("网站拒绝取消该任务", "The site refused to cancel the task")


def is_refusal(error: ProviderError) -> bool:
    """True for an answer of the site that refuses the cancel of this task; False for trouble of the account, of the
    signature or the connection."""
    if isinstance(error, NoEnvelopeError):
        # Not every site has the call.
        return error.status in _NO_SUCH_CALL
    return (
        error.kind.blame is not Blame.ACCOUNT and error.kind not in _NOT_OF_THE_TASK and error.code != SIGNATURE_REFUSED
    )


def verdict(after: TaskState | ProviderError, refused: ProviderError | None) -> ProviderError | None:
    """None where the task is cancelled, else why it is not.

    `after` is the state of the task read after the cancel, or why it could not be read; `refused` is the site's
    refusal, None where it accepted the cancel. Where there is no record, as of a task that is too new, or none that can
    be read, the site's word stands.
    """
    if isinstance(after, TaskState):
        if after.error is not None and after.error.kind is ErrorKind.CANCELLED:
            return None
        return _not_cancellable(REASONS[after.phase], refused)
    if after.kind.blame is Blame.ACCOUNT:
        return after
    if refused is None:
        return None
    return after if after.kind is ErrorKind.TASK_NOT_FOUND else _not_cancellable(_REFUSED, refused)


def _not_cancellable(message: LocalizedText, refused: ProviderError | None) -> ProviderError:
    if refused is None:
        return ProviderError(ErrorKind.NOT_CANCELLABLE, message=message)
    return ProviderError(ErrorKind.NOT_CANCELLABLE, code=refused.code, message=message, detail=refused.detail)
